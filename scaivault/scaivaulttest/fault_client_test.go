// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

const (
	faultyPath  = "a/b"
	faultyValue = "not-a-real-password"
)

// lost are the faults after which a client has no answer that it could use.
var lost = map[string]scaivaulttest.Fault{
	"status without an envelope":     {Status: 502, Body: "<h1>Bad Gateway</h1>", ContentType: "text/html"},
	"status with an envelope":        {Status: 503, Code: "service_unavailable"},
	"hang":                           {Hang: true},
	"delay beyond the time-out":      {Delay: time.Hour},
	"closed before the answer":       {Cut: scaivaulttest.CutBeforeAnswer},
	"closed before the body":         {Cut: scaivaulttest.CutBeforeBody},
	"closed in the body":             {Cut: scaivaulttest.CutInBody},
	"closed after the body":          {Cut: scaivaulttest.CutAfterBody},
	"reset before the answer":        {Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakReset},
	"reset before the body":          {Cut: scaivaulttest.CutBeforeBody, Break: scaivaulttest.BreakReset},
	"reset in the body":              {Cut: scaivaulttest.CutInBody, Break: scaivaulttest.BreakReset},
	"reset after the body":           {Cut: scaivaulttest.CutAfterBody, Break: scaivaulttest.BreakReset},
	"silent before the answer":       {Cut: scaivaulttest.CutBeforeAnswer, Break: scaivaulttest.BreakSilent},
	"silent before the body":         {Cut: scaivaulttest.CutBeforeBody, Break: scaivaulttest.BreakSilent},
	"silent in the body":             {Cut: scaivaulttest.CutInBody, Break: scaivaulttest.BreakSilent},
	"silent after the body":          {Cut: scaivaulttest.CutAfterBody, Break: scaivaulttest.BreakSilent},
	"truncated JSON":                 {Spoil: scaivaulttest.SpoilTruncate},
	"garbage":                        {Spoil: scaivaulttest.SpoilGarbage},
	"length too long":                {WrongLength: 1},
	"length too short":               {WrongLength: -1},
	"trickle beyond the time-out":    {Trickle: scaivaulttest.Trickle{Every: time.Second, Bytes: 2}},
	"truncated JSON, slowly":         {Spoil: scaivaulttest.SpoilTruncate, Trickle: scaivaulttest.Trickle{Bytes: 7}},
	"of an error: truncated JSON":    {Code: "secret_not_found", Status: 404, Spoil: scaivaulttest.SpoilTruncate},
	"of an error: garbage":           {Code: "secret_not_found", Status: 404, Spoil: scaivaulttest.SpoilGarbage},
	"of an error: cut in the body":   {Code: "access_denied", Status: 403, Cut: scaivaulttest.CutInBody},
	"of an error: length too short":  {Code: "access_denied", Status: 403, WrongLength: -1},
	"of an error: closed before all": {Code: "access_denied", Status: 403, Cut: scaivaulttest.CutBeforeAnswer},
}

// faulted returns a server with a secret, and a client of it that asks once and waits
// for limit.
func faulted(t *testing.T, way string, limit time.Duration) (*scaivaulttest.Server, *scaivault.Client) {
	t.Helper()
	srv, _ := inMemory(t, nil)
	srv.Seed(faultyPath, map[string]any{"password": faultyValue})
	cfg := scaivault.ClientConfig{
		URLs: []string{"https://scaivault.test"}, HTTPClient: &http.Client{Transport: srv.RoundTripper()},
		Token: scaivault.StaticToken(srv.IssueToken("sa:tests")), AttemptTimeout: limit,
		Retry: scaivault.RetryConfig{MaxRetries: -1},
	}
	if way == "socket" {
		cfg.URLs, cfg.HTTPClient = []string{srv.URL()}, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	}
	client, err := scaivault.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return srv, client
}

func TestClientFindsAFaultyServerUnavailable(t *testing.T) {
	t.Parallel()
	for name, fault := range lost {
		check := func(t *testing.T, way string, limit time.Duration) {
			srv, client := faulted(t, way, limit)
			once := fault // the checks run side by side
			once.Count = 1
			srv.Inject(once)
			_, err := client.Get(context.WithoutCancel(t.Context()), faultyPath)
			require.ErrorIs(t, err, scaivault.ErrUnavailable)
			assert.NotErrorIs(t, err, scaivault.ErrNotFound)
			assert.NotErrorIs(t, err, scaivault.ErrPermission)
			assert.NotContains(t, err.Error(), faultyValue)
			secret, err := client.Get(t.Context(), faultyPath)
			require.NoError(t, err, "the fault is over")
			got, _ := secret.Field("password")
			assert.Equal(t, faultyValue, got)
		}
		t.Run(name+" in memory", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { check(t, "memory", 10*time.Second) })
		})
		t.Run(name+" over a socket", func(t *testing.T) {
			t.Parallel()
			check(t, "socket", 500*time.Millisecond)
		})
	}
}

// TestClientFindsTheFateOfALostWrite: what was done on the server and lost on the way
// is found there; what cannot be looked for is uncertain.
func TestClientFindsTheFateOfALostWrite(t *testing.T) {
	t.Parallel()
	for name, fault := range lost {
		if fault.Code != "" || fault.Delay > 0 {
			continue // an answer, which speaks for itself, or not done: Delay comes before After
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv, client := faulted(t, "memory", 10*time.Second)
				fault.Method, fault.After = http.MethodPut, true
				remove := srv.Inject(fault)
				written, err := client.Put(t.Context(), faultyPath, map[string]any{"password": "a new one"}, nil)
				require.NoError(t, err)
				assert.Equal(t, 2, written.Version)
				assert.Equal(t, 1, srv.RequestCount(http.MethodPut, ""), "never repeated")
				remove()

				fault.Method = ""
				remove = srv.Inject(fault)
				_, err = client.Put(t.Context(), faultyPath, map[string]any{"password": "another"}, nil)
				require.ErrorIs(t, err, scaivault.ErrUncertain)
				assert.NotContains(t, err.Error(), "another")
				remove()
				assert.Equal(t, 3, srv.SecretVersion(faultyPath))
			})
		})
	}
}

// TestClientWaitsForATrickleInTime: slow is not down.
func TestClientWaitsForATrickleInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, client := faulted(t, "memory", 10*time.Second)
		srv.Inject(scaivaulttest.Fault{Trickle: scaivaulttest.Trickle{Every: time.Second, Bytes: 100}})
		began := time.Now()
		_, err := client.Get(t.Context(), faultyPath)
		require.NoError(t, err)
		assert.Greater(t, time.Since(began), time.Second)
	})
}
