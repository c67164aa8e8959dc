// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// KeyOptions are the settings of a [Key]. The zero value is what ScaiVault's documents
// show of ScaiKey, and the OAuth standard of what they do not.
type KeyOptions struct {
	// TokenTTL is how long a token lives. If zero, 1 hour.
	TokenTTL time.Duration
	// Auth says how a client may prove who it is. If zero, KeyAuthAny.
	Auth KeyAuth
	// Answer is the answer to a request that succeeded. If zero, KeyAnswerWhole.
	Answer KeyAnswer
}

// KeyAuth says how a client may send its id and secret.
type KeyAuth uint8

// The ways to send them.
const (
	KeyAuthAny   KeyAuth = iota // either of the two
	KeyAuthForm                 // in the form, as the documents show it
	KeyAuthBasic                // in the Authorization header
)

// KeyAnswer is the answer to a request for a token.
type KeyAnswer uint8

// The answers to such a request.
const (
	KeyAnswerWhole KeyAnswer = iota // access_token, token_type, expires_in and scope
	KeyAnswerToken                  // access_token alone, which is all that the documents show
)

// A Key is a small ScaiKey in memory: the host on which services get tokens for a
// [Server], with OAuth client credentials, by POST /oauth/token. Like the other servers
// here it has methods for faults and for reaching it: URL, RoundTripper, ServeHTTP,
// Inject, SetDown, Requests, RequestCount and Close; TokenURL is URL with the path. A
// Key comes from NewKey or StartKey; the zero Key is not one. It is safe for concurrent
// use by multiple goroutines.
type Key struct {
	*host
	server *Server
	opts   KeyOptions

	mu      sync.RWMutex // guards all below
	clients map[string]keyClient
}

// A keyClient is a service account.
type keyClient struct {
	knows      func(secret string) bool
	identityID string
	scopes     []string
}

// NewKey starts a Key whose tokens the server takes. The test closes it at its end. It
// opens no socket before URL is called. NewKey(t, server) starts one with the zero
// KeyOptions, and so does a nil; more than one fails the test.
func NewKey(tb TB, server *Server, opts ...*KeyOptions) *Key {
	tb.Helper()
	k := newKey(server, one(tb, "NewKey", opts))
	k.bind(tb)
	return k
}

// StartKey starts a Key for a program, which calls Close in the end. It opens no socket
// before URL is called. opts may be nil. The error is for what later versions may need;
// there is none today.
func StartKey(server *Server, opts *KeyOptions) (*Key, error) { return newKey(server, opts), nil }

// TokenURL is where tokens are asked for, as ClientCredentials.TokenURL wants it. Like
// URL it opens a socket.
func (k *Key) TokenURL() string { return k.URL() + pathOfTokens }

func newKey(server *Server, opts *KeyOptions) *Key {
	k := &Key{server: server, clients: map[string]keyClient{}}
	if opts != nil {
		k.opts = *opts
	}
	k.opts.TokenTTL = orDefault(k.opts.TokenTTL, time.Hour)
	k.host = newHost(http.HandlerFunc(k.answer), writeOAuthError)
	return k
}

// AddClient registers a service account: whoever shows this id and secret gets tokens
// of the identity, with these scopes, or with all if none is given. A later call for
// the same id replaces the earlier one, as when a secret is rotated; tokens that were
// issued stay good.
func (k *Key) AddClient(clientID, clientSecret, identityID string, scopes ...string) {
	if len(scopes) == 0 {
		scopes = allScopes[:]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.clients[clientID] = keyClient{
		knows:      func(secret string) bool { return secret == clientSecret },
		identityID: identityID,
		scopes:     slices.Clone(scopes),
	}
}

// client returns the service account with this id and secret.
func (k *Key) client(id, secret string) (keyClient, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	c, ok := k.clients[id]
	return c, ok && c.knows(secret)
}
