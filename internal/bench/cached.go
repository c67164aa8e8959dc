// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tailscale/setec/client/setec"
	"github.com/tailscale/setec/types/api"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/constantvar"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A keeper has n secrets in memory, and reads one of them after another.
type keeper struct {
	name string
	open func(paths []string) (Op, func(), error)
}

const (
	setecName      = "setec Secret.Get"
	runtimevarName = "gocloud runtimevar Latest"
	constantName   = "Store.Get, constant flag"
	fileName       = "Store.Get, file flag"
	funcName       = "Store.Get, flag without epoch"
)

// batch is how many reads one Op of a keeper does.
const batch = 1000

var (
	keepSetec      = keeper{setecName, openSetec}
	keepRuntimevar = keeper{runtimevarName, openRuntimevar}
	keepConstant   = keeper{constantName, openStore(func() (scaivault.Flag, error) { return scaivault.StageScaiVault, nil })}
	keepFile       = keeper{fileName, openStore(newEpochFlag)}
	keepFunc       = keeper{funcName, openStore(newFuncFlag)}
)

// cachedTable is what a read costs that is answered from memory.
func cachedTable() Table {
	var all []Benchmark
	for _, n := range []int{1, 10_000} {
		for _, k := range []keeper{keepSetec, keepRuntimevar, keepConstant, keepFile, keepFunc} {
			row := k.row(n)
			row.Group, row.Name, row.Judged = secrets(n), k.name, k.isStore()
			all = append(all, row)
		}
	}
	return Table{
		Name: "cached", Title: "a read that is answered from memory", Benchmarks: all,
		measure: measureCost, shows: []quantity{tenths, allocated, allocs},
		goals: []goal{
			ratioTo(setecName, "setec", nanoseconds, atMost(0.5)),
			ratioTo(runtimevarName, "runtimevar", nanoseconds, bound{}),
			itself(allocs, none()),
		},
	}
}

// coresTable is what a second core adds to the reads that are answered from
// memory.
func coresTable() Table {
	const one, two = "1 core", "2 cores"
	var all []Benchmark
	for _, n := range []int{1, 10_000} {
		for _, k := range []keeper{keepSetec, keepConstant, keepFile} {
			for cores, name := range []string{one, two} {
				row := k.row(n)
				row.Group, row.Name, row.Judged = k.name+", "+secrets(n), name, k.isStore() && name == two
				row.Cores, row.Goroutines = cores+1, cores+1
				all = append(all, row)
			}
		}
	}
	gain := ratioTo(one, one, nanoseconds, atLeast(1.6))
	gain.head, gain.rows = "throughput ÷ "+one, two
	gain.by = func(ours, theirs float64) float64 { return theirs / ours }
	return Table{
		Name: "cores", Title: "the same by one goroutine and one core, and by two", Benchmarks: all,
		measure: measureCost, shows: []quantity{tenths}, goals: []goal{gain},
	}
}

func secrets(n int) string {
	if n == 1 {
		return "1 secret"
	}
	return fmt.Sprintf("%d secrets", n)
}

func (k keeper) isStore() bool { return k.name != setecName && k.name != runtimevarName }

func (k keeper) row(n int) Benchmark {
	return Benchmark{Each: batch, Open: func(string) (Op, func(), error) { return k.open(estate(n)) }}
}

// batchOf makes an Op that reads a batch of n secrets, one after another.
func batchOf[T any](n int, get func(ctx context.Context, i int) (T, error)) Op {
	return func(ctx context.Context) (any, error) {
		var answer T
		var err error
		i := rand.IntN(n)
		for range batch {
			if answer, err = get(ctx, i); err != nil {
				return nil, err
			}
			if i++; i == n {
				i = 0
			}
		}
		return answer, nil
	}
}

func openStore(flag func() (scaivault.Flag, error)) func(paths []string) (Op, func(), error) {
	return func(paths []string) (Op, func(), error) {
		f, err := flag()
		if err != nil {
			return nil, nil, err
		}
		store, err := scaivault.NewStore(scaivault.StoreConfig{
			ScaiVault: memory{payload(16)}, Flag: f, InitialStage: scaivault.StageScaiVault,
			Cache: scaivault.CacheConfig{TTL: time.Hour},
		})
		if err != nil {
			return nil, nil, err
		}
		for _, path := range paths {
			if _, err := store.Get(context.Background(), path); err != nil {
				return nil, nil, err
			}
		}
		lookUps := asked(paths)
		get := func(ctx context.Context, i int) (*scaivault.Secret, error) { return store.Get(ctx, lookUps[i]) }
		return batchOf(len(paths), get), func() { _ = store.Close() }, nil
	}
}

// An epochFlag is what a flag in a file is to the Store.
type epochFlag struct{ epoch atomic.Uint64 }

func newEpochFlag() (scaivault.Flag, error) { return &epochFlag{}, nil }

func (*epochFlag) Stage(context.Context, string) scaivault.Stage { return scaivault.StageScaiVault }

func (f *epochFlag) Epoch() uint64 { return f.epoch.Load() }

func newFuncFlag() (scaivault.Flag, error) {
	return scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { return scaivault.StageScaiVault }), nil
}

// setecServer is a server of setec's that has every secret at once.
type setecServer struct{ data []byte }

func (s setecServer) Get(context.Context, string) (*api.SecretValue, error) {
	return &api.SecretValue{Version: 1, Value: s.data}, nil
}

func (s setecServer) GetIfChanged(context.Context, string, api.SecretVersion) (*api.SecretValue, error) {
	return nil, api.ErrValueNotChanged
}

func openSetec(paths []string) (Op, func(), error) {
	store, err := setec.NewStore(context.Background(), setec.StoreConfig{
		Client: setecServer{payload(16)}, Secrets: paths, PollInterval: -1, Logf: func(string, ...any) {},
	})
	if err != nil {
		return nil, nil, err
	}
	handles := make([]setec.Secret, len(paths))
	for i, path := range asked(paths) {
		handles[i] = store.Secret(path)
	}
	get := func(_ context.Context, i int) ([]byte, error) { return handles[i].Get(), nil }
	return batchOf(len(paths), get), func() { _ = store.Close() }, nil
}

func openRuntimevar(paths []string) (Op, func(), error) {
	variables := make([]*runtimevar.Variable, len(paths))
	for i := range variables {
		variables[i] = constantvar.NewBytes(payload(16), runtimevar.BytesDecoder)
	}
	done := func() {
		for _, v := range variables {
			_ = v.Close()
		}
	}
	get := func(ctx context.Context, i int) (runtimevar.Snapshot, error) { return variables[i].Latest(ctx) }
	return batchOf(len(paths), get), done, nil
}
