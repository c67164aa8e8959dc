// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A Config says how a [Source] reaches Vault. Client is required; the zero
// value of everything else is a good default.
type Config struct {
	// Client has Vault's address, namespace, headers, TLS settings and rate
	// limit. The Source works on a copy with redirects and retries off, and
	// never changes this one; of what is set here afterwards it sees only the
	// token. Required.
	Client *api.Client
	// Addresses are those of one cluster, such as https://vault-1.internal:8200,
	// in order of preference, 16 at most, in place of Client's own. A read goes
	// on to the next when one gives no answer, a write only while nothing was
	// sent or the node has refused it unseen. Writes go to the leader, which
	// standbys name. Such an address is then skipped for EndpointPause. If nil,
	// Client's own alone.
	Addresses []string
	// Auth logs in, at the first request. Its token is renewed in the
	// background before its lease ends, or replaced by a new login; Close
	// revokes it. If nil, each request asks Client for its token, so a token
	// that is renewed there is used at once.
	Auth api.AuthMethod
	// Mounts are the KV mounts that are known, by path, with their KV version,
	// 1 or 2: {"kv": 2, "team/a/kv": 2}. No look-up is made for what lies below
	// them. If nil, all are looked up, once.
	Mounts map[string]int
	// Name is who answers, in errors and in [scaivault.Secret.Source]. It
	// tells several Vaults apart. If empty, "vault".
	Name string
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the token travels in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds a call whose ctx has no deadline; of a listing, each
	// folder. If zero, 30 seconds.
	Timeout time.Duration
	// AttemptTimeout bounds each request of a call. The timeout of Client does
	// so as well. If zero, 10 seconds.
	AttemptTimeout time.Duration
	// EndpointPause is how long one of several Addresses is skipped that could
	// not be reached or gave no answer; then one request tries it again. A call
	// that would fail otherwise does not skip it. If zero, 5 seconds.
	EndpointPause time.Duration
	// Retry says how often a read is repeated that got no answer, and a write
	// that was refused unseen: for a rate limit, a sealed node, a standby.
	Retry scaivault.RetryConfig
	// LeaderWait is how long a call is repeated that is refused because the
	// cluster has no leader for the moment, or because KV v2 prepares a mount.
	// If zero, 10 seconds. Negative disables.
	LeaderWait time.Duration
	// MaxResponseBytes bounds an answer's body, after decompression. If zero,
	// 32 MiB.
	MaxResponseBytes int64
	// Trace is told of logins and renewals. If nil, nobody is.
	Trace *Trace
}

const (
	defaultName             = "vault"
	defaultTimeout          = 30 * time.Second
	defaultAttemptTimeout   = 10 * time.Second
	defaultEndpointPause    = 5 * time.Second
	defaultLeaderWait       = 10 * time.Second
	defaultMaxResponseBytes = 32 << 20
)

func (c *Config) name() string           { return defaultTo(c.Name, defaultName) }
func (c *Config) timeout() time.Duration { return defaultTo(c.Timeout, defaultTimeout) }
func (c *Config) endpointPause() time.Duration {
	return defaultTo(c.EndpointPause, defaultEndpointPause)
}
func (c *Config) leaderWait() time.Duration { return defaultTo(c.LeaderWait, defaultLeaderWait) }
func (c *Config) maxResponseBytes() int64 {
	return defaultTo(c.MaxResponseBytes, defaultMaxResponseBytes)
}

// attemptTimeout is the shorter of ours and that of the caller's client.
func (c *Config) attemptTimeout() time.Duration {
	bound := defaultTo(c.AttemptTimeout, defaultAttemptTimeout)
	if own := c.Client.ClientTimeout(); own > 0 {
		bound = min(bound, own)
	}
	return bound
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
func (c *Config) validate() ([]*url.URL, error) {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	urls := c.addresses(problem)
	if c.Client != nil && c.Auth == nil && !printableToken(c.Client.Token()) {
		problem("Client: its token holds a line break or another character that no token has; trim it where it is read")
	}
	c.validateMounts(problem)
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		problem("Name: holds an unprintable character")
	}
	if min(c.Timeout, c.AttemptTimeout, c.EndpointPause, c.Retry.MinWait, c.Retry.MaxWait) < 0 || c.MaxResponseBytes < 0 {
		problem("Timeout, AttemptTimeout, EndpointPause, Retry.MinWait, Retry.MaxWait and MaxResponseBytes must not be negative; zero means the default")
	}
	if len(problems) == 0 {
		return urls, nil
	}
	return nil, &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "configure vault source", Reason: strings.Join(problems, "; ")}
}

// addresses parses Addresses, or the one of Client.
func (c *Config) addresses(problem func(format string, args ...any)) []*url.URL {
	if c.Client == nil {
		problem("Client: set a client, from api.NewClient")
		return nil
	}
	if len(c.Addresses) == 0 {
		u, err := wire.ParseAddress(c.Client.Address(), c.PlainHTTPHosts)
		if err != nil {
			problem("Client: %v", err)
			return nil
		}
		u.Path = strings.TrimRight(u.Path, "/")
		return []*url.URL{u}
	}
	urls := make([]*url.URL, 0, len(c.Addresses))
	for i, text := range c.Addresses {
		u, err := wire.ParseAddress(text, c.PlainHTTPHosts)
		if err != nil {
			problem("Addresses[%d]: %v", i, err)
			continue
		}
		u.Path = strings.TrimRight(u.Path, "/")
		if slices.ContainsFunc(urls, func(other *url.URL) bool { return *other == *u }) {
			problem("Addresses[%d]: %s is given twice", i, wire.Printable(u.Host))
			continue
		}
		urls = append(urls, u)
	}
	if len(c.Addresses) > endpoint.Max {
		problem("Addresses: give %d at most", endpoint.Max)
	}
	return urls
}

// validateMounts refuses what cannot be a mount of Vault.
func (c *Config) validateMounts(problem func(format string, args ...any)) {
	paths := slices.Sorted(maps.Keys(c.Mounts))
	for _, path := range paths {
		trimmed := strings.TrimSuffix(path, "/")
		if wrong := pathProblem(trimmed); wrong != "" {
			problem("Mounts[%q]: %s", wire.Printable(path), wrong)
		}
		if version := c.Mounts[path]; version != 1 && version != 2 {
			problem("Mounts[%q]: there is no KV version %d; give 1 or 2", wire.Printable(path), version)
		}
		for _, other := range paths {
			if other != path && strings.HasPrefix(other, trimmed+"/") {
				problem("Mounts[%q]: it lies within %q, and Vault mounts nothing within a mount", wire.Printable(other), wire.Printable(path))
			}
		}
	}
}

// printableToken tells whether a token can go into a header. An empty one can.
func printableToken(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
