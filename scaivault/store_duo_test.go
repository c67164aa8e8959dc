// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A behaviour is how a standIn answers a read.
type behaviour func(ctx context.Context) (*scaivault.Secret, error)

func holds(value string) behaviour {
	return func(context.Context) (*scaivault.Secret, error) {
		return scaivault.NewSecret(scaivault.SecretInfo{Version: 1}, fmt.Appendf(nil, `{"v":%q}`, value))
	}
}

func fails(kind error) behaviour {
	return func(context.Context) (*scaivault.Secret, error) {
		return nil, &scaivault.Error{Kind: kind, Op: "get"}
	}
}

// stalls answers when ctx ends, as a source must.
func stalls(ctx context.Context) (*scaivault.Secret, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// takes has a behaviour begin after a while, unless ctx ends before.
func takes(d time.Duration, then behaviour) behaviour {
	return func(ctx context.Context) (*scaivault.Secret, error) {
		select {
		case <-time.After(d):
			return then(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// A standIn is a Source that the test tells what to do.
type standIn struct {
	name   string
	does   atomic.Pointer[behaviour]
	asked  atomic.Int64 // reads
	ended  atomic.Int64 // reads whose ctx was cancelled
	writes atomic.Pointer[written]
}

// A written is what a standIn does before it takes a write.
type written func(ctx context.Context, data map[string]any) error

func (s *standIn) now(b behaviour) { s.does.Store(&b) }

// onPut has writes go through w; nil: all are taken.
func (s *standIn) onPut(w written) { s.writes.Store(&w) }

func (s *standIn) Name() string { return s.name }

func (s *standIn) Get(ctx context.Context, _ string) (*scaivault.Secret, error) {
	s.asked.Add(1)
	defer func() {
		if ctx.Err() == context.Canceled {
			s.ended.Add(1)
		}
	}()
	return (*s.does.Load())(ctx)
}

// Put makes the value that is written what the source says from then on.
func (s *standIn) Put(ctx context.Context, _ string, data map[string]any, _ *scaivault.PutOptions) (*scaivault.Written, error) {
	if w := s.writes.Load(); w != nil && *w != nil {
		if err := (*w)(ctx, data); err != nil {
			return nil, err
		}
	}
	s.now(holds(fmt.Sprint(data["v"])))
	return &scaivault.Written{Version: 1}, nil
}

// A lever is a flag that the test sets.
type lever struct{ stage atomic.Uint32 }

func (l *lever) Stage(context.Context, string) scaivault.Stage {
	return scaivault.Stage(l.stage.Load())
}
func (l *lever) set(s scaivault.Stage) { l.stage.Store(uint32(s)) }

// A counted lever tells when it was moved.
type countedLever struct {
	lever
	epoch atomic.Uint64
}

func (l *countedLever) Epoch() uint64 { return l.epoch.Load() }
func (l *countedLever) set(s scaivault.Stage) {
	l.lever.set(s)
	l.epoch.Add(1)
}

// A duo is a Store over two stand-ins. Its path is "a", mapped to "kv/data/a".
type duo struct {
	scai, vault *standIn
	lever       *lever
	store       *scaivault.Store
}

// newDuo has ScaiVault say "s1" and Vault "v1", without jitter and samples.
func newDuo(t testing.TB, stage scaivault.Stage, change ...func(*scaivault.StoreConfig)) *duo {
	t.Helper()
	d := &duo{scai: &standIn{name: "scaivault"}, vault: &standIn{name: "vault"}, lever: &lever{}}
	d.scai.now(holds("s1"))
	d.vault.now(holds("v1"))
	d.lever.set(stage)
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/**", ScaiVault: "**"})
	require.NoError(t, err)
	cfg := scaivault.StoreConfig{
		ScaiVault: d.scai, Vault: d.vault, Mapping: m, Flag: d.lever,
		Compare: scaivault.CompareConfig{SampleRate: -1},
	}
	for _, c := range change {
		c(&cfg)
	}
	d.store, err = scaivault.NewStore(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.store.Close() })
	return d
}

// caching is a cache without jitter.
func caching(ttl, staleFor time.Duration) func(*scaivault.StoreConfig) {
	return func(c *scaivault.StoreConfig) {
		c.Cache = scaivault.CacheConfig{TTL: ttl, StaleFor: staleFor, Jitter: -1}
	}
}

// withoutBreakers has each read ask.
func withoutBreakers(c *scaivault.StoreConfig) { c.Failover.Breaker.Failures = -1 }

func (d *duo) get() string { return told(d.store.Get(context.Background(), "a")) }

// told is a value, with ! for failover and ~ for stale, or the kind of an error
// in angle brackets.
func told(secret *scaivault.Secret, err error) string {
	if err != nil {
		return "<" + kindOf(err) + ">"
	}
	value, _ := secret.Field("v")
	if secret.Failover() {
		value += "!"
	}
	if secret.Stale() > 0 {
		value += "~"
	}
	return value
}

// atOnce has Get answer in no time at all on the clock of the bubble.
func (d *duo) atOnce(t *testing.T, want string) {
	t.Helper()
	start := time.Now()
	require.Equal(t, want, d.get())
	require.Zero(t, time.Since(start), "a caller waited")
}
