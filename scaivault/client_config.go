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

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A ClientConfig says how a [Client] reaches ScaiVault. URLs and Token are
// required; the zero value of everything else is a good default.
type ClientConfig struct {
	// URLs are the service's addresses, such as https://scaivault.example.com,
	// in order of preference, 16 at most. They must belong to one service: a
	// read goes on to the next when one gives no answer, a write only while
	// nothing was sent. Such an address is then skipped for EndpointPause. At
	// least one is required.
	URLs []string
	// Token gives the bearer token. Required.
	Token TokenSource
	// HTTPClient is copied, and the copy's redirect policy replaced: the
	// token never follows a redirect to another host. If nil, a client with
	// a connection pool of its own and TLS 1.2 or later.
	HTTPClient *http.Client
	// TLSConfig has what the service's certificate and the client's own need,
	// such as RootCAs and Certificates. It is cloned. TLS 1.2 is the oldest
	// version whatever it says. Not with HTTPClient, whose Transport has its
	// own. If nil, the system's roots and no client certificate.
	TLSConfig *tls.Config
	// TenantID chooses a tenant for a partner-admin token. If empty, the
	// token's own.
	TenantID string
	// TenantInPath names the tenant in the path, as /v1/t/{tenant_id}/…, in
	// place of a header. The service documents both.
	TenantInPath bool
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the token travels in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds a call whose ctx has no deadline. If zero, 30 seconds.
	Timeout time.Duration
	// AttemptTimeout bounds each request of a call. If zero, 10 seconds.
	AttemptTimeout time.Duration
	// EndpointPause is how long one of several URLs is skipped that could not
	// be reached or gave no answer; then one request tries it again. A call
	// that would fail otherwise does not skip it. If zero, 5 seconds.
	EndpointPause time.Duration
	// Retry says how often a call is repeated.
	Retry RetryConfig
	// Pace keeps the Client below the service's rate limits. If zero, it does not.
	Pace PaceConfig
	// MaxResponseBytes bounds an answer's body, after decompression. If zero, 32 MiB.
	MaxResponseBytes int64
	// MaxRequestBytes bounds the body of a request: a larger one is ErrInvalid,
	// before any I/O. If zero, 32 MiB; the service's own bound is not documented.
	MaxRequestBytes int64
	// UserAgent is put before the library's own. May be empty.
	UserAgent string
}

// maxTimeout is what the timeouts are cut to, so that no sum of them overflows.
const maxTimeout = 100 * 365 * 24 * time.Hour

func (c *ClientConfig) timeout() time.Duration {
	return min(defaultTo(c.Timeout, 30*time.Second), maxTimeout)
}

func (c *ClientConfig) attemptTimeout() time.Duration {
	return min(defaultTo(c.AttemptTimeout, 10*time.Second), maxTimeout)
}
func (c *ClientConfig) maxResponseBytes() int64 { return defaultTo(c.MaxResponseBytes, 32<<20) }
func (c *ClientConfig) maxRequestBytes() int64  { return defaultTo(c.MaxRequestBytes, 32<<20) }
func (c *ClientConfig) endpointPause() time.Duration {
	return defaultTo(c.EndpointPause, 5*time.Second)
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
	if source, ok := c.Token.(interface{ validate() error }); ok {
		if err := source.validate(); err != nil {
			problem("Token: %w", err)
		}
	}
	if static, ok := c.Token.(staticToken); ok {
		if wrong := checkToken(static.reveal()); wrong != "" {
			problem("Token: %s", wrong)
		}
	}
	if c.TenantID != wire.Identifier(c.TenantID) {
		problem("TenantID: %q is no tenant id, such as tnt_example", cut(c.TenantID, 64))
	}
	if c.TenantInPath && c.TenantID == "" {
		problem("TenantInPath: set TenantID too, or leave both empty for the token's own tenant")
	}
	if len(c.URLs) > endpoint.Max {
		problem("URLs: give %d at most", endpoint.Max)
	}
	c.validateTLS(problem)
	c.validateBounds(problem)
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		problem("UserAgent: holds an unprintable character")
	}
	if len(problems) > 0 {
		return nil, &Error{Kind: ErrInvalid, Op: "configure client", Err: joinLine(problems)}
	}
	return urls, nil
}

// validateBounds refuses numbers that bound nothing.
func (c *ClientConfig) validateBounds(problem func(format string, args ...any)) {
	if min(c.Timeout, c.AttemptTimeout, c.EndpointPause, c.Retry.MinWait, c.Retry.MaxWait) < 0 {
		problem("Timeout, AttemptTimeout, EndpointPause, Retry.MinWait and Retry.MaxWait must not be negative; zero means the default")
	}
	if min(c.MaxResponseBytes, c.MaxRequestBytes) < 0 {
		problem("MaxResponseBytes and MaxRequestBytes must not be negative; zero means the default")
	}
	if share := c.Pace.Share; !(share >= 0 && share <= 1) {
		problem("Pace.Share: %v is no part of a whole; give a number above 0 and up to 1, or 0 for the default", share)
	}
}

// validateTLS refuses settings that would be without effect, or unsafe.
func (c *ClientConfig) validateTLS(problem func(format string, args ...any)) {
	switch {
	case c.TLSConfig == nil:
	case c.HTTPClient != nil:
		problem("TLSConfig: it is without effect beside HTTPClient; set it in that client's Transport")
	case c.TLSConfig.MaxVersion != 0 && c.TLSConfig.MaxVersion < tls.VersionTLS12:
		problem("TLSConfig.MaxVersion: TLS 1.2 is the oldest version that is spoken; leave it zero")
	}
}

// httpClient returns the caller's client or a good one, as a copy that keeps
// the token at home. It also tells whether the connections are our own.
func (c *ClientConfig) httpClient() (_ *http.Client, own bool) {
	hc := &http.Client{}
	if c.HTTPClient != nil {
		*hc = *c.HTTPClient
	} else {
		own = true
		hc.Transport = newTransport(c.TLSConfig)
	}
	hc.CheckRedirect = sameOriginReads
	return hc, own
}

// newTransport has a pool fit for many parallel calls to one host. It asks for
// compressed answers by itself, and notices dead HTTP/2 connections by pings:
// until then all calls to their endpoint would share one.
func newTransport(settings *tls.Config) *http.Transport {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if settings != nil {
		tlsConfig = settings.Clone()
		tlsConfig.MinVersion = max(tlsConfig.MinVersion, tls.VersionTLS12)
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       tlsConfig,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 3 * time.Second},
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
