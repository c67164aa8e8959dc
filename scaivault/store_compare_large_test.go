// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A weighed behaviour remembers the secrets that it has answered without keeping
// them.
type weighed struct {
	data  []byte
	mu    sync.Mutex // guards given
	given []weak.Pointer[scaivault.Secret]
}

func (w *weighed) answer(context.Context) (*scaivault.Secret, error) {
	secret, err := scaivault.NewSecret(scaivault.SecretInfo{Source: "scaivault"}, w.data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = append(w.given, weak.Make(secret))
	return secret, err
}

func (w *weighed) alive() (alive, given int) {
	runtime.GC()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.given {
		if p.Value() != nil {
			alive++
		}
	}
	return alive, len(w.given)
}

// TestLargeAnswersOfTheShadowAreNotHeld: while one is compared, each other one is
// dropped at once, the callers wait for none of them, and none is left.
func TestLargeAnswersOfTheShadowAreNotHeld(t *testing.T) {
	t.Parallel()
	large := &weighed{data: []byte(`{"v":"` + strings.Repeat("x", 2<<20) + `"}`)}
	comparing, goOn := make(chan struct{}), make(chan struct{})
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		comparing, goOn = make(chan struct{}), make(chan struct{})
		d.scai.now(large.answer)
		d.atOnce(t, "v1")
		<-comparing
		for range 20 {
			d.atOnce(t, "v1")
			synctest.Wait()
		}
		alive, given := large.alive()
		require.Equal(t, 21, given)
		require.LessOrEqual(t, alive, 1)
		require.EqualValues(t, 20, d.store.Stats().Dropped)

		d.scai.now(holds("v1"))
		for range 5 {
			d.atOnce(t, "v1")
			synctest.Wait()
		}
		require.EqualValues(t, 5, d.store.Stats().Equal, "small values are compared meanwhile")
		close(goOn)
		synctest.Wait()
		require.EqualValues(t, 1, d.store.Stats().Different)
		alive, _ = large.alive()
		require.Zero(t, alive)
		d.scai.now(large.answer)
		d.atOnce(t, "v1")
		synctest.Wait()
		require.EqualValues(t, 2, d.store.Stats().Different, "the next one is compared again")
	}, sampling(1), func(c *scaivault.StoreConfig) {
		first := true
		c.Compare.MaxParallel = 4
		c.Trace = &scaivault.Trace{Compare: func(i scaivault.CompareInfo) {
			if i.Outcome == scaivault.CompareDifferent && first {
				first = false
				close(comparing)
				<-goOn
			}
		}}
	})
}

// TestOnlySoManyAnswersOfTheShadowAreAlive as may be compared at a time.
func TestOnlySoManyAnswersOfTheShadowAreAlive(t *testing.T) {
	t.Parallel()
	small := &weighed{data: []byte(`{"v":"s1"}`)}
	var goOn chan struct{}
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		goOn = make(chan struct{})
		d.scai.now(small.answer)
		for range 50 {
			d.atOnce(t, "v1")
		}
		synctest.Wait()
		alive, given := small.alive()
		require.Equal(t, 2, given)
		require.LessOrEqual(t, alive, 2)
		require.EqualValues(t, 48, d.store.Stats().Dropped)
		close(goOn)
		synctest.Wait()
		alive, _ = small.alive()
		require.Zero(t, alive)
	}, sampling(1), func(c *scaivault.StoreConfig) {
		c.Compare.MaxParallel = 2
		c.Trace = &scaivault.Trace{Compare: func(i scaivault.CompareInfo) {
			if i.Outcome == scaivault.CompareDifferent {
				<-goOn
			}
		}}
	})
}

// TestAComparisonNamesABoundedNumberOfFields, each cut to a bounded length.
func TestAComparisonNamesABoundedNumberOfFields(t *testing.T) {
	t.Parallel()
	many := map[string]int{strings.Repeat("é", 1000): 1, "zz": 1}
	for i := range 1000 {
		many[fmt.Sprintf("f%03d", i)] = i
	}
	data, err := json.Marshal(many)
	require.NoError(t, err)
	var got []scaivault.CompareInfo
	inDuo(t, scaivault.StageShadow, func(t *testing.T, d *duo) {
		d.scai.now(raw(string(data)))
		d.get()
		synctest.Wait()
		d.scai.now(raw(`{"v":"v1","` + strings.Repeat("é", 1000) + `":1}`))
		time.Sleep(time.Second)
		d.get()
		synctest.Wait()
		require.Len(t, got, 2)
		require.Len(t, got[0].Fields, 100)
		assert.Equal(t, "f000", got[0].Fields[0])
		assert.Equal(t, []string{strings.Repeat("é", 128) + "…"}, got[1].Fields)
	}, sampling(1), func(c *scaivault.StoreConfig) {
		c.Trace = &scaivault.Trace{Compare: func(i scaivault.CompareInfo) { got = append(got, i) }}
	})
}
