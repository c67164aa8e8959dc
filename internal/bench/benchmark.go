// SPDX-License-Identifier: Apache-2.0

package bench

// A Benchmark is one row of a table. The rows of one group do the same thing
// and are compared with each other.
type Benchmark struct {
	Group string
	Name  string
	// Open makes an Op that works with the server at url, and the func that
	// lets go of what the Op holds.
	Open func(url string) (Op, func(), error)
	// Goroutines share the Op. If zero, it is done by one, one after another.
	Goroutines int
	// Each is how many operations one call of the Op does: what takes
	// nanoseconds must be repeated between two looks at a clock. If zero, 1.
	Each int
	// Cores are those that the program may use meanwhile. If zero, all.
	Cores int
	// Rarely is by what the number of reads is divided where each takes long.
	// If zero, 1.
	Rarely int
	// Judged rows are held against the goals.
	Judged bool
}

func (b Benchmark) goroutines() int { return max(b.Goroutines, 1) }
func (b Benchmark) each() int       { return max(b.Each, 1) }

// Tables are all that there are. Add a row to one of them, with a group and a
// name of its own or one of those there; nothing else needs to know.
func Tables(opts Options) []Table {
	return []Table{clientTable(), vaultTable(), cachedTable(), coresTable(), coldTable(), outageTable(), memoryTable(opts.entries())}
}

// clientTable is what an uncached read costs.
func clientTable() Table {
	peers := []peer{bare, vaultAPI, scaiVault, source}
	fields := []peer{thenField(bare, "password"), thenField(vaultAPI, "password"), thenField(scaiVault, "password"), thenField(source, "password")}
	all := gets("Get 1 KiB", 1<<10, 0, peers)
	all = append(all, gets("Get 1 KiB, 256 goroutines", 1<<10, 256, peers)...)
	all = append(all, gets("Get 1 KiB, and one field", 1<<10, 0, fields)...)
	all = append(all, gets("Get 16 B", 16, 0, peers)...)
	all = append(all, gets("Get 64 KiB", 64<<10, 0, peers)...)
	return Table{
		Name: "client", Title: "an uncached read", Benchmarks: all,
		measure: measureCost, shows: []quantity{nanoseconds, allocated, allocs},
		goals: []goal{
			ratioTo(bareName, "bare", nanoseconds, atMost(1.15)),
			ratioTo(bareName, "bare", allocs, atMost(1.15)),
			ratioTo(vaultAPIName, "vault/api", nanoseconds, below(1)),
			ratioTo(vaultAPIName, "vault/api", allocs, below(1)),
		},
	}
}

// gets are the rows of one group: a read by each of the peers.
func gets(group string, size, goroutines int, peers []peer) []Benchmark {
	rows := make([]Benchmark, 0, len(peers))
	for _, p := range peers {
		rows = append(rows, Benchmark{
			Group:      group,
			Name:       p.name,
			Open:       func(url string) (Op, func(), error) { return p.open(url, size) },
			Goroutines: goroutines,
			Judged:     p.name == scaiVault.name,
		})
	}
	return rows
}
