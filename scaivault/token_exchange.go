// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// The names in the request are inferred: of the token from OAuth's exchange of
// tokens (RFC 8693 section 2.1), of the role from the word that the service's
// guides use. Those in the answer stand with namesOfToken.
const (
	fieldSubject = "subject_token"
	fieldRole    = "role"
)

// TokenExchange trades a workload's own token, such as that of a Kubernetes
// service account or a GitHub workflow, for one of ScaiVault, by POST
// /v1/auth/exchange. URL and Subject are required; the zero value of everything
// else is a good default. As [ClientConfig.Token] its token is kept and renewed
// before it expires.
//
// The service does not document the names of the request's fields, so they can
// be set by Fields and Extra. In the answer the token may be called
// access_token, token or id_token, and expire by expires_in (seconds, or a
// duration such as "1h") or expires_at (RFC 3339, or seconds since 1970); the
// token's own word counts if that is less, and the documented hour if there is
// none.
//
// It is safe for concurrent use. Do not change what its fields refer to once it
// is in use.
type TokenExchange struct {
	// URL is the address of ScaiVault, as in [ClientConfig.URLs]. Required.
	URL string
	// Subject gives the workload's own token, for each request anew, such as
	// FileToken("/var/run/secrets/tokens/scaivault"). Required.
	Subject TokenSource
	// Role is what the workload wants to be, such as sa:billing-prod. If
	// empty, the service decides.
	Role string
	// Fields are the names of the request's fields.
	Fields ExchangeFields
	// Extra are further fields of the request, such as subject_token_type.
	// They are no place for secrets. May be nil.
	Extra map[string]string
	// HTTPClient is copied, and the copy follows no redirect. If nil, a client
	// with TLS 1.2 or later.
	HTTPClient *http.Client
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the tokens travel in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds each request. If zero, 10 seconds.
	Timeout time.Duration
}

// ExchangeFields are the names of the fields in the request of a
// [TokenExchange].
type ExchangeFields struct {
	// Subject holds the workload's own token. If empty, subject_token.
	Subject string
	// Role holds the role. If empty, role.
	Role string
}

func (f ExchangeFields) subject() string { return defaultTo(f.Subject, fieldSubject) }
func (f ExchangeFields) role() string    { return defaultTo(f.Role, fieldRole) }

var (
	_ TokenSource  = TokenExchange{}
	_ tokenFetcher = TokenExchange{}
)

// Token gets a new token at each call; it is the Client that keeps one. A wrong
// configuration is [ErrInvalid], before any I/O. If the service refuses, or the
// workload has no token, the error matches [ErrUnauthenticated], and if it does
// not answer, [ErrUnavailable] or [ErrRateLimited].
func (x TokenExchange) Token(ctx context.Context) (string, error) {
	return fetchOnce(ctx, x)
}

func (x TokenExchange) fetch(ctx context.Context) (issuedToken, error) {
	address, err := x.check()
	if err != nil {
		return issuedToken{}, &Error{Kind: ErrInvalid, Op: opExchangeToken, Err: err}
	}
	i := issuer{op: opExchangeToken, setting: "TokenExchange.URL", address: address, client: x.HTTPClient, timeout: defaultTo(x.Timeout, issuerTimeout)}
	return i.prove(ctx, x.Subject, "TokenExchange.Subject", func(subject string) (issuedToken, error) {
		body, err := x.body(subject)
		if err != nil {
			return issuedToken{}, err
		}
		return i.request(ctx, []string{subject}, func(ctx context.Context, hc *http.Client) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
			if err != nil {
				return // the answer that was not kept tells
			}
			req.Header.Set("Content-Type", "application/json")
			if resp, err := hc.Do(req); err == nil {
				resp.Body.Close()
			}
		})
	})
}

func (x TokenExchange) body(subject string) ([]byte, error) {
	fields := map[string]string{}
	for name, value := range x.Extra {
		fields[name] = value
	}
	fields[x.Fields.subject()] = subject
	if x.Role != "" {
		fields[x.Fields.role()] = x.Role
	}
	return wire.Marshal(fields)
}

// validate names all mistakes.
func (x TokenExchange) validate() error {
	_, err := x.check()
	return err
}

func (x TokenExchange) check() (*url.URL, error) {
	var problems []error
	address, err := wire.ParseAddress(x.URL, x.PlainHTTPHosts)
	if err != nil {
		problems = append(problems, fmt.Errorf("TokenExchange.URL: %w", err))
	} else {
		address.Path, address.RawPath = strings.TrimRight(address.Path, "/"), strings.TrimRight(address.RawPath, "/")
		address = address.JoinPath(apiExchange)
	}
	if err := checkSource("TokenExchange.Subject", x.Subject); err != nil {
		problems = append(problems, err)
	}
	if x.Fields.subject() == x.Fields.role() {
		problems = append(problems, fmt.Errorf("TokenExchange.Fields: Subject and Role are both %q; give each field its own name", cut(x.Fields.role(), 64)))
	}
	for _, name := range []string{x.Fields.subject(), x.Fields.role()} {
		if _, ok := x.Extra[name]; ok {
			problems = append(problems, fmt.Errorf("TokenExchange.Extra: %q is no further field; use Subject and Role", cut(name, 64)))
		}
	}
	if x.Timeout < 0 {
		problems = append(problems, errors.New("TokenExchange.Timeout: must not be negative; zero means the default"))
	}
	if len(problems) > 0 {
		return nil, joinLine(problems)
	}
	return address, nil
}
