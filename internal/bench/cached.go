// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/tailscale/setec/client/setec"
	"github.com/tailscale/setec/types/api"
	"gocloud.dev/runtimevar"
	"gocloud.dev/runtimevar/constantvar"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A keeper has the secrets of paths in memory, and reads them one after another,
// as asked has them.
type keeper struct {
	name string
	open func(paths, asked []string) (Op, func(), error)
}

// An order is how the secrets of an estate are asked for.
type order struct {
	name  string
	asked func(paths []string) []string
}

var (
	// As a plain loop does it, in the order and by the very strings by which they
	// were stored: the processor sees what comes next.
	inOrder = order{"in order", func(paths []string) []string { return paths }}
	// By strings that lie elsewhere: nothing is where the processor expects it.
	atRandom = order{"at random", shuffled}
)

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
	keepConstant   = keeper{constantName, openStore(constantFlag)}
	keepFile       = keeper{fileName, openStore(fileFlag)}
	keepFunc       = keeper{funcName, openStore(funcFlag)}
)

// cachedTable is what a read costs that is answered from memory.
func cachedTable() Table {
	var all []Benchmark
	for _, e := range estates {
		for _, k := range []keeper{keepSetec, keepRuntimevar, keepConstant, keepFile, keepFunc} {
			row := k.row(e.n, e.order)
			row.Group, row.Name, row.Judged = secrets(e.n, e.order), k.name, k.isStore()
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
	for _, e := range estates {
		for _, k := range []keeper{keepSetec, keepConstant, keepFile} {
			for cores, name := range []string{one, two} {
				row := k.row(e.n, e.order)
				row.Group, row.Name, row.Judged = k.name+", "+secrets(e.n, e.order), name, k.isStore() && name == two
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

// estates are those whose secrets are read.
var estates = []struct {
	n     int
	order order
}{{1, atRandom}, {10_000, inOrder}, {10_000, atRandom}}

func secrets(n int, o order) string {
	if n == 1 {
		return "1 secret"
	}
	return fmt.Sprintf("%d secrets %s", n, o.name)
}

func (k keeper) isStore() bool { return k.name != setecName && k.name != runtimevarName }

func (k keeper) row(n int, o order) Benchmark {
	return Benchmark{Each: batch, Open: func(string) (Op, func(), error) {
		paths := estate(n)
		return k.open(paths, o.asked(paths))
	}}
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

func openStore(flag func() (scaivault.Flag, func(), error)) func(paths, asked []string) (Op, func(), error) {
	return func(paths, asked []string) (Op, func(), error) {
		f, done, err := flag()
		if err != nil {
			return nil, nil, err
		}
		op, closeStore, err := openStoreWith(f, paths, asked)
		if err != nil {
			done()
			return nil, nil, err
		}
		return op, func() { closeStore(); done() }, nil
	}
}

func openStoreWith(flag scaivault.Flag, paths, asked []string) (Op, func(), error) {
	store, err := scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: memory{payload(16)}, Flag: flag, InitialStage: scaivault.StageScaiVault,
		Cache: scaivault.CacheConfig{TTL: time.Hour},
	})
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		if _, err := store.Get(context.Background(), path); err != nil {
			return nil, nil, errors.Join(err, store.Close())
		}
	}
	get := func(ctx context.Context, i int) (*scaivault.Secret, error) { return store.Get(ctx, asked[i]) }
	return batchOf(len(asked), get), func() { _ = store.Close() }, nil
}

func constantFlag() (scaivault.Flag, func(), error) { return scaivault.StageScaiVault, func() {}, nil }

// fileFlag makes a flag in a file of its own, which is watched meanwhile.
func fileFlag() (scaivault.Flag, func(), error) {
	dir, err := os.MkdirTemp("", "scaivault-bench-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the flag: %w", err)
	}
	remove := func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, "stages")
	if err := os.WriteFile(file, []byte(scaivault.StageScaiVault.String()+"\n"), 0o600); err != nil {
		remove()
		return nil, nil, fmt.Errorf("write the flag: %w", err)
	}
	flag, err := scaivault.FileFlag(file)
	if err != nil {
		remove()
		return nil, nil, err
	}
	return flag, func() { _ = flag.Close(); remove() }, nil
}

func funcFlag() (scaivault.Flag, func(), error) {
	return scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { return scaivault.StageScaiVault }), func() {}, nil
}

// setecServer is a server of setec's that has every secret at once.
type setecServer struct{ data []byte }

func (s setecServer) Get(context.Context, string) (*api.SecretValue, error) {
	return &api.SecretValue{Version: 1, Value: s.data}, nil
}

func (s setecServer) GetIfChanged(context.Context, string, api.SecretVersion) (*api.SecretValue, error) {
	return nil, api.ErrValueNotChanged
}

func openSetec(paths, asked []string) (Op, func(), error) {
	store, err := setec.NewStore(context.Background(), setec.StoreConfig{
		Client: setecServer{payload(16)}, Secrets: paths, PollInterval: -1, Logf: func(string, ...any) {},
	})
	if err != nil {
		return nil, nil, err
	}
	handles := make([]setec.Secret, len(asked))
	for i, path := range asked {
		handles[i] = store.Secret(path)
	}
	get := func(_ context.Context, i int) ([]byte, error) { return handles[i].Get(), nil }
	return batchOf(len(asked), get), func() { _ = store.Close() }, nil
}

// openRuntimevar knows no order: its variables have no paths, and lie in the
// order in which they are read.
func openRuntimevar(paths, _ []string) (Op, func(), error) {
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
