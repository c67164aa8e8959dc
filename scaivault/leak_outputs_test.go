// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	texttemplate "text/template"

	"github.com/stretchr/testify/assert"
	"go.yaml.in/yaml/v3"
)

// formatsOf has each verb with each option: flags, widths and precisions.
func formatsOf(verbs string, options ...string) []string {
	var formats []string
	for _, verb := range verbs {
		for _, option := range options {
			formats = append(formats, "%"+option+string(verb))
		}
	}
	return formats
}

var (
	allFormats = formatsOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
		"", "+", "#", " ", "0", "-", "+#", "# ", "#0", "+-", "+# 0-",
		"5", ".3", "40.60", "+5", "#.3", "+#40.60", "# 40", "[1]")
	// someFormats are for large values, which take long to print.
	someFormats = formatsOf("bcdopqstvxTUX", "", "+", "#", "+#40.60")
)

// outputsOf prints and encodes a value in every way that a program might, and
// returns what came out, and how. Errors are output too.
func outputsOf(t *testing.T, v any) map[string]string {
	t.Helper()
	return outputsWith(t, v, allFormats)
}

func outputsWith(t *testing.T, v any, formats []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	printed(v, formats, out)
	for how, encode := range encoders(t) {
		out[encode(v)] = how
	}
	return out
}

func printed(v any, formats []string, out map[string]string) {
	for _, format := range formats {
		out[fmt.Sprintf(format, v)] = format
	}
	out[fmt.Sprint(v)] = "Sprint"
	out[fmt.Sprintln(v, v)] = "Sprintln"
	for _, wrong := range []string{"%!", "", "%*d", "%[1]*[1]x %[3]d", "wrapped: %w"} {
		out[fmt.Sprintf(wrong, v, v)] = "the wrong format " + wrong
		out[fmt.Errorf(wrong, v, v).Error()] = "an error with the format " + wrong
	}
	out[errors.Join(fmt.Errorf("%+v", v), fmt.Errorf("%s %d %x", v, v, v)).Error()] = "joined errors"
}

func encoders(t *testing.T) map[string]func(any) string {
	encoded := func(b []byte, err error) string { return fmt.Sprint(string(b), err) }
	into := func(encode func(*bytes.Buffer) error) string {
		var b bytes.Buffer
		err := surviving(func() error { return encode(&b) })
		return b.String() + fmt.Sprint(err)
	}
	const inHTML = `<p title="{{.}}">{{.}}</p><script>var x = {{.}}; f("{{.}}")</script><a href="/?q={{.}}">`
	return map[string]func(any) string{
		"json":        func(v any) string { return encoded(json.Marshal(v)) },
		"json indent": func(v any) string { return encoded(json.MarshalIndent(v, "", "  ")) },
		"xml":         func(v any) string { return encoded(xml.Marshal(v)) },
		"yaml":        func(v any) string { return into(func(b *bytes.Buffer) error { return yaml.NewEncoder(b).Encode(v) }) },
		"gob":         func(v any) string { return into(func(b *bytes.Buffer) error { return gob.NewEncoder(b).Encode(v) }) },
		"gob of any":  func(v any) string { return into(func(b *bytes.Buffer) error { return gob.NewEncoder(b).Encode(&v) }) },
		"csv": func(v any) string {
			return into(func(b *bytes.Buffer) error {
				return csv.NewWriter(b).WriteAll([][]string{{fmt.Sprint(v), fmt.Sprintf("%#v", v)}})
			})
		},
		"text/template": func(v any) string {
			return into(func(b *bytes.Buffer) error {
				return texttemplate.Must(texttemplate.New("").Parse(`{{.}} {{printf "%+v %d %x" . . .}} {{print .}} {{html .}} {{js .}} {{urlquery .}}`)).Execute(b, v)
			})
		},
		"html/template": func(v any) string {
			return into(func(b *bytes.Buffer) error {
				return htmltemplate.Must(htmltemplate.New("").Parse(inHTML)).Execute(b, v)
			})
		},
		"log": func(v any) string {
			var b bytes.Buffer
			l := log.New(&b, "", log.Lshortfile)
			l.Println(v)
			l.Printf("%#v %s %d", v, v, v)
			return b.String()
		},
		"slog text": func(v any) string { return logged(v, false) },
		"slog json": func(v any) string { return logged(v, true) },
		"expvar":    func(v any) string { return expvar.Func(func() any { return v }).String() },
		"panic":     panicked,
		"testify":   func(v any) string { return testified(t, v) },
		"dumper":    func(v any) string { return strings.Join(dump(reflect.ValueOf(v), 0), "\n") },
	}
}

// surviving turns a panic into an error: yaml and gob panic at some of what
// they cannot encode.
func surviving(encode func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return encode()
}

func logged(v any, asJSON bool) string {
	var b bytes.Buffer
	options := &slog.HandlerOptions{AddSource: true, Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "replaced" {
			return slog.String(a.Key, fmt.Sprintf("%v %+v %#v %d %x", a.Value, a.Value.Any(), a.Value.Any(), a.Value.Any(), a.Value.Any()))
		}
		return a
	}}
	var handler slog.Handler = slog.NewTextHandler(&b, options)
	if asJSON {
		handler = slog.NewJSONHandler(&b, options)
	}
	l := slog.New(handler)
	l.With("with", v).WithGroup("g").Error("failed", "v", v)
	l.Info("told", "s", v, "replaced", v, slog.Group("group", slog.Any("v", v)), slog.Any("list", []any{v}))
	l.Info("printed", slog.String("v", fmt.Sprintf("%+v", v)), "error", fmt.Errorf("with %v", v))
	return b.String()
}

func panicked(v any) (output string) {
	defer func() {
		p := recover()
		output = fmt.Sprintf("%v\n%+v\n%#v\n%s", p, p, p, p)
	}()
	panic(v)
}

// A quietT takes in what a test would say.
type quietT struct{ said strings.Builder }

func (q *quietT) Errorf(format string, args ...any) { fmt.Fprintf(&q.said, format, args...) }

// testified lets assertions fail, which print both values and their difference.
func testified(t *testing.T, v any) string {
	t.Helper()
	var q quietT
	assert.False(t, assert.Equal(&q, "something else", v))
	assert.Equal(&q, v, []any{v, 1})
	assert.Equal(&q, reflect.New(reflect.TypeOf(v)).Elem().Interface(), v)
	assert.NotEqual(&q, v, v)
	assert.ObjectsAreEqual(v, v)
	assert.Nil(&q, v)
	assert.Empty(&q, v)
	assert.Len(&q, v, 99)
	assert.Contains(&q, v, "something else")
	assert.ElementsMatch(&q, []any{v}, []any{1})
	assert.IsType(&q, struct{}{}, v)
	assert.NotZero(t, q.said.Len())
	return q.said.String()
}

// dump follows every field, exported or not, as debuggers and deep printers do.
func dump(v reflect.Value, depth int) []string {
	if depth > 24 || !v.IsValid() {
		return nil
	}
	var out []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return dump(v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			out = append(out, dump(v.Field(i), depth+1)...)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			var b []byte
			for i := range v.Len() {
				b = append(b, byte(v.Index(i).Uint()))
			}
			return []string{string(b)}
		}
		for i := range min(v.Len(), 16) {
			out = append(out, dump(v.Index(i), depth+1)...)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			out = append(append(out, dump(it.Key(), depth+1)...), dump(it.Value(), depth+1)...)
		}
	case reflect.String:
		return []string{v.String()}
	case reflect.Int, reflect.Int64:
		return []string{strconv.FormatInt(v.Int(), 10)}
	default:
		return []string{v.String()}
	}
	return out
}
