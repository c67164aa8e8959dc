// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// Put writes a secret to the authority of the path's stage, and to no other
// source in its place. Then it brings the other side up to date, where the
// stage mirrors; that cannot fail the write, see [Written.Mirror].
//
// At [StageFreeze] Put waits: until the flag moves on, when it writes to the
// authority of that stage, or until ctx ends, when the error matches
// [ErrFrozen] and nothing was written.
//
// If the authority gave no answer and the write could not be found there
// either, the error matches [ErrUncertain]. [PutOptions.IfVersion] is
// [ErrInvalid], as the two sides count differently; take IfUnchanged. A path
// that breaks a rule, that is not mapped while Vault is the authority, or that
// is federated to Vault while ScaiVault is the authority, is ErrInvalid, before
// any I/O.
func (s *Store) Put(ctx context.Context, path string, data map[string]any, opts *PutOptions) (*Written, error) {
	start := time.Now()
	s.count.writes.Add(1)
	r, err := s.routePut(ctx, path, data, opts)
	info := PutInfo{Path: wire.Printable(path)}
	var written *Written
	if err == nil {
		defer s.release(r.state)
		info.Stage = r.stage
		written, err = s.put(ctx, r, data, opts)
	}
	if err != nil {
		s.count.writeErrors.Add(1)
	} else {
		info.Source, info.Version, info.Mirror = written.Source, written.Version, written.Mirror
	}
	info.Took, info.Err = time.Since(start), err
	s.cfg.Trace.put(info)
	return written, err
}

// routePut checks all that can be checked, and waits while the path is frozen.
func (s *Store) routePut(ctx context.Context, path string, data map[string]any, opts *PutOptions) (*route, error) {
	fail := func(reason string) (*route, error) {
		return nil, &Error{Kind: ErrInvalid, Op: "put", Path: wire.Printable(path), Reason: reason}
	}
	if opts != nil && opts.IfVersion != nil {
		return fail("a Store takes no IfVersion, as Vault and ScaiVault count their versions differently; use IfUnchanged")
	}
	if _, reason := wire.EncodeData(data); reason != "" {
		return fail(reason)
	}
	for wait := minFreezeWait; ; wait = min(2*wait, maxFreezeWait) {
		r, err := s.route(ctx, "put", path)
		if err != nil {
			return nil, err
		}
		if r.proxied && !r.stage.vaultRules() {
			s.release(r.state)
			return fail("this ScaiVault path is federated to Vault (" + r.vault.path + ") and cannot be written in ScaiVault; write it in Vault, or copy it and map it to a path of its own")
		}
		if r.stage != StageFreeze {
			return &r, nil
		}
		s.release(r.state)
		if err := s.frozen(ctx, path, wait); err != nil {
			return nil, err
		}
	}
}

// How often a Put that waits asks the flag again.
const (
	minFreezeWait = 5 * time.Millisecond
	maxFreezeWait = 250 * time.Millisecond
)

// frozen waits a moment, or tells why there is nothing more to wait for.
func (s *Store) frozen(ctx context.Context, path string, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return &Error{Kind: ErrFrozen, Op: "put", Path: path, Reason: "nothing was written", Err: ctx.Err()}
	case <-s.lane.ctx.Done():
		return &Error{Kind: ErrClosed, Op: "put", Path: path, Reason: "the Store was closed while the path was frozen; nothing was written"}
	case <-timer.C:
		return nil
	}
}

// put writes to the authority and mirrors.
func (s *Store) put(ctx context.Context, r *route, data map[string]any, opts *PutOptions) (*Written, error) {
	r.state.beginWrite()
	answered, mirrored := false, false
	defer func() {
		if !answered { // the source panicked
			r.state.wrote(false, nil)
		}
		r.state.endWrite(mirrored, time.Now())
	}()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.cfg.Failover.putTimeout())
		defer cancel()
	}
	to := r.authority()
	w, err := to.source.Put(ctx, to.path, data, opts)
	answered = true
	r.state.wrote(err == nil, s.lastWritten(r, data, opts, w, err))
	if err == nil && w == nil {
		err = errors.New("the source returned neither a result nor an error")
	}
	if err != nil {
		err = putError(to, err)
		if errors.Is(err, ErrUncertain) && s.mirrors(r) {
			s.mirrorFailed(r, opts, err) // it may have been done
		}
		return nil, err
	}
	if r.comparable() {
		r.state.setBehind(r.other().side) // until it has a copy
	}
	written := &Written{Version: w.Version, Source: defaultTo(w.Source, to.source.Name())}
	if s.mirrors(r) {
		written.Mirror = s.mirror(ctx, r, opts)
		mirrored = written.Mirror == nil
	}
	return written, nil
}

// lastWritten is what to serve after a write while nobody answers: the value
// that was written. The next Get asks.
func (s *Store) lastWritten(r *route, data map[string]any, opts *PutOptions, w *Written, err error) *entry {
	if err != nil || w == nil || s.cfg.Cache.StaleFor == 0 {
		return nil
	}
	raw, reason := wire.EncodeData(data)
	if reason != "" {
		return nil
	}
	info := SecretInfo{Path: r.path, Version: w.Version, Source: defaultTo(w.Source, r.authority().source.Name()), UpdatedAt: time.Now()}
	if opts != nil {
		info.Type, info.Metadata = opts.Type, opts.Metadata
		if opts.ExpiresIn > 0 {
			info.ExpiresAt = info.UpdatedAt.Add(opts.ExpiresIn)
		}
	}
	return s.writtenEntry(r, newSecret(info, raw))
}

// putError makes sure that an error of a source says what kind it is. One that
// does not may have come after the write.
func putError(to leg, err error) error {
	if classified(err) {
		return err
	}
	return &Error{Kind: ErrUncertain, Op: "put", Source: to.source.Name(), Path: wire.Printable(to.path), Err: err}
}

// mirrors tells whether the other side gets a copy.
func (s *Store) mirrors(r *route) bool {
	return r.comparable() && s.mirrorsAt(r.stage)
}

func (s *Store) mirrorsAt(stage Stage) bool {
	switch stage {
	case StageShadow:
		return s.cfg.Mirror.Shadow
	case StageCanary, StageCutover:
		return !s.cfg.Mirror.Disabled
	default:
		return false
	}
}

// mirror copies the authority's value to the other side. It goes on for its
// own time when the caller leaves, and Close waits for it.
func (s *Store) mirror(ctx context.Context, r *route, opts *PutOptions) error {
	s.count.mirrors.Add(1)
	done := make(chan error, 1)
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Mirror.timeout())
	r.state.again()
	work := func() {
		defer s.release(r.state)
		defer cancel()
		err := s.copyToMirror(own, r, opts)
		if err != nil {
			s.mirrorFailed(r, opts, err)
		} else {
			s.mirrorDone(r)
		}
		done <- err
	}
	if !s.lane.run(work) {
		work() // the Store was closed meanwhile; the caller is still here
	}
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = &Error{
			Kind: ErrUncertain, Op: "mirror", Source: r.other().source.Name(), Path: r.path,
			Reason: "still under way when the caller's context ended", Err: ctx.Err(),
		}
	}
	if err != nil {
		s.count.mirrorErrors.Add(1)
		s.log.LogAttrs(ctx, slog.LevelWarn, "a write could not be mirrored; the other side holds an older value",
			slog.String("path", r.path), slog.String("stage", r.stage.String()), slog.String("mirror", r.other().source.Name()), slog.Any("cause", err))
	}
	return err
}
