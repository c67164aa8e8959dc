// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/scaivault"
)

// Put writes a secret by its API path, on KV v2 as a new version, on KV v1 in
// place of what is there. json.Number keeps its digits and json.RawMessage its
// text on the way; KV v2 itself rounds numbers to 64-bit floats.
//
// It writes at most once. If the request may have left and no answer came, Put
// reads the secret back: if our data is there, written since the call began,
// that is success; otherwise the error matches [scaivault.ErrUncertain].
//
// On KV v2 IfAbsent and IfVersion are Vault's check-and-set and atomic;
// IfUnchanged reads, compares, and writes by check-and-set. A secret whose
// latest version was deleted counts as absent. On KV v1 all three are a look
// before the write, and another writer can come in between. If a condition does
// not hold the error matches [scaivault.ErrConflict]. A secret or mount that
// demands check-and-set is written with the version it has at that moment.
//
// Metadata and MaxVersions go to KV v2 before the data, in a request of their
// own: if the data is then refused, they stay, and the error says so.
// Conditions are looked at before. Metadata replaces the custom metadata as a
// whole; values must be strings, at most 64 of 512 bytes. KV v1 has no
// metadata, and Vault no ExpiresIn and no RotationPolicyID: they are
// [scaivault.ErrInvalid], as is all else that cannot be written, before
// anything is.
func (s *Source) Put(ctx context.Context, path string, data map[string]any, opts *scaivault.PutOptions) (*scaivault.Written, error) {
	t := target{"put", path}
	w, wrong := newWrite(path, data, opts)
	if wrong != "" {
		return nil, s.invalid(t, wrong)
	}
	ctx, call, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer call.end()
	w.target = t
	for {
		loc, err := s.locateForWrite(ctx, t)
		if err != nil {
			return nil, err
		}
		written, err := s.putAt(ctx, w, loc)
		if !errors.Is(err, errOutdated) {
			return written, err
		}
		s.mounts.drop(loc.mount)
	}
}

// A write is a Put whose arguments have been checked.
type write struct {
	target
	opts   scaivault.PutOptions
	raw    json.RawMessage
	empty  bool              // the data has no field
	custom map[string]string // nil where no metadata goes with it
}

func newWrite(path string, data map[string]any, opts *scaivault.PutOptions) (*write, string) {
	w := &write{empty: len(data) == 0}
	if opts != nil {
		w.opts = *opts
	}
	wrong := pathProblem(path)
	if wrong == "" {
		wrong = optionsProblem(&w.opts)
	}
	if wrong == "" && !w.opts.Metadata.IsZero() {
		w.custom, wrong = customMetadata(w.opts.Metadata)
	}
	if wrong == "" {
		w.raw, wrong = wire.EncodeData(data)
	}
	return w, wrong
}

func optionsProblem(o *scaivault.PutOptions) string {
	switch {
	case o.ExpiresIn != 0:
		return "PutOptions.ExpiresIn: Vault's KV has no such option; set delete_version_after on the secret in Vault"
	case o.RotationPolicyID != "":
		return "PutOptions.RotationPolicyID: Vault's KV has no rotation policies"
	case o.MaxVersions < 0:
		return "PutOptions.MaxVersions is negative; give a positive number, or 0 for the mount's default"
	case o.IfVersion != nil && *o.IfVersion < 0:
		return "PutOptions.IfVersion is negative; 0 means that there is no secret"
	case o.IfAbsent && o.IfVersion != nil && *o.IfVersion > 0:
		return "PutOptions.IfAbsent and IfVersion contradict each other"
	case o.IfUnchanged != nil && (o.IfAbsent || o.IfVersion != nil && *o.IfVersion == 0):
		return "PutOptions.IfUnchanged and IfAbsent or IfVersion 0 contradict each other"
	default:
		return ""
	}
}

func (w *write) conditional() bool {
	return w.opts.IfAbsent || w.opts.IfVersion != nil || w.opts.IfUnchanged != nil
}

func (w *write) hasMetadata() bool { return w.custom != nil || w.opts.MaxVersions > 0 }

// locateForWrite is locate, and reads the secret where Vault does not tell the
// mount: a wrong guess of the KV version would write another secret than meant.
func (s *Source) locateForWrite(ctx context.Context, t target) (location, error) {
	loc, err := s.locate(ctx, t)
	if err != nil || loc.mount != nil {
		return loc, err
	}
	f, err := s.readUnknown(ctx, t, 0)
	switch {
	case f.mount != nil:
		return location{mount: f.mount, fresh: true}, nil
	case errors.Is(err, scaivault.ErrNotFound):
		e := s.failure(t, scaivault.ErrPermission, "Vault does not tell this token the KV version of the mount, without which nothing is written")
		e.Status = http.StatusForbidden
		return loc, e
	default:
		return loc, err
	}
}

// putAt writes at a location. The error is errOutdated only where the location
// is not fresh and nothing was written.
func (s *Source) putAt(ctx context.Context, w *write, loc location) (*scaivault.Written, error) {
	p, wrong := loc.mount.secret(w.path)
	if wrong == "" && loc.mount.version == 1 {
		wrong = w.unfitForV1(loc.mount)
	}
	switch {
	case wrong != "" && !loc.fresh:
		return nil, errOutdated // before this is told, it must be sure
	case wrong != "":
		return nil, s.invalid(w.target, wrong)
	case loc.mount.version == 1:
		return s.putV1(ctx, w, p, loc)
	default:
		return s.putV2(ctx, w, p, loc)
	}
}

func (w *write) unfitForV1(m *mount) string {
	switch {
	case !w.opts.Metadata.IsZero():
		return fmt.Sprintf("%s is KV v1, which holds no metadata; leave out PutOptions.Metadata", m)
	case w.opts.MaxVersions > 0:
		return fmt.Sprintf("%s is KV v1, which has no versions; leave out PutOptions.MaxVersions", m)
	case w.opts.IfVersion != nil && *w.opts.IfVersion > 0:
		return fmt.Sprintf("%s is KV v1, which has no versions; use PutOptions.IfUnchanged", m)
	case w.empty:
		return fmt.Sprintf("%s is KV v1, which holds no secret without fields", m)
	default:
		return ""
	}
}

// unmet says which condition does not hold for what was found, or nothing.
func (w *write) unmet(f found) string {
	o := &w.opts
	switch {
	case o.IfAbsent && f.secret != nil:
		return "there is a secret, and IfAbsent was asked for"
	case o.IfVersion != nil && *o.IfVersion == 0 && f.secret != nil:
		return "there is a secret, and IfVersion 0 asked for none"
	case o.IfVersion != nil && *o.IfVersion != 0 && *o.IfVersion != f.version:
		return fmt.Sprintf("the latest version is %d, and IfVersion asked for %d", f.version, *o.IfVersion)
	case o.IfUnchanged != nil && f.secret == nil:
		return "the secret is gone, and IfUnchanged asked for it"
	case o.IfUnchanged != nil && !o.IfUnchanged.Equal(f.secret):
		return "the data is not what IfUnchanged asked for"
	default:
		return ""
	}
}

// check looks at the secret and tells whether the conditions hold.
func (s *Source) check(ctx context.Context, w *write, loc location) (found, error) {
	f, err := s.readAt(ctx, w.target, loc, 0)
	if err != nil && !errors.Is(err, scaivault.ErrNotFound) {
		return f, err
	}
	if unmet := w.unmet(f); unmet != "" {
		return f, s.failure(w.target, scaivault.ErrConflict, unmet)
	}
	return f, nil
}

func (s *Source) putV1(ctx context.Context, w *write, p place, loc location) (*scaivault.Written, error) {
	if w.conditional() {
		if _, err := s.check(ctx, w, loc); err != nil {
			return nil, err
		}
	}
	start := time.Now()
	a, err := s.do(ctx, request{target: w.target, method: http.MethodPut, api: p.api(partData), body: w.raw})
	switch {
	case err == nil && !loc.fresh && a.refusesV1():
		return nil, errOutdated
	case err == nil && a.success() && a.tookV1():
		return &scaivault.Written{Source: s.name}, nil
	default:
		return s.settle(ctx, w, p, lost{answer: a, err: err, start: start})
	}
}

// tookV1 tells whether a success is one of Vault's for KV v1.
func (a *answer) tookV1() bool {
	_, ok := a.envelope()
	return ok || a.status == http.StatusNoContent
}

// refusesV1 tells whether KV v2 refused what was meant for KV v1.
func (a *answer) refusesV1() bool {
	env, ok := a.envelope()
	return ok && (a.status == http.StatusNotFound && (env.wrongKVVersion() || env.says(textNoRoute)) ||
		a.status == http.StatusBadRequest && env.says(textNoData))
}
