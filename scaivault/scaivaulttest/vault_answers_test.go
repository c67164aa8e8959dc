// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A recordedAnswer is one request to Vault 1.21.4 and what it said, in testdata/vault_answers.jsonl. The requests build on one another.
type recordedAnswer struct {
	As      string            `json:"as"` // a token: "root", "${name}", or as it stands; empty: none
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    *string           `json:"body"`
	Keep    map[string]string `json:"keep"` // what later requests need, by name: where it stands in the answer
	Status  int               `json:"status"`
	Answer  json.RawMessage   `json:"answer"` // without what is random; a string when it is not JSON
}

func readRecordedAnswers(t *testing.T) []recordedAnswer {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "vault_answers.jsonl"))
	require.NoError(t, err)
	defer file.Close()
	var records []recordedAnswer
	dec := json.NewDecoder(file)
	for dec.More() {
		var r recordedAnswer
		require.NoError(t, dec.Decode(&r))
		records = append(records, r)
	}
	return records
}

// TestVaultAnswersAsTheRealOne replays what a real Vault was asked, and wants the same statuses, texts and shapes.
func TestVaultAnswersAsTheRealOne(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"memory", "socket"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			v := scaivaulttest.NewVault(t)
			base, client := "http://vault.test", &http.Client{Transport: v.RoundTripper()}
			if way == "socket" {
				transport := &http.Transport{}
				t.Cleanup(transport.CloseIdleConnections)
				base, client = v.URL(), &http.Client{Transport: transport}
			}
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			known := map[string]string{"root": v.RootToken(), "audit_file": filepath.Join(t.TempDir(), "audit.log")}
			for i, r := range readRecordedAnswers(t) {
				name := fmt.Sprintf("line %d: %s %s", i+1, r.Method, r.Path)
				status, body := r.replay(t, client, base, known)
				if r.Status == http.StatusTemporaryRedirect && status == http.StatusMovedPermanently {
					continue // which of the two net/http answers depends on the version of Go, here and in Vault
				}
				require.Equal(t, r.Status, status, "%s: %s", name, body)
				if r.Method != http.MethodHead {
					require.JSONEq(t, string(r.Answer), string(withoutChance(t, body, known)), name)
				}
			}
		})
	}
}

func (r recordedAnswer) replay(t *testing.T, client *http.Client, base string, known map[string]string) (int, []byte) {
	t.Helper()
	fill := func(text string) string {
		return os.Expand(text, func(name string) string {
			if value, ok := known[name]; ok {
				return value
			}
			return "${" + name + "}"
		})
	}
	var body io.Reader = http.NoBody
	if r.Body != nil {
		body = strings.NewReader(fill(*r.Body))
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, base+fill(r.Path), body)
	require.NoError(t, err)
	for name, value := range r.Headers {
		req.Header.Set(name, fill(value))
	}
	switch r.As {
	case "":
	case "root":
		req.Header.Set("X-Vault-Token", known["root"])
	default:
		req.Header.Set("X-Vault-Token", fill(r.As))
	}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	for name, place := range r.Keep {
		known[name] = textAt(t, answer, place)
	}
	return res.StatusCode, answer
}

func textAt(t *testing.T, answer []byte, place string) string {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(answer, &value))
	for _, name := range strings.Split(place, ".") {
		object, ok := value.(map[string]any)
		require.True(t, ok, "no %s in the answer", place)
		value = object[name]
	}
	text, ok := value.(string)
	require.True(t, ok, "%s is not a text", place)
	return text
}

// withoutChance replaces what differs from one Vault to the next. Numbers keep their digits: they become strings.
func withoutChance(t *testing.T, answer []byte, known map[string]string) []byte {
	t.Helper()
	var value any = string(answer)
	if bytes.HasPrefix(answer, []byte("{")) {
		dec := json.NewDecoder(bytes.NewReader(answer))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&value))
	}
	encoded, err := json.Marshal(chanceless("", value, known))
	require.NoError(t, err)
	return encoded
}

var chance = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`), "<time>"},
	{regexp.MustCompile(`^hv[sb]\.[A-Za-z0-9_-]+$`), "<token>"},
	{regexp.MustCompile(`^([a-z]+_)+[0-9a-f]{8}$`), "<accessor>"},
	{regexp.MustCompile(`^vault-cluster-[0-9a-f]+$`), "<cluster>"},
	{regexp.MustCompile(`^hmac-sha256:[0-9a-f]{64}$`), "<hmac>"},
}

func chanceless(name string, value any, known map[string]string) any {
	switch v := value.(type) {
	case map[string]any:
		clean := make(map[string]any, len(v))
		for key, element := range v {
			clean[key] = chanceless(key, element, known)
		}
		delete(clean, "build_date")   // of the program, not of Vault
		delete(clean, "storage_type") // told as the server was set up
		return clean
	case []any:
		for i, element := range v {
			v[i] = chanceless(name, element, known)
		}
		return v
	case json.Number:
		switch name {
		case "ttl", "creation_time", "last_renewal_time", "server_time_utc":
			return "<number>"
		}
		return "number " + v.String()
	case string:
		if name == "accessor" && v != "" || name == "client_id" {
			return "<" + name + ">"
		}
		v = strings.ReplaceAll(v, known["audit_file"], "<audit file>")
		for _, c := range chance {
			v = c.pattern.ReplaceAllString(v, c.instead)
		}
		return v
	}
	return value
}

// TestVaultLimitsOfBodies has what is too large for a file: Vault answers these with 500, and says why.
func TestVaultLimitsOfBodies(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t)
	v.Mount("secret", 1)
	client := &http.Client{Transport: v.RoundTripper()}
	nested := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	for _, tc := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"a string of 1 MiB", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, http.StatusNoContent, ""},
		{"a longer string", `{"a":"` + strings.Repeat("x", 1<<20+1) + `"}`, http.StatusInternalServerError, "JSON string value exceeds allowed length"},
		{"300 levels", nested(300), http.StatusNoContent, ""},
		{"301 levels", nested(301), http.StatusInternalServerError, "JSON input exceeds allowed nesting depth"},
		{"10,000 elements", `{"a":[1` + strings.Repeat(",1", 9_999) + `]}`, http.StatusNoContent, ""},
		{"10,001 elements", `{"a":[1` + strings.Repeat(",1", 10_000) + `]}`, http.StatusInternalServerError, "JSON array exceeds allowed element count"},
		{"33 MiB", `{"a":1` + strings.Repeat(" ", 33<<20) + `}`, http.StatusRequestEntityTooLarge, "http: request body too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := recordedAnswer{As: "root", Method: http.MethodPut, Path: "/v1/secret/body", Body: &tc.body}
			status, answer := r.replay(t, client, "http://vault.test", map[string]string{"root": v.RootToken()})
			require.Equal(t, tc.status, status)
			require.Contains(t, string(answer), tc.message)
		})
	}
}
