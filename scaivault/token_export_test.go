// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"time"
)

// A FetchFunc is a function as what a cache of tokens is put around.
type FetchFunc func(ctx context.Context) (token string, expires time.Time, err error)

func (f FetchFunc) fetch(ctx context.Context) (issuedToken, error) {
	token, expires, err := f(ctx)
	return issuedToken{reveal: func() string { return token }, expires: expires}, err
}

// CacheTokens is what NewClient does with a source that gets tokens from an issuer.
func CacheTokens(source any) (cache TokenRenewer, closeCache func()) {
	c := newTokenCache(source.(tokenFetcher))
	return c, c.close
}

// FetchToken gets one token, and when it expires.
func FetchToken(ctx context.Context, source any) (string, time.Time, error) {
	t, err := source.(tokenFetcher).fetch(ctx)
	if err != nil {
		return "", time.Time{}, err
	}
	return t.reveal(), t.expires, nil
}
