// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/scailabs/scaivault-go/scaivault"
)

func secrecyChecks() []sourceCheck {
	return []sourceCheck{
		{"a Secret shows its values to no printer", checkSecretIsSilent},
		{"an error shows no value", checkErrorsAreSilent},
	}
}

// printed is what printers, encoders and loggers make of values, each text once.
func printed(values ...any) []string {
	var out []string
	for _, v := range values {
		holder := struct {
			Open   any
			hidden any
		}{v, v}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out = append(out, fmt.Sprintf(verb, v), fmt.Sprintf(verb, holder), fmt.Sprintf(verb, &holder), fmt.Sprintf(verb, []any{v}))
		}
		if encoded, err := json.Marshal(holder); err == nil {
			out = append(out, string(encoded))
		}
		var lines bytes.Buffer
		slog.New(slog.NewTextHandler(&lines, nil)).Info("m", "v", v, "holder", holder)
		slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", "v", v, "holder", holder)
		out = append(out, lines.String())
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func checkSecretIsSilent(s *subject) {
	path, value := s.path("a"), "val-"+randomID()
	s.put(path, map[string]any{"k": value, "list": []any{value}}, nil)
	secret := s.get(path)
	if field, _ := secret.Field("k"); field != value {
		s.Fatalf("Get: the field does not hold what was written")
	}
	AssertNoLeak(s, value, printed(secret, *secret, secret.Info())...)
}

func checkErrorsAreSilent(s *subject) {
	path, value := s.path("a"), "val-"+randomID()
	data := map[string]any{"k": value, "list": []any{value, map[string]any{"x": value}}}
	s.put(path, data, nil)
	ended, cancel := context.WithCancel(s.ctx)
	cancel()
	version := 0
	broken := map[string]any{"k": value, "broken": json.RawMessage(`{"x":"` + value)}
	var errs []any
	for what, put := range map[string]struct {
		ctx  context.Context
		path string
		data map[string]any
		opts *scaivault.PutOptions
	}{
		"with IfAbsent on a secret":    {s.ctx, path, data, &scaivault.PutOptions{IfAbsent: true}},
		"with IfVersion 0 on a secret": {s.ctx, path, data, &scaivault.PutOptions{IfVersion: &version}},
		"with a negative MaxVersions":  {s.ctx, path, data, &scaivault.PutOptions{MaxVersions: -1}},
		"of no JSON":                   {s.ctx, path, broken, nil},
		"to a path with empty levels":  {s.ctx, path + "//", data, nil},
		"of a call that has ended":     {ended, path, data, nil},
	} {
		_, err := s.source.Put(put.ctx, put.path, put.data, put.opts)
		if err == nil {
			s.Fatalf("Put %s: no error, and one was due", what)
		}
		errs = append(errs, err)
	}
	AssertNoLeak(s, value, printed(errs...)...)
	s.mustHold(path, `{"k":"`+value+`","list":["`+value+`",{"x":"`+value+`"}]}`)
}
