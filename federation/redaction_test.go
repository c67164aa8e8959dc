// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

const hidden = "hunter2-must-not-leak"

// assertHidden looks for the plain, hexadecimal, decimal and base64 forms. It does not
// print where it finds them.
func assertHidden(t *testing.T, where, text string) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(hidden)), "[]")
	for form, leak := range map[string]string{
		"plain": hidden, "hex": hex.EncodeToString([]byte(hidden)), "decimal": decimal,
		"base64": base64.StdEncoding.EncodeToString([]byte(hidden))[:24], "token": testToken,
	} {
		assert.False(t, strings.Contains(strings.ToLower(text), strings.ToLower(leak)), "%s shows it in %s form", where, form)
	}
}

func TestNoPrinterShowsWhatAnOpaqueHolds(t *testing.T) {
	t.Parallel()
	o := opaque(t, map[string]any{"client_secret": hidden})
	b := federation.Backend{ID: "fed_abc", Config: &federation.Unknown{BackendType: "x", Config: o}, Extra: o}
	type holder struct {
		o  federation.Opaque
		b  federation.Backend
		p  *federation.Backend
		in any
	}
	status := &federation.Status{State: federation.State("x"), Extra: o, Connection: federation.Connection{Extra: o}}
	values := map[string]any{
		"opaque": o, "pointer": &o, "backend": b, "backend pointer": &b, "backends": []federation.Backend{b},
		"config": b.Config, "azure": &federation.AzureKeyVault{Extra: o}, "google": federation.GoogleSecretManager{Extra: o},
		"vault": &federation.HashiCorpVault{Extra: o}, "aws": federation.AWSSecretsManager{Extra: o},
		"update": federation.Update{Config: b.Config, Extra: o}, "unexported": holder{o, b, &b, o},
		"map": map[string]federation.Opaque{"k": o}, "status": *status, "status pointer": status,
		"sync": federation.SyncResult{Extra: o}, "conflict": federation.Conflict{Extra: o},
	}
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%t", "%p", "%T", "%e", "%10.3v"} {
			assertHidden(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err, name)
		assertHidden(t, name+" as JSON", string(encoded))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		assertHidden(t, name+" in a log", log.String())
	}
	assert.Equal(t, "client_secret: REDACTED", o.String())
	assert.Equal(t, "nothing", federation.Opaque{}.String())
	assert.Equal(t, "REDACTED", opaque(t, hidden).String())
}

func TestOpaqueShowsItsValueToThoseWhoAsk(t *testing.T) {
	t.Parallel()
	o := opaque(t, map[string]any{"b": 1, "a": hidden})
	assert.JSONEq(t, `{"a":"`+hidden+`","b":1}`, string(o.JSON()))
	assert.Equal(t, []string{"a", "b"}, o.Names())
	var into struct{ A string }
	require.NoError(t, o.Decode(&into))
	assert.Equal(t, hidden, into.A)

	o.JSON()[0] = 'x'
	assert.JSONEq(t, `{"a":"`+hidden+`","b":1}`, string(o.JSON()), "JSON is a copy")

	var number int
	err := opaque(t, hidden).Decode(&number)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assertHidden(t, "decode error", err.Error())
	require.ErrorIs(t, federation.Opaque{}.Decode(&number), scaivault.ErrInvalid)
	_, err = federation.NewOpaque(map[string]any{hidden: func() {}})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assertHidden(t, "encode error", err.Error())

	assert.True(t, federation.Opaque{}.IsZero())
	assert.Nil(t, federation.Opaque{}.JSON())
	assert.False(t, opaque(t, nil).IsZero())
	assert.Nil(t, opaque(t, []int{1}).Names())
}

// TestNoErrorShowsASetting lets a service answer every call with errors, and with
// successes that make no sense, all of which quote what was sent to it.
func TestNoErrorShowsASetting(t *testing.T) {
	t.Parallel()
	b := newVaultBackend()
	b.Config = &federation.Unknown{BackendType: "x", Config: opaque(t, map[string]string{"password": hidden})}
	b.Extra = opaque(t, map[string]string{"password": hidden})
	for _, answer := range []reply{
		{status: 400, body: `{"error":{"code":"invalid_config","message":"` + hidden + `","details":{"x":"` + hidden + `"}}}`},
		{status: 422, body: `{"error":{"code":"` + hidden + ` ` + hidden + `","message":"` + hidden + `"}}`},
		{status: 500, body: hidden},
		{status: 404, body: `<html>` + hidden},
		{status: 302, body: hidden, header: map[string]string{"Location": "https://other.example.com/" + hidden}},
		ok(hidden), ok(`["` + hidden + `"`), ok(`{"id":{"x":"` + hidden + `"}}`), ok(`"` + hidden + `"`), ok(`[{"` + hidden + `":"` + hidden + `"}]`),
		ok(`{"status":"` + hidden + ` ` + hidden + `"}`),
	} {
		s := newScript()
		for _, on := range []string{list, create, get, patch, remove, status, resync, clash} {
			s.on(on, answer)
		}
		errs := everyCall(t, newClient(t, s), b)
		failed := 0
		for _, err := range errs {
			if err == nil {
				continue
			}
			failed++
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				assertHidden(t, "error "+verb, fmt.Sprintf(verb, err))
			}
			assert.NotContains(t, err.Error(), "\n")
		}
		assert.Positive(t, failed)
	}
}

// everyCall makes each call once and returns what went wrong.
func everyCall(t *testing.T, c *federation.Client, b federation.Backend) (errs []error) {
	t.Helper()
	ctx := t.Context()
	add := func(_ any, err error) { errs = append(errs, err) }
	add(c.Create(ctx, b))
	add(c.List(ctx))
	add(c.Get(ctx, "fed_abc"))
	add(c.Update(ctx, "fed_abc", federation.Update{Config: b.Config, Extra: b.Extra}))
	add(c.Status(ctx, "fed_abc"))
	add(c.Sync(ctx, "fed_abc"))
	add(c.Promote(ctx, "fed_abc", nil))
	add(nil, c.Delete(ctx, "fed_abc"))
	for conflict, err := range c.Conflicts(ctx, "fed_abc") {
		add(conflict, err)
	}
	return errs
}
