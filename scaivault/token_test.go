// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func TestTokenSourceThatFails(t *testing.T) {
	t.Parallel()
	cause := errors.New("the issuer\nis away")
	for name, c := range map[string]struct {
		token scaivault.TokenFunc
		hint  string
		cause error
	}{
		"an error":       {func(context.Context) (string, error) { return "", cause }, "the issuer is away", cause},
		"an empty token": {func(context.Context) (string, error) { return "", nil }, "token is empty", nil},
		"a newline":      {func(context.Context) (string, error) { return testToken + "\n", nil }, "newline", nil},
		"a header":       {func(context.Context) (string, error) { return testToken + "\r\nX-Other: y", nil }, "newline", nil},
		"a space":        {func(context.Context) (string, error) { return "Bearer " + testToken, nil }, "space", nil},
		"not ASCII":      {func(context.Context) (string, error) { return testToken + "é", nil }, "unprintable", nil},
		"its own timeout": {
			func(context.Context) (string, error) { return "", scaivault.ErrInvalid }, "no token", scaivault.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{}
			client := newTestClient(t, "https://s.test", through(rt), retries(3), func(cfg *scaivault.ClientConfig) { cfg.Token = c.token })
			for _, call := range []func(context.Context, *scaivault.Client) error{getOf("a"), putOf(map[string]any{}, nil), listOf("a", nil)} {
				err := call(t.Context(), client)
				require.ErrorIs(t, err, scaivault.ErrUnauthenticated)
				require.ErrorContains(t, err, c.hint)
				require.NotContains(t, err.Error(), "\n")
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), testToken)
				if c.cause != nil {
					require.ErrorIs(t, err, c.cause)
				}
			}
			require.Zero(t, rt.requests.Load())
		})
	}
}

// TestContextEndsWhileATokenIsFetched: that is no matter of the token.
func TestContextEndsWhileATokenIsFetched(t *testing.T) {
	t.Parallel()
	source := scaivault.TokenFunc(func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	c := newTestClient(t, "https://s.test", through(&script{}), func(cfg *scaivault.ClientConfig) { cfg.Token, cfg.Timeout = source, 20*time.Millisecond })
	_, err := c.Get(context.WithoutCancel(t.Context()), "a")
	requireMatches(t, err, scaivault.ErrUnavailable)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = c.Get(ctx, "a")
	requireMatches(t, err, scaivault.ErrUnavailable, context.DeadlineExceeded)
}

// TestStoreGoesOnWithoutAToken: at cutover a client without a token is a source
// that gives no answer, never one that says no.
func TestStoreGoesOnWithoutAToken(t *testing.T) {
	t.Parallel()
	client := newTestClient(t, "https://s.test", through(&script{}), func(cfg *scaivault.ClientConfig) {
		cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { return "", scaivault.ErrInvalid })
	})
	old := &plainSource{name: "vault", get: func(_ context.Context, path string) (*scaivault.Secret, error) {
		return scaivault.NewSecret(scaivault.SecretInfo{Path: path}, json.RawMessage(`{"k":"old"}`))
	}}
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/a", ScaiVault: "a"})
	require.NoError(t, err)
	store, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: client, Vault: old, Mapping: m, Flag: scaivault.StageCutover})
	require.NoError(t, err)
	defer store.Close()
	s, err := store.Get(t.Context(), "a")
	require.NoError(t, err)
	require.True(t, s.Failover())
}

// TestTokenIsShownNowhere: not by its source, not by what holds it.
func TestTokenIsShownNowhere(t *testing.T) {
	t.Parallel()
	cfg := scaivault.ClientConfig{URLs: []string{"https://s.test"}, Token: scaivault.StaticToken(testToken)}
	client, err := scaivault.NewClient(cfg)
	require.NoError(t, err)
	defer client.Close()
	type holder struct {
		Source  scaivault.TokenSource
		private any
	}
	for _, v := range []any{cfg.Token, cfg, &cfg, client, holder{cfg.Token, cfg.Token}, []any{cfg.Token}, map[string]any{"t": cfg}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), testToken)
			require.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", testToken))
		}
		encoded, _ := json.Marshal(v)
		require.NotContains(t, string(encoded), testToken)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		require.NotContains(t, log.String(), testToken)
	}
}

// TestEnvTokenIsReadAtEachRequest, so that it can be renewed.
func TestEnvTokenIsReadAtEachRequest(t *testing.T) {
	var seen []string
	rt := &script{answers: says2(says(200, oneSecret)), seen: func(r *http.Request, _ []byte) { seen = append(seen, r.Header.Get("Authorization")) }}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.EnvToken("RENEWED_TOKEN") })
	for _, token := range []string{"skt_one", "skt_two"} {
		t.Setenv("RENEWED_TOKEN", token)
		_, err := c.Get(t.Context(), "a")
		require.NoError(t, err)
	}
	require.Equal(t, []string{"Bearer skt_one", "Bearer skt_two"}, seen)
}

// TestCallIsRepeatedOnceForATokenThatChangesEachTime, also among retries.
func TestCallIsRepeatedOnceForATokenThatChangesEachTime(t *testing.T) {
	t.Parallel()
	unavailable, expired := says(503, ""), says(401, refusal("token_expired"))
	for _, answers := range [][]func(*http.Request) (*http.Response, error){
		{unavailable, expired, expired},
		{expired, unavailable, expired},
	} {
		n := 0
		rt := &script{answers: answers}
		c := newTestClient(t, "https://s.test", through(rt), retries(9), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { n++; return fmt.Sprintf("skt_%d", n), nil })
		})
		_, err := c.Get(t.Context(), "a")
		requireMatches(t, err, scaivault.ErrUnauthenticated)
		require.EqualValues(t, 3, rt.requests.Load())
	}
}

func requireTokenOf(t *testing.T, source scaivault.TokenSource, want string) {
	t.Helper()
	token, err := source.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, token)
}
