// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

func valueChecks() []sourceCheck {
	return []sourceCheck{
		{"text survives byte for byte", checkTexts},
		{"names of fields survive byte for byte", checkFieldNames},
		{"JSON of every shape survives", checkShapes},
		{"Go values are held as encoding/json writes them", checkGoValues},
		{"numbers survive", checkNumbers},
		{"long numbers survive, are refused, or become floats", checkLongNumbers},
		{"large data survive", checkLargeData},
		{"data without fields are held or refused", checkNoFields},
	}
}

// oddTexts are what programs on the way like to alter.
func oddTexts() []string {
	texts := []string{
		"", " ", "  a  ", "\t", "\n", "\r", "\r\n", "a\n", "\na", "a\r\nb", "null", "nil", "undefined", "true", "false", "NaN", "Infinity",
		"0", "00", "007", "-0", "1e3", "0x10", "1_000", "12345678901234567890", "0.1000", "1,5", "2026-11-24T03:58:14Z", "10m", "10%",
		`"`, `""`, `'`, "`", `\`, `\\`, `\n`, `\u0041`, `\x41`, `\"`, "/", "//", "../..", "C:\\dir", "~", "*", "**", "?", "#", "&amp;", "<b>&</b>",
		"<script>", "<![CDATA[", "<!--", "%", "%s", "%d%n", "%00", "%2F", "+", "a+b", "a b", "${HOME}", "$(id)", "`id`", "{{.}}", "{%x%}", "#{x}",
		"{}", "[]", `{"a":1}`, `[1,2]`, `{"data":{"data":{}}}`, `{"error":"x"}`, "key: value", "- item", "--- |", "!!binary", "a=b;c=d", "a,b", ";", ":", "::", "@", "!", "^", "|", "(", ")",
		"'; DROP TABLE secrets; --", "-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n", "QUJD", "QUI=", "QQ==", "-_", "vault:v1:abc", "skt_not_a_token",
		"é", "e\u0301", "ﬁ", "ß", "ẞ", "İ", "ı", "Ω", "\u2126", "ä", "日本語", "한글", "עברית", "العربية", "ไทย", "हिन्दी", "Ελληνικά", "русский",
		"🔑", "👩‍👩‍👧‍👦", "🇪🇺", "a\u200bb", "\u200d", "\u00a0", "\u2003", "\u2028", "\u2029", "\ufeff", "\ufeffa", "\ufffd", "\ufffe", "\uffff", "\U0001f511", "\U0010ffff", "\U00020000",
		"\u202eabc", "\u2066abc\u2069", "\u0301", "\ue000", "\u00ad", "\u0085", "\u009f", "\ud7ff", "\ue0ff", "aA", "AA", "Aa",
		strings.Repeat("a", 255), strings.Repeat("b", 256), strings.Repeat("ü", 1024), strings.Repeat(`\"`, 2048), strings.Repeat("\x00", 64), strings.Repeat("x", 4096) + "\n",
	}
	for c := range rune(0x20) {
		texts = append(texts, string(c), "a"+string(c)+"b")
	}
	return append(texts, "\x7f", "a\x7f")
}

func checkTexts(s *subject) {
	data, path := map[string]any{}, s.path("a")
	for i, text := range oddTexts() {
		data[fmt.Sprintf("text-%03d", i)] = text
	}
	s.put(path, data, nil)
	secret := s.get(path)
	held, decoded := secret.Data(), map[string]string{}
	if err := secret.Decode(&decoded); err != nil {
		s.Fatalf("Decode: %v", err)
	}
	for i, text := range oddTexts() {
		name := fmt.Sprintf("text-%03d", i)
		if field, ok := secret.Field(name); !ok || field != text || held[name] != text || decoded[name] != text {
			s.Fatalf("the text %s came back as another", shown(text))
		}
	}
	if len(held) != len(data) {
		s.Fatalf("%d fields were written, and %d came back", len(data), len(held))
	}
}

// shown quotes a text, which is no secret, and cuts it.
func shown(text string) string {
	if len(text) > 40 {
		text = text[:40]
	}
	return strconv.QuoteToASCII(text)
}

func checkFieldNames(s *subject) {
	data, path := map[string]any{}, s.path("a")
	for i, name := range oddTexts() {
		data[name] = strconv.Itoa(i)
	}
	for _, name := range []string{"data", "metadata", "options", "cas", "path", "version", "secret_type", "errors", "error", "ttl", "lease_id", "__proto__"} {
		data[name] = "own"
	}
	s.put(path, data, nil)
	held := s.get(path).Data()
	for name, value := range data {
		if held[name] != value {
			s.Fatalf("the field %s came back as another", shown(name))
		}
	}
	if len(held) != len(data) {
		s.Fatalf("%d fields were written, and %d came back", len(data), len(held))
	}
}

func checkShapes(s *subject) {
	path := s.path("a")
	deep := strings.Repeat(`{"a":[`, 20) + `"x"` + strings.Repeat(`]}`, 20)
	shapes := `{"null":null,"true":true,"false":false,"empty":"","list":[],"map":{},"nulls":[null,null],"in":{"null":null,"":"","list":[]},` +
		`"mixed":["a",1,true,null,{"b":[]},[[],[[]]]],"order":[3,1,2],"same":["a","a"],"a.b":1,"a":{"b":2},"data":{"data":{"k":"v"}},"deep":` + deep + `}`
	var data map[string]any
	if err := json.Unmarshal([]byte(shapes), &data); err != nil {
		s.Fatalf("the suite's own data: %v", err)
	}
	s.put(path, data, nil)
	s.mustHold(path, shapes)
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(shapes), &raw); err != nil {
		s.Fatalf("the suite's own data: %v", err)
	}
	data = map[string]any{}
	for name, value := range raw {
		data[name] = value
	}
	s.put(path, data, nil)
	s.mustHold(path, shapes)
}

func checkGoValues(s *subject) {
	type text string
	path := s.path("a")
	data := map[string]any{
		"int": -7, "int64": int64(1) << 50, "uint8": uint8(200), "float64": 0.1, "float32": float32(0.5), "bool": true, "nil": nil,
		"bytes": []byte("\x00\xff<bytes>"), "texts": []string{"a", "<b>"}, "ints": []int{1, 2}, "map": map[string]string{"x": "y"},
		"named": text("t"), "time": time.Date(2026, 11, 24, 3, 58, 14, 5, time.UTC), "pointer": new(int), "no pointer": (*int)(nil),
		"struct": struct {
			A string `json:"a"`
			B int    `json:"b,omitempty"`
		}{A: "x"},
	}
	want, err := json.Marshal(data)
	if err != nil {
		s.Fatalf("the suite's own data: %v", err)
	}
	s.put(path, data, nil)
	s.mustHold(path, string(want))
}

// checkNumbers uses numbers that a 64-bit float holds as they are written.
func checkNumbers(s *subject) {
	numbers := `{"n":[0,1,-1,10,100,0.1,-0.25,1.5,3.141592653589793,1e3,1E+2,1e-7,123456789012345,9007199254740991,-9007199254740991,` +
		`1e21,1e22,1.7976931348623157e308,2.2250738585072014e-308,0.30000000000000004,5e-324]}`
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(numbers), &raw); err != nil {
		s.Fatalf("the suite's own data: %v", err)
	}
	s.put(s.path("raw"), map[string]any{"n": raw["n"]}, nil)
	s.mustHold(s.path("raw"), numbers)
	var words []json.Number
	if err := json.Unmarshal(raw["n"], &words); err != nil {
		s.Fatalf("the suite's own data: %v", err)
	}
	s.put(s.path("words"), map[string]any{"n": words}, nil)
	s.mustHold(s.path("words"), numbers)
}

func checkLongNumbers(s *subject) {
	for i, number := range []string{
		"9007199254740993", "18446744073709551615", "12345678901234567890", "0.12345678901234567890123", "1e400", "1e-400",
		"-" + strings.Repeat("9", 100),
	} {
		path := s.path(fmt.Sprintf("n%d", i))
		written, err := s.source.Put(s.ctx, path, map[string]any{"n": json.Number(number), "k": "v"}, nil)
		if err != nil {
			s.mustRefuse("Put of the number "+shown(number), written != nil, err, scaivault.ErrInvalid)
			s.mustBeAbsent(path)
			continue
		}
		secret := s.get(path)
		held, ok := secret.Data()["n"].(json.Number)
		if field, _ := secret.Field("k"); !ok || field != "v" {
			s.Fatalf("the number %s came back as no number, or without its neighbour", shown(number))
		}
		if sameMeaning(map[string]any{"n": held}, map[string]any{"n": json.Number(number)}) {
			continue
		}
		float, errHeld := held.Float64()
		if want, err := strconv.ParseFloat(number, 64); err != nil || errHeld != nil || float != want {
			s.Fatalf("the number %s came back as another", shown(number))
		}
	}
}

func checkLargeData(s *subject) {
	path := s.path("a")
	large := strings.Repeat("0123456789abcdef", 4096) // 64 KiB
	s.put(path, map[string]any{"large": large, "small": "s"}, nil)
	secret := s.get(path)
	small, _ := secret.Field("small")
	if got, _ := secret.Field("large"); got != large || small != "s" {
		s.Fatalf("a text of %d bytes came back with %d", len(large), len(got))
	}
}

func checkNoFields(s *subject) {
	path := s.path("a")
	written, err := s.source.Put(s.ctx, path, map[string]any{}, nil)
	if err != nil {
		s.mustRefuse("Put of data without fields", written != nil, err, scaivault.ErrInvalid)
		s.mustBeAbsent(path)
		return
	}
	if secret := s.mustHold(path, `{}`); len(secret.Data()) != 0 {
		s.Fatalf("data without fields came back with %d", len(secret.Data()))
	}
}
