// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"maps"

	"github.com/scailabs/scaivault-go/internal/mark"
)

// maxMirrorRounds bounds the loop for a path that is written all the time.
const maxMirrorRounds = 16

// copyToMirror reads the authority, writes the mirror and reads the authority
// again, until its version has not moved meanwhile. So of two writers' mirrors
// the newest value stays.
func (s *Store) copyToMirror(ctx context.Context, r *route, opts *PutOptions) (err error) {
	defer func() {
		if p := recover(); p != nil { // a Source is not ours
			err = &Error{Kind: ErrUnavailable, Op: "mirror", Path: r.path, Reason: "a source panicked"}
		}
	}()
	// One mirror of a path at a time, so that the mark of each names the version
	// that it makes.
	if err := r.state.takeMirror(ctx); err != nil {
		return &Error{
			Kind: ErrUnavailable, Op: "mirror", Source: r.other().source.Name(), Path: r.path,
			Reason: "an earlier write of this path is still being mirrored", Err: err,
		}
	}
	defer r.state.leaveMirror()
	limit := s.cfg.Failover.attemptTimeout()
	truth, err := askSource(ctx, r.authority(), limit, false)
	if err != nil {
		return err
	}
	for range maxMirrorRounds {
		err := s.writeMirror(ctx, r, truth, opts)
		if errors.Is(err, ErrConflict) && r.other().side == SideVault {
			continue // somebody wrote there since it was read
		}
		if err != nil {
			return err
		}
		again, err := askSource(ctx, r.authority(), limit, false)
		if err != nil {
			return err
		}
		if again.Version() == truth.Version() && (again.Version() > 0 || again.Equal(truth)) {
			return nil
		}
		truth = again
	}
	return &Error{
		Kind: ErrConflict, Op: "mirror", Source: r.other().source.Name(), Path: r.path,
		Reason: "the authority is written faster than it can be mirrored",
	}
}

// mirrorable tells whether the other side may still be written now that the path
// has come to stage: not if it is the authority there. At freeze nobody writes, so
// a mirror brings over the last write of the stage before, as the copy that
// follows would.
func (r *route) mirrorable(stage Stage) bool {
	return stage == StageFreeze || stage.vaultRules() == r.stage.vaultRules()
}

// writeMirror writes one value to the mirror, unless it is there already. The
// copy carries a mark, so that a later migration knows it as a copy.
func (s *Store) writeMirror(ctx context.Context, r *route, truth *Secret, opts *PutOptions) error {
	to, limit := r.other(), s.cfg.Failover.attemptTimeout()
	there, err := askSource(ctx, to, limit, false)
	switch {
	case errors.Is(err, ErrNotFound):
		there = nil
	case err != nil:
		return err
	case there.Equal(truth):
		return nil
	}
	data, err := rawFields(truth)
	if err != nil {
		return err
	}
	if stage, _ := s.stage(ctx, r.path, r.state); !r.mirrorable(stage) {
		return &Error{
			Kind: ErrConflict, Op: "mirror", Source: to.source.Name(), Path: r.path,
			Reason: "the authority has moved meanwhile; the path is at stage " + stage.String(),
		}
	}
	put, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err = to.source.Put(put, to.path, data, mirrorOptions(r, truth, there, opts))
	if errors.Is(err, ErrInvalid) || errors.Is(err, ErrPermission) {
		// A side that holds no metadata, or a token that may not write it:
		// the value counts more than the mark.
		_, err = to.source.Put(put, to.path, data, nil)
	}
	return err
}

// takeMirror waits until no other mirror of the path is under way.
func (st *pathState) takeMirror(ctx context.Context) error {
	st.mu.Lock()
	if st.mirror == nil {
		st.mirror = make(chan struct{}, 1)
	}
	turn := st.mirror
	st.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (st *pathState) leaveMirror() {
	st.mu.Lock()
	defer st.mu.Unlock()
	<-st.mirror // holds our own token, so this does not wait
}

// mirrorOptions keeps the metadata that the mirror has, adds what the caller
// gave, and the mark.
func mirrorOptions(r *route, truth, there *Secret, opts *PutOptions) *PutOptions {
	out := &PutOptions{}
	version := 0
	if there != nil {
		out.Metadata = there.metadata()
		version = there.Version()
	}
	if opts != nil {
		if r.stage.vaultRules() { // what only ScaiVault can hold
			out.Type = opts.Type
		}
		out.MaxVersions = opts.MaxVersions
		out.Metadata = overlay(out.Metadata, opts.Metadata)
	}
	if r.other().side == SideVault && (there == nil || version > 0) {
		out.IfVersion = &version // KV v2 checks it; the mark names the next one
	}
	out.Metadata.Values = mark.Mark{
		Source: r.authority().path, SourceVersion: truth.Version(), Version: version + 1, WriteID: mark.NewWriteID(),
	}.AddTo(out.Metadata.Values)
	return out
}

// overlay puts what is set in b over a.
func overlay(a, b Metadata) Metadata {
	a.Description = defaultTo(b.Description, a.Description)
	a.Owner = defaultTo(b.Owner, a.Owner)
	if b.Tags != nil {
		a.Tags = b.Tags
	}
	if a.Values == nil {
		a.Values = map[string]any{}
	}
	maps.Copy(a.Values, b.Values)
	return a
}

// rawFields are a secret's fields as the source wrote them, digit for digit.
func rawFields(s *Secret) (map[string]any, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(s.raw(), &fields) != nil {
		return nil, &Error{Kind: ErrInvalid, Op: "mirror", Path: s.Path(), Reason: "the data is not a JSON object"}
	}
	out := make(map[string]any, len(fields))
	for k, v := range fields {
		out[k] = v
	}
	return out, nil
}
