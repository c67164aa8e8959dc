// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
)

// privateClient makes an HTTP client out of the caller's, so that nothing the
// Source does is seen there. Clone and CloneWithHeaders would not do: the clone
// shares the *http.Client, so that a redirect policy set on it is set on the
// original, and it forgets an address that SetAddress changed. The func closes
// the connections that it has of its own.
func privateClient(original *api.Client) (*http.Client, func()) {
	client := original.CloneConfig().HttpClient // a copy
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Transport = roomier(client.Transport)
	if own, ok := client.Transport.(*ownTransport); ok {
		return client, own.CloseIdleConnections
	}
	return client, func() {}
}

// privateHeader is what CloneWithHeaders keeps: the caller's headers, with the
// namespace.
func privateHeader(original *api.Client) http.Header {
	header := original.Headers()
	for _, name := range []string{headerToken, headerIndex, headerNoForward} {
		header.Del(name)
	}
	return header
}

// idleConns is how many idle connections a Source keeps.
const idleConns = 256

// roomier returns a transport that keeps more connections, where next is what
// the api package makes by itself: that keeps one more than there are
// processors, so that many calls at once would dial for most of their requests.
func roomier(next http.RoundTripper) http.RoundTripper {
	t, ok := next.(*http.Transport)
	if !ok || t.MaxIdleConnsPerHost != runtime.GOMAXPROCS(0)+1 {
		return next // somebody has chosen that
	}
	own := t.Clone()
	own.MaxIdleConns, own.MaxIdleConnsPerHost = max(own.MaxIdleConns, idleConns), idleConns
	// HTTP/2 as set up there hands its connections to the original's pool.
	own.TLSNextProto, own.ForceAttemptHTTP2 = nil, own.ForceAttemptHTTP2 || own.TLSNextProto["h2"] != nil
	return &ownTransport{own}
}

// An ownTransport is nobody else's.
type ownTransport struct{ *http.Transport }

// loginClient makes the client that an auth method gets. It goes the Source's
// own way to Vault, and has no token.
func (s *Source) loginClient(original *api.Client) (*api.Client, error) {
	cfg := original.CloneConfig()
	cfg.Limiter = nil // the Source keeps it
	cfg.Address, cfg.AgentAddress = s.endpoints[0].URL.String(), ""
	cfg.SRVLookup = false
	cfg.MaxRetries = 0
	cfg.CheckRetry = func(context.Context, *http.Response, error) (bool, error) { return false, nil }
	cfg.DisableRedirects = true
	cfg.HttpClient = &http.Client{Transport: loginTransport{s}, CheckRedirect: s.http.CheckRedirect}
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, &scaivault.Error{
			Kind: scaivault.ErrInvalid, Op: "configure vault source",
			Reason: "the client could not be copied; check the environment variables VAULT_*", Err: &quietError{err},
		}
	}
	// NewClient has read the environment; what counts is the original.
	client.SetHeaders(s.header().Clone())
	client.ClearToken()
	// With a timeout of its own the api package cancels the request's context
	// before the body of a write's answer is read. The Source bounds each.
	client.SetClientTimeout(0)
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	return client, nil
}

// A loginTransport sends an auth method's requests as the Source sends its own:
// to any of its addresses, repeated where there is no answer.
type loginTransport struct{ s *Source }

// RoundTrip implements http.RoundTripper.
func (t loginTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	first := t.s.endpoints[0].URL
	path, below := apiOf(req.URL.Path, first.Path)
	if !below || req.URL.Host != first.Host {
		return t.s.http.Transport.RoundTrip(req) // to wherever the method has turned its client
	}
	r := request{target: target{op: "log in"}, method: req.Method, api: path, query: req.URL.RawQuery, header: req.Header, reads: true}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		r.body = body
	}
	a, err := t.s.exchange(req.Context(), &r, "")
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}, nil
}
