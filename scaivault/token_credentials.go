// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// scaiKeyTokenURL is the documented address of the managed service.
const scaiKeyTokenURL = "https://scaikey.scailabs.ai/oauth/token"

// ClientCredentials gets tokens for a service account from ScaiKey, by OAuth's
// grant of the same name. ClientID and ClientSecret are required; the zero
// value of everything else is a good default. As [ClientConfig.Token] its
// token is kept and renewed before it expires.
//
// The managed address, the fields of the request and access_token in the answer
// are documented; the rest is as OAuth has it. A token lives as long as the
// answer says in expires_in, or as the token says of itself if that is less; if
// neither says anything, the documented hour.
//
// It is safe for concurrent use. Do not change what its fields refer to once it
// is in use.
type ClientCredentials struct {
	// TokenURL is the whole address at which the issuer gives tokens, with its
	// path, such as https://scaikey.example.com/oauth/token. If empty, that of
	// the managed ScaiKey.
	TokenURL string
	// ClientID is the id of the service account. Required.
	ClientID string
	// ClientSecret gives the account's secret, for each request anew. Take an
	// [EnvToken] or a [FileToken], so that it can be changed. Required.
	ClientSecret TokenSource
	// Scopes are what the token is to be good for, such as secrets:read. If
	// empty, the issuer decides.
	Scopes []string
	// EndpointParams are further fields of the request, such as audience. They
	// are no place for secrets. May be nil.
	EndpointParams url.Values
	// BasicAuth sends ClientID and ClientSecret in the header Authorization,
	// not in the form as ScaiKey documents.
	BasicAuth bool
	// HTTPClient is copied, and the copy follows no redirect. If nil, a client
	// with TLS 1.2 or later.
	HTTPClient *http.Client
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the secret travels in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds each request. If zero, 10 seconds.
	Timeout time.Duration
}

var (
	_ TokenSource  = ClientCredentials{}
	_ tokenFetcher = ClientCredentials{}
)

// Token gets a new token at each call; it is the Client that keeps one. A wrong
// configuration is [ErrInvalid], before any I/O. If the issuer refuses, or there
// is no client secret, the error matches [ErrUnauthenticated], and if it does
// not answer, [ErrUnavailable] or [ErrRateLimited].
func (c ClientCredentials) Token(ctx context.Context) (string, error) {
	return fetchOnce(ctx, c)
}

// fetchOnce is the Token of a source that keeps none.
func fetchOnce(ctx context.Context, f tokenFetcher) (string, error) {
	token, err := f.fetch(ctx)
	if err != nil {
		return "", err
	}
	return token.reveal(), nil
}

func (c ClientCredentials) fetch(ctx context.Context) (issuedToken, error) {
	address, err := c.check()
	if err != nil {
		return issuedToken{}, &Error{Kind: ErrInvalid, Op: opGetToken, Err: err}
	}
	i := issuer{op: opGetToken, setting: "ClientCredentials.TokenURL", address: address, client: c.HTTPClient, timeout: defaultTo(c.Timeout, issuerTimeout)}
	return i.prove(ctx, c.ClientSecret, "ClientCredentials.ClientSecret", func(secret string) (issuedToken, error) {
		secrets := []string{secret}
		cfg := clientcredentials.Config{
			ClientID: c.ClientID, ClientSecret: secret, TokenURL: address.String(),
			Scopes: c.Scopes, EndpointParams: c.EndpointParams, AuthStyle: oauth2.AuthStyleInParams,
		}
		if c.BasicAuth {
			cfg.AuthStyle = oauth2.AuthStyleInHeader
			secrets = append(secrets, url.QueryEscape(c.ClientID)+":"+url.QueryEscape(secret))
		}
		return i.request(ctx, secrets, func(ctx context.Context, hc *http.Client) {
			// The answer is kept and read by us: the package's own errors quote it.
			_, _ = cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, hc))
		})
	})
}

// formOfGrant are the fields that the grant itself consists of.
var formOfGrant = []string{"grant_type", "client_id", "client_secret", "scope"}

// validate names all mistakes.
func (c ClientCredentials) validate() error {
	_, err := c.check()
	return err
}

func (c ClientCredentials) check() (*url.URL, error) {
	var problems []error
	address, err := wire.ParseAddress(defaultTo(c.TokenURL, scaiKeyTokenURL), c.PlainHTTPHosts)
	if err != nil {
		problems = append(problems, fmt.Errorf("ClientCredentials.TokenURL: %w", err))
	}
	if c.ClientID == "" {
		problems = append(problems, errors.New("ClientCredentials.ClientID: set the id of the service account"))
	}
	if err := checkSource("ClientCredentials.ClientSecret", c.ClientSecret); err != nil {
		problems = append(problems, err)
	}
	for _, name := range formOfGrant {
		if c.EndpointParams.Has(name) {
			problems = append(problems, fmt.Errorf("ClientCredentials.EndpointParams: %s is no further field; use the field of ClientCredentials", name))
		}
	}
	if c.Timeout < 0 {
		problems = append(problems, errors.New("ClientCredentials.Timeout: must not be negative; zero means the default"))
	}
	if len(problems) > 0 {
		return nil, joinLine(problems)
	}
	return address, nil
}

// checkSource finds what is wrong with the source of a proof, without asking it.
func checkSource(name string, source TokenSource) error {
	switch s := source.(type) {
	case nil:
		return fmt.Errorf(`%s: set a token source, such as EnvToken("NAME") or FileToken("/path")`, name)
	case staticToken:
		if wrong := wrongProof(s.reveal()); wrong != "" {
			return fmt.Errorf("%s: %s", name, wrong)
		}
	case interface{ validate() error }:
		if err := s.validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
