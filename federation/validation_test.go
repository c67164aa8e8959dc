// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func opaque(t testing.TB, v any) federation.Opaque {
	t.Helper()
	o, err := federation.NewOpaque(v)
	require.NoError(t, err)
	return o
}

func vaultConfig(change func(*federation.HashiCorpVault)) federation.Config {
	v := newVaultBackend().Config.(*federation.HashiCorpVault)
	change(v)
	return v
}

func vaultAt(endpoint string) federation.Config {
	return vaultConfig(func(v *federation.HashiCorpVault) { v.Endpoint = endpoint })
}

func mapping(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// A refusal is a change that makes a good backend a wrong one.
type refusal struct {
	name   string
	change func(*federation.Backend)
	want   string // the field, and the beginning of what is wrong with it
}

// assertRefused tells that nothing was sent, and that the error quotes nothing.
func assertRefused(t *testing.T, refusals []refusal) {
	t.Helper()
	for _, tc := range refusals {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript()
			b := newVaultBackend()
			tc.change(&b)
			_, err := newClient(t, s).Create(t.Context(), b)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			assert.Contains(t, err.Error(), ": "+tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.NotContains(t, err.Error(), "\n")
			assert.Empty(t, s.seen())
		})
	}
}

func TestCreateRefusesAWrongBackend(t *testing.T) {
	t.Parallel()
	var noVault *federation.HashiCorpVault
	var noUnknown *federation.Unknown
	assertRefused(t, []refusal{
		{"no name", func(b *federation.Backend) { b.Name = " " }, "name: is empty"},
		{"line feed in the name", func(b *federation.Backend) { b.Name = "a\nb" }, "name: holds an unprintable"},
		{"no config", func(b *federation.Backend) { b.Config = nil }, "config: is missing"},
		{"nil config", func(b *federation.Backend) { b.Config = noVault }, "config: is a nil *federation.HashiCorpVault"},
		{"nil unknown config", func(b *federation.Backend) { b.Config = noUnknown }, "config: is a nil *federation.Unknown"},
		{"no mode", func(b *federation.Backend) { b.Mode = "" }, "mode: is missing"},
		{"another mode", func(b *federation.Backend) { b.Mode = "hybrid" }, "mode: is neither proxy nor sync"},
		{"sync without an interval", func(b *federation.Backend) { b.Mode = federation.ModeSync }, "sync_interval: is missing"},
		{"proxy with an interval", func(b *federation.Backend) { b.SyncInterval = time.Hour }, "sync_interval: is for mode sync"},
		{"negative interval", func(b *federation.Backend) { b.Mode, b.SyncInterval = federation.ModeSync, -time.Hour }, "sync_interval: is -1h0m0s"},
		{"interval of half a second", func(b *federation.Backend) { b.Mode, b.SyncInterval = federation.ModeSync, 500*time.Millisecond }, "sync_interval: is 500ms"},
		{"resolution", func(b *federation.Backend) { b.ConflictResolution = "a\nb" }, "conflict_resolution: holds an unprintable"},
		{"field twice", func(b *federation.Backend) { b.Extra = opaque(t, map[string]any{"type": "x"}) }, "extra: holds type, which has a field of its own"},
	})
}

func TestCreateRefusesAWrongConfig(t *testing.T) {
	t.Parallel()
	assertRefused(t, []refusal{
		{"no endpoint", func(b *federation.Backend) { b.Config = vaultAt("") }, "config.endpoint: is empty"},
		{"endpoint without a scheme", func(b *federation.Backend) { b.Config = vaultAt("vault.internal:8200") }, "config.endpoint: has no scheme"},
		{"endpoint without a scheme or port", func(b *federation.Backend) { b.Config = vaultAt("vault.internal") }, "config.endpoint: has no scheme"},
		{"endpoint of another scheme", func(b *federation.Backend) { b.Config = vaultAt("ftp://vault.internal") }, "config.endpoint: has no scheme"},
		{"opaque endpoint", func(b *federation.Backend) { b.Config = vaultAt("https:vault.internal") }, "config.endpoint: has no scheme"},
		{"endpoint without a host", func(b *federation.Backend) { b.Config = vaultAt("https://:8200") }, "config.endpoint: names no host"},
		{"endpoint with a password", func(b *federation.Backend) { b.Config = vaultAt("https://root:hunter2@vault.internal") }, "config.endpoint: holds a user name or password"},
		{"endpoint with a query", func(b *federation.Backend) { b.Config = vaultAt("https://vault.internal?token=hunter2") }, "config.endpoint: has a query"},
		{"endpoint with a fragment", func(b *federation.Backend) { b.Config = vaultAt("https://vault.internal#x") }, "config.endpoint: has a query or a fragment"},
		{"malformed endpoint", func(b *federation.Backend) { b.Config = vaultAt("https://x:hunter2:y") }, "config.endpoint: is not a URL"},
		{"no auth method", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.AuthMethod = "" })
		}, "config.auth_method: is empty"},
		{"auth method of two words", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.AuthMethod = "app role" })
		}, "config.auth_method: is not one word"},
		{"no credentials", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.AuthConfigPath = "" })
		}, "config.auth_config_path: is empty"},
		{"credentials at no ScaiVault path", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.AuthConfigPath = "/Infra/hunter2" })
		}, "config.auth_config_path: is not a ScaiVault path"},
		{"namespace", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.Namespace = "a\x00" })
		}, "config.namespace: holds an unprintable"},
		{"setting twice", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.Extra = opaque(t, map[string]any{"tls_verify": false}) })
		}, "config.extra: holds tls_verify, which has a field of its own"},
		{"settings that are no object", func(b *federation.Backend) {
			b.Config = vaultConfig(func(v *federation.HashiCorpVault) { v.Extra = opaque(t, "hunter2") })
		}, "config.extra: is not a JSON object"},
		{"aws without a region", func(b *federation.Backend) {
			b.Config = &federation.AWSSecretsManager{CredentialsPath: "infra/aws"}
		}, "config.region: is empty"},
		{"aws without credentials", func(b *federation.Backend) {
			b.Config = &federation.AWSSecretsManager{Region: "eu-central-1"}
		}, "config.credentials_path: is empty"},
		{"azure with nothing", func(b *federation.Backend) { b.Config = &federation.AzureKeyVault{} }, "config: is empty; its settings are not documented"},
		{"google with no object", func(b *federation.Backend) { b.Config = &federation.GoogleSecretManager{Extra: opaque(t, 7)} }, "config: is not a JSON object"},
		{"unknown without a type", func(b *federation.Backend) { b.Config = &federation.Unknown{} }, "type: is empty"},
	})
}

func TestCreateRefusesAWrongPathMapping(t *testing.T) {
	t.Parallel()
	const elsewhere = "external/other/**"
	assertRefused(t, []refusal{
		{"no mapping", func(b *federation.Backend) { b.PathMapping = nil }, "path_mapping: is missing"},
		{"empty mapping", func(b *federation.Backend) { b.PathMapping = mapping() }, "path_mapping: is empty"},
		{"wildcard in the middle", func(b *federation.Backend) { b.PathMapping = mapping("external/**/db", "kv/data/**") }, `path_mapping external/**/db: a wildcard is "**" and stands only at the end`},
		{"one star", func(b *federation.Backend) { b.PathMapping = mapping("external/*", "kv/data/*") }, `path_mapping external/*: a wildcard is "**"`},
		{"wildcard within a level", func(b *federation.Backend) { b.PathMapping = mapping("external/a**", "kv/data/**") }, `path_mapping external/a**: a wildcard is "**"`},
		{"no ScaiVault path", func(b *federation.Backend) { b.PathMapping = mapping("External/x", "kv/data/x") }, "path_mapping External/x: is not a ScaiVault path"},
		{"empty pattern", func(b *federation.Backend) { b.PathMapping = mapping("", "kv/data/x") }, `path_mapping : is not a ScaiVault path`},
		{"leading slash", func(b *federation.Backend) { b.PathMapping = mapping("/**", "kv/data/**") }, "path_mapping /**: is not a ScaiVault path"},
		{"no template", func(b *federation.Backend) { b.PathMapping = mapping(elsewhere, "") }, "path_mapping external/other/**: leads to nothing"},
		{"wildcard in the middle of a template", func(b *federation.Backend) { b.PathMapping = mapping(elsewhere, "kv/**/x/**") }, "path_mapping external/other/**: leads to a name with a wildcard"},
		{"wildcard on the left alone", func(b *federation.Backend) { b.PathMapping = mapping(elsewhere, "kv/data/x") }, "path_mapping external/other/**: either both sides"},
		{"wildcard on the right alone", func(b *federation.Backend) { b.PathMapping = mapping("a/b", "kv/data/**") }, "path_mapping a/b: either both sides"},
		{"unprintable template", func(b *federation.Backend) { b.PathMapping = mapping("a/b", "kv/data/\n") }, "path_mapping a/b: leads to a name with an unprintable"},
		{"template within a level", func(b *federation.Backend) { b.PathMapping = mapping(elsewhere, "kv/data/a**") }, "path_mapping external/other/**: leads to a name in which"},
		{"template with a leading slash", func(b *federation.Backend) { b.PathMapping = mapping(elsewhere, "/kv/data/**") }, "path_mapping external/other/**: leads to a Vault path with a leading"},
		{"template that is a folder", func(b *federation.Backend) { b.PathMapping = mapping("a/b", "kv/data/x/") }, "path_mapping a/b: leads to a Vault path with a leading"},
		{"template that is a mount", func(b *federation.Backend) { b.PathMapping = mapping("a/b", "kv") }, "path_mapping a/b: leads to a mount"},
		{"its own credentials", func(b *federation.Backend) { b.PathMapping = mapping("infra/hashicorp/**", "kv/data/**") }, "path_mapping infra/hashicorp/**: covers the credentials of this backend"},
		{"its own credentials alone", func(b *federation.Backend) { b.PathMapping = mapping("infra/hashicorp/approle", "kv/data/x") }, "path_mapping infra/hashicorp/approle: covers the credentials"},
		{"the whole tenant", func(b *federation.Backend) { b.PathMapping = mapping("**", "kv/data/**") }, "path_mapping **: covers the credentials"},
	})
}

func TestCreateTellsAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	_, err := newClient(t, newScript()).Create(t.Context(), federation.Backend{Config: &federation.HashiCorpVault{}})
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	for _, field := range []string{"name", "config.endpoint", "config.auth_method", "config.auth_config_path", "path_mapping", "mode"} {
		assert.Equal(t, 1, strings.Count(err.Error(), field+": is "), field)
	}
}

func TestCreateAllowsWhatIsUnusualAndRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*federation.Backend){
		"http":               func(b *federation.Backend) { b.Config = vaultAt("http://vault.internal:8200") },
		"a path":             func(b *federation.Backend) { b.Config = vaultAt("https://proxy.internal/vault/") },
		"IPv6":               func(b *federation.Backend) { b.Config = vaultAt("https://[fd00::1]:8200") },
		"KV v1":              func(b *federation.Backend) { b.PathMapping = mapping("external/**", "secret/**") },
		"all mounts":         func(b *federation.Backend) { b.PathMapping = mapping("external/**", "**") },
		"exact and wildcard": func(b *federation.Backend) { b.PathMapping = mapping("a/db", "kv/data/x", "a/**", "kv/data/a/**") },
		"a Vault name with other letters": func(b *federation.Backend) {
			b.PathMapping = mapping("a/db", "kv/data/Äpfel.v2 (old)")
		},
		"beside the credentials": func(b *federation.Backend) { b.PathMapping = mapping("infra/hashicorp/approle/**", "kv/data/**") },
		"aws with a prefix": func(b *federation.Backend) {
			b.Config = &federation.AWSSecretsManager{Region: "eu-central-1", CredentialsPath: "infra/aws"}
			b.PathMapping = mapping("external/aws/**", "prod-**", "external/one", "Prod/One@x")
		},
		"azure": func(b *federation.Backend) {
			b.Config = &federation.AzureKeyVault{Extra: opaque(t, map[string]any{"vault": "x"})}
		},
		"google": func(b *federation.Backend) {
			b.Config = &federation.GoogleSecretManager{Extra: opaque(t, map[string]any{"project": "x"})}
		},
		"unknown": func(b *federation.Backend) { b.Config = &federation.Unknown{BackendType: "openbao"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newVaultBackend()
			change(&b)
			s := newScript().on(create, ok(`{"id":"fed_abc"}`))
			_, err := newClient(t, s).Create(t.Context(), b)
			require.NoError(t, err)
			assert.Contains(t, s.seen()[0].Body, `"type":"`+string(b.Config.Type())+`"`)
		})
	}
}

func TestUpdateChecksWhatIsSet(t *testing.T) {
	t.Parallel()
	var noAWS *federation.AWSSecretsManager
	for want, u := range map[string]federation.Update{
		"config.endpoint: has no scheme":      {Config: vaultAt("vault.internal")},
		"config: is a nil *federation.AWS":    {Config: noAWS},
		"path_mapping: is empty":              {PathMapping: mapping()},
		"path_mapping a/*: a wildcard":        {PathMapping: mapping("a/*", "b/*")},
		"mode: is neither":                    {Mode: "both"},
		"sync_interval: is -1s":               {SyncInterval: -time.Second},
		"sync_interval: is for mode sync":     {Mode: federation.ModeProxy, SyncInterval: time.Hour},
		"extra: holds mode":                   {Extra: opaque(t, map[string]any{"mode": "sync"})},
		"path_mapping infra/**: covers the c": {Config: vaultAt("https://vault.internal"), PathMapping: mapping("infra/**", "kv/data/**")},
	} {
		s := newScript()
		_, err := newClient(t, s).Update(t.Context(), "fed_abc", u)
		require.ErrorIs(t, err, scaivault.ErrInvalid, want)
		assert.Contains(t, err.Error(), want)
		assert.Contains(t, err.Error(), "fed_abc")
		assert.Empty(t, s.seen())
	}
}

func TestAnIDIsOneSegmentOfAURL(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", ".", "..", "a/b", "a/../b", "a?b", "a#b", "a%2fb", "a b", "a\nb", "é"} {
		s := newScript()
		c := newClient(t, s)
		ctx := t.Context()
		calls := map[string]func() error{
			"get":     func() error { _, err := c.Get(ctx, id); return err },
			"update":  func() error { _, err := c.Update(ctx, id, federation.Update{Name: "n"}); return err },
			"delete":  func() error { return c.Delete(ctx, id) },
			"status":  func() error { _, err := c.Status(ctx, id); return err },
			"sync":    func() error { _, err := c.Sync(ctx, id); return err },
			"promote": func() error { _, err := c.Promote(ctx, id, nil); return err },
			"wait":    func() error { return c.WaitHealthy(ctx, id) },
			"conflicts": func() error {
				for _, err := range c.Conflicts(ctx, id) {
					return err
				}
				return nil
			},
		}
		for name, call := range calls {
			err := call()
			require.ErrorIs(t, err, scaivault.ErrInvalid, "%s %q", name, id)
			assert.Contains(t, err.Error(), "id: is ", name)
			assert.NotContains(t, err.Error(), "\n")
		}
		assert.Empty(t, s.seen(), id)
	}
	s := newScript().on("GET /v1/federation/backends/fed-1.x~y_z:0@a", ok(vaultBackendJSON))
	_, err := newClient(t, s).Get(t.Context(), "fed-1.x~y_z:0@a")
	require.NoError(t, err)
}

func TestPathMappingHoldsTheProxiedRulesOfOneCluster(t *testing.T) {
	t.Parallel()
	m, err := scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/apps/billing/db", ScaiVault: "environments/production/billing/database"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "external/hashicorp/**", Proxied: true},
		scaivault.Rule{Vault: "kv/data/one", ScaiVault: "external/one", Proxied: true},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "external/us/**", Proxied: true, Cluster: "us"},
		scaivault.Rule{Vault: "kv/data/billing/**", ScaiVault: "environments/us/billing/**", Cluster: "us"},
	)
	require.NoError(t, err)
	assert.Equal(t, mapping("external/hashicorp/**", "kv/data/**", "external/one", "kv/data/one"), federation.PathMapping(m, ""))
	assert.Equal(t, mapping("external/us/**", "kv/data/**"), federation.PathMapping(m, "us"))
	assert.Empty(t, federation.PathMapping(m, "eu"))
	assert.Empty(t, federation.PathMapping(nil, ""))

	b := newVaultBackend()
	b.PathMapping = federation.PathMapping(m, "")
	s := newScript().on(create, ok(`{"id":"fed_abc"}`))
	_, err = newClient(t, s).Create(t.Context(), b)
	require.NoError(t, err, "every mapping file makes a valid path mapping")
}

func TestAppRoleCredentials(t *testing.T) {
	t.Parallel()
	assert.Equal(t, map[string]any{"role_id": "r", "secret_id": "s"}, federation.AppRoleCredentials("r", "s"))
}
