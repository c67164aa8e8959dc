// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func getBackend(t *testing.T, body string) *federation.Backend {
	t.Helper()
	b, err := newClient(t, newScript().on(get, ok(body))).Get(t.Context(), "fed_abc")
	require.NoError(t, err)
	return b
}

func TestGetReadsAWholeBackend(t *testing.T) {
	t.Parallel()
	b := getBackend(t, `{
		"id": "fed_abc", "name": "n", "type": "hashicorp-vault", "mode": "sync", "sync_interval": "7d",
		"conflict_resolution": "local_wins", "status": "degraded",
		"config": {"endpoint": "https://v:8200", "auth_method": "kubernetes", "auth_config_path": "a/b", "namespace": "acme/finance", "tls_verify": false},
		"path_mapping": {"external/**": "kv/data/**"},
		"created_at": "2030-01-02T03:04:05.678Z", "updated_at": "2030-02-03T04:05:06Z"
	}`)
	assert.Equal(t, &federation.Backend{
		ID: "fed_abc", Name: "n", Mode: federation.ModeSync, SyncInterval: 7 * 24 * time.Hour,
		ConflictResolution: federation.LocalWins, Status: "degraded",
		Config: &federation.HashiCorpVault{
			Endpoint: "https://v:8200", AuthMethod: federation.AuthKubernetes, AuthConfigPath: "a/b",
			Namespace: "acme/finance", SkipTLSVerify: true,
		},
		PathMapping: map[string]string{"external/**": "kv/data/**"},
		CreatedAt:   time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC),
		UpdatedAt:   time.Date(2030, 2, 3, 4, 5, 6, 0, time.UTC),
	}, b)
}

func TestGetTakesEveryEnvelope(t *testing.T) {
	t.Parallel()
	for _, body := range []string{vaultBackendJSON, `{"backend":` + vaultBackendJSON + `}`, `{"data":` + vaultBackendJSON + `,"request_id":"x"}`} {
		b := getBackend(t, body)
		assert.Equal(t, "hashicorp-production", b.Name)
		assert.Equal(t, federation.TypeHashiCorpVault, b.Config.Type())
		assert.True(t, b.Extra.IsZero())
	}
	assert.Equal(t, "fed_abc", getBackend(t, `{"name":"n"}`).ID, "the id that was asked for")
}

func TestEveryKindOfConfigSurvivesAnUpdate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, kind, config string
		is                 federation.Config
		sent               string // if empty, as config
	}{
		{
			name: "vault", kind: "hashicorp-vault", is: &federation.HashiCorpVault{},
			config: `{"endpoint":"https://v:8200","auth_method":"aws","auth_config_path":"a/b","tls_verify":true,"ca_bundle":["x",1.0],"timeout":null}`,
		},
		{
			name: "vault that says nothing of TLS", kind: "hashicorp-vault", is: &federation.HashiCorpVault{},
			config: `{"endpoint":"https://v:8200","auth_method":"aws","auth_config_path":"a/b"}`,
			sent:   `{"endpoint":"https://v:8200","auth_method":"aws","auth_config_path":"a/b","tls_verify":true}`,
		},
		{
			name: "vault with a setting of another type", kind: "hashicorp-vault", is: &federation.Unknown{},
			config: `{"endpoint":["https://a:8200","https://b:8200"],"auth_method":"approle","auth_config_path":"a/b","tls_verify":"no"}`,
		},
		{
			name: "aws", kind: "aws-secrets-manager", is: &federation.AWSSecretsManager{},
			config: `{"region":"eu-central-1","credentials_path":"infra/aws","big":12345678901234567890.0123}`,
		},
		{
			name: "aws with a setting of another type", kind: "aws-secrets-manager", is: &federation.Unknown{},
			config: `{"region":["eu-central-1","eu-west-1"],"credentials_path":"infra/aws"}`,
		},
		{name: "azure", kind: "azure-key-vault", is: &federation.AzureKeyVault{}, config: `{"vault_url":"https://x.vault.azure.net","nested":{"b":1,"a":[]}}`},
		{name: "google", kind: "google-secret-manager", is: &federation.GoogleSecretManager{}, config: `{"project":"p"}`},
		{name: "unknown", kind: "openbao", is: &federation.Unknown{}, config: `{"deep":{"er":[1,2,{"x":null}]}}`},
		{name: "unknown and no object", kind: "openbao", is: &federation.Unknown{}, config: `["a",1]`},
		{name: "known type and no object", kind: "azure-key-vault", is: &federation.Unknown{}, config: `"text"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			body := `{"id":"fed_abc","name":"n","type":"` + tc.kind + `","config":` + tc.config + `,"path_mapping":{"a/**":"b/**"},"mode":"proxy"}`
			s := newScript().on(get, ok(body)).on(patch, ok(body))
			c := newClient(t, s)
			b, err := c.Get(t.Context(), "fed_abc")
			require.NoError(t, err)
			require.IsType(t, tc.is, b.Config)
			assert.Equal(t, federation.Type(tc.kind), b.Config.Type())

			_, err = c.Update(t.Context(), "fed_abc", federation.Update{Config: b.Config})
			require.NoError(t, err)
			var sent struct{ Config json.RawMessage }
			require.NoError(t, json.Unmarshal([]byte(s.seen()[1].Body), &sent))
			want := tc.sent
			if want == "" {
				want = tc.config
			}
			assert.JSONEq(t, want, string(sent.Config))
			if tc.name == "aws" {
				assert.Contains(t, string(sent.Config), "12345678901234567890.0123", "digits are kept")
			}
		})
	}
}

func TestUnknownFieldsAndWordsSurvive(t *testing.T) {
	t.Parallel()
	b := getBackend(t, `{"id":"fed_abc","name":7,"type":"hashicorp-vault","mode":"hybrid","status":{"is":"fine"},
		"sync_interval":900,"conflict_resolution":"newest_wins","created_at":"yesterday","path_mapping":[["a","b"]],"region":"eu"}`)
	assert.Equal(t, federation.Mode("hybrid"), b.Mode)
	assert.Equal(t, federation.ConflictResolution("newest_wins"), b.ConflictResolution)
	assert.Equal(t, &federation.HashiCorpVault{}, b.Config, "its type and nothing else")
	assert.Equal(t, []string{"created_at", "name", "path_mapping", "region", "status", "sync_interval"}, b.Extra.Names())
	assert.JSONEq(t, `{"created_at":"yesterday","name":7,"path_mapping":[["a","b"]],"region":"eu","status":{"is":"fine"},"sync_interval":900}`, string(b.Extra.JSON()))
	assert.Zero(t, b.SyncInterval)
	assert.True(t, b.CreatedAt.IsZero())
}

func TestGetIsNeverAnEmptyBackend(t *testing.T) {
	t.Parallel()
	for _, answer := range []reply{{status: 204}, ok(`{}`), ok(`null`), ok(`[]`), ok(`"x"`), ok(`{"id":"fed_abc"}`), ok(`<html>`)} {
		b, err := newClient(t, newScript().on(get, answer)).Get(t.Context(), "fed_abc")
		require.ErrorIs(t, err, scaivault.ErrUnavailable, answer.body)
		assert.Nil(t, b)
		assert.Contains(t, err.Error(), "fed_abc")
	}
	_, err := newClient(t, newScript()).Get(t.Context(), "fed_abc")
	require.ErrorIs(t, err, scaivault.ErrNotFound)
}

func TestUpdateSendsOnlyWhatIsSet(t *testing.T) {
	t.Parallel()
	extra, err := federation.NewOpaque(map[string]bool{"write_through": true})
	require.NoError(t, err)
	for _, tc := range []struct {
		name   string
		update federation.Update
		want   string
	}{
		{"name", federation.Update{Name: "new"}, `{"name":"new"}`},
		{"mode", federation.Update{Mode: federation.ModeProxy}, `{"mode":"proxy"}`},
		{"sync", federation.Update{Mode: federation.ModeSync, SyncInterval: 15 * time.Minute}, `{"mode":"sync","sync_interval":"15m"}`},
		{"interval", federation.Update{SyncInterval: 90 * time.Minute}, `{"sync_interval":"90m"}`},
		{"interval in days", federation.Update{SyncInterval: 48 * time.Hour}, `{"sync_interval":"2d"}`},
		{"interval in seconds", federation.Update{SyncInterval: 90 * time.Second}, `{"sync_interval":"90s"}`},
		{"resolution", federation.Update{ConflictResolution: "remote_wins"}, `{"conflict_resolution":"remote_wins"}`},
		{"mapping", federation.Update{PathMapping: map[string]string{"a/b": "kv/data/c"}}, `{"path_mapping":{"a/b":"kv/data/c"}}`},
		{"extra", federation.Update{Extra: extra}, `{"write_through":true}`},
		{"unknown config of which nothing is known", federation.Update{Config: &federation.Unknown{BackendType: "x"}}, `{"config":{}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(patch, ok(vaultBackendJSON))
			b, err := newClient(t, s).Update(t.Context(), "fed_abc", tc.update)
			require.NoError(t, err)
			require.Len(t, s.seen(), 1, "the answer was the whole backend")
			assert.JSONEq(t, tc.want, s.seen()[0].Body)
			assert.Equal(t, "hashicorp-production", b.Name, "what the service says counts")
		})
	}
}

func TestUpdateReadsBackWhatTheAnswerDoesNotTell(t *testing.T) {
	t.Parallel()
	for _, answer := range []reply{{status: 204}, {status: 200}, ok(`{"id":"fed_abc","status":"healthy"}`), ok(`{"updated":true}`), ok(`null`)} {
		s := newScript().on(patch, answer).on(get, ok(vaultBackendJSON))
		b, err := newClient(t, s).Update(t.Context(), "fed_abc", federation.Update{Mode: federation.ModeProxy, ConflictResolution: federation.LocalWins})
		require.NoError(t, err)
		assert.Len(t, s.seen(), 2)
		assert.Equal(t, "hashicorp-production", b.Name)
		assert.Equal(t, federation.LocalWins, b.ConflictResolution, "what the service does not tell is what was sent")
	}

	s := newScript().on(patch, reply{status: 204}).on(get, failure(503, "service_unavailable"))
	_, err := newClient(t, s).Update(t.Context(), "fed_abc", federation.Update{Name: "new"})
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	assert.Contains(t, err.Error(), "the change was done")
}

func TestUpdateLooksWhenItsAnswerIsLost(t *testing.T) {
	t.Parallel()
	lost := reply{status: 504, body: "timed out"}
	change := federation.Update{Mode: federation.ModeProxy}

	s := newScript().on(patch, lost).on(get, ok(vaultBackendJSON))
	b, err := newClient(t, s).Update(t.Context(), "fed_abc", change)
	require.NoError(t, err)
	assert.Equal(t, "hashicorp-production", b.Name)
	require.Len(t, s.seen(), 2)

	change.Name = "another"
	s = newScript().on(patch, lost).on(get, ok(vaultBackendJSON))
	_, err = newClient(t, s).Update(t.Context(), "fed_abc", change)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
	assert.Contains(t, err.Error(), "repeat the same update")

	s = newScript().on(patch, lost).on(get, failure(503, "service_unavailable"))
	_, err = newClient(t, s).Update(t.Context(), "fed_abc", change)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
}

func TestUpdateOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	s := newScript()
	_, err := newClient(t, s).Update(t.Context(), "fed_abc", federation.Update{})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Contains(t, err.Error(), "nothing to change")
	assert.Empty(t, s.seen())
}

func TestDelete(t *testing.T) {
	t.Parallel()
	gone := reply{status: http.StatusNotFound, body: `{"error":{"code":"backend_not_found"}}`}
	for _, tc := range []struct {
		name   string
		script *script
		want   error
		calls  int
	}{
		{"204", newScript().on(remove, reply{status: 204}), nil, 1},
		{"200 with the object", newScript().on(remove, ok(vaultBackendJSON)), nil, 1},
		{"a page that is not the service's, and gone", newScript().on(remove, ok(`<html>`)).on(get, gone), nil, 2},
		{"a page that is not the service's, and still there", newScript().on(remove, ok(`<html>`)).on(get, ok(vaultBackendJSON)), scaivault.ErrUncertain, 2},
		{"202", newScript().on(remove, reply{status: 202, body: `{"job_id":"j"}`}), nil, 1},
		{"not there", newScript(), scaivault.ErrNotFound, 1},
		{"in use", newScript().on(remove, failure(409, "backend_in_use")), scaivault.ErrConflict, 1},
		{"lost and gone", newScript().on(remove, reply{status: 502}).on(get, gone), nil, 2},
		{"lost and still there", newScript().on(remove, reply{status: 502}).on(get, ok(vaultBackendJSON)), scaivault.ErrUncertain, 2},
		{"lost and a page that is not the service's", newScript().on(remove, reply{status: 502}).on(get, reply{status: 404, body: "<html>"}), scaivault.ErrUncertain, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := newClient(t, tc.script).Delete(t.Context(), "fed_abc")
			if tc.want == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tc.want)
			}
			assert.Len(t, tc.script.seen(), tc.calls)
		})
	}
}

func TestSyncIntervalsInEveryForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"15m": 15 * time.Minute, "1h": time.Hour, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "90d": 2160 * time.Hour,
		"30s": 30 * time.Second, "1d12h": 36 * time.Hour, "1h30m0s": 90 * time.Minute, "106751d": 106751 * 24 * time.Hour,
	} {
		b := getBackend(t, `{"name":"n","sync_interval":"`+text+`"}`)
		assert.Equal(t, want, b.SyncInterval, text)
		assert.True(t, b.Extra.IsZero(), text)
	}
	for _, text := range []string{"", "soon", "15", "m", "1.5h", "-1h", "1w", "500ms", "106752d", "106751d24h", "99999999999999999999h", "1h "} {
		b := getBackend(t, `{"name":"n","sync_interval":"`+text+`"}`)
		assert.Zero(t, b.SyncInterval, text)
		assert.Equal(t, []string{"sync_interval"}, b.Extra.Names(), text)
	}
}
