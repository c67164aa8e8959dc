// SPDX-License-Identifier: Apache-2.0

// Package bench measures what reads through this library cost, next to what
// else a program could do.
//
// # What is measured
//
// There is a table for each question, and each is asked of everyone by turns.
//
//   - client: an uncached read. net/http and encoding/json are the least that a
//     program can do which has no library: a GET, the whole body, and that
//     decoded into a map. vault/api KVv2.Get is the client that programs come
//     from; vault.Source.Get is what this library has in its place. The groups
//     differ in the secret's size; in whether 256 goroutines share the client;
//     and in whether one field is read in the end, for which net/http and
//     vault/api have decoded everything already and a [scaivault.Secret] has not.
//   - vault: an uncached read of Vault by vault.Source.Get, which sends its
//     requests itself, and by the client that programs come from.
//   - cached: a read that is answered from memory, with one secret and with
//     10,000. These are asked for in order, as they were stored and by the same
//     strings, which is what a plain loop does and the processor foresees; and at
//     random, by strings that lie elsewhere, where each read waits for memory.
//     setec's callers hold a handle for each secret, and at random these still lie
//     in the order in which they are called; the Store's callers have a path.
//     runtimevar's variables have neither path nor order. The flag in a file is
//     a [scaivault.FileFlag], which is watched meanwhile.
//   - cores: the same, done by one goroutine on one core and by two on two.
//   - cold: what the Store adds to a Client that it must ask; with the server's
//     socket, and without, where the transport has the answer. cpu ns/op is how
//     long this process works for a read, on all cores together: the Store reads
//     in a goroutine of its own, and what a busy machine takes to let that run is
//     in the time and not in the work.
//   - outage: ScaiVault accepts connections and never answers, at canary. Each
//     round is an outage of its own, which begins with all paths clean. Nothing is
//     cached. Vault alone is a [vault.Source]. Where every read waits there is no
//     breaker, the paths stay clean, and each read asks Vault after 50 ms; a timer
//     of Go's rings up to a millisecond after that. Where the breaker is open,
//     MaxAge passes in each round: from then on Vault comes first, and the paths
//     are compared in the background with a ScaiVault that does not answer. The
//     reads after MaxAge are counted, and the fewest of a round are shown. Reads
//     at a time are of different paths, so that none shares another's answer.
//   - memory: what a million small secrets take that are kept, themselves
//     included, in a Store and in a map.
//
// The server is a process of its own, which the program starts by itself, so
// that what it allocates is not counted. It listens on the loopback interface
// and speaks plain http, over connections that are kept. All who ask it have
// pools of the same size. It shares the machine's processors.
//
// # How to run
//
// From the top of the repository,
//
//	go run -C internal/bench ./cmd/report
//
// takes two to three minutes and prints all tables, and
//
//	go run -C internal/bench ./cmd/report cached cores
//
// those two. -rounds and -time make them longer and steadier. For one benchmark,
// and for profiles of it, there are the same ones as Go benchmarks:
//
//	go test -C internal/bench -run '^$' -bench 'Table/client/Get_1_KiB$/Client' -cpuprofile /tmp/cpu -memprofile /tmp/mem
//
// # How to read
//
// ns/op, B/op and allocs/op are the medians of all rounds. With several
// goroutines ns/op is the time of all reads by their number, the inverse of the
// throughput.
//
// What counts is how often a row costs another row of its group, or how much
// more. Each round measures everyone once, in turn, and the figure is the median
// of the rounds' figures, as machines are never quiet for long. The head of a
// column names the other row and the goal. Whether this library's row has met or
// missed it is information: the exit code stays 0.
//
// Allocations are the same from run to run within one or two; times are not, and
// they say little while others use the machine. A difference of less than a
// twentieth between two runs says nothing.
//
// # How to add
//
// Add a row to a table, or a table to [Tables].
package bench
