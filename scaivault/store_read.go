// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A result is what a read came to: a secret, or the error that the caller gets.
type result struct {
	secret   *Secret
	err      error
	attempts []Attempt // the sources that had no value, in the order they were asked
}

// cause is why the first source did not answer, for the log.
func (r result) cause() error {
	if len(r.attempts) == 0 {
		return nil
	}
	return r.attempts[0].Err
}

// read asks the sources by the table of stages. One principle gives the whole
// table: the authority's answer is final, including its no; the other source's
// answer counts only when it is a value.
func (s *Store) read(ctx context.Context, r *route) result {
	switch r.stage {
	case StageVault:
		return s.readAuthority(ctx, r)
	case StageShadow:
		res := s.readAuthority(ctx, r)
		s.sample(r, r.vault, res.secret)
		return res
	case StageCanary, StageFreeze:
		return s.readCanary(ctx, r)
	case StageCutover:
		return s.readCutover(ctx, r)
	default:
		return s.readAuthority(ctx, r)
	}
}

// readAuthority asks the authority alone.
func (s *Store) readAuthority(ctx context.Context, r *route) result {
	q := s.newQuestion(ctx, r)
	if secret := q.ask(r.authority(), false); secret != nil {
		return q.value(secret, false)
	}
	return q.failed()
}

// readCutover asks ScaiVault, and Vault only when ScaiVault is unavailable.
func (s *Store) readCutover(ctx context.Context, r *route) result {
	q := s.newQuestion(ctx, r)
	secret := q.ask(r.scaiVault, r.vault.source != nil)
	if secret != nil {
		s.sample(r, r.scaiVault, secret)
		return q.value(secret, false)
	}
	if isNo(q.authorityErr) || r.vault.source == nil {
		return q.failed()
	}
	if secret := q.ask(r.vault, false); secret != nil {
		return q.value(secret, true)
	}
	return q.failed()
}

// readCanary asks ScaiVault first for a clean path, Vault first for another,
// and both for a path that was never compared.
func (s *Store) readCanary(ctx context.Context, r *route) result {
	if !r.comparable() {
		return s.readVaultFirst(ctx, r, nil)
	}
	now := r.state.stand(time.Now(), s.cfg.Compare.maxAge())
	switch {
	case now.first:
		return s.readComparing(ctx, r, now)
	case now.clean:
		return s.readClean(ctx, r, now)
	default:
		return s.readVaultFirst(ctx, r, &now)
	}
}

// readClean is for a path whose two sides were equal a moment ago. Whatever
// ScaiVault says that is not a value, Vault is asked.
func (s *Store) readClean(ctx context.Context, r *route, now standing) result {
	q := s.newQuestion(ctx, r)
	if secret := q.ask(r.scaiVault, true); secret != nil {
		s.compareLater(r, now.generation, r.scaiVault, secret)
		return q.value(secret, false)
	}
	scaiVaultSaidNo := isNo(q.attempts[0].Err)
	secret := q.ask(r.vault, false)
	switch {
	case secret != nil && scaiVaultSaidNo, secret == nil && isNo(q.authorityErr):
		r.state.soil() // one side has it and the other says no
	}
	if secret == nil {
		return q.failed()
	}
	return q.value(secret, true)
}

// readVaultFirst is for a path that is not clean. ScaiVault's value counts only
// while Vault is unavailable. A nil standing is for a path that is never
// compared.
func (s *Store) readVaultFirst(ctx context.Context, r *route, now *standing) result {
	q := s.newQuestion(ctx, r)
	if secret := q.ask(r.vault, r.scaiVault.source != nil); secret != nil {
		if now != nil {
			s.compareLater(r, now.generation, r.vault, secret)
		}
		return q.value(secret, false)
	}
	if isNo(q.authorityErr) || r.scaiVault.source == nil {
		return q.failed()
	}
	if secret := q.ask(r.scaiVault, false); secret != nil {
		return q.value(secret, true)
	}
	return q.failed()
}

// A question collects the attempts of one read.
type question struct {
	ctx          context.Context //nolint:containedctx // lives as long as one call
	store        *Store
	route        *route
	attempts     []Attempt
	authorityErr error
}

func (s *Store) newQuestion(ctx context.Context, r *route) *question {
	return &question{ctx: ctx, store: s, route: r}
}

// ask asks one source and returns its value, or nil and remembers why not.
// more tells that there is another one to ask if this one gives no answer.
func (q *question) ask(l leg, more bool) *Secret {
	start := time.Now()
	limit := q.store.cfg.Failover.attemptTimeout()
	if deadline, ok := q.ctx.Deadline(); ok && more {
		limit = min(limit, time.Until(deadline)/2)
	}
	secret, err := askSource(q.ctx, l, limit, more)
	if err == nil {
		return secret
	}
	q.failure(l, err, time.Since(start))
	return nil
}

// failure remembers why a source has no value.
func (q *question) failure(l leg, err error, took time.Duration) {
	q.attempts = append(q.attempts, Attempt{Source: l.source.Name(), Err: err, Took: took})
	if l.side == q.route.authority().side {
		q.authorityErr = err
	}
}

// value labels a secret for the caller.
func (q *question) value(secret *Secret, failover bool) result {
	return result{secret: secret.answered(q.route.path, secret.Source(), failover), attempts: q.attempts}
}

// failed is the end of a read that no source could answer.
func (q *question) failed() result {
	if q.authorityErr == nil {
		// The caller's ctx ended before the authority could be asked.
		q.failure(q.route.authority(), &Error{
			Kind: ErrUnavailable, Op: q.route.op, Source: q.route.authority().source.Name(),
			Path: q.route.authority().path, Reason: "not asked", Err: q.ctx.Err(),
		}, 0)
	}
	if len(q.attempts) == 1 {
		return result{err: q.authorityErr, attempts: q.attempts}
	}
	return result{attempts: q.attempts, err: &FailoverError{
		Op: q.route.op, Path: q.route.path, Stage: q.route.stage,
		Attempts: q.attempts, authority: q.authorityErr,
	}}
}

// A source that can be asked without repeating itself, for when somebody else
// can be asked instead.
type askedOnce interface {
	getOnce(ctx context.Context, path string) (*Secret, error)
}

// askSource asks a source, with a time limit of our own, and makes sure that
// its error says what kind it is.
func askSource(ctx context.Context, l leg, limit time.Duration, once bool) (*Secret, error) {
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	get := l.source.Get
	if single, ok := l.source.(askedOnce); ok && once {
		get = single.getOnce
	}
	secret, err := get(attempt, l.path)
	if err == nil && secret != nil {
		if secret.info.Source == "" {
			secret = secret.answered(secret.info.Path, l.source.Name(), false)
		}
		return secret, nil
	}
	e := &Error{Kind: ErrUnavailable, Op: "get", Source: l.source.Name(), Path: wire.Printable(l.path)}
	switch {
	case err == nil:
		e.Reason = "the source returned neither a secret nor an error"
	case ctx.Err() == nil && attempt.Err() != nil && !isNo(err):
		e.Reason = fmt.Sprintf("no answer within %v", limit.Round(time.Millisecond))
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return nil, err
	case classified(err):
		return nil, err
	default:
		e.Err = err
	}
	return nil, e
}

// classified tells whether an error matches one of the sentinels.
func classified(err error) bool {
	for _, kind := range []error{
		ErrNotFound, ErrPermission, ErrUnauthenticated, ErrConflict, ErrInvalid, ErrRateLimited,
		ErrUnavailable, ErrUncertain, ErrFrozen, ErrClosed,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
