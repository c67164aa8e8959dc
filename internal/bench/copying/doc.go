// SPDX-License-Identifier: Apache-2.0

// Package copying measures what migrate.Copy takes for a whole estate, next to
// the loop that people write for it, and to the bare requests.
//
// # What is measured
//
// An estate of secrets in folders of a hundred, copied from KV v2 to ScaiVault
// through a wildcard mapping:
//
//   - the loop: list, then one read with vault/api and one PUT with net/http, in
//     turn.
//   - migrate.Copy, the first time, and again with nothing changed.
//   - bare load: the same requests as of the first Copy, with net/http alone, by
//     as many workers, with all paths known, as much to write, and nothing looked at.
//
// Both services are one process of their own, which makes up the secrets when it
// is asked for them, so that it takes the same small time and memory for an
// estate of any size. On a small machine it shares the processors with whoever
// is measured. The copying process is another one, so that its peak of memory is
// its own.
//
// # How to run
//
//	go run -C internal/bench ./cmd/copy            # all but a million secrets
//	go run -C internal/bench ./cmd/copy -million   # and those
package copying
