// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// A Client speaks ScaiVault's HTTP API. It is immutable and safe for
// concurrent use; make one and share it.
//
// Every method blocks until it has an answer or ctx ends, and no longer than
// [ClientConfig.Timeout] where ctx has no deadline. Every error is an [*Error]
// unless its comment says otherwise.
type Client struct {
	*clientCore
	// secrets is where the secrets lie: the tenant's own, or the partner's.
	secrets string
}

// A clientCore is what the views of a Client share.
type clientCore struct {
	cfg       ClientConfig
	tokens    TokenSource
	cache     *tokenCache // nil: tokens is the caller's own
	endpoints endpoint.Set
	http      *http.Client
	ownPool   bool
	userAgent string
	budget    *retry.Budget
	pace      *pacer
	stats     clientCounts
	closed    atomic.Bool
}

var _ Source = (*Client)(nil)

// NewClient checks the configuration and does no I/O. Its error matches
// [ErrInvalid] and names all mistakes.
func NewClient(cfg ClientConfig) (*Client, error) {
	urls, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	hc, own := cfg.httpClient()
	core := &clientCore{
		cfg: cfg, tokens: cfg.Token, endpoints: endpoint.NewSet(urls, cfg.endpointPause()), http: hc, ownPool: own,
		userAgent: userAgent(cfg.UserAgent), budget: cfg.Retry.bounds().NewBudget(), pace: newPacer(cfg.Pace),
	}
	if fetcher, ok := cfg.Token.(tokenFetcher); ok {
		core.cache = newTokenCache(fetcher)
		core.tokens = core.cache
	}
	return &Client{clientCore: core, secrets: apiSecrets}, nil
}

// PartnerSecrets returns a view of c whose methods for secrets work on those of
// the partner, below /v1/partner/secrets/: every tenant of the partner may read
// them, and only partner admins may write. Everything else is as in c, and
// shared with it: closing either closes both. Reading and writing one secret
// are documented; that the other methods exist there is inferred.
func (c *Client) PartnerSecrets() *Client {
	return &Client{clientCore: c.clientCore, secrets: apiPartnerSecrets}
}

// Name returns "scaivault".
func (c *Client) Name() string { return sourceScaiVault }

// Side returns [SideScaiVault].
func (c *Client) Side() Side { return SideScaiVault }

// Close lets go of idle connections that are the client's own, and ends the
// renewal of its token. Afterwards every method returns [ErrClosed]. It is
// idempotent, does not wait for calls under way, and returns nil.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if c.ownPool {
		c.http.CloseIdleConnections()
	}
	if c.cache != nil {
		c.cache.close()
	}
	return nil
}

// errOwnTimeout is the cause of a context that ended by ClientConfig.Timeout,
// which is no business of the caller's context.
var errOwnTimeout = errors.New("timeout of the client")

// withDeadline bounds a call whose ctx has no deadline.
func (c *Client) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, c.cfg.timeout(), errOwnTimeout)
}

// interrupted makes e the error of a call whose ctx has ended. The caller's
// own ctx shows through; a timeout of ours is ErrUnavailable alone.
func (c *Client) interrupted(ctx context.Context, e *Error) *Error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = nil, ctx.Err()
	case errors.Is(context.Cause(ctx), errOwnTimeout):
		e.Kind, e.Reason = ErrUnavailable, fmt.Sprintf("no answer in time; ClientConfig.Timeout is %v", c.cfg.timeout())
	default:
		e.Kind, e.Err = ErrUnavailable, ctx.Err()
	}
	return e
}

// token asks the token source and checks what it says. A source that has no
// good token may have one soon, so this is never ErrInvalid.
func (c *Client) token(ctx context.Context, r request) (string, error) {
	if r.open {
		return "", nil
	}
	token, err := c.tokens.Token(ctx)
	return c.checked(ctx, r, token, err)
}

// renew asks for another token than the one that was refused.
func (c *Client) renew(ctx context.Context, r request, refused string) (string, error) {
	renewer, ok := c.tokens.(TokenRenewer)
	if !ok {
		return c.token(ctx, r)
	}
	token, err := renewer.Renew(ctx, refused)
	return c.checked(ctx, r, token, err)
}

func (c *Client) checked(ctx context.Context, r request, token string, err error) (string, error) {
	reason := ""
	if err == nil {
		if reason = checkToken(token); reason == "" {
			return token, nil
		}
	}
	e := &Error{Kind: ErrUnauthenticated, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path), Reason: reason}
	switch {
	case err != nil && ctx.Err() != nil:
		return "", c.interrupted(ctx, e)
	case err != nil:
		e.Kind, e.Reason, e.Err = kindOfTokenError(err), "the token source has no token", err
	}
	return "", e
}

// kindOfTokenError keeps what a token source says about itself.
func kindOfTokenError(err error) error {
	for _, kind := range []error{ErrUnavailable, ErrRateLimited, ErrClosed} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return ErrUnauthenticated
}

const modulePath = "github.com/scailabs/scaivault-go"

// userAgent names the library and its version, "devel" where the build has none.
func userAgent(prefix string) string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath && m.Version != "" && m.Version != "(devel)" {
				version = m.Version
			}
		}
	}
	agent := "scaivault-go/" + version
	if prefix != "" {
		return prefix + " " + agent
	}
	return agent
}
