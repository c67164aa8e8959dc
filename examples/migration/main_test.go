// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// environment is what getenv would say.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// TestMainJob moves an estate on servers in memory, and looks at the result as
// a script would.
func TestMainJob(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	require.Zero(t, command([]string{"-json", "-secrets", "120"}, environment(), &stdout, &stderr), stderr.String())
	var got map[string]any
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &got), "only a JSON object")
	for key, want := range map[string]any{
		"secrets": 120.0, "failed_reads": 0.0, "wrong_reads": 0.0, "lost_writes": 0.0,
		"differences_found": 1.0, "differences_left": 0.0, "vault": "embedded", "scaivault": "embedded",
	} {
		assert.Equal(t, want, got[key], key)
	}
	for _, key := range []string{"reads", "writes", "failovers", "seconds"} {
		assert.Greater(t, got[key], 0.0, key)
	}
	assert.Empty(t, stderr.String())
}

// TestMainJobOnGivenServers uses servers that are not its own, and leaves
// nothing behind in them.
func TestMainJobOnGivenServers(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	token := s.IssueToken("user:operator")
	before := leftovers(t, v, s, token)
	config, err := newSettings(environment("VAULT_ADDR", v.URL(), "VAULT_TOKEN", v.RootToken(),
		"SCAIVAULT_URL", s.URL(), "SCAIVAULT_TOKEN", token), 20)
	require.NoError(t, err)
	config.unpaced = true
	var out bytes.Buffer
	res, err := run(t.Context(), config, &printer{w: &out, start: time.Now()})
	require.NoError(t, err, out.String())
	require.Equal(t, v.URL(), res.Vault)
	require.Equal(t, s.URL(), res.ScaiVault)
	require.Equal(t, before, leftovers(t, v, s, token))
	for _, secret := range []string{v.RootToken(), token} {
		require.NotContains(t, out.String(), secret)
	}
}

// TestInterrupted: Ctrl-C in the middle ends the run with an error, and it still
// cleans up.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})
	token := s.IssueToken("user:operator")
	before := leftovers(t, v, s, token)
	config, err := newSettings(environment("VAULT_ADDR", v.URL(), "VAULT_TOKEN", v.RootToken(),
		"SCAIVAULT_URL", s.URL(), "SCAIVAULT_TOKEN", token), 20)
	require.NoError(t, err)
	config.unpaced = true
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{word: "canary: ScaiVault answers", do: cancel}
	_, err = run(ctx, config, &printer{w: out, start: time.Now()})
	require.ErrorContains(t, err, "interrupted")
	require.Equal(t, before, leftovers(t, v, s, token))
}

// A trigger does something when a word is printed.
type trigger struct {
	bytes.Buffer
	word string
	do   func()
}

func (w *trigger) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.word) {
		w.do()
	}
	return w.Buffer.Write(b)
}

// leftovers are the answers that tell what is in both servers.
func leftovers(t *testing.T, v *scaivaulttest.Vault, s *scaivaulttest.Server, token string) []string {
	t.Helper()
	ask := func(client http.RoundTripper, path, header, value string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
		require.NoError(t, err)
		req.Header.Set(header, value)
		resp, err := client.RoundTrip(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var body map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
		delete(body, "request_id")
		text, err := json.Marshal(body)
		require.NoError(t, err)
		return path + " " + string(text)
	}
	var all []string
	for _, path := range []string{"/v1/sys/mounts", "/v1/sys/auth", "/v1/sys/audit", "/v1/sys/policies/acl?list=true"} {
		all = append(all, ask(v.RoundTripper(), path, "X-Vault-Token", v.RootToken()))
	}
	for _, path := range []string{"/v1/secrets", "/v1/federation/backends"} {
		all = append(all, ask(s.RoundTripper(), path, "Authorization", "Bearer "+token))
	}
	return all
}

func TestHalfASetting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		env     []string
		missing string
	}{
		{"Vault without a token", []string{"VAULT_ADDR", "http://127.0.0.1:1"}, "VAULT_TOKEN is missing"},
		{"a token without Vault", []string{"VAULT_TOKEN", "x"}, "VAULT_ADDR is missing"},
		{"ScaiVault without a token", []string{"SCAIVAULT_URL", "http://127.0.0.1:1"}, "SCAIVAULT_TOKEN is missing"},
		{"a token without ScaiVault", []string{"SCAIVAULT_TOKEN", "x"}, "SCAIVAULT_URL is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			require.Equal(t, 2, command(nil, environment(c.env...), &stdout, &stderr))
			require.Contains(t, stderr.String(), c.missing)
			require.Empty(t, stdout.String())
		})
	}
}

// TestNobodyThere: a server that cannot be reached is an error, with -json too.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	env := environment("VAULT_ADDR", "http://127.0.0.1:1", "VAULT_TOKEN", "x")
	require.Equal(t, 1, command([]string{"-json"}, env, &stdout, &stderr))
	var res result
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &res))
	require.NotEmpty(t, res.Error)
	require.Contains(t, stderr.String(), "refused")
}

func TestResultChecksItself(t *testing.T) {
	t.Parallel()
	good := result{Reads: 1, Writes: 1, Failovers: 1, DifferencesFound: 1}
	require.NoError(t, good.check())
	for name, spoil := range map[string]func(*result){
		"failed read": func(r *result) { r.FailedReads = 1 }, "wrong read": func(r *result) { r.WrongReads = 1 },
		"lost write": func(r *result) { r.LostWrites = 1 }, "difference": func(r *result) { r.DifferencesLeft = 1 },
		"no outage": func(r *result) { r.Failovers = 0 }, "no reads": func(r *result) { r.Reads = 0 },
	} {
		bad := good
		spoil(&bad)
		require.Error(t, bad.check(), name)
	}
}
