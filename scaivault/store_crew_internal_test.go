// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rests returns how many goroutines of a Store wait for a flight.
func rests(s *Store) int {
	s.crew.mu.Lock()
	defer s.crew.mu.Unlock()
	return len(s.crew.resting)
}

// A gatedSource answers when its gate is open.
type gatedSource struct {
	sayer
	gate chan struct{}
}

func (g gatedSource) Get(ctx context.Context, path string) (*Secret, error) {
	<-g.gate
	return g.sayer.Get(ctx, path)
}

// readTogether reads n paths at a time.
func readTogether(t *testing.T, s *Store, gate chan struct{}, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := s.Get(t.Context(), strconv.Itoa(i))
			assert.NoError(t, err)
		})
	}
	synctest.Wait() // all are at the gate
	for range n {
		gate <- struct{}{}
	}
	wg.Wait()
	synctest.Wait()
}

func TestWhoHasReadRestsAndReadsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, err := NewStore(StoreConfig{ScaiVault: gatedSource{"scaivault", gate}})
		require.NoError(t, err)
		for range 3 {
			readTogether(t, s, gate, 5)
			require.Equal(t, 5, rests(s), "those of the first time")
		}
		readTogether(t, s, gate, maxResting+20)
		require.Equal(t, maxResting, rests(s), "no more rest")
		require.NoError(t, s.Close())
		require.Zero(t, rests(s))
	})
}

// TestWhoIsNotNeededEnds is for a Store that is never closed, too.
func TestWhoIsNotNeededEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, err := NewStore(StoreConfig{ScaiVault: gatedSource{"scaivault", gate}})
		require.NoError(t, err)
		readTogether(t, s, gate, 20)
		for range 10 {
			readTogether(t, s, gate, 3)
			time.Sleep(restFor)
		}
		synctest.Wait()
		require.Equal(t, 3, rests(s), "so many are at work now and then")
		time.Sleep(2 * restFor)
		synctest.Wait()
		require.Zero(t, rests(s))
		readTogether(t, s, gate, 2)
		require.Equal(t, 2, rests(s))
		time.Sleep(3 * restFor)
		// The bubble ends: nobody is left, though the Store was not closed.
	})
}

// TestWhoJoinsMayBeQuickerThanTheCrew: the flight is flown once all the same.
func TestWhoJoinsMayBeQuickerThanTheCrew(t *testing.T) {
	t.Parallel()
	asked := 0
	source := countedSource{sayer: "scaivault", asked: &asked}
	s, err := NewStore(StoreConfig{ScaiVault: source})
	require.NoError(t, err)
	r, err := s.route(t.Context(), "get", "a")
	require.NoError(t, err)
	f, _ := s.board(t.Context(), &r, false)
	for range 3 {
		_, _ = f.fly()
	}
	require.NotNil(t, s.await(t.Context(), f, nil).secret)
	s.release(r.state)
	require.NoError(t, s.Close())
	require.Equal(t, 1, asked)
	require.Zero(t, r.state.holders, "it was let go of once")
}

// A countedSource counts how often it is asked, by one at a time.
type countedSource struct {
	sayer
	asked *int
}

func (c countedSource) Get(ctx context.Context, path string) (*Secret, error) {
	*c.asked++
	return c.sayer.Get(ctx, path)
}

// TestARefreshIsFlownBesideAReadThatHasNotBegun: neither takes the other's place.
func TestARefreshIsFlownBesideAReadThatHasNotBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s, err := NewStore(StoreConfig{ScaiVault: gatedSource{"scaivault", gate}})
		require.NoError(t, err)
		for range 100 {
			r, err := s.route(t.Context(), "get", "a")
			require.NoError(t, err)
			first, _ := s.board(t.Context(), &r, false)
			second, _ := s.board(t.Context(), &r, true)
			require.NotEqual(t, first.key, second.key)
			synctest.Wait()
			gate <- struct{}{}
			gate <- struct{}{}
			require.NotNil(t, s.await(t.Context(), first, nil).secret)
			require.NotNil(t, s.await(t.Context(), second, nil).secret)
			s.release(r.state)
		}
		require.NoError(t, s.Close())
	})
}
