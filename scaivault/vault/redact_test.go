// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// credentials is a login as others write it, with fields that printers reach.
type credentials struct {
	*method

	SecretID, JWT string
}

var verbs = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% X", "%d", "%+q"}

// printed is what fmt, slog and JSON make of something.
func printed(t *testing.T, thing any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range verbs {
		fmt.Fprintf(&out, verb+"\n", thing)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", thing)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", thing)
	if text, err := json.Marshal(thing); assert.NoError(t, err) {
		out.Write(text)
	}
	return out.String()
}

// TestNothingPrintsASecret: neither what the caller configures, nor the Source,
// its errors, nor what a trace is told.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{
		"token": "hvs.canary-token", "secret_id": "canary-secret-id", "jwt": "canary-jwt", "value": canary,
		"header": "canary-header", "root": rootToken,
	}
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	client.SetToken(secrets["token"])
	client.AddHeader("Proxy-Authorization", secrets["header"])
	login := &credentials{&method{ttl: "1h", policy: "root"}, secrets["secret_id"], secrets["jwt"]}
	var told []any
	cfg := vault.Config{Client: client, Auth: login, Trace: &vault.Trace{
		Login:      func(i vault.LoginInfo) { told = append(told, i, &i) },
		Revocation: func(i vault.RevocationInfo) { told = append(told, i, &i) },
	}}
	s, err := vault.NewSource(cfg)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), kvPath, map[string]any{"p": secrets["value"]}, nil)
	require.NoError(t, err)
	secrets["login's token"] = login.last()
	_, missing := s.Get(t.Context(), "kv/data/missing")
	v.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Status: 400, Code: "x", Message: "x"})
	_, refused := s.Put(t.Context(), kvPath, map[string]any{"p": secrets["value"]}, nil)
	require.Error(t, refused)
	login.setFail(&api.ResponseError{StatusCode: 400, Errors: []string{secrets["secret_id"]}})
	v.Inject(scaivaulttest.Fault{Path: "/v1/kv/**", Status: 403, Code: "x", Message: "invalid token"})
	_, loggedOut := s.Get(t.Context(), kvPath)
	require.Error(t, loggedOut)
	require.NoError(t, s.Close())
	require.NotEmpty(t, told)

	things := append(told, cfg, &cfg, s, missing, refused, loggedOut, errors.Join(missing, refused),
		struct{ Config vault.Config }{cfg}, struct{ Source *vault.Source }{s}, []any{cfg, s}, map[string]any{"c": cfg, "s": s})
	for _, thing := range things {
		text := printed(t, thing)
		for name, secret := range secrets {
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
				require.False(t, bytes.Contains([]byte(text), []byte(form)), "%T shows the %s", thing, name)
			}
		}
	}
	// In an unexported field no method is called.
	hidden := ""
	for _, verb := range verbs {
		hidden += fmt.Sprintf(verb, struct{ s *vault.Source }{s})
	}
	for name, secret := range secrets {
		require.NotContains(t, hidden, secret, name)
		require.NotContains(t, hidden, hex.EncodeToString([]byte(secret)), name)
	}
	assert.Equal(t, "source vault at http://127.0.0.1:8200", s.String())
	assert.Equal(t, "configuration of source vault", cfg.String())
	assert.Equal(t, "<nil>", fmt.Sprint((*vault.Source)(nil)))
}
