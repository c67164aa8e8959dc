// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A ClientConfig says how a [Client] reaches ScaiVault. URLs and Token are
// required; the zero value of everything else is a good default.
type ClientConfig struct {
	// URLs are the service's addresses, such as https://scaivault.example.com,
	// in order of preference. They must belong to one service: a read goes on
	// to the next when one gives no answer, a write only while nothing was
	// sent. At least one is required.
	URLs []string
	// Token gives the bearer token. Required.
	Token TokenSource
	// HTTPClient is copied, and the copy's redirect policy replaced: the
	// token never follows a redirect to another host. If nil, a client with
	// a connection pool of its own and TLS 1.2 or later.
	HTTPClient *http.Client
	// TenantID chooses a tenant for a partner-admin token. If empty, the
	// token's own.
	TenantID string
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the token travels in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds a call whose ctx has no deadline. If zero, 30 seconds.
	Timeout time.Duration
	// AttemptTimeout bounds each request of a call. If zero, 10 seconds.
	AttemptTimeout time.Duration
	// Retry says how often a call is repeated.
	Retry RetryConfig
	// MaxResponseBytes bounds an answer's body. If zero, 32 MiB.
	MaxResponseBytes int64
	// UserAgent is put before the library's own. May be empty.
	UserAgent string
}

// A RetryConfig bounds the repetition of a call. Reads are repeated when the
// service is unavailable or limits the rate; writes only when nothing was sent
// or the rate was limited.
type RetryConfig struct {
	// MaxRetries is how many requests may follow the first. If zero, 2.
	// Negative disables.
	MaxRetries int
	// MinWait is the first wait, before jitter. If zero, 50 milliseconds.
	MinWait time.Duration
	// MaxWait bounds the waits between requests, but for the service's own
	// Retry-After. If zero, 2 seconds.
	MaxWait time.Duration
}

func (c *ClientConfig) timeout() time.Duration { return defaultTo(c.Timeout, 30*time.Second) }
func (c *ClientConfig) attemptTimeout() time.Duration {
	return defaultTo(c.AttemptTimeout, 10*time.Second)
}
func (c *ClientConfig) maxResponseBytes() int64 { return defaultTo(c.MaxResponseBytes, 32<<20) }
func (r RetryConfig) minWait() time.Duration    { return defaultTo(r.MinWait, 50*time.Millisecond) }
func (r RetryConfig) maxWait() time.Duration    { return defaultTo(r.MaxWait, 2*time.Second) }

func (r RetryConfig) maxRetries() int {
	if r.MaxRetries < 0 {
		return 0
	}
	return defaultTo(r.MaxRetries, 2)
}

// defaultTo returns the default where a setting is zero.
func defaultTo[T comparable](v, byDefault T) T {
	var zero T
	if v == zero {
		return byDefault
	}
	return v
}

// validate reports all mistakes at once and returns the parsed addresses.
func (c *ClientConfig) validate() ([]*url.URL, error) {
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(c.URLs) == 0 {
		problem("URLs: set the address of the service, such as https://scaivault.example.com")
	}
	urls := make([]*url.URL, 0, len(c.URLs))
	for i, text := range c.URLs {
		u, err := wire.ParseAddress(text, c.PlainHTTPHosts)
		if err != nil {
			problem("URLs[%d]: %w", i, err)
			continue
		}
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
		urls = append(urls, u)
	}
	if c.Token == nil {
		problem(`Token: set a token source, such as StaticToken("skt_…")`)
	}
	if static, ok := c.Token.(staticToken); ok {
		if wrong := checkToken(static.reveal()); wrong != "" {
			problem("Token: %s", wrong)
		}
	}
	if c.TenantID != wire.Identifier(c.TenantID) {
		problem("TenantID: %q is no tenant id, such as tnt_example", cut(c.TenantID, 64))
	}
	if c.Timeout < 0 || c.AttemptTimeout < 0 || c.MaxResponseBytes < 0 || c.Retry.MinWait < 0 || c.Retry.MaxWait < 0 {
		problem("Timeout, AttemptTimeout, MaxResponseBytes, Retry.MinWait and Retry.MaxWait must not be negative; zero means the default")
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		problem("UserAgent: holds an unprintable character")
	}
	if len(problems) > 0 {
		return nil, &Error{Kind: ErrInvalid, Op: "configure client", Err: joinLine(problems)}
	}
	return urls, nil
}

// httpClient returns the caller's client or a good one, as a copy that keeps
// the token at home. It also tells whether the connections are our own.
func (c *ClientConfig) httpClient() (_ *http.Client, own bool) {
	hc := &http.Client{}
	if c.HTTPClient != nil {
		*hc = *c.HTTPClient
	} else {
		own = true
		hc.Transport = newTransport()
	}
	hc.CheckRedirect = sameOriginReads
	return hc, own
}

// newTransport has a pool fit for many parallel calls to one host.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// sameOriginReads follows a redirect only of a read, and only within the same
// scheme, host and port. Anything else ends with the redirect as the answer.
func sameOriginReads(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > 3 || first.Method != http.MethodGet ||
		req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
