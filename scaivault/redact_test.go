// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// holdersOf puts a value wherever Go lets one put it. Printers call no method
// of a value that sits in an unexported field.
func holdersOf[T any](v T) map[string]any {
	type unexported struct{ s T }
	type exported struct{ S T }
	type tagged struct {
		S T `json:"s" xml:"s" yaml:"s"`
	}
	type anyInside struct{ s any }
	type nested struct {
		A exported
		b unexported
		c *unexported
		d map[string]unexported
	}
	p := &v
	full := make(chan T, 1)
	full <- v
	return map[string]any{
		"itself":                v,
		"pointer":               p,
		"pointer to pointer":    &p,
		"exported field":        exported{v},
		"pointer to exported":   &exported{v},
		"tagged field":          tagged{v},
		"unexported field":      unexported{v},
		"pointer to unexported": &unexported{v},
		"any in a field":        anyInside{v},
		"pointer in a field":    anyInside{&unexported{v}},
		"nested":                nested{exported{v}, unexported{v}, &unexported{v}, map[string]unexported{"k": {v}}},
		"slice":                 []T{v, v},
		"array":                 [2]T{v, v},
		"slice of any":          []any{v, p, exported{v}, unexported{v}},
		"map value":             map[string]T{"k": v},
		"map of slices":         map[string][]T{"k": {v}},
		"map of any":            map[any]any{"k": v, 1: unexported{v}},
		"channel":               full,
		"func":                  func() T { return v },
		"struct with a func":    struct{ F func() T }{func() T { return v }},
	}
}

// secretHolders holds a secret by pointer, and by value as a careless program
// might.
func secretHolders(s *scaivault.Secret) map[string]any {
	type embedded struct{ *scaivault.Secret }
	type embeddedValue struct{ scaivault.Secret }
	all := map[string]any{
		"embedded":         embedded{s},
		"embedded value":   embeddedValue{*s},
		"pointer embedded": &embeddedValue{*s},
		"map key":          map[*scaivault.Secret]int{s: 1},
		"wrapped error":    fmt.Errorf("read %v: %w", s, io.ErrUnexpectedEOF),
		"joined errors":    errors.Join(fmt.Errorf("read %+v", s), fmt.Errorf("read %#v", *s)),
	}
	add(all, "pointer: ", holdersOf(s))
	add(all, "value: ", holdersOf(*s))
	add(all, "interface: ", holdersOf[any](s))
	return all
}

// someHoldersOf is for large values, which take long to print.
func someHoldersOf[T any](v T) map[string]any {
	all := holdersOf(v)
	maps.DeleteFunc(all, func(name string, _ any) bool {
		return !slices.Contains([]string{"itself", "unexported field", "slice of any"}, name)
	})
	return all
}

func add(all map[string]any, prefix string, more map[string]any) {
	for name, v := range more {
		all[prefix+name] = v
	}
}

func canarySecret(t *testing.T) *scaivault.Secret {
	t.Helper()
	raw, err := json.Marshal(canaryData())
	require.NoError(t, err)
	return mustSecret(t, string(raw))
}

// assertNoLeak walks all outputs that holders give, and looks for canaries.
func assertNoLeak(t *testing.T, d *detector, holders map[string]any) {
	t.Helper()
	assertNoLeakWith(t, d, holders, allFormats)
}

func assertNoLeakWith(t *testing.T, d *detector, holders map[string]any, formats []string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(holders)) {
		outputs := outputsWith(t, holders[name], formats)
		require.NotEmpty(t, outputs)
		for output, how := range outputs {
			if form := d.leak(output); form != "" {
				t.Errorf("%s shows a value under %s, in the form %.8s…", name, how, form)
			}
		}
	}
}

func TestNoPrinterAndNoEncoderShowsASecret(t *testing.T) {
	t.Parallel()
	assertNoLeak(t, newDetector(canaries...), secretHolders(canarySecret(t)))
}

// TestTheWalkFindsALeak shows that the walk reaches what it should reach: a
// value in a plain field is found in every holder that a printer can look into.
func TestTheWalkFindsALeak(t *testing.T) {
	t.Parallel()
	type careless struct{ data string }
	d := newDetector(canaries...)
	for name, v := range holdersOf(careless{canaryText}) {
		leaks := 0
		for output := range outputsOf(t, v) {
			if d.leak(output) != "" {
				leaks++
			}
		}
		if slices.Contains([]string{"channel", "func", "struct with a func"}, name) {
			assert.Zero(t, leaks, name)
			continue
		}
		assert.NotZero(t, leaks, name)
	}
}

func TestASecretShowsItsNameWhereItCan(t *testing.T) {
	t.Parallel()
	s := canarySecret(t)
	const want = "secret apps/db v3 REDACTED"
	for _, verb := range "abcdefghijklmnoqrstuvxyzABCDEFGHIJKLMNOPQRSUVWXYZ" { // but for T, p and w, which fmt answers itself
		assert.Equal(t, want, fmt.Sprintf("%"+string(verb), s), "%%%c", verb)
	}
	assert.Equal(t, want, s.String())
	assert.Equal(t, want, s.GoString())
	text, err := s.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, want, string(text))
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	assert.JSONEq(t, `{"path":"apps/db","version":3,"source":"vault","data":"REDACTED"}`, string(encoded))

	named, err := scaivault.NewSecret(scaivault.SecretInfo{Path: "apps/\n\u2028db"}, json.RawMessage(`{}`))
	require.NoError(t, err)
	assert.Equal(t, `secret "apps/\n\u2028db" v0 REDACTED`, named.String(), "on one line")
}

func TestANilSecretPrints(t *testing.T) {
	t.Parallel()
	var s *scaivault.Secret
	assert.Equal(t, "<nil>", fmt.Sprintf("%v", s))
	assert.Equal(t, "<nil>", fmt.Sprintf("%#v", s))
	encoded, err := json.Marshal(map[string]any{"s": s})
	require.NoError(t, err)
	assert.Equal(t, `{"s":null}`, string(encoded))
	assert.Contains(t, logged(s, false), "s=<nil>")
	text, err := s.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "<nil>", string(text))
}

func TestASecretIsNeitherStoredNorReadByAccident(t *testing.T) {
	t.Parallel()
	s := canarySecret(t)
	_, err := s.GobEncode()
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	require.ErrorIs(t, s.GobDecode(nil), scaivault.ErrInvalid)

	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	err = json.Unmarshal(encoded, s)
	require.ErrorIs(t, err, scaivault.ErrInvalid, "what was written has no data")
	got, ok := s.Field("text")
	assert.True(t, ok)
	assert.Len(t, got, len(canaryText), "it stays as it was")
}

func TestALoggerIsToldTheName(t *testing.T) {
	t.Parallel()
	assert.Contains(t, logged(canarySecret(t), false), "s.path=apps/db s.version=3 s.source=vault s.data=REDACTED")
	assert.Contains(t, logged(canarySecret(t), true), `"s":{"path":"apps/db","version":3,"source":"vault","data":"REDACTED"}`)
}

func TestNoPrinterAndNoEncoderShowsAToken(t *testing.T) {
	t.Parallel()
	const token = "skt_c4n4ry-0f-4-t0k3n"
	source := scaivault.StaticToken(token)
	got, err := source.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, token, got)

	cfg := scaivault.ClientConfig{
		URLs: []string{"https://scaivault.example.com"}, Token: source,
		HTTPClient: &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
				Body: io.NopCloser(strings.NewReader(oneSecret)),
			}, nil
		})},
	}
	client, err := scaivault.NewClient(cfg)
	require.NoError(t, err)
	_, err = client.Get(t.Context(), testPath)
	require.NoError(t, err)
	store, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })

	detect := newDetector(token)
	assertNoLeak(t, detect, holdersOf(source))
	all := map[string]any{}
	add(all, "ClientConfig: ", someHoldersOf(cfg))
	add(all, "Client: ", someHoldersOf(client))
	add(all, "StoreConfig: ", someHoldersOf(scaivault.StoreConfig{ScaiVault: client}))
	add(all, "Store: ", someHoldersOf(store))
	assertNoLeakWith(t, detect, all, someFormats)
}

// A holdingSource answers with one secret, and keeps it.
type holdingSource struct {
	name   string
	secret *scaivault.Secret
}

func (s holdingSource) Name() string { return s.name }

func (s holdingSource) Get(context.Context, string) (*scaivault.Secret, error) { return s.secret, nil }

func (s holdingSource) Put(context.Context, string, map[string]any, *scaivault.PutOptions) (*scaivault.Written, error) {
	return &scaivault.Written{Version: 4, Source: s.name}, nil
}

func TestNoPrinterAndNoEncoderShowsWhatAStoreHasRead(t *testing.T) {
	t.Parallel()
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	for _, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageCanary, scaivault.StageCutover} {
		t.Run(stage.String(), func(t *testing.T) {
			t.Parallel()
			cfg := scaivault.StoreConfig{
				Mapping: mapping, Flag: stage,
				ScaiVault: holdingSource{"scaivault", canarySecret(t)}, Vault: holdingSource{"vault", canarySecret(t)},
			}
			store, err := scaivault.NewStore(cfg)
			require.NoError(t, err)
			s, err := store.Get(t.Context(), "apps/db")
			require.NoError(t, err)
			w, err := store.Put(t.Context(), "apps/db", canaryData(), nil)
			require.NoError(t, err)
			require.NoError(t, store.Close())

			detect := newDetector(canaries...)
			assertNoLeak(t, detect, map[string]any{"the answer": s, "what was written": w, "the counts": store.Stats()})
			all := map[string]any{}
			add(all, "Store: ", someHoldersOf(store))
			add(all, "StoreConfig: ", someHoldersOf(cfg))
			add(all, "PutOptions: ", someHoldersOf(scaivault.PutOptions{IfUnchanged: s}))
			assertNoLeakWith(t, detect, all, someFormats)
		})
	}
}

// TestIDsAndCodesDoNotQuoteTheRequest: a server that repeats the token or a value
// where an error shows its words gets nothing into the error.
func TestIDsAndCodesDoNotQuoteTheRequest(t *testing.T) {
	t.Parallel()
	const value = "canary-value"
	for _, word := range []string{testToken, value} {
		for name, h := range map[string]http.HandlerFunc{
			"id":              answer(400, refusal("invalid_path")[:2], "X-Request-ID", word),
			"id of a success": answer(200, "no JSON", "X-Request-ID", word),
			"id of a cut":     hijack("HTTP/1.1 200 OK\r\nX-Request-ID: " + word + "\r\nContent-Length: 9\r\n\r\n{"),
			"id in the body":  answer(400, `{"error":{"code":"invalid_path","request_id":"`+word+`"}}`),
			"code":            answer(400, refusal(word)),
			"content type":    answer(400, "x", "Content-Type", word+"/x"),
			"type of success": answer(200, "x", "Content-Type", word),
			"not permanent":   answer(200, `{"permanent":false}`, "X-Request-ID", word),
		} {
			calls := maps.Clone(quotingCalls)
			for _, open := range []string{"ready", "live", "version"} { // they carry no token
				delete(calls, open)
			}
			calls["put"] = putOf(map[string]any{"password": value}, nil)
			calls["delete"] = func(ctx context.Context, c *scaivault.Client) error {
				return c.Delete(ctx, "a", &scaivault.DeleteOptions{Permanent: true})
			}
			if word == value {
				calls = map[string]func(context.Context, *scaivault.Client) error{"put": calls["put"]}
			}
			c := serve(t, h)
			for call, do := range calls {
				if err := do(t.Context(), c); err != nil {
					require.NotContains(t, err.Error(), word, "%s: %s", name, call)
				}
			}
		}
	}
}
