// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

func raw(data string) behaviour {
	return func(context.Context) (*scaivault.Secret, error) {
		return scaivault.NewSecret(scaivault.SecretInfo{Version: 7}, []byte(data))
	}
}

func sampling(rate float64) func(*scaivault.StoreConfig) {
	return func(c *scaivault.StoreConfig) { c.Compare.SampleRate = rate }
}

// TestSamplesAreExact: a part of the reads is that part of them, however many
// goroutines read.
func TestSamplesAreExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate        float64
		reads, want int
	}{{0, 2000, 20}, {0.07, 100, 7}, {0.29, 100, 29}, {1, 1000, 1000}, {0.001, 1000, 1}, {-1, 1000, 0}} {
		d := newDuo(t, scaivault.StageShadow, sampling(c.rate), func(cfg *scaivault.StoreConfig) { cfg.Flag = scaivault.StageShadow })
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				path := fmt.Sprintf("p/%d", g)
				for range c.reads / 4 {
					_, err := d.store.Get(context.Background(), path)
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		require.NoError(t, d.store.Close())
		require.EqualValues(t, c.want, d.scai.asked.Load()+int64(d.store.Stats().Dropped), c.rate) //nolint:gosec // small
		require.EqualValues(t, c.reads, d.vault.asked.Load())
	}
}

func TestSamplesAreSpreadEvenly(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCutover, func(t *testing.T, d *duo) {
		var at []int
		for i := range 100 {
			before := d.vault.asked.Load()
			d.get()
			synctest.Wait()
			if d.vault.asked.Load() > before {
				at = append(at, i)
			}
		}
		require.Equal(t, []int{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}, at)
	}, sampling(0.1))
}

// TestOutcomesOfAComparison, by what the authority has and the other side
// answers. Fields are named, never shown.
func TestOutcomesOfAComparison(t *testing.T) {
	t.Parallel()
	missing, down := fails(scaivault.ErrNotFound), fails(scaivault.ErrUnavailable)
	boom := func(context.Context) (*scaivault.Secret, error) { panic("secret-x") }
	exits := func(context.Context) (*scaivault.Secret, error) { runtime.Goexit(); return nil, nil }
	type outcome = scaivault.CompareOutcome
	for _, c := range []struct {
		name         string
		scai, vault  behaviour
		shadow, over outcome // at shadow and at cutover
		fields       []string
	}{
		{"equal", raw(`{"a":"secret-x"}`), raw(`{"a":"secret-x"}`), scaivault.CompareEqual, scaivault.CompareEqual, nil},
		{"key order", raw(`{"a":1,"b":{"x":1,"y":2}}`), raw(`{"b":{"y":2,"x":1},"a":1}`), scaivault.CompareEqual, scaivault.CompareEqual, nil},
		{"numbers by value", raw(`{"a":1.0,"b":1e2,"c":-0}`), raw(`{"a":1,"b":100,"c":0}`), scaivault.CompareEqual, scaivault.CompareEqual, nil},
		{"digits count", raw(`{"a":12345678901234567890}`), raw(`{"a":12345678901234567891}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a"}},
		{"huge exponents", raw(`{"a":1e999999999}`), raw(`{"a":10e999999998}`), scaivault.CompareEqual, scaivault.CompareEqual, nil},
		{"huge exponents that differ", raw(`{"a":1e999999999}`), raw(`{"a":1e-999999999}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a"}},
		{"a number is no string", raw(`{"a":1}`), raw(`{"a":"1"}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a"}},
		{"null is not missing", raw(`{"a":null}`), raw(`{}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a"}},
		{"escapes", raw(`{"a":"\u00e9"}`), raw(`{"a":"é"}`), scaivault.CompareEqual, scaivault.CompareEqual, nil},
		{"unicode as it is", raw(`{"a":"\u00e9"}`), raw(`{"a":"e\u0301"}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a"}},
		{"all different fields, sorted", raw(`{"z":"secret-x","b":1,"same":1}`), raw(`{"a":"secret-y","b":2,"same":1}`), scaivault.CompareDifferent, scaivault.CompareDifferent, []string{"a", "b", "z"}},
		{"missing in ScaiVault", missing, raw(`{"a":"secret-x"}`), scaivault.CompareMissingScaiVault, scaivault.CompareMissingScaiVault, nil},
		{"missing in Vault", raw(`{"a":"secret-x"}`), missing, scaivault.CompareMissingVault, scaivault.CompareMissingVault, nil},
		{"missing in both", missing, missing, "", "", nil},
		{"the other side is down", down, raw(`{}`), scaivault.CompareUnreadable, "", nil},
		{"the authority is down", raw(`{}`), down, "", scaivault.CompareUnreadable, nil},
		{"the other side denies", fails(scaivault.ErrPermission), raw(`{}`), scaivault.CompareUnreadable, "", nil},
		{"the shadow hangs", stalls, raw(`{}`), scaivault.CompareUnreadable, "", nil},
		{"the shadow panics", boom, raw(`{}`), scaivault.CompareUnreadable, "panics", nil},
		{"the shadow exits", exits, raw(`{}`), scaivault.CompareUnreadable, "", nil},
	} {
		for stage, want := range map[scaivault.Stage]outcome{scaivault.StageShadow: c.shadow, scaivault.StageCutover: c.over} {
			if want == "panics" {
				continue
			}
			var mu sync.Mutex
			var log bytes.Buffer
			var got []scaivault.CompareInfo
			inDuo(t, stage, func(t *testing.T, d *duo) {
				d.scai.now(c.scai)
				d.vault.now(c.vault)
				d.get()
				synctest.Wait()
				time.Sleep(3 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				require.NotContains(t, log.String(), "secret-")
				if want == "" {
					require.Empty(t, got, "%s at %s", c.name, stage)
					return
				}
				require.Len(t, got, 1, "%s at %s", c.name, stage)
				require.Equal(t, want, got[0].Outcome, "%s at %s", c.name, stage)
				require.Equal(t, c.fields, got[0].Fields, "%s at %s", c.name, stage)
				require.Equal(t, want == scaivault.CompareUnreadable || strings.HasPrefix(string(want), "missing") && got[0].Err != nil, got[0].Err != nil)
				require.EqualValues(t, 1, d.store.Stats().Compared)
			}, sampling(1), func(cfg *scaivault.StoreConfig) {
				cfg.Logger = slog.New(slog.NewTextHandler(&locked{w: &log, mu: &mu}, nil))
				cfg.Trace = &scaivault.Trace{Compare: func(i scaivault.CompareInfo) { mu.Lock(); defer mu.Unlock(); got = append(got, i) }}
			})
		}
	}
}

// TestAShadowChangesNothingForTheCaller: it hangs, panics, does not obey its
// context or answers more than memory should hold, and the reads cost what they
// cost without it.
func TestAShadowChangesNothingForTheCaller(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	var once sync.Once
	huge := []byte(`{"v":"` + strings.Repeat("x", 16<<10) + `"}`)
	for name, shadow := range map[string]behaviour{
		"hangs":    stalls,
		"panics":   func(context.Context) (*scaivault.Secret, error) { panic("boom") },
		"disobeys": func(context.Context) (*scaivault.Secret, error) { <-free; return nil, scaivault.ErrUnavailable },
		"is slow":  takes(900*time.Millisecond, holds("v1")),
		"is huge":  raw(string(huge)),
		"is down":  fails(scaivault.ErrUnavailable),
	} {
		synctest.Test(t, func(t *testing.T) {
			free = make(chan struct{})
			once = sync.Once{}
			d := newDuo(t, scaivault.StageShadow, sampling(1), func(c *scaivault.StoreConfig) { c.Compare.MaxParallel = 4 })
			d.vault.now(takes(time.Millisecond, holds("v1")))
			d.scai.now(shadow)
			for range 200 {
				d.takesExactly(t, "v1", time.Millisecond)
			}
			stats := d.store.Stats()
			require.LessOrEqual(t, uint64(200)-stats.Dropped, uint64(d.scai.asked.Load()+1), name) //nolint:gosec // small
			if name == "hangs" || name == "disobeys" || name == "is slow" {
				require.EqualValues(t, 196, stats.Dropped, "%s: four at a time, the others are dropped and counted", name)
				require.EqualValues(t, 4, d.scai.asked.Load())
			}
			require.Zero(t, stats.ReadErrors+stats.Failovers)
			require.EqualValues(t, 200, d.vault.asked.Load(), "no read is repeated")
			once.Do(func() { close(free) })
			require.NoError(t, d.store.Close())
		})
	}
}

// TestAShadowsOwnTimeout ends a comparison, so that there is room for the next.
func TestAShadowsOwnTimeout(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		d.scai.now(stalls)
		require.Equal(t, "v1", d.get())
		time.Sleep(300*time.Millisecond - 1)
		require.Zero(t, d.store.Stats().Compared)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Unreadable)
	}, sampling(1), func(c *scaivault.StoreConfig) { c.Compare.Timeout = 300 * time.Millisecond })
}

// TestAHugeAnswerOfTheShadowIsCut by the Client, and says nothing.
func TestAHugeAnswerOfTheShadowIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, constant(scaivault.StageShadow), sampling(1))
		p.seedBoth()
		endless := &endlessBody{}
		client, err := scaivault.NewClient(scaivault.ClientConfig{
			URLs: []string{"http://127.0.0.1"}, Token: scaivault.StaticToken(p.scai.IssueToken("sa:app")),
			HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: endless, Request: r}, nil
			})},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		m, err := scaivault.NewMapping(scaivault.Rule{Vault: vaultPath, ScaiVault: appPath})
		require.NoError(t, err)
		store, err := scaivault.NewStore(scaivault.StoreConfig{
			ScaiVault: client, Vault: p.source, Mapping: m, Flag: scaivault.StageShadow, Compare: scaivault.CompareConfig{SampleRate: 1},
		})
		require.NoError(t, err)
		secret, err := store.Get(t.Context(), appPath)
		require.Equal(t, "vA", cellOf(secret, err))
		synctest.Wait()
		require.NoError(t, store.Close())
		require.EqualValues(t, 1, store.Stats().Unreadable)
		require.Less(t, endless.read, 100<<20)
	})
}

// An endlessBody is the beginning of a secret whose value never ends.
type endlessBody struct {
	read   int
	closed bool
}

func (b *endlessBody) Read(p []byte) (int, error) {
	n := copy(p, `{"data":{"v":"`)
	if b.read > 0 {
		n = copy(p, bytes.Repeat([]byte("x"), min(len(p), 64<<10)))
	}
	b.read += n
	if b.closed || b.read > 200<<20 {
		return 0, http.ErrBodyReadAfterClose
	}
	return n, nil
}

func (b *endlessBody) Close() error { b.closed = true; return nil }

// TestComparisonsAtCanaryGoOnAfterASourceEndedItsGoroutine.
func TestComparisonsAtCanaryGoOnAfterASourceEndedItsGoroutine(t *testing.T) {
	t.Parallel()
	inDuo(t, scaivault.StageCanary, func(t *testing.T, d *duo) {
		require.Equal(t, "v1", d.get(), "different")
		d.scai.now(func(context.Context) (*scaivault.Secret, error) { runtime.Goexit(); return nil, nil })
		time.Sleep(time.Minute)
		require.Equal(t, "v1", d.get())
		synctest.Wait()
		d.scai.now(holds("v1"))
		time.Sleep(time.Minute)
		d.get()
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Equal)
	})
}
