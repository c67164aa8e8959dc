// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/scaivault"
)

// putV2 looks where it must, writes the metadata if there are any, then the
// data.
func (s *Source) putV2(ctx context.Context, w *write, p place, loc location) (*scaivault.Written, error) {
	cas, err := s.casFor(ctx, w, loc)
	if err != nil {
		return nil, err
	}
	if !w.hasMetadata() {
		return s.writeDataV2(ctx, w, p, loc, cas)
	}
	if err := s.writeMetadata(ctx, w, p, loc); err != nil {
		return nil, err
	}
	loc.fresh = true // the mount took metadata, so it is KV v2
	written, err := s.writeDataV2(ctx, w, p, loc, cas)
	var e *scaivault.Error
	if errors.As(err, &e) && !errors.Is(err, scaivault.ErrUncertain) {
		e.Reason = joinReasons(e.Reason, "the metadata was written before, the data was not")
	}
	return written, err
}

func joinReasons(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + "; " + b
	}
}

// casFor is the version to write with, nil for none. Where IfAbsent or
// IfVersion alone decide, Vault checks them itself. Where metadata comes first,
// or data has to be compared, it is looked at.
func (s *Source) casFor(ctx context.Context, w *write, loc location) (*int, error) {
	o := &w.opts
	switch {
	case !w.conditional():
		return nil, nil //nolint:nilnil // no condition
	case w.hasMetadata() || o.IfUnchanged != nil:
		f, err := s.check(ctx, w, loc)
		return &f.version, err
	case o.IfVersion != nil:
		return o.IfVersion, nil
	default: // IfAbsent
		return new(int), nil
	}
}

// writeDataV2 writes, and once more where Vault's check-and-set refused for a
// reason that a look at the secret removes.
func (s *Source) writeDataV2(ctx context.Context, w *write, p place, loc location, cas *int) (*scaivault.Written, error) {
	written, a, err := s.sendDataV2(ctx, w, p, loc, cas)
	if err == nil || a.status != http.StatusBadRequest {
		return written, err
	}
	env, _ := a.envelope()
	switch {
	case cas == nil && env.says(textCASRequired):
	case cas != nil && *cas == 0 && env.says(textCASMismatch): // there may be a deleted secret
	default:
		return written, err
	}
	f, lookErr := s.check(ctx, w, loc)
	switch {
	case errors.Is(lookErr, scaivault.ErrPermission) && cas == nil:
		return nil, s.failure(w.target, scaivault.ErrPermission,
			"the secret takes writes with its version only, and no policy of the token allows to read that")
	case errors.Is(lookErr, scaivault.ErrPermission):
		return nil, err // there is one, that much is known
	case lookErr != nil:
		return nil, lookErr
	case cas != nil && f.version == 0:
		return nil, err // there is none now, but there was one then
	}
	written, _, err = s.sendDataV2(ctx, w, p, loc, &f.version)
	return written, err
}

// sendDataV2 sends the data once.
func (s *Source) sendDataV2(ctx context.Context, w *write, p place, loc location, cas *int) (*scaivault.Written, *answer, error) {
	start := time.Now()
	a, err := s.do(ctx, request{target: w.target, method: http.MethodPut, api: p.api(partData), body: bodyV2(w.raw, cas)})
	if err == nil && !loc.fresh && a.refusesV2() {
		return nil, a, errOutdated
	}
	if err == nil && a.success() {
		if version := a.writtenVersion(); version > 0 {
			return &scaivault.Written{Version: version, Source: s.name}, a, nil
		}
	}
	written, err := s.settle(ctx, w, p, lost{answer: a, err: err, start: start, cas: cas})
	return written, a, err
}

// refusesV2 tells whether what was meant for KV v2 has met something else:
// nothing at all, or KV v1, which has taken it as if it were a secret, and
// whose secret must now be written as meant.
func (a *answer) refusesV2() bool {
	env, ok := a.envelope()
	return a.status == http.StatusNoContent || ok && a.status == http.StatusNotFound && env.says(textNoRoute)
}

// writtenVersion is 0 where the answer does not say.
func (a *answer) writtenVersion() int {
	var w struct {
		Version int `json:"version"`
	}
	env, ok := a.envelope()
	if !ok || json.Unmarshal(env.data, &w) != nil {
		return 0
	}
	return w.Version
}

// writeMetadata writes what goes with the secret. It can be repeated without
// harm, so a lost answer is only that.
func (s *Source) writeMetadata(ctx context.Context, w *write, p place, loc location) error {
	body, err := wire.Marshal(struct {
		Custom      map[string]string `json:"custom_metadata,omitempty"`
		MaxVersions int               `json:"max_versions,omitempty"`
	}{w.custom, w.opts.MaxVersions})
	if err != nil {
		return s.invalid(w.target, "the metadata cannot be written as JSON")
	}
	a, err := s.do(ctx, request{target: w.target, method: http.MethodPut, api: p.api(partMetadata), body: body})
	env, _ := a.envelope()
	switch {
	case err == nil && a.success():
		return nil
	case err == nil && !loc.fresh && a.status == http.StatusNotFound && env.says(textNoRoute):
		return errOutdated
	case err == nil:
		err = s.refusal(w.target, a)
	}
	var e *scaivault.Error
	if errors.As(err, &e) {
		e.Reason = joinReasons(e.Reason, "the metadata at "+wire.Printable(p.api(partMetadata))+" could not be written, so the data was not either")
	}
	return err
}
