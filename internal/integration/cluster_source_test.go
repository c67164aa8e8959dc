// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/sdk/logical"
	hashivault "github.com/hashicorp/vault/vault"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/vaultchecks"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// newCluster starts a real cluster of three.
func newCluster(t *testing.T) *hashivault.TestCluster {
	t.Helper()
	cluster := hashivault.NewTestCluster(t,
		&hashivault.CoreConfig{
			Logger:             hclog.NewNullLogger(),
			LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
			CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		},
		&hashivault.TestClusterOptions{NumCores: 3, Logger: hclog.NewNullLogger(), HandlerFunc: vaulthttp.Handler})
	t.Cleanup(cluster.Cleanup)
	hashivault.TestWaitActiveForwardingReady(t, cluster.Cores[0].Core)
	return cluster
}

// clusterOfThree is a real cluster with a KV v2 mount, and a Source of all its
// addresses.
func clusterOfThree(t *testing.T, change ...func(*vault.Config)) (*hashivault.TestCluster, *vault.Source) {
	t.Helper()
	cluster := newCluster(t)
	root := cluster.Cores[0].Client
	require.NoError(t, root.Sys().MountWithContext(t.Context(), "kv", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))

	cfg := vault.Config{Client: root}
	for _, core := range cluster.Cores {
		cfg.Addresses = append(cfg.Addresses, core.Client.Address())
	}
	for _, f := range change {
		f(&cfg)
	}
	s, err := vault.NewSource(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	_, err = s.Put(t.Context(), "kv/data/first", map[string]any{"v": "1"}, nil)
	require.NoError(t, err, "while KV v2 prepares the mount, Put waits")
	return cluster, s
}

// leaderAndStandbys are the addresses of a cluster's nodes.
func leaderAndStandbys(t *testing.T, cluster *hashivault.TestCluster) (leader string, standbys []string) {
	t.Helper()
	active := activeCore(t, cluster)
	for _, core := range cluster.Cores {
		if core != active {
			standbys = append(standbys, core.Client.Address())
		}
	}
	require.Len(t, standbys, 2)
	return active.Client.Address(), standbys
}

// TestSourceAgainstARealCluster runs all checks, and with them the suite for
// Sources, on clusters of three by all their addresses, the leader's last.
func TestSourceAgainstARealCluster(t *testing.T) {
	t.Parallel()
	vaultchecks.Run(t, func(t *testing.T) vaultchecks.Server {
		cluster := newCluster(t)
		leader, standbys := leaderAndStandbys(t, cluster)
		require.NoError(t, cluster.Cores[0].Client.Sys().UnmountWithContext(t.Context(), "secret")) // a test cluster comes with it
		return vaultchecks.Server{
			Addresses: append(standbys, leader),
			RootToken: cluster.RootToken,
			TLS:       cluster.Cores[0].TLSConfig(),
			Seal:      func() { cluster.EnsureCoresSealed(t) },
		}
	})
}

// TestSourceConformsByOneNodeOfARealCluster: by the leader, and by a standby,
// which passes on what it is asked.
func TestSourceConformsByOneNodeOfARealCluster(t *testing.T) {
	t.Parallel()
	cluster, _ := clusterOfThree(t)
	leader, standbys := leaderAndStandbys(t, cluster)
	for name, address := range map[string]string{"leader": leader, "standby": standbys[0]} {
		client, err := cluster.Cores[0].Client.CloneWithHeaders()
		require.NoError(t, err)
		client.SetToken(cluster.RootToken)
		s, err := vault.NewSource(vault.Config{Client: client, Addresses: []string{address}})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		for version, prefix := range []string{"secret/", "kv/data/"} { // a test cluster comes with the first
			t.Run(fmt.Sprintf("%s, KV v%d", name, version+1), func(t *testing.T) {
				scaivaulttest.TestSource(t, func(*testing.T) scaivault.Source { return s }, &scaivaulttest.SourceTestOptions{Prefix: prefix})
			})
		}
	}
}

// activeCore waits for the node that is the leader.
func activeCore(t *testing.T, cluster *hashivault.TestCluster) *hashivault.TestClusterCore {
	t.Helper()
	var active *hashivault.TestClusterCore
	require.Eventually(t, func() bool {
		for _, core := range cluster.Cores {
			if standby, err := core.Standby(); err == nil && !standby && !core.Sealed() {
				active = core
				return true
			}
		}
		return false
	}, time.Minute, 10*time.Millisecond, "no leader")
	return active
}

const (
	clusterReads  = 10_000
	clusterWrites = 1_000
)

// A traffic reads and writes until it is told to stop, and at least as much as
// it should.
type traffic struct {
	src                    *vault.Source
	reads, writes          atomic.Int64
	mu                     sync.Mutex // guards both below
	failedReads, unwritten []error
	acknowledged           map[string]bool // by path; false: nobody knows, or it was refused
	over                   atomic.Bool
}

func (f *traffic) read(ctx context.Context) {
	for f.reads.Add(1) <= clusterReads || !f.over.Load() {
		if _, err := f.src.Get(ctx, "kv/data/first"); err != nil {
			f.mu.Lock()
			f.failedReads = append(f.failedReads, err)
			f.mu.Unlock()
		}
	}
}

func (f *traffic) write(ctx context.Context) {
	for {
		n := f.writes.Add(1)
		if n > clusterWrites && f.over.Load() {
			return
		}
		path := fmt.Sprintf("kv/data/written/%d", n)
		written, err := f.src.Put(ctx, path, map[string]any{"n": fmt.Sprint(n)}, nil)
		f.mu.Lock()
		f.acknowledged[path] = err == nil
		if err != nil {
			f.unwritten = append(f.unwritten, err)
		} else if written.Version != 1 {
			f.unwritten = append(f.unwritten, fmt.Errorf("%s was written as version %d", path, written.Version))
		}
		f.mu.Unlock()
	}
}

func TestSourceOutlivesTheNodesOfARealCluster(t *testing.T) {
	t.Parallel()
	cluster, s := clusterOfThree(t)
	f := &traffic{src: s, acknowledged: map[string]bool{}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { f.read(t.Context()) })
	}
	for range 4 {
		all.Go(func() { f.write(t.Context()) })
	}
	disturb(t, cluster, f)
	f.over.Store(true)
	all.Wait()

	assert.Empty(t, f.failedReads, "no read fails")
	assert.GreaterOrEqual(t, f.reads.Load(), int64(clusterReads))
	known := 0
	for path, acknowledged := range f.acknowledged {
		versions, err := s.Versions(t.Context(), path)
		switch {
		case acknowledged:
			known++
			require.NoError(t, err, path)
			assert.Len(t, versions, 1, "%s was acknowledged once", path)
		case err == nil:
			assert.LessOrEqual(t, len(versions), 1, "%s was sent once", path)
		}
	}
	assert.GreaterOrEqual(t, known, clusterWrites)
	t.Logf("%d reads, %d writes, of which %d without a clear end: %v", f.reads.Load(), len(f.acknowledged), len(f.unwritten), f.unwritten)
	for _, err := range f.unwritten {
		assert.NotContains(t, err.Error(), "was written as version")
	}
}

// disturb takes the leader's office away, seals a leader, and stops one, each
// with traffic before and after it.
func disturb(t *testing.T, cluster *hashivault.TestCluster, f *traffic) {
	t.Helper()
	some := func() {
		reads, writes := f.reads.Load(), f.writes.Load()
		require.Eventually(t, func() bool { return f.reads.Load() > reads+500 && f.writes.Load() > writes+50 }, 2*time.Minute, 10*time.Millisecond)
	}
	some()
	require.NoError(t, activeCore(t, cluster).Client.Sys().StepDownWithContext(t.Context()))
	some()
	sealed := activeCore(t, cluster)
	sealed.Seal(t)
	some()
	activeCore(t, cluster)
	cluster.UnsealCore(t, sealed)
	some()
	stopped := activeCore(t, cluster)
	require.NoError(t, stopped.Server.Close())
	require.NoError(t, stopped.Shutdown())
	some()
	activeCore(t, cluster)
	some()
}
