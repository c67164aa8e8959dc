// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A mover writes and reads a few paths while they move back and forth.
type mover struct {
	*pair
	flag  *countedLever
	acked [5]atomic.Int64 // by path: the last number that a Put acknowledged
	reads atomic.Int64
}

func (m *mover) path(i int) string { return "environments/production/p" + strconv.Itoa(i) }

// write numbers the values of a path.
func (m *mover) write(t *testing.T, ctx context.Context, i int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, uint64(i)))
	for n := int64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(random.IntN(100)+1) * time.Millisecond):
		}
		put, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := m.store.Put(put, m.path(i), map[string]any{"n": n}, nil)
		cancel()
		if err == nil {
			m.acked[i].Store(n)
		}
	}
}

// read expects a value, and none that is older than what was acknowledged before.
func (m *mover) read(t *testing.T, ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 77))
	for ctx.Err() == nil {
		time.Sleep(time.Duration(random.IntN(40)+1) * time.Millisecond)
		i := random.IntN(len(m.acked))
		least := m.acked[i].Load()
		get, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		secret, err := m.store.Get(get, m.path(i))
		cancel()
		m.reads.Add(1)
		if !assert.NoError(t, err) {
			return
		}
		text, _ := secret.Field("n")
		n, _ := strconv.ParseInt(text, 10, 64)
		if !assert.GreaterOrEqual(t, n, least, "%s of %s, failover %v, stale %v", m.path(i), secret.Source(), secret.Failover(), secret.Stale()) {
			return
		}
	}
}

// copyAll brings all paths over, as migrate.Copy does while they are frozen.
func (m *mover) copyAll(t *testing.T, toScaiVault bool) {
	for i := range m.acked {
		old := "kv/data/apps/p" + strconv.Itoa(i)
		var data map[string]any
		if toScaiVault {
			raw, _ := m.vault.Value(old)
			assert.NoError(t, json.Unmarshal(raw, &data))
			m.scai.Seed(m.path(i), data)
			continue
		}
		raw, _ := m.scai.Value(m.path(i))
		assert.NoError(t, json.Unmarshal(raw, &data))
		m.vault.Seed(old, data)
	}
}

// TestAWholeMoveWithOutagesLosesNothing moves paths there and back, with an outage
// of either side at canary and at cutover, while they are written and read: no
// read fails, and none returns less than what was acknowledged before it began.
func TestAWholeMoveWithOutagesLosesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { moveWithOutages(t, seed) })
		})
	}
}

func moveWithOutages(t *testing.T, seed uint64) {
	m := &mover{flag: &countedLever{}}
	m.pair = newPair(t, nil, func(c *scaivault.StoreConfig) {
		c.Flag = m.flag
		c.Cache = scaivault.CacheConfig{TTL: 200 * time.Millisecond, StaleFor: time.Minute}
		c.Failover = scaivault.FailoverConfig{AttemptTimeout: 500 * time.Millisecond, After: 30 * time.Millisecond}
		c.Mirror.Timeout = time.Second
	})
	m.flag.set(scaivault.StageVault)
	for i := range m.acked {
		_, err := m.store.Put(t.Context(), m.path(i), map[string]any{"n": 0}, nil)
		require.NoError(t, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range m.acked {
		all.Go(func() { m.write(t, ctx, i, seed) })
	}
	for i := range uint64(4) {
		all.Go(func() { m.read(t, ctx, seed+100*i) })
	}
	random := rand.New(rand.NewPCG(seed, 5))
	pause := func() { time.Sleep(time.Duration(300+random.IntN(500)) * time.Millisecond) }
	at := func(stage scaivault.Stage) { m.flag.set(stage); pause() }
	outage := func(inVault bool) {
		m.setDown(inVault, true)
		pause()
		m.setDown(inVault, false)
		pause()
	}
	frozen := func() { m.flag.set(scaivault.StageFreeze); time.Sleep(3 * time.Second) }
	at(scaivault.StageShadow)
	at(scaivault.StageCanary)
	outage(false)
	outage(true)
	frozen()
	m.copyAll(t, true)
	at(scaivault.StageCutover)
	outage(true)
	outage(false)
	at(scaivault.StageScaiVault)
	at(scaivault.StageCutover)
	outage(false)
	frozen()
	m.copyAll(t, false)
	at(scaivault.StageCanary)
	outage(true)
	at(scaivault.StageVault)
	stop()
	all.Wait()
	require.Greater(t, m.reads.Load(), int64(500))
}

// TestWhatWasReadOfAMirrorEndsWithTheWrite: a read that went to the other side
// while a write was being mirrored does not answer after that write.
func TestWhatWasReadOfAMirrorEndsWithTheWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageCutover), func(c *scaivault.StoreConfig) { c.Cache.TTL = time.Minute })
		p.seedBoth()
		p.scai.SetDown(true)
		for range 3 { // ScaiVault is left alone from then on
			_, err := p.store.Refresh(t.Context(), appPath)
			require.NoError(t, err)
		}
		p.scai.SetDown(false)
		p.vault.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/data/**", Delay: time.Second})
		done := make(chan struct{})
		go func() {
			defer close(done)
			w, err := p.store.Put(t.Context(), appPath, valueB, nil)
			assert.NoError(t, err)
			assert.NoError(t, w.Mirror)
		}()
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, "vA!", p.get(t))
		<-done
		require.Equal(t, "vB!", p.get(t))
	})
}

// TestFrozenPathAnswersWithWhatVaultMisses: on the way back, Vault is the authority
// from freeze on, and does not answer before it has the last write of cutover.
func TestFrozenPathAnswersWithWhatVaultMisses(t *testing.T) {
	t.Parallel()
	for _, stage := range []scaivault.Stage{scaivault.StageCutover, scaivault.StageScaiVault} {
		synctest.Test(t, func(t *testing.T) {
			var flag lever
			flag.set(stage)
			p := newPair(t, nil, func(c *scaivault.StoreConfig) { c.Flag = &flag })
			p.seedBoth()
			slow := p.vault.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/**", Delay: 3 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := p.store.Put(ctx, appPath, valueB, nil) // returns before it is mirrored
			require.NoError(t, err)
			flag.set(scaivault.StageFreeze)
			require.Equal(t, "sB", p.get(t))
			slow()
			time.Sleep(time.Minute)
			require.Equal(t, "B", p.get(t)[1:])
			flag.set(scaivault.StageCanary)
			p.scai.SetDown(true)
			_, err = p.store.Put(t.Context(), appPath, valueC, nil)
			require.NoError(t, err)
			p.scai.SetDown(false)
			secret, err := p.store.Get(t.Context(), appPath)
			require.NoError(t, err)
			password, _ := secret.Field("password")
			require.Equal(t, "value-c", password, "Vault is the truth once services write there")
		})
	}
}

// TestFrozenPathGoesOnWithoutScaiVault: what this Store has written last comes
// before what Vault held before.
func TestFrozenPathGoesOnWithoutScaiVault(t *testing.T) {
	t.Parallel()
	for _, stale := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var flag lever
			flag.set(scaivault.StageCutover)
			p := newPair(t, nil, func(c *scaivault.StoreConfig) {
				c.Flag, c.Cache = &flag, scaivault.CacheConfig{TTL: time.Minute, StaleFor: stale}
			})
			putWhileDown(t, p, false)
			flag.set(scaivault.StageFreeze)
			p.scai.SetDown(true)
			if stale > 0 {
				require.Equal(t, "sB", p.get(t))
			}
			p.vault.SetDown(false)
			want := map[bool]string{true: "sB", false: "vA!"}[stale > 0]
			require.Equal(t, want, p.get(t))
			p.scai.SetDown(false)
		})
	}
}
