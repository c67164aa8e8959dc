// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"strings"
	"time"
	"unicode"

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
	// Auth logs in, at the first request and again before the lease of its
	// token ends; Close revokes that token. If nil, each request asks Client
	// for its token, so a token that is renewed there is used at once.
	Auth api.AuthMethod
	// Name is who answers, in errors and in [scaivault.Secret.Source]. It
	// tells several Vaults apart. If empty, "vault".
	Name string
	// PlainHTTPHosts are hosts, without port, that may be reached by plain
	// http, in which the token travels in clear. Loopback always may. If nil,
	// no other.
	PlainHTTPHosts []string
	// Timeout bounds a call whose ctx has no deadline; of a listing, each
	// folder. The timeout of Client bounds each request as well. If zero, 30
	// seconds.
	Timeout time.Duration
	// MaxResponseBytes bounds an answer's body. If zero, 32 MiB.
	MaxResponseBytes int64
}

const (
	defaultName             = "vault"
	defaultTimeout          = 30 * time.Second
	defaultMaxResponseBytes = 32 << 20
)

func (c *Config) name() string {
	if c.Name == "" {
		return defaultName
	}
	return c.Name
}

func (c *Config) timeout() time.Duration {
	if c.Timeout == 0 {
		return defaultTimeout
	}
	return c.Timeout
}

func (c *Config) maxResponseBytes() int64 {
	if c.MaxResponseBytes == 0 {
		return defaultMaxResponseBytes
	}
	return c.MaxResponseBytes
}

// validate reports all mistakes at once.
func (c *Config) validate() error {
	var problems []string
	problem := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if c.Client == nil {
		problem("Client: set a client, from api.NewClient")
	} else {
		if _, err := wire.ParseAddress(c.Client.Address(), c.PlainHTTPHosts); err != nil {
			problem("Client: %v", err)
		}
		if c.Auth == nil && !printableToken(c.Client.Token()) {
			problem("Client: its token holds a line break or another character that no token has; trim it where it is read")
		}
	}
	if strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		problem("Name: holds an unprintable character")
	}
	if c.Timeout < 0 || c.MaxResponseBytes < 0 {
		problem("Timeout and MaxResponseBytes must not be negative; zero means the default")
	}
	if len(problems) == 0 {
		return nil
	}
	return &scaivault.Error{Kind: scaivault.ErrInvalid, Op: "configure vault source", Reason: strings.Join(problems, "; ")}
}

// printableToken tells whether a token can go into a header. An empty one can.
func printableToken(token string) bool {
	return !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
