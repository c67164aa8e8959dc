// SPDX-License-Identifier: Apache-2.0

package bench

// vaultTable is what an uncached read of Vault costs, next to the client that
// programs come from.
func vaultTable() Table {
	peers := []peer{vaultAPI, source}
	var all []Benchmark
	for _, g := range []struct {
		name             string
		size, goroutines int
	}{
		{"KV v2, 16 B", 16, 0}, {"KV v2, 1 KiB", 1 << 10, 0}, {"KV v2, 64 KiB", 64 << 10, 0}, {"KV v2, 1 KiB, 256 goroutines", 1 << 10, 256},
	} {
		rows := gets(g.name, g.size, g.goroutines, peers)
		for i := range rows {
			rows[i].Judged = rows[i].Name == source.name
		}
		all = append(all, rows...)
	}
	return Table{
		Name: "vault", Title: "an uncached read of HashiCorp Vault", Benchmarks: all,
		measure: measureCost, shows: []quantity{nanoseconds, allocated, allocs},
		goals: []goal{
			ratioTo(vaultAPIName, "vault/api", nanoseconds, atMost(1.05)),
			ratioTo(vaultAPIName, "vault/api", allocs, below(1)),
		},
	}
}
