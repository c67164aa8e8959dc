// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	auditedPath  = "kv/data/apps/billing/db"
	auditedValue = "correct-horse-battery-staple"
)

// auditedSteps set the guide's AppRole up, and use it.
func auditedSteps() []step {
	login := `{"role_id":"{{role}}","secret_id":"{{secret}}"}`
	return []step{
		{do: "POST " + auditedPath, body: `{"data":{"password":"` + auditedValue + `"}}`, status: 200, want: written2(1)},
		{do: "POST sys/auth/approle", body: `{"type":"approle"}`, status: 204},
		{do: "PUT sys/policies/acl/scaivault-reader", body: `{"policy":"` + readerPolicy + `"}`, status: 204},
		{do: "POST auth/approle/role/federation", body: `{"token_policies":"scaivault-reader","token_ttl":"1h"}`, status: 204},
		{do: "GET auth/approle/role/federation/role-id", status: 200, want: `{"data":{"role_id":"<keep:role>"}}`},
		{do: "POST auth/approle/role/federation/secret-id", status: 200, want: `{"data":{"secret_id":"<keep:secret>","...":0}}`},
		{as: nobody, do: "POST auth/approle/login", body: login, status: 200, want: `{"auth":{"client_token":"<keep:app>","...":0}}`},
		{as: "app", do: "GET " + auditedPath, status: 200, want: secret2(`{"password":"`+auditedValue+`"}`, live(1))},
		{as: "app", do: "LIST kv/metadata/apps", status: 200, want: `{"data":{"keys":["billing/"]}}`},
		{as: "app", do: "POST " + auditedPath, body: `{"data":{"password":"` + auditedValue + `"}}`, status: 403, want: denied},
		{as: "hvs.bad", do: "GET " + auditedPath, status: 403, want: badToken},
		{do: "GET kv/data/nosuch", status: 404, want: notFound},
	}
}

// auditLines returns the lines that hold all the texts, decoded.
func auditLines(t *testing.T, s *server, texts ...string) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(s.auditLog()) {
		missing := func(text string) bool { return !strings.Contains(line, text) }
		if !slices.ContainsFunc(texts, missing) {
			found = append(found, line)
		}
	}
	return found
}

// TestAuditLogTellsWhoRead is how the guide finds the readers of a path that
// are left: by text, then by display name.
func TestAuditLogTellsWhoRead(t *testing.T) {
	t.Parallel()
	forEachVault(t, func(t *testing.T, s *server) {
		s.mount("kv", 2)
		tell(t, s, auditedSteps())

		lines := auditLines(t, s, `"path":"`+auditedPath+`"`, `"operation":"read"`, `"display_name":"approle"`)
		require.Len(t, lines, 2, "a request and its response")
		kept := map[string]string{}
		auth := `"auth":{"display_name":"approle","policies":["default","scaivault-reader"],"token_policies":["default","scaivault-reader"],` +
			`"metadata":{"role_name":"federation"},"token_type":"service","policy_results":{"allowed":true,"...":0},"accessor":"<keep:accessor>","client_token":"<string>","...":0}`
		request := `"request":{"id":"<keep:%s>","operation":"read","path":"` + auditedPath + `","mount_type":"kv","mount_point":"kv/",` +
			`"namespace":{"id":"root"},"remote_address":"127.0.0.1","remote_port":"<int>","client_token":"<string>","client_token_accessor":"<string>","...":0}`
		require.NoError(t, match(`{"type":"request","time":"<time>",`+auth+`,`+fmt.Sprintf(request, "asked")+`}`, lines[0], kept))
		require.NoError(t, match(`{"type":"response","time":"<time>",`+auth+`,`+fmt.Sprintf(request, "answered")+
			`,"response":{"mount_type":"kv","data":{"data":{"password":"<keep:value>"},"metadata":{"version":1,"...":0}},"...":0}}`, lines[1], kept))
		assert.Equal(t, kept["asked"], kept["answered"], "one id for the two lines")
		assert.Regexp(t, `^hmac-sha256:[0-9a-f]{64}$`, kept["value"])
		assert.Regexp(t, `^hmac-sha256:[0-9a-f]{64}$`, kept["accessor"])
	})
}

func TestAuditLogNeverHoldsSecrets(t *testing.T) {
	t.Parallel()
	forEachVault(t, func(t *testing.T, s *server) {
		s.mount("kv", 2)
		kept := map[string]string{}
		for _, step := range auditedSteps() {
			_, _, body := s.send(t, step, kept)
			if step.want != "" {
				require.NoError(t, match(step.want, body, kept))
			}
		}
		log := s.auditLog()
		require.Contains(t, log, auditedPath)
		for what, secret := range map[string]string{
			"the value": auditedValue, "the root token": s.rootToken,
			"the token": kept["app"], "the secret id": kept["secret"], "the role id": kept["role"],
		} {
			require.NotEmpty(t, secret, what)
			// Not assert.NotContains, which would print the log and the secret.
			assert.False(t, strings.Contains(log, secret), "%s is in the audit log", what)
		}
	})
}

// TestAuditLogHasTheSameFields compares the names of the fields of every line,
// and what they say where that does not change from run to run.
func TestAuditLogHasTheSameFields(t *testing.T) {
	t.Parallel()
	var traces [][]string
	for _, kind := range vaults() {
		s := kind.start(t)
		s.mount("kv", 2)
		tell(t, s, auditedSteps())
		var trace []string
		for _, text := range []string{`"path":"` + auditedPath + `"`, `"path":"auth/approle/login"`, `"path":"kv/metadata/apps/"`, `"path":"kv/data/nosuch"`} {
			lines := auditLines(t, s, text)
			assert.Zero(t, len(lines)%2, "%s: two lines for each request", text)
			for _, line := range lines {
				trace = append(trace, traceOf(t, line))
			}
		}
		traces = append(traces, trace)
	}
	require.NotEmpty(t, traces[0])
	require.Len(t, traces[1], len(traces[0]))
	for i := range traces[0] {
		assert.Equal(t, traces[0][i], traces[1][i], "line %d", i)
	}
}

// traceOf tells what an audit line says and which fields it has.
func traceOf(t *testing.T, line string) string {
	t.Helper()
	value, err := decode(line)
	require.NoError(t, err)
	entry, ok := value.(map[string]any)
	require.True(t, ok)
	request, ok := entry["request"].(map[string]any)
	require.True(t, ok)
	said := []any{entry["type"], request["operation"], request["path"]}
	if auth, ok := entry["auth"].(map[string]any); ok {
		said = append(said, auth["display_name"], auth["policies"])
	}
	if failure, ok := entry["error"]; ok {
		said = append(said, failure)
	}
	var fields []string
	for _, part := range slices.Sorted(maps.Keys(entry)) {
		fields = append(fields, part)
		if object, ok := entry[part].(map[string]any); ok {
			for _, name := range slices.Sorted(maps.Keys(object)) {
				fields = append(fields, part+"."+name)
			}
		}
	}
	return fmt.Sprintln(said...) + strings.Join(fields, "\n")
}
