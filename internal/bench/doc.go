// SPDX-License-Identifier: Apache-2.0

// Package bench measures what an uncached read through this library costs,
// next to what else a program could do.
//
// # What is measured
//
// Everyone reads the same secret from one server on the loopback interface, by
// plain http and over connections that are kept:
//
//   - net/http and encoding/json: the least that a program can do which has no
//     library. A GET, the whole body, and that decoded into a map.
//   - vault/api KVv2.Get: the client that programs come from.
//   - scaivault.Client.Get
//   - vault.Source.Get: what this library puts around vault/api.
//
// The first and the third read ScaiVault's form of the secret, the other two
// that of KV v2. All have pools of the same size. The groups differ in the
// secret's size; in whether 256 goroutines share the client; and in whether one
// field is read in the end, for which net/http and vault/api have decoded
// everything already and a [scaivault.Secret] has not.
//
// The server is a process of its own, which the program starts by itself, so
// that what it allocates is not counted. It shares the machine's processors.
//
// # How to run
//
// From the top of the repository,
//
//	go run -C internal/bench ./cmd/report
//
// takes less than a minute and prints one table; -rounds and -time make it
// longer and steadier. For one benchmark, and for profiles of it, there are
// the same ones as Go benchmarks:
//
//	go test -C internal/bench -run '^$' -bench 'Table/Get_1_KiB$/Client' -cpuprofile /tmp/cpu -memprofile /tmp/mem
//
// # How to read
//
// ns/op, B/op and allocs/op are the medians of all rounds. With 256 goroutines
// ns/op is the time of all reads by their number, the inverse of the
// throughput.
//
// What counts is how often a row costs another row of its group. Each round
// measures everyone once, in turn, and the ratio is the median of the rounds'
// ratios, as machines are never quiet for long. The head of a column names the
// other row and the goal. Whether scaivault.Client.Get has met or missed it is
// information: the exit code stays 0.
//
// Allocations are the same from run to run within one or two; times are not.
// A difference of less than a twentieth between two runs says nothing.
//
// # How to add
//
// Add a row in [Benchmarks].
package bench
