// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

const mapName = "map[string]*Secret and a mutex"

// memoryTable is what n secrets take that are kept, themselves included, which
// are the same for both. They are small: larger ones make the ratio better. The
// paths that were asked for are not counted, as they are the caller's; so the
// copies that the Store makes of them are, and the map makes none.
func memoryTable(n int) Table {
	const size = 16
	group := fmt.Sprintf("%d secrets of %d B", n, size)
	paths := sync.OnceValue(func() []string { return estate(n) })
	return Table{
		Name: "memory", Title: "what is kept takes, with the secrets themselves",
		Benchmarks: []Benchmark{
			{Group: group, Name: mapName, Each: n, Open: openMap(paths, size)},
			{Group: group, Name: "Store", Each: n, Open: openFull(paths, size), Judged: true},
		},
		measure: measureMemory, shows: []quantity{perEntry}, once: true,
		goals: []goal{ratioTo(mapName, "map", perEntry, atMost(1.5)), moreThan(mapName, "map", perEntry, bound{})},
	}
}

// A lockedMap is what a program has that keeps secrets without a Store.
type lockedMap struct {
	mu  sync.Mutex // guards all
	all map[string]*scaivault.Secret
}

func openMap(paths func() []string, size int) func(string) (Op, func(), error) {
	return func(string) (Op, func(), error) {
		paths()
		return func(ctx context.Context) (any, error) {
			source := memory{payload(size)}
			m := &lockedMap{all: map[string]*scaivault.Secret{}}
			for _, path := range paths() {
				secret, err := source.Get(ctx, path)
				if err != nil {
					return nil, err
				}
				m.mu.Lock()
				m.all[path] = secret
				m.mu.Unlock()
			}
			return m, nil
		}, func() {}, nil
	}
}

func openFull(paths func() []string, size int) func(string) (Op, func(), error) {
	return func(string) (Op, func(), error) {
		paths()
		return func(ctx context.Context) (any, error) {
			store, err := scaivault.NewStore(scaivault.StoreConfig{
				ScaiVault: memory{payload(size)},
				Cache:     scaivault.CacheConfig{TTL: time.Hour, MaxEntries: len(paths())},
			})
			if err != nil {
				return nil, err
			}
			for _, path := range paths() {
				if _, err := store.Get(ctx, path); err != nil {
					return nil, errors.Join(err, store.Close())
				}
			}
			if known := store.Stats().Entries; known != len(paths()) {
				err = fmt.Errorf("the Store keeps %d of %d secrets", known, len(paths()))
				return nil, errors.Join(err, store.Close())
			}
			return store, nil
		}, func() {}, nil
	}
}
