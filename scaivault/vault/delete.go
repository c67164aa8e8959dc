// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/scailabs/scaivault-go/scaivault"
)

// Delete deletes a secret by its API path: on KV v2 the latest version, which
// Vault can undelete, on KV v1 the whole secret, for good. A secret that does
// not exist is no error, as Vault does not tell.
//
// If the request may have left and no answer came, Delete looks whether the
// secret is gone; otherwise the error matches [scaivault.ErrUncertain].
func (s *Source) Delete(ctx context.Context, path string) error {
	return s.remove(ctx, target{"delete", path}, 0)
}

// DeleteVersion deletes one version of a KV v2 secret, counted from 1, so that a
// version written in the meantime stays. Vault can undelete it. KV v1 has no
// versions, so there it is [scaivault.ErrInvalid]. All else is as in Delete.
func (s *Source) DeleteVersion(ctx context.Context, path string, version int) error {
	t := target{"delete version", path}
	if version < 1 {
		return s.invalid(t, fmt.Sprintf("there is no version %d; the first is 1", version))
	}
	return s.remove(ctx, t, version)
}

// remove deletes a version, or the latest if it is 0.
func (s *Source) remove(ctx context.Context, t target, version int) error {
	if wrong := pathProblem(t.path); wrong != "" {
		return s.invalid(t, wrong)
	}
	ctx, call, err := s.begin(ctx, t)
	if err != nil {
		return err
	}
	defer call.end()
	for {
		loc, err := s.locateForWrite(ctx, t)
		if err != nil {
			return err
		}
		err = s.removeAt(ctx, t, loc, version)
		if !errors.Is(err, errOutdated) {
			return err
		}
		s.mounts.drop(loc.mount)
	}
}

// removeAt deletes at a location. The error is errOutdated only where the
// location is not fresh and nothing was deleted.
func (s *Source) removeAt(ctx context.Context, t target, loc location, version int) error {
	p, wrong := loc.mount.secret(t.path)
	if wrong == "" && version > 0 && loc.mount.version == 1 {
		wrong = fmt.Sprintf("%s is KV v1, which has no versions", loc.mount)
	}
	switch {
	case wrong != "" && !loc.fresh:
		return errOutdated // before this is told, it must be sure
	case wrong != "":
		return s.invalid(t, wrong)
	}
	r := request{target: t, method: http.MethodDelete, api: p.api(partData)}
	if version > 0 {
		r.method, r.api, r.body = http.MethodPut, p.api(partDelete), fmt.Appendf(nil, `{"versions":[%d]}`, version)
	}
	a, err := s.do(ctx, r)
	if err == nil && !loc.fresh && a.refusesV1() {
		return errOutdated
	}
	if err == nil && a.success() && a.tookV1() {
		return nil
	}
	return s.settleRemoval(ctx, t, p, version, lost{answer: a, err: err})
}

// settleRemoval finds out what has become of a delete. It never deletes.
func (s *Source) settleRemoval(ctx context.Context, t target, p place, version int, l lost) error {
	cause := l.cause(s, t)
	if !l.open() {
		return cause
	}
	look, cancel := s.lookUp(ctx)
	defer cancel()
	a, err := s.fetch(look, t, p.api(partData), version)
	if err != nil {
		return uncertain(cause, reasonNoLook)
	}
	if p.mount.version == 1 {
		_, err = s.parseV1(t, a)
	} else {
		_, _, err = s.parseV2(t, a)
	}
	switch {
	case errors.Is(err, scaivault.ErrNotFound):
		return nil
	case err != nil:
		return uncertain(cause, reasonNoLook)
	default:
		return uncertain(cause, "it is still there")
	}
}
