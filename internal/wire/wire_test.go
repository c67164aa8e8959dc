// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/wire"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a/b": "a/b", "Größe und so": "Größe und so", "a\nb": `"a\nb"`, "a\x1b[31m": `"a\x1b[31m"`, "a\u202eb": `"a\u202eb"`, "\xff": `"\xff"`,
	} {
		require.Equal(t, want, wire.Printable(text))
	}
	long := wire.Printable(strings.Repeat("ä", 1000))
	require.Less(t, len(long), 600)
	require.True(t, utf8.ValidString(long))
}

func TestIdentifier(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"req_5haq", "secret_not_found", "a-b.c:d", ""} {
		require.Equal(t, id, wire.Identifier(id))
	}
	for _, text := range []string{"two words", "a\nb", "ü", "<html>", strings.Repeat("a", 129)} {
		require.Empty(t, wire.Identifier(text))
	}
}

func TestEncodeData(t *testing.T) {
	t.Parallel()
	raw, wrong := wire.EncodeData(map[string]any{"n": json.Number("1e400"), "r": json.RawMessage("0.1000"), "m": "<&>", "null": nil})
	require.Empty(t, wrong)
	require.Equal(t, `{"m":"<&>","n":1e400,"null":null,"r":0.1000}`, string(raw))
	for name, data := range map[string]map[string]any{
		"nil":          nil,
		"not a number": {"f": math.NaN()},
		"a func":       {"f": func() {}},
		"not UTF-8":    {"f": "canary\xff"},
		"deeper":       {"f": map[string]any{"g": []any{"canary\xff"}}},
		"deep strings": {"f": []string{"canary\xff"}},
		"deep names":   {"f": map[string]string{"canary\xff": ""}},
		"named":        {"f": name("canary\xff")},
		"struct":       {"f": struct{ G string }{"canary\xff"}},
		"named slice":  {"f": []name{"canary\xff"}},
		"raw":          {"f": json.RawMessage("\"canary\xff\"")},
		"broken raw":   {"f": json.RawMessage(`{"canary`)},
	} {
		_, wrong := wire.EncodeData(data)
		require.NotEmpty(t, wrong, name)
		require.NotContains(t, wrong, "canary")
	}
}

type name string

// TestEncodeDataTakesWhatJSONKeeps: U+FFFD itself, and text that looks like its
// escape.
func TestEncodeDataTakesWhatJSONKeeps(t *testing.T) {
	t.Parallel()
	raw, wrong := wire.EncodeData(map[string]any{"a": name("\ufffd"), "b": []name{`\ufffd`}, "c": json.RawMessage(`"\ufffd"`), "d": "\ufffd"})
	require.Empty(t, wrong)
	require.JSONEq(t, `{"a":"\ufffd","b":["\\ufffd"],"c":"\ufffd","d":"\ufffd"}`, string(raw))
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://h.example", "https://h.example:8443/base", "http://localhost:1", "http://127.0.0.9", "http://[::1]", "http://plain.example", "https://h:", "https://h:65535"} {
		_, err := wire.ParseAddress(good, []string{"plain.example"})
		require.NoError(t, err, good)
	}
	for bad, hint := range map[string]string{
		"": "empty", "h.example": "no scheme", "h.example:8200": "no scheme", "ftp://h": "scheme", "https://": "host", "https://u:canary@h": "password",
		"https://u:canary%zz@h": "password", "https://h?q=canary": "query", "https://h/%zz": "not a URL", "http://h.example": "in clear", "http://127.0.0.1.example": "in clear",
		"https://h.example:99999/base": `"h.example:99999" has a port that does not exist`, "https://[::1]:65536": `"[::1]:65536" has a port`, "https://h:0": "1 to 65535",
		"https://h:18446744073709551617": "1 to 65535",
	} {
		_, err := wire.ParseAddress(bad, nil)
		require.ErrorContains(t, err, hint, bad)
		require.NotContains(t, err.Error(), "canary")
	}
}

func TestScrub(t *testing.T) {
	t.Parallel()
	data := json.RawMessage(`{"password":"hunter2-value","nested":[{"pin":123456,"quoted":"a\"b<c"}],"x":"y"}`)
	for text, want := range map[string]string{
		"":                                    "",
		"value hunter2-value is bad":          "value REDACTED is bad",
		"token skt_abcdef and pin 123456":     "token REDACTED and pin REDACTED",
		`{"got":"a\"b<c"}`:                    `{"got":"REDACTED"}`,
		`{"got":"a\"b\u003cc"}`:               `{"got":"REDACTED"}`,
		"y is too short to be searched for":   "y is too short to be searched for",
		"nothing that this request had in it": "nothing that this request had in it",
	} {
		require.Equal(t, want, wire.Scrub(text, "skt_abcdef", data))
	}
	require.Equal(t, "no data", wire.Scrub("no data", "", nil))
	require.Equal(t, "REDACTED", wire.Scrub("skt_abcdef", "skt_abcdef", nil))
	require.Equal(t, `"REDACTED"`, wire.Scrub(`"skt_a\u003cb"`, "skt_a<b", nil), "a token as JSON writes it")
	require.Equal(t, `"REDACTED"`, wire.Scrub(`"skt_a\"b"`, `skt_a"b`, nil))
	for _, nested := range []string{`["pass","password-1","password-12"]`, `["password-12","password-1","pass"]`} {
		require.Equal(t, "REDACTED and REDACTED", wire.Scrub("password-12 and password-1", "", json.RawMessage(nested)), "the rest of a longer value is a part of a secret")
	}
}
