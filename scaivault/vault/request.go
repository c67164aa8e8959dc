// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"net/http"
	"strings"
)

// A request is one request to Vault, before it has an address and a token.
type request struct {
	target
	method string
	api    string // below /v1/, not escaped
	query  string // as it stands behind the question mark
	body   []byte
	header http.Header // in place of the Source's own headers; nil for those and the token
	reads  bool        // may be repeated whatever happened
	lists  bool        // the names of a success are kept apart
}

// An answer is a whole answer, whatever its status. Where there was none, it
// still says how far the request came.
type answer struct {
	status int
	header http.Header
	body   []byte
	names  *names // what was taken out of the body of a listing; nil for nothing
	left   bool   // the request, or some of it, may have reached Vault
	unsent bool   // a refusal of a node that may not pass requests on: nobody else has seen it

	besides string // what was wrong elsewhere, where this is a failure; empty for nothing

	parsed, isVault bool // what follows is read from body
	env             envelope
}

func (a *answer) success() bool { return a.status >= 200 && a.status <= 299 }

// get is a request that reads.
func get(t target, api, query string) request {
	return request{target: t, method: http.MethodGet, api: api, query: query, reads: true}
}

// do sends a request with the token of the moment, and once more with a newer
// one if Vault refused that token. A refused request was not carried out, so
// this holds for writes too.
func (s *Source) do(ctx context.Context, r request) (*answer, error) {
	token, err := s.token(ctx, r.target)
	if err != nil {
		return &answer{}, err
	}
	a, err := s.exchange(ctx, &r, token)
	if err != nil || a.status != http.StatusForbidden {
		if err == nil && a.success() {
			s.session.proved(token)
		}
		return a, err
	}
	fresh, err := s.tokenAfter(ctx, r.target, token, a)
	if err != nil || fresh == "" {
		return a, err
	}
	a, err = s.exchange(ctx, &r, fresh)
	if err == nil && a.success() {
		s.session.proved(fresh)
	}
	return a, err
}

// apiOf is the API path of a URL's path, which lies below base.
func apiOf(path, base string) (string, bool) { return strings.CutPrefix(path, base+"/v1/") }
