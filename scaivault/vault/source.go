// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/time/rate"

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
	name     string
	client   *api.Client // ours: no token, no retries, no redirects
	owner    *api.Client // the caller's, asked for its token only
	letGo    func()      // closes the idle connections that are ours alone
	limiter  *rate.Limiter
	attempt  time.Duration // the timeout of owner, for each request; 0 for none
	timeout  time.Duration
	maxBytes int64
	session  *session // nil where the token is the caller's
	mounts   mountTable
	calls    calls
}

var _ scaivault.Source = (*Source)(nil)

// NewSource checks the configuration and does no I/O. Its error matches
// [scaivault.ErrInvalid] and names all mistakes.
func NewSource(cfg Config) (*Source, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	client, letGo, limiter, err := privateClient(cfg.Client, cfg.maxResponseBytes())
	if err != nil {
		return nil, err
	}
	s := &Source{
		name:     cfg.name(),
		client:   client,
		letGo:    letGo,
		owner:    cfg.Client,
		limiter:  limiter,
		timeout:  cfg.timeout(),
		attempt:  cfg.Client.ClientTimeout(),
		maxBytes: cfg.maxResponseBytes(),
	}
	if cfg.Auth != nil {
		s.session = &session{auth: cfg.Auth}
	}
	return s, nil
}

// Name returns [Config.Name], "vault" by default.
func (s *Source) Name() string { return s.name }

// Side returns [scaivault.SideVault].
func (s *Source) Side() scaivault.Side { return scaivault.SideVault }

// Address returns where Vault is, and the namespace as its path if there is one:
// "https://vault.example:8200", "https://vault.example:8200/team-a".
func (s *Source) Address() string {
	address := strings.TrimSuffix(s.client.Address(), "/")
	if ns := strings.Trim(s.client.Namespace(), "/"); ns != "" {
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
	return s.revoke(ctx)
}

// A target is what a call is about, for its errors.
type target struct{ op, path string }

// begin starts a call: it bounds it and lets Close end it. The func ends it.
func (s *Source) begin(ctx context.Context, t target) (context.Context, func(), error) {
	if err := s.ended(ctx, t); err != nil {
		return nil, nil, err
	}
	ctx, done, ok := s.calls.begin(ctx)
	if !ok {
		return nil, nil, s.failure(t, scaivault.ErrClosed, "")
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, done, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	return ctx, func() { cancel(); done() }, nil
}

// spawner starts shared work, which outlives the ctx of the one who began it.
func (s *Source) spawner(ctx context.Context) func(func(context.Context)) bool {
	return func(work func(context.Context)) bool { return s.calls.spawn(ctx, s.timeout, work) }
}
