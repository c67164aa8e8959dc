// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/scaivault"
)

// privateClient copies a client so that nothing the Source does is seen in the
// original. Clone and CloneWithHeaders would not do: both share the
// *http.Client, so that a redirect policy set on the clone is set on the
// original, and both forget an address that SetAddress changed.
//
// The limiter is taken out and returned: the api package ignores it where the
// ctx would end before its turn.
//
// The func closes the connections that the copy has of its own.
func privateClient(original *api.Client, maxBytes int64) (*api.Client, func(), *rate.Limiter, error) {
	cfg := original.CloneConfig() // copies the *http.Client too
	limiter := cfg.Limiter
	cfg.Limiter = nil
	// As the original dials it: a unix socket has become http://localhost, and
	// its transport knows the rest.
	cfg.Address, cfg.AgentAddress = original.Address(), ""
	cfg.MaxRetries = 0
	cfg.CheckRetry = func(context.Context, *http.Response, error) (bool, error) { return false, nil }
	cfg.DisableRedirects = true
	cfg.HttpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	transport := &boundedTransport{next: roomier(cfg.HttpClient.Transport), maxBytes: maxBytes}
	cfg.HttpClient.Transport = transport

	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, nil, nil, &scaivault.Error{
			Kind: scaivault.ErrInvalid, Op: "configure vault source",
			Reason: "the client could not be copied; check the environment variables VAULT_*", Err: &quietError{err},
		}
	}
	// NewClient has read the environment; what counts is the original.
	client.SetHeaders(original.Headers())
	client.ClearToken()
	// With a timeout of its own the api package cancels the request's context
	// before the body of a write's answer is read. The Source keeps it instead.
	client.SetClientTimeout(0)
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	return client, transport.close, limiter, nil
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

// A boundedTransport bounds the bodies of answers. The api package itself reads
// the bodies of refusals without a limit.
type boundedTransport struct {
	next     http.RoundTripper
	maxBytes int64
}

// close lets go of the idle connections that are the Source's alone.
func (t *boundedTransport) close() {
	if own, ok := t.next.(*ownTransport); ok {
		own.CloseIdleConnections()
	}
}

func (t *boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if resp != nil && resp.Body != nil {
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: t.maxBytes, declared: resp.ContentLength}
	}
	return resp, err
}

var errTooLarge = errors.New("the answer is too large")

type boundedBody struct {
	io.ReadCloser
	left, declared int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 || b.declared > b.left {
		return 0, errTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than allowed tells too large from just right
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.declared > 0 {
		b.declared -= int64(n)
	}
	if b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}
