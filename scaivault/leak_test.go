// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The values that must not be found anywhere. They hold what encodings treat
// in different ways: digits, slashes, quotes, marks of HTML, other scripts.
const (
	canaryText    = "s3cr3t/k4n4ry+Q=="
	canaryNumber  = "739139173913917391"
	canaryQuoted  = `k4"n4'<&>\ry` + "\t\x01"
	canaryUnicode = "geh€imnis-ß-日本語"
	canaryNested  = "n3st3d.v4lu3"
)

var canaries = []string{canaryText, canaryNumber, canaryQuoted, canaryUnicode, canaryNested}

// canaryData is a secret's data with every canary in it.
func canaryData() map[string]any {
	return map[string]any{
		"text":    canaryText,
		"number":  json.Number(canaryNumber),
		"quoted":  canaryQuoted,
		"unicode": canaryUnicode,
		"nested":  map[string]any{"list": []any{canaryNested, nil}},
	}
}

// A detector finds canaries in any output, in one pass.
type detector struct {
	byHead map[uint64][]string // the forms to look for, in lower case, by their first eight bytes
	maybe  [1 << 12]bool       // by a hash of these, as there is much output and most of it begins no form
}

func newDetector(canaries ...string) *detector {
	d := &detector{byHead: map[uint64][]string{}}
	for _, canary := range canaries {
		for _, form := range formsOf(canary) {
			form = strings.ToLower(form)
			head := binary.LittleEndian.Uint64([]byte(form))
			d.byHead[head] = append(d.byHead[head], form)
			d.maybe[hashOf(head)] = true
		}
	}
	return d
}

// leak returns the form in which a canary stands in output, or "".
func (d *detector) leak(output string) string {
	text := []byte(strings.ToLower(output))
	for i := 0; i+8 <= len(text); i++ {
		head := binary.LittleEndian.Uint64(text[i:])
		if !d.maybe[hashOf(head)] {
			continue
		}
		for _, form := range d.byHead[head] {
			if bytes.HasPrefix(text[i:], []byte(form)) {
				return form
			}
		}
	}
	return ""
}

func hashOf(head uint64) uint64 { return head * 0x9e3779b97f4a7c15 >> 52 }

// formsOf lists how printers and encoders write a text. A part of the text is
// a leak as well, so the forms with one number for each byte are short.
func formsOf(canary string) []string {
	quoted, _ := json.Marshal(canary) // a string always can be
	forms := []string{
		canary,
		strings.Trim(string(quoted), `"`),
		unquoted(strconv.Quote(canary)),
		unquoted(strconv.QuoteToASCII(canary)),
		html.EscapeString(canary),
		url.QueryEscape(canary),
		url.PathEscape(canary),
		hex.EncodeToString([]byte(canary[:6])),
	}
	head := []byte(canary)[:6]
	for _, format := range []string{"%d", "%x", "%#x", "%o", "%#o", "%b", "%U", "%q", "%c", "%03d", "%02x"} {
		for _, separator := range []string{" ", ", ", ",", ":", "-", "\n"} {
			var list []string
			for _, b := range head {
				list = append(list, fmt.Sprintf(format, b))
			}
			forms = append(forms, strings.Join(list, separator))
		}
	}
	var runes []string
	for _, r := range []rune(canary)[:6] {
		runes = append(runes, strconv.Itoa(int(r)))
	}
	forms = append(forms, strings.Join(runes, " "), strings.Join(runes, ", "))
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			// Whole groups of the encoding hold this part, wherever the text begins.
			part := canary[(3-shift)%3:]
			forms = append(forms, encoding.EncodeToString([]byte(part[:len(part)/3*3])))
		}
	}
	return append(forms, formsOfNumber(canary)...)
}

func formsOfNumber(canary string) []string {
	n, err := strconv.ParseInt(canary, 10, 64)
	if err != nil {
		return nil
	}
	f := float64(n)
	return []string{
		strconv.FormatInt(n, 16), strconv.FormatInt(n, 8), strconv.FormatInt(n, 2),
		strconv.FormatFloat(f, 'e', -1, 64)[:10], strconv.FormatFloat(f, 'f', 0, 64), strconv.FormatFloat(f, 'x', -1, 64),
	}
}

func unquoted(s string) string { return s[1 : len(s)-1] }

func TestTheDetectorFindsEveryForm(t *testing.T) {
	t.Parallel()
	d := newDetector(canaries...)
	for _, canary := range canaries {
		text, raw := "before "+canary+" after", []byte("{"+canary+"}")
		type holder struct {
			a string
			b []byte
		}
		outputs := map[string]string{"base64 of the rest": base64.StdEncoding.EncodeToString([]byte("12" + canary + "34"))}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%#q", "%x", "%X", "% x", "%# x", "%# X", "%d"} {
			outputs["text "+format] = fmt.Sprintf(strings.ReplaceAll(format, "d", "s"), text)
			outputs["bytes "+format] = fmt.Sprintf(format, raw)
			outputs["fields "+format] = fmt.Sprintf(format, holder{text, raw})
		}
		for _, format := range []string{"%o", "%b", "%U", "%c"} {
			outputs["bytes "+format] = fmt.Sprintf(format, raw)
		}
		for shift := range 3 {
			shifted := []byte(strings.Repeat("x", shift) + canary + "yy")
			outputs["base64 "+strconv.Itoa(shift)] = base64.StdEncoding.EncodeToString(shifted)
			outputs["base64 url "+strconv.Itoa(shift)] = base64.URLEncoding.EncodeToString(shifted)
		}
		encoded, err := json.Marshal(map[string]any{"text": text, "bytes": raw})
		assert.NoError(t, err)
		outputs["json"] = string(encoded)
		outputs["url"] = url.Values{"k": {text}}.Encode()
		outputs["html"] = html.EscapeString(text)
		for name, output := range outputs {
			assert.NotEmpty(t, d.leak(output), "%s of %q: %s", name, canary, output)
		}
	}
	assert.NotEmpty(t, d.leak(fmt.Sprint(float64(739139173913917391))), "a number that lost its digits")
	assert.Empty(t, d.leak("secret apps/db v3 REDACTED 0x7391 739 [1 2 3]"))
}
