// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestCreateSendsTheBodyOfTheGuide(t *testing.T) {
	t.Parallel()
	s := newScript().on(create, reply{status: http.StatusCreated, body: `{"id": "fed_abc", "status": "healthy"}`})

	got, err := newClient(t, s).Create(t.Context(), newVaultBackend())
	require.NoError(t, err)

	require.Len(t, s.seen(), 1)
	assert.JSONEq(t, `{
		"name": "hashicorp-production",
		"type": "hashicorp-vault",
		"config": {
			"endpoint": "https://vault.internal:8200",
			"auth_method": "approle",
			"auth_config_path": "infra/hashicorp/approle",
			"tls_verify": true
		},
		"path_mapping": {"external/hashicorp/**": "kv/data/**"},
		"mode": "proxy"
	}`, s.seen()[0].Body)
	want := newVaultBackend()
	want.ID, want.Status = "fed_abc", federation.StateHealthy
	assert.Equal(t, &want, got, "what the answer does not say is what was sent")
}

func TestCreateSendsEverythingThatIsSet(t *testing.T) {
	t.Parallel()
	s := newScript().on(create, reply{status: http.StatusCreated, body: `{"id": "fed_abc"}`})
	extra, err := federation.NewOpaque(map[string]any{"write_through": true})
	require.NoError(t, err)
	b := newVaultBackend()
	b.ID, b.Status, b.CreatedAt = "fed_other", "broken", time.Now() // the service's own
	b.Config = &federation.HashiCorpVault{
		Endpoint: "http://127.0.0.1:8200", AuthMethod: "jwt", AuthConfigPath: "infra/vault",
		Namespace: "acme/finance", SkipTLSVerify: true, Extra: extra,
	}
	b.Mode, b.SyncInterval, b.ConflictResolution = federation.ModeSync, 36*time.Hour, federation.LocalWins
	b.Extra = extra

	got, err := newClient(t, s).Create(t.Context(), b)
	require.NoError(t, err)

	assert.JSONEq(t, `{
		"name": "hashicorp-production",
		"type": "hashicorp-vault",
		"config": {
			"endpoint": "http://127.0.0.1:8200",
			"auth_method": "jwt",
			"auth_config_path": "infra/vault",
			"namespace": "acme/finance",
			"tls_verify": false,
			"write_through": true
		},
		"path_mapping": {"external/hashicorp/**": "kv/data/**"},
		"mode": "sync",
		"sync_interval": "36h",
		"conflict_resolution": "local_wins",
		"write_through": true
	}`, s.seen()[0].Body)
	assert.Equal(t, "fed_abc", got.ID)
	assert.Empty(t, got.Status)
}

func TestCreateTakesEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer reply
	}{
		{"the whole object", reply{status: 201, body: vaultBackendJSON}},
		{"200 with id and status", ok(`{"id":"fed_abc","status":"healthy"}`)},
		{"202 with id and status", reply{status: 202, body: `{"id":"fed_abc","status":"healthy"}`}},
		{"within backend", reply{status: 201, body: `{"backend":` + vaultBackendJSON + `}`}},
		{"within data", reply{status: 201, body: `{"data":{"id":"fed_abc","status":"healthy"}}`}},
		{"its type without its config", ok(`{"id":"fed_abc","type":"hashicorp-vault","status":"healthy"}`)},
		{"nulls", ok(`{"id":"fed_abc","status":"healthy","config":null,"type":"hashicorp-vault","path_mapping":null,"mode":null,"sync_interval":null,"name":null}`)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(create, tc.answer)
			got, err := newClient(t, s).Create(t.Context(), newVaultBackend())
			require.NoError(t, err)
			want := newVaultBackend()
			want.ID, want.Status = "fed_abc", federation.StateHealthy
			assert.Equal(t, &want, got)
			assert.Len(t, s.seen(), 1)
		})
	}
}

func TestCreateLooksUpWhatTheAnswerDoesNotTell(t *testing.T) {
	t.Parallel()
	other := strings.ReplaceAll(strings.ReplaceAll(vaultBackendJSON, "hashicorp-production", "another"), "fed_abc", "fed_xyz")
	summary := `{"id":"fed_abc","name":"hashicorp-production"}`
	for _, tc := range []struct {
		name   string
		answer reply
	}{
		{"204", reply{status: 204}},
		{"201 with nothing", reply{status: 201}},
		{"no id", reply{status: 201, body: `{"status":"healthy"}`}},
		{"no JSON", reply{status: 200, body: `<html>welcome</html>`}},
		{"lost", reply{status: 502, body: `<html>bad gateway</html>`}},
		{"an error after the write", failure(500, "internal_error")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(create, tc.answer).on(list, ok(`{"backends":[`+other+`,`+summary+`]}`)).on(get, ok(vaultBackendJSON))
			got, err := newClient(t, s).Create(t.Context(), newVaultBackend())
			require.NoError(t, err)
			want := newVaultBackend()
			want.ID, want.Status = "fed_abc", federation.StateHealthy
			assert.Equal(t, &want, got)
			posts := 0
			for _, c := range s.seen() {
				if c.Method == http.MethodPost {
					posts++
				}
			}
			assert.Equal(t, 1, posts, "a write is looked up, not repeated")
		})
	}
}

func TestCreateIsUncertainWhereNoBackendIsCertainlyTheNewOne(t *testing.T) {
	t.Parallel()
	listed := ok(`[` + vaultBackendJSON + `]`)
	changed := func(from, to string) *script {
		require.Contains(t, vaultBackendJSON, from)
		return newScript().on(list, listed).on(get, ok(strings.Replace(vaultBackendJSON, from, to, 1)))
	}
	for _, tc := range []struct {
		name   string
		script *script
	}{
		{"none", newScript().on(list, ok(`[]`))},
		{"two of that name", newScript().on(list, ok(`[`+vaultBackendJSON+`,`+vaultBackendJSON+`]`)).on(get, ok(vaultBackendJSON))},
		{"listing refused", newScript().on(list, failure(403, "insufficient_scope"))},
		{"gone at once", newScript().on(list, listed)},
		{"another type", changed(`"hashicorp-vault"`, `"openbao"`)},
		{"another endpoint", changed("vault.internal", "vault.elsewhere")},
		{"another mapping", changed("kv/data/**", "secret/data/**")},
		{"more in the mapping", changed(`"kv/data/**"`, `"kv/data/**", "a": "kv/data/a"`)},
		{"no TLS verification", changed(`"tls_verify": true`, `"tls_verify": false`)},
		{"another mode", changed(`"mode": "proxy"`, `"mode": "sync"`)},
		{"no mapping told", changed("path_mapping", "mapping")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.script.on(create, reply{status: 504, body: "upstream timed out"})
			got, err := newClient(t, tc.script).Create(t.Context(), newVaultBackend())
			require.ErrorIs(t, err, scaivault.ErrUncertain)
			assert.Nil(t, got)
			assert.Contains(t, err.Error(), "hashicorp-production")
			assert.Contains(t, err.Error(), "list them before you create it again")
		})
	}
}

func TestCreateDoesNotLookAfterARefusal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer reply
		want   error
	}{
		{"invalid config", failure(400, "invalid_config"), scaivault.ErrInvalid},
		{"validation", failure(422, "validation_error"), scaivault.ErrInvalid},
		{"scope", failure(403, "insufficient_scope"), scaivault.ErrPermission},
		{"a name that is taken", failure(409, "backend_exists"), scaivault.ErrConflict},
		{"a token that is no longer good", failure(401, "token_expired"), scaivault.ErrUnauthenticated},
		{"too many", failure(429, "rate_limited"), scaivault.ErrRateLimited},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(create, tc.answer).on(list, ok(`[`+vaultBackendJSON+`]`)).on(get, ok(vaultBackendJSON))
			_, err := newClient(t, s).Create(t.Context(), newVaultBackend())
			require.ErrorIs(t, err, tc.want)
			assert.Len(t, s.seen(), 1)
			var e *scaivault.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, "password hunter2 refused", e.Message, "the service's words are there for those who ask")
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestCreateDoesNotKeepWhatItWasLent(t *testing.T) {
	t.Parallel()
	s := newScript().on(create, ok(`{"id":"fed_abc"}`))
	b := newVaultBackend()
	got, err := newClient(t, s).Create(t.Context(), b)
	require.NoError(t, err)
	b.PathMapping["x/**"] = "y/**"
	b.Config.(*federation.HashiCorpVault).Endpoint = "https://changed.example.com"
	want := newVaultBackend()
	assert.Equal(t, want.PathMapping, got.PathMapping)
	assert.Equal(t, want.Config, got.Config)
}

func TestANilClientIsAnError(t *testing.T) {
	t.Parallel()
	_, err := federation.New(nil).List(t.Context())
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "give one to New")
}
