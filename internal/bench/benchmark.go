// SPDX-License-Identifier: Apache-2.0

package bench

// A Benchmark is one row of the table. The rows of one group do the same thing
// and are compared with each other.
type Benchmark struct {
	Group string
	Name  string
	// Open makes an Op that works with the server at url, and the func that
	// lets go of what the Op holds.
	Open func(url string) (Op, func(), error)
	// Goroutines share the Op. If zero, it is done by one, one after another.
	Goroutines int
	// Judged rows are held against the goals.
	Judged bool
}

// Benchmarks are all that there are. Add a row here, with a group and a name
// of its own or one of those below; nothing else needs to know.
func Benchmarks() []Benchmark {
	peers := []peer{bare, vaultAPI, scaiVault, source}
	fields := []peer{thenField(bare, "password"), thenField(vaultAPI, "password"), thenField(scaiVault, "password"), thenField(source, "password")}
	all := gets("Get 1 KiB", 1<<10, 0, peers)
	all = append(all, gets("Get 1 KiB, 256 goroutines", 1<<10, 256, peers)...)
	all = append(all, gets("Get 1 KiB, and one field", 1<<10, 0, fields)...)
	all = append(all, gets("Get 16 B", 16, 0, peers)...)
	return append(all, gets("Get 64 KiB", 64<<10, 0, peers)...)
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
