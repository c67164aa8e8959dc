// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// ServerOptions are the settings of a [Server]. The zero value is the managed
// service as it is documented, for one tenant.
type ServerOptions struct {
	// Limits are units per minute and identity, by category. A category that is
	// missing has the documented limit; one of zero or less is unlimited. If nil, all
	// have the documented limits.
	Limits map[Category]int
	// NoLimits switches rate limits and their headers off.
	NoLimits bool
	// Quirks are the answers to what the documents leave open. The zero value has the
	// most natural ones.
	Quirks Quirks

	// TenantID is the only tenant. If empty, "tnt_test".
	TenantID string
	// PartnerID is the tenant's partner. If empty, "ptn_test".
	PartnerID string
	// Version is what GET /v1/version tells. If empty, "0.0.0-test".
	Version string
	// TokenTTL is how long a token of IssueToken lives. If zero, 90 days.
	TokenTTL time.Duration
	// ExchangeTTL is how long a token lives that was traded for a foreign one. If zero, 1 hour.
	ExchangeTTL time.Duration
	// Retention is how long a soft-deleted secret holds its path. If zero, 30 days.
	Retention time.Duration
	// MaxVersions is the history of a secret written without options.max_versions. If zero, 10.
	MaxVersions int
	// MaxBodyBytes bounds a request's body; a longer one is answered 413. If zero, 4 MiB.
	MaxBodyBytes int64
	// AuditEntries bounds the audit log; the oldest entries go first. If zero, 1,000,000.
	AuditEntries int

	// BackendTransport carries the requests to federation backends, for instance the
	// RoundTripper of a Vault in memory. If nil, each backend has sockets of its own
	// and obeys its tls_verify.
	BackendTransport http.RoundTripper
	// BackendTimeout bounds one request to a backend, and a batch as a whole. If zero, 10 s.
	BackendTimeout time.Duration

	// Address is where StartServer listens. If empty, a free port on 127.0.0.1.
	// NewServer does not use it.
	Address string
	// TLS is what the socket speaks, with HTTP/1.1 inside, and by Quirks.Protocol HTTP/2
	// too. If nil, plain HTTP.
	TLS *tls.Config
}

// withDefaults resolves every zero value.
func (o *ServerOptions) withDefaults() ServerOptions {
	var opts ServerOptions
	if o != nil {
		opts = *o
	}
	opts.TenantID = orDefault(opts.TenantID, "tnt_test")
	opts.PartnerID = orDefault(opts.PartnerID, "ptn_test")
	opts.Version = orDefault(opts.Version, "0.0.0-test")
	opts.TokenTTL = orDefault(opts.TokenTTL, 90*24*time.Hour)
	opts.ExchangeTTL = orDefault(opts.ExchangeTTL, time.Hour)
	opts.Retention = orDefault(opts.Retention, 30*24*time.Hour)
	opts.MaxVersions = orDefault(opts.MaxVersions, 10)
	opts.MaxBodyBytes = orDefault(opts.MaxBodyBytes, 4<<20)
	opts.AuditEntries = orDefault(opts.AuditEntries, 1_000_000)
	opts.BackendTimeout = orDefault(opts.BackendTimeout, 10*time.Second)
	opts.Address = orDefault(opts.Address, "127.0.0.1:0")
	return opts
}

// orDefault returns value, or other if value is zero.
func orDefault[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// A Server is an in-memory ScaiVault. Besides the methods below it has those for
// faults and for reaching it: URL, RoundTripper, ServeHTTP, Inject, SetDown,
// Requests, RequestCount and Close. Make one with NewServer or StartServer; the zero
// Server is of no use. It is safe for concurrent use.
type Server struct {
	*host
	opts   ServerOptions
	quirks Quirks
	routes *routes

	secrets    *secretStore
	partner    *secretStore
	tokens     *tokenRing
	trust      trustBook
	policies   *denials
	book       *policyBook
	limits     *limiter
	trail      *auditTrail
	events     *eventHub
	federation *federationHub

	notReady   atomic.Bool
	started    time.Time
	requestTag string        // makes request ids of different servers differ
	requestSeq atomic.Uint64 // counts them
}

// NewServer starts a server for a test, which closes it at its end. It opens no
// socket before URL is called. NewServer(t) starts one with the zero ServerOptions, and
// so does a nil; more than one fails the test.
func NewServer(tb TB, opts ...*ServerOptions) *Server {
	tb.Helper()
	s := newServer(one(tb, "NewServer", opts))
	s.bind(tb)
	return s
}

// StartServer starts a server for a program and listens at opts.Address. Its only
// errors are those of listening. opts may be nil. The caller closes the server.
func StartServer(opts *ServerOptions) (*Server, error) {
	s := newServer(opts)
	s.turn.Lock()
	defer s.turn.Unlock()
	if err := s.listen(s.opts.Address); err != nil {
		return nil, err
	}
	return s, nil
}

func newServer(opts *ServerOptions) *Server {
	s := &Server{opts: opts.withDefaults(), started: time.Now(), requestTag: randomID()[:8]}
	s.quirks, s.routes = s.opts.Quirks, newRoutes(&s.opts.Quirks)
	s.host = newHost(http.HandlerFunc(s.answer), s.writeEnvelope)
	s.host.tls, s.host.http2 = s.opts.TLS, s.quirks.Protocol == ProtocolHTTP2
	s.events = newEventHub(s)
	s.secrets = newSecretStore(s.opts, s.events)
	s.partner = newSecretStore(s.opts, nil)
	s.tokens = newTokenRing()
	s.policies = newDenials()
	s.book = newPolicyBook()
	s.limits = newLimiter(s.opts)
	s.trail = newAuditTrail(s.opts.AuditEntries)
	s.federation = newFederationHub(s)
	s.atClose(s.federation.closeIdle)
	return s
}

// Seed writes data at path as the identity "system:seed" would, past scopes, limits
// and the audit log, and returns the version. What a PUT would refuse fails the test;
// without a test the version is then zero. A soft-deleted path is written all the same.
func (s *Server) Seed(path string, data map[string]any) (version int) {
	raw, err := encodeJSON(data)
	if err != nil {
		s.test().Helper()
		s.fail("scaivaulttest: seed %s: data is not JSON", path)
		return 0
	}
	if refusal := checkPath(path); refusal != nil {
		s.test().Helper()
		s.fail("scaivaulttest: seed %s: %s", path, refusal.message)
		return 0
	}
	if data == nil {
		raw = json.RawMessage("{}")
	}
	return s.secrets.seed(path, raw)
}

// SecretVersion returns the latest version at path; zero when there is no secret, or
// a soft-deleted one. It knows local secrets only, not those behind a proxy.
func (s *Server) SecretVersion(path string) int {
	view, refusal := s.secrets.read(path, 0)
	if refusal != nil {
		return 0
	}
	return view.version
}

// Value returns the latest data at path, byte for byte as they were written. It knows
// local secrets only, not those behind a proxy.
func (s *Server) Value(path string) (data json.RawMessage, ok bool) {
	view, refusal := s.secrets.read(path, 0)
	if refusal != nil {
		return nil, false
	}
	return append(json.RawMessage(nil), view.data...), true
}

// SetReady sets the answer of GET /v1/health/ready: 200, or 503. At first it is ready.
// Everything else goes on answering; SetDown takes all of the server away.
func (s *Server) SetReady(ready bool) { s.notReady.Store(!ready) }
