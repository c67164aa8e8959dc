// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// leakSecrets hold what encodings treat in different ways, in several lengths.
var leakSecrets = []string{
	"k4n4", "s3cr3", "-----BEGIN KEY-----\nMIIC\ns3cr3t\n-----END KEY-----\n", "kl\"m<&>'n", "s3cr3t/k4n4ry+Q==", "geh€imnis-ß-日本語", "🔑🔑 tab\t\x01\x7f", "739139173913", "C:\\new\\x41",
	strings.Repeat("long secret ", 40),
}

// written is a secret in every form, with the name of each.
func written(t *testing.T, secret string) map[string]string {
	t.Helper()
	text, raw := "before "+secret+" after", []byte("{"+secret+"}")
	type holder struct {
		a string
		b []byte
	}
	out := map[string]string{
		"clear": text, "html": html.EscapeString(text), "query": url.QueryEscape(text), "path": url.PathEscape(text),
		"hex": hex.EncodeToString([]byte(text)), "HEX, odd": "a" + strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"runes": fmt.Sprint([]rune(text)), "code points": fmt.Sprintf("%U", []rune(text)),
		"numbers in JSON": strings.ReplaceAll(fmt.Sprint(raw), " ", ","), "one a line": strings.ReplaceAll(fmt.Sprint(raw), " ", ",\n"),
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%# x", "%# X", "%d", "%o", "%#o", "%b", "%#b"} {
		out["bytes "+format] = fmt.Sprintf(format, raw)
		if !strings.ContainsAny(format, "dob") {
			out["text "+format] = fmt.Sprintf(format, text)
			out["fields "+format] = fmt.Sprintf(format, holder{text, raw})
		}
	}
	for shift := range 3 {
		shifted := []byte(strings.Repeat("x", shift) + secret + "yy")
		for name, e := range map[string]*base64.Encoding{
			"std": base64.StdEncoding, "url": base64.URLEncoding, "raw std": base64.RawStdEncoding, "raw url": base64.RawURLEncoding,
		} {
			out[fmt.Sprintf("base64 %s %d", name, shift)] = "Basic" + strings.Repeat("A", shift) + " " + e.EncodeToString(shifted)
			out[fmt.Sprintf("base64 %s %d behind letters", name, shift)] = "abcdefgh"[:shift] + e.EncodeToString(shifted)
		}
	}
	out["lines"], out["indented lines"] = inLines("x"+text, 3, "\r\n"), inLines(secret, len(secret)-1, "\n    ")
	for shift := range 20 {
		padded := []byte(strings.Repeat("x", shift) + secret + "yy")
		out[fmt.Sprintf("dump %d", shift)] = hex.Dump(padded)
		out[fmt.Sprintf("hex in lines %d", shift)] = inLines(hex.EncodeToString(padded), 8, "\n\t")
		out[fmt.Sprintf("base64 in lines %d", shift)] = "key: |\n  " + inLines(base64.StdEncoding.EncodeToString(padded), 8, "\r\n  ")
	}
	encoded, err := json.Marshal(map[string]any{"text": text, "bytes": raw})
	require.NoError(t, err)
	again, err := json.Marshal(string(encoded))
	require.NoError(t, err)
	out["json"], out["json in json"] = string(encoded), string(again)
	out["base64 of json"] = base64.StdEncoding.EncodeToString(encoded)
	out["hex of base64"] = hex.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
	out["base64 in a url"] = "?auth=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(text)))
	return out
}

// inLines breaks a text after every n bytes.
func inLines(text string, n int, lineBreak string) string {
	var lines []string
	for ; len(text) > n; text = text[n:] {
		lines = append(lines, text[:n])
	}
	return strings.Join(append(lines, text), lineBreak)
}

func TestAssertNoLeakFindsEveryForm(t *testing.T) {
	t.Parallel()
	for _, secret := range leakSecrets {
		for name, text := range written(t, secret) {
			failures := try(t, func(t *trial) { scaivaulttest.AssertNoLeak(t, secret, "nothing here", text, text) })
			require.Len(t, failures, 1, "%s of %q: %s", name, secret, text)
			assert.Contains(t, failures[0], "text 2 of 3", name)
			for form, leaked := range written(t, secret) {
				require.NotContains(t, failures[0], leaked, "the failure shows the secret: %s", form)
			}
			require.NotContains(t, failures[0], secret)
		}
	}
}

func TestAssertNoLeakPassesWhatHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range leakSecrets {
		other := "another secret of the same kind"
		for name, text := range written(t, other) {
			require.Empty(t, try(t, func(t *trial) { scaivaulttest.AssertNoLeak(t, secret, text, "", secret[:3]) }), "%s: %s", name, text)
		}
	}
	scaivaulttest.AssertNoLeak(t, "s3cr3t")
}

func TestAssertNoLeakRefusesAShortSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "a", "abc"} {
		failures := try(t, func(t *trial) { scaivaulttest.AssertNoLeak(t, secret) })
		require.Len(t, failures, 1)
		assert.Contains(t, failures[0], fmt.Sprintf("the secret has %d bytes", len(secret)))
	}
}

func FuzzAssertNoLeak(f *testing.F) {
	f.Add("s3cr3t", `\u00`)
	f.Add("s3cr3t", `\ud83d\u`)
	f.Add("\\x41", `%4 0x1, 0b2 &#x`)
	f.Fuzz(func(t *testing.T, secret, before string) {
		if len(secret) < 4 {
			return
		}
		for name, text := range map[string]string{
			"clear":  before + secret,
			"base64": before + " " + base64.StdEncoding.EncodeToString([]byte("x"+secret)),
			"hex":    before + " " + hex.EncodeToString([]byte(secret)),
			"list":   before + fmt.Sprint([]byte(secret)),
		} {
			assert.NotEmpty(t, try(t, func(t *trial) { scaivaulttest.AssertNoLeak(t, secret, text) }), name)
		}
	})
}
