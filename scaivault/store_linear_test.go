// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A slowKeeper is a Source that keeps one value and takes its time before and
// after it looks at it.
type slowKeeper struct {
	name  string
	value atomic.Int64
	mu    sync.Mutex
	luck  *rand.Rand
}

func newSlowKeeper(name string, seed uint64) *slowKeeper {
	return &slowKeeper{name: name, luck: rand.New(rand.NewPCG(seed, 1))}
}

func (s *slowKeeper) wait(ctx context.Context) error {
	s.mu.Lock()
	d := time.Duration(s.luck.IntN(40)) * time.Millisecond
	s.mu.Unlock()
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowKeeper) Name() string { return s.name }

func (s *slowKeeper) Get(ctx context.Context, _ string) (*scaivault.Secret, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	n := s.value.Load()
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return scaivault.NewSecret(scaivault.SecretInfo{Version: int(n) + 1}, fmt.Appendf(nil, `{"n":%d}`, n))
}

func (s *slowKeeper) Put(ctx context.Context, _ string, data map[string]any, _ *scaivault.PutOptions) (*scaivault.Written, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(fmt.Sprintf("%s", data["n"]), 10, 64)
	if err != nil {
		n = int64(data["n"].(int))
	}
	s.value.Store(n)
	return &scaivault.Written{Version: int(n) + 1}, s.wait(ctx)
}

// TestAPutIsSeenByEveryLaterGet: with a writer, readers that read from the
// cache, refresh it and invalidate it, and slow sources, no Get that starts after
// a Put has returned answers with an older value.
func TestAPutIsSeenByEveryLaterGet(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageVault, scaivault.StageShadow, scaivault.StageCanary, scaivault.StageCutover, scaivault.StageScaiVault} {
		for seed := range uint64(2) {
			synctest.Test(t, func(t *testing.T) { readAfterWrite(t, stage, seed) })
		}
	}
}

func readAfterWrite(t *testing.T, stage scaivault.Stage, seed uint64) {
	flag := &countedLever{}
	flag.set(stage)
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	store, err := scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: newSlowKeeper("scaivault", seed), Vault: newSlowKeeper("vault", seed+100), Mapping: m, Flag: flag,
		Cache:    scaivault.CacheConfig{TTL: 150 * time.Millisecond, StaleFor: time.Hour},
		Failover: scaivault.FailoverConfig{AttemptTimeout: 10 * time.Second, After: 5 * time.Second},
		Compare:  scaivault.CompareConfig{SampleRate: 0.2, MaxAge: 300 * time.Millisecond, Timeout: 10 * time.Second},
	})
	require.NoError(t, err)
	const writes = 40
	var written atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for g := range 12 {
		luck := rand.New(rand.NewPCG(seed, uint64(g)))
		wg.Go(func() {
			for !done.Load() {
				least := written.Load()
				read := store.Get
				if g == 0 {
					read = store.Refresh
				}
				secret, err := read(context.Background(), "a")
				if !assert.NoError(t, err) {
					return
				}
				var got struct{ N int64 }
				if assert.NoError(t, secret.Decode(&got)); !assert.GreaterOrEqual(t, got.N, least, "stage %s, seed %d", stage, seed) {
					return
				}
				if g == 1 {
					store.Invalidate("a")
				}
				time.Sleep(time.Duration(luck.IntN(30)) * time.Millisecond)
			}
		})
	}
	for n := 1; n <= writes; n++ {
		w, err := store.Put(context.Background(), "a", map[string]any{"n": n}, nil)
		require.NoError(t, err)
		require.NoError(t, w.Mirror)
		written.Store(int64(n))
		time.Sleep(time.Duration(n%7) * 20 * time.Millisecond)
	}
	done.Store(true)
	wg.Wait()
	require.Positive(t, store.Stats().Hits)
	require.NoError(t, store.Close())
}
