// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// ask makes a request to a running devserver. Whoever wants its certificate checked
// asks with curl.
func ask(t *testing.T, p *process, identity, method, path, body string) (answer map[string]json.RawMessage, status int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+"/v1/"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+p.tokens[identity])
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	return answer, res.StatusCode
}

// written writes a file for one test.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

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

func TestServesWhatWasSeeded(t *testing.T) {
	t.Parallel()
	seed := written(t, `{
		"environments/dev/db": {"password": "not-a-real-one", "big": 12345678901234567890},
		"shared/empty": {}
	}`)
	p := start(t, nil, []string{"user:dev"}, "-seed", seed)
	answer, status := ask(t, p, "user:dev", "GET", "secrets/environments/dev/db", "")
	require.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"password":"not-a-real-one","big":12345678901234567890}`, string(answer["data"]))
	assert.Contains(t, string(answer["data"]), "12345678901234567890", "every digit")
	_, status = ask(t, p, "user:dev", "PUT", "secrets/shared/empty", `{"data":{"k":"v"}}`)
	assert.Equal(t, http.StatusOK, status)
	_, status = ask(t, p, "nobody", "GET", "secrets/shared/empty", "")
	assert.Equal(t, http.StatusUnauthorized, status)
}

func TestFederatesAtTheStart(t *testing.T) {
	t.Parallel()
	v, err := scaivaulttest.StartVault(nil)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	v.Mount("kv", 2)
	v.Seed("kv/data/apps/db", map[string]any{"password": "not-a-real-one"})
	p := start(t, []string{"VAULT_TOKEN=" + v.RootToken()}, []string{"user:dev"},
		"-federate", v.URL(), "-federate-map", "old/**=kv/data/apps/**")
	answer, status := ask(t, p, "user:dev", "GET", "secrets/old/db", "")
	require.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"password":"not-a-real-one"}`, string(answer["data"]))

	var stdout, stderr bytes.Buffer
	rules := &backend{endpoint: v.URL(), paths: map[string]string{"old/**": "kv/data/apps/**", "a/**": "kv/data/**"}}
	rules.tell(&stderr)
	assert.Equal(t, "devserver: a/** is read from kv/data/** at "+v.URL()+"\ndevserver: old/** is read from kv/data/apps/** at "+v.URL()+"\n", stderr.String())

	stderr.Reset()
	code := command(t.Context(), []string{"-addr", "127.0.0.1:0", "-federate", v.URL()}, environment("VAULT_TOKEN", "not-the-token"), &stdout, &stderr)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr.String(), "unhealthy")
	assert.NotContains(t, stderr.String(), "not-the-token")
}

func TestRefusesBeforeItListens(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		env  []string
		says string
	}{
		"every interface":         {args: []string{"-addr", ":0"}, says: "-allow-remote"},
		"another interface":       {args: []string{"-addr", "0.0.0.0:0"}, says: "-allow-remote"},
		"a name":                  {args: []string{"-addr", "example.com:80"}, says: "-allow-remote"},
		"no port":                 {args: []string{"-addr", "127.0.0.1"}, says: "a host and a port"},
		"an argument":             {args: []string{"start"}, says: `"start" is no flag`},
		"no such flag":            {args: []string{"-port", "1"}, says: "not defined"},
		"an identity":             {args: []string{"-token", "a b"}, says: "sa:billing-prod"},
		"no such file":            {args: []string{"-seed", "does/not/exist"}, says: "no such file"},
		"no credentials":          {args: []string{"-federate", "https://v.test"}, says: "set VAULT_ROLE_ID"},
		"half the credentials":    {args: []string{"-federate", "https://v.test"}, env: []string{"VAULT_ROLE_ID", "x", "VAULT_TOKEN", "y"}, says: "set both"},
		"no Vault's address":      {args: []string{"-federate", "v.test:8200"}, env: []string{"VAULT_TOKEN", "y"}, says: "want an address"},
		"a map without an arrow":  {args: []string{"-federate-map", "a/**"}, says: "want two names"},
		"a map without a Vault":   {args: []string{"-federate-map", "a/**=kv/data/**"}, says: "-federate is missing"},
		"a namespace of no Vault": {args: []string{"-federate-namespace", "acme"}, says: "-federate is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			assert.Equal(t, 2, command(t.Context(), tc.args, environment(tc.env...), &stdout, &stderr))
			assert.Contains(t, stderr.String(), tc.says)
			assert.Empty(t, stdout.String())
		})
	}
}

func TestAllowsOtherMachinesWhenAsked(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "127.9.9.9:1", "[::1]:0", "localhost:0"} {
		require.NoError(t, checkAddr(addr, false), addr)
	}
	require.NoError(t, checkAddr(":8210", true))
	require.NoError(t, checkAddr("0.0.0.0:8210", true))
}

func TestHelpIsNoError(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 0, command(t.Context(), []string{"-help"}, environment(), &stdout, &stderr))
	assert.Contains(t, stderr.String(), "-federate")
}

func TestSeedErrorsNameTheLineAndThePath(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for name, tc := range map[string]struct{ text, says string }{
		"nothing":           {``, "line 1: want an object"},
		"a list":            {"\n[]", "line 2: want an object"},
		"no path":           {"{\n\"a/b\": {},\n7: {}}", "line 3: not JSON"},
		"a wrong path":      {"{\"ok\": {},\n\n\"Apps/DB\": {\"k\": \"" + secret + "\"}}", "line 3: check path Apps/DB"},
		"the same twice":    {"{\"a/b\": {},\n\"a/b\": {}}", "line 2: a/b stands in line 1 already"},
		"data of text":      {"{\"a\": {},\n\"a/b\": \"" + secret + "\"}", "line 2: a/b: want an object"},
		"data of null":      {"{\"a/b\": null}", "line 1: a/b: want an object"},
		"broken data":       {"{\"a/b\": {\"k\": \"" + secret + "\", }}", "line 1: a/b: want an object"},
		"no end":            {"{\"a/b\": {}\n", "the object does not end"},
		"something follows": {"{\"a/b\": {}}\n{}", "line 2: something follows"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			file := written(t, tc.text)
			assert.Equal(t, 2, command(t.Context(), []string{"-seed", file}, environment(), &stdout, &stderr))
			assert.Contains(t, stderr.String(), tc.says)
			assert.Contains(t, stderr.String(), file)
			assert.NotContains(t, stderr.String(), secret)
		})
	}
}
