// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A Source reads and writes the KV secrets of one HashiCorp Vault. It is safe
// for concurrent use; make one and share it. A Source comes from NewSource.
//
// Every method blocks until it has an answer or ctx ends, and no longer than
// [Config.Timeout] where ctx has no deadline; a write whose answer was lost
// takes up to two seconds longer, to look for it. Every error is a
// [*scaivault.Error].
type Source struct {
	name           string
	owner          *api.Client // the caller's, asked for its token only
	http           *http.Client
	letGo          func()             // closes the idle connections that are ours alone
	header         func() http.Header // of every request, not to be changed; behind a func, where no printer sees what the caller has set
	endpoints      endpoint.Set
	leader         atomic.Int32 // index of the endpoint that standbys named last; -1 for none
	srv            bool
	limiter        *rate.Limiter
	retry          retry.Bounds
	budget         *retry.Budget
	timeout        time.Duration
	attemptTimeout time.Duration
	leaderWait     time.Duration
	maxBytes       int64
	trace          *Trace
	session        *session // nil where the token is the caller's
	index          index
	mounts         mountTable
	calls          calls
}

var _ scaivault.Source = (*Source)(nil)

// NewSource checks the configuration and does no I/O. Its error matches
// [scaivault.ErrInvalid] and names all mistakes.
func NewSource(cfg Config) (*Source, error) {
	urls, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	bounds := retry.Bounds(cfg.Retry)
	s := &Source{
		name: cfg.name(), owner: cfg.Client, trace: cfg.Trace,
		endpoints: endpoint.NewSet(urls, cfg.endpointPause()),
		srv:       len(cfg.Addresses) == 0 && cfg.Client.SRVLookup(),
		retry:     bounds, budget: bounds.NewBudget(),
		timeout: cfg.timeout(), attemptTimeout: cfg.attemptTimeout(), leaderWait: cfg.leaderWait(),
		maxBytes: cfg.maxResponseBytes(),
	}
	s.leader.Store(-1)
	s.http, s.letGo = privateClient(cfg.Client)
	header := privateHeader(cfg.Client)
	s.header, s.limiter = func() http.Header { return header }, cfg.Client.Limiter()
	for path, version := range cfg.Mounts {
		s.mounts.add(&mount{prefix: strings.TrimSuffix(path, "/") + "/", version: version, told: true})
	}
	if cfg.Auth == nil {
		return s, nil
	}
	client, err := s.loginClient(cfg.Client)
	if err != nil {
		return nil, err
	}
	s.session = newSession(s, cfg.Auth, client)
	return s, nil
}

// Name returns [Config.Name], "vault" by default.
func (s *Source) Name() string { return s.name }

// Side returns [scaivault.SideVault].
func (s *Source) Side() scaivault.Side { return scaivault.SideVault }

// Address returns where Vault is, the first of [Config.Addresses], and the namespace as its path if there is one:
// "https://vault.example:8200", "https://vault.example:8200/team-a".
func (s *Source) Address() string {
	address := s.endpoints[0].URL.String()
	if ns := strings.Trim(s.header().Get(api.NamespaceHeaderName), "/"); ns != "" {
		address += "/" + ns
	}
	return address
}

// revokeTimeout bounds the farewell to Vault in Close.
const revokeTimeout = 5 * time.Second

// Close ends the calls under way, waits for them, and revokes the token that
// [Config.Auth] got. It takes no longer than a few seconds. Afterwards every
// method returns [scaivault.ErrClosed]. It is idempotent and safe for
// concurrent use. It does not close [Config.Client].
//
// The error says that the token could not be revoked, so that it lives until
// its lease ends.
func (s *Source) Close() error {
	if !s.calls.close() {
		return nil
	}
	defer s.letGo()
	if s.session == nil {
		return nil
	}
	// The token outlives every caller's ctx, so there is none to inherit from.
	ctx, cancel := context.WithTimeout(context.Background(), min(revokeTimeout, s.timeout))
	defer cancel()
	return s.session.close(ctx)
}

// inBackground runs work of the Source's own, which nobody waits for but Close.
func (s *Source) inBackground(work func(context.Context)) {
	s.calls.spawn(context.Background(), s.timeout, work)
}

// A target is what a call is about, for its errors.
type target struct{ op, path string }

// begin starts a call: it bounds it and lets Close end it. The context is the
// call, whose end must be called.
func (s *Source) begin(ctx context.Context, t target) (context.Context, *call, error) {
	if err := s.ended(ctx, t); err != nil {
		return nil, nil, err
	}
	one, ok := s.calls.begin(ctx, s.timeout)
	if !ok {
		return nil, nil, s.failure(t, scaivault.ErrClosed, "")
	}
	return one, one, nil
}

// spawner starts shared work, which outlives the ctx of the one who began it.
func (s *Source) spawner(ctx context.Context) func(func(context.Context)) bool {
	return func(work func(context.Context)) bool { return s.calls.spawn(ctx, s.timeout, work) }
}
