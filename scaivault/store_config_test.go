// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A plainSource is a Source of somebody else.
type plainSource struct {
	name string
	get  func(ctx context.Context, path string) (*scaivault.Secret, error)
	put  func(ctx context.Context, path string) (*scaivault.Written, error)
}

func (s *plainSource) Name() string { return s.name }

func (s *plainSource) Get(ctx context.Context, path string) (*scaivault.Secret, error) {
	return s.get(ctx, path)
}

func (s *plainSource) Put(ctx context.Context, path string, _ map[string]any, _ *scaivault.PutOptions) (*scaivault.Written, error) {
	return s.put(ctx, path)
}

func TestNewStoreRefuses(t *testing.T) {
	t.Parallel()
	scai, old := &plainSource{name: "scaivault"}, &plainSource{name: "vault"}
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "old/**"})
	require.NoError(t, err)
	clusters, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "old/**", Cluster: "eu"})
	require.NoError(t, err)
	both := scaivault.StoreConfig{ScaiVault: scai, Vault: old, Mapping: mapping, Flag: scaivault.StageCanary}
	for _, c := range []struct {
		name   string
		change func(*scaivault.StoreConfig)
		hint   string
	}{
		{"no side", func(c *scaivault.StoreConfig) { *c = scaivault.StoreConfig{} }, "at least one side"},
		{"no flag with two sides", func(c *scaivault.StoreConfig) { c.Flag = nil }, "Flag: required"},
		{"no mapping", func(c *scaivault.StoreConfig) { c.Mapping = nil }, "Mapping: required"},
		{"nil ScaiVault at canary", func(c *scaivault.StoreConfig) { c.ScaiVault = nil }, "stage canary needs it"},
		{"nil Vault at cutover", func(c *scaivault.StoreConfig) { c.Vault, c.Mapping, c.Flag = nil, nil, scaivault.StageCutover }, "stage cutover needs it"},
		{"nil Vault at vault", func(c *scaivault.StoreConfig) { c.Vault, c.Mapping, c.Flag = nil, nil, scaivault.StageVault }, "stage vault needs it"},
		{"nil pointer", func(c *scaivault.StoreConfig) { c.ScaiVault = (*scaivault.Client)(nil) }, "nil *scaivault.Client"},
		{"nil func as flag", func(c *scaivault.StoreConfig) { c.Flag = scaivault.FlagFunc(nil) }, "Flag: is a nil"},
		{"unknown stage", func(c *scaivault.StoreConfig) { c.Flag = scaivault.Stage(42) }, "stage(42)"},
		{"unknown initial stage", func(c *scaivault.StoreConfig) { c.InitialStage = scaivault.Stage(42) }, "InitialStage"},
		{"StageUnknown for ever", func(c *scaivault.StoreConfig) { c.Flag = scaivault.StageUnknown }, "InitialStage: required"},
		{"flags with a gap", func(c *scaivault.StoreConfig) {
			c.Flag = scaivault.PathFlags{{Pattern: "a/**", Flag: scaivault.StageVault}}
		}, "InitialStage: required"},
		{"a pattern that matches nothing", func(c *scaivault.StoreConfig) {
			c.Flag = scaivault.PathFlags{{Pattern: "/billing/**", Flag: scaivault.StageVault}, {Pattern: "**", Flag: scaivault.StageVault}}
		}, "pattern 1"},
		{"a star in a pattern", func(c *scaivault.StoreConfig) {
			c.Flag = scaivault.PathFlags{{Pattern: "billing/*", Flag: scaivault.StageVault}, {Pattern: "**", Flag: scaivault.StageVault}}
		}, "pattern 1"},
		{"rollout without To", func(c *scaivault.StoreConfig) { c.Flag = scaivault.Rollout{From: scaivault.StageVault} }, "InitialStage: required"},
		{"cluster that is not there", func(c *scaivault.StoreConfig) { c.Mapping = clusters }, `Vaults["eu"]`},
		{"rules without a cluster and no such Vault", func(c *scaivault.StoreConfig) {
			c.Vault, c.Vaults = nil, map[string]scaivault.Source{"eu": old}
		}, "rules without a cluster"},
		{"sample rate", func(c *scaivault.StoreConfig) { c.Compare.SampleRate = 1.5 }, "SampleRate"},
		{"sample rate is no number", func(c *scaivault.StoreConfig) { c.Compare.SampleRate = math.NaN() }, "SampleRate"},
		{"negative timeout", func(c *scaivault.StoreConfig) { c.Failover.AttemptTimeout = -time.Second }, "negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := both
			c.change(&cfg)
			_, err := scaivault.NewStore(cfg)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestNewStoreWithOneSide(t *testing.T) {
	t.Parallel()
	secret, err := scaivault.NewSecret(scaivault.SecretInfo{}, []byte(`{"a":1}`))
	require.NoError(t, err)
	get := func(context.Context, string) (*scaivault.Secret, error) { return secret, nil }
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "old/**"})
	require.NoError(t, err)
	for _, c := range []struct {
		cfg    scaivault.StoreConfig
		source string
	}{
		{scaivault.StoreConfig{ScaiVault: &plainSource{name: "scaivault", get: get}}, "scaivault"},
		{scaivault.StoreConfig{Vault: &plainSource{name: "vault", get: get}, Mapping: mapping}, "vault"},
	} {
		store, err := scaivault.NewStore(c.cfg)
		require.NoError(t, err)
		got, err := store.Get(t.Context(), "old/db")
		require.NoError(t, err)
		require.Equal(t, c.source, got.Source())
		require.Equal(t, "old/db", got.Path())
		require.NoError(t, store.Close())
	}
}

// TestClustersAreToldApart: each rule asks the Vault that it names.
func TestClustersAreToldApart(t *testing.T) {
	t.Parallel()
	source := func(name string) *plainSource {
		return &plainSource{name: name, get: func(_ context.Context, path string) (*scaivault.Secret, error) {
			return scaivault.NewSecret(scaivault.SecretInfo{Path: path}, []byte(`{"from":"`+name+" "+path+`"}`))
		}}
	}
	mapping, err := scaivault.NewMapping(
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "eu/**", Cluster: "eu"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "us/**", Cluster: "us"},
		scaivault.Rule{Vault: "kv/data/**", ScaiVault: "old/**"})
	require.NoError(t, err)
	store, err := scaivault.NewStore(scaivault.StoreConfig{
		Vault:  source("vault"),
		Vaults: map[string]scaivault.Source{"eu": source("vault-eu"), "us": source("vault-us")}, Mapping: mapping,
	})
	require.NoError(t, err)
	for path, want := range map[string]string{"eu/db": "vault-eu kv/data/db", "us/db": "vault-us kv/data/db", "old/db": "vault kv/data/db"} {
		secret, err := store.Get(t.Context(), path)
		require.NoError(t, err)
		from, _ := secret.Field("from")
		require.Equal(t, want, from)
	}
}

// TestSourceThatBreaksItsPromises: an error of no kind counts as unavailable
// for a read and leaves a write uncertain; nil without an error is no answer.
func TestSourceThatBreaksItsPromises(t *testing.T) {
	t.Parallel()
	odd := context.DeadlineExceeded
	source := &plainSource{
		name: "scaivault",
		get:  func(context.Context, string) (*scaivault.Secret, error) { return nil, odd },
		put:  func(context.Context, string) (*scaivault.Written, error) { return nil, odd },
	}
	store, err := scaivault.NewStore(scaivault.StoreConfig{ScaiVault: source})
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "a/b")
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	_, err = store.Put(t.Context(), "a/b", valueA, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
	source.get = func(context.Context, string) (*scaivault.Secret, error) { return nil, nil }
	source.put = func(context.Context, string) (*scaivault.Written, error) { return nil, nil }
	_, err = store.Get(t.Context(), "a/b")
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	_, err = store.Put(t.Context(), "a/b", valueA, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
}
