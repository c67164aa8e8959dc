// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A source that can be asked without repeating itself, for when somebody else
// can be asked instead.
type askedOnce interface {
	getOnce(ctx context.Context, path string) (*Secret, error)
}

// asked is what a source answered.
type asked struct {
	secret *Secret
	err    error
	took   time.Duration
	// skipped says that the source was not asked, as its breaker is open.
	skipped bool
}

// askSource asks a source with a limit of our own.
func askSource(ctx context.Context, l leg, limit time.Duration, once bool) (*Secret, error) {
	attempt, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return askWithin(attempt, l, limit, once)
}

// askWithin asks a source and makes sure that its error says what kind it is.
// The deadline of ctx is the limit. once keeps the source from repeating itself.
func askWithin(ctx context.Context, l leg, limit time.Duration, once bool) (*Secret, error) {
	get := l.source.Get
	if once {
		if single, ok := l.source.(askedOnce); ok {
			get = single.getOnce
		}
	}
	secret, err := get(ctx, l.path)
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
	case isNo(err):
		return nil, err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		e.Reason = fmt.Sprintf("no answer within %v", limit.Round(time.Millisecond))
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
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
