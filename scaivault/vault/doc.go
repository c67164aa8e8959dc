// SPDX-License-Identifier: Apache-2.0

// Package vault reads and writes the key-value secrets of HashiCorp Vault, as
// the Vault side of package scaivault. It is the only package of the module
// that links HashiCorp code.
//
// A [Source] goes by API paths, as they stand in Vault policies and audit logs:
// kv/data/apps/billing/db on KV v2, secret/apps/db on KV v1. Which of the two a
// mount is it finds out by itself, once per mount, from
// sys/internal/ui/mounts, unless [Config.Mounts] says it. Where that is not to
// be asked it can still read, by what the answer looks like, and write to mounts
// in which it has read. A path
// of KV v2 without data/ is [scaivault.ErrInvalid], and the error says what was
// meant.
//
// # Your client
//
// A Source takes the address, the namespace, the headers and the transport of
// your *api.Client, as they are when it is made, and never changes it; each
// namespace needs a client and a Source of its own. Its requests it sends itself:
// a read without an answer is repeated as [Config.Retry] says, a write is sent
// once.
//
// # Clusters
//
// With [Config.Addresses] a read goes on to the next node where one is stopped,
// sealed, or has lost its leader, and writes go to the leader that standbys
// name; a redirect to any other host is not followed, as the token would go
// with it. While a cluster elects a leader, calls wait for [Config.LeaderWait].
// Where Vault tells the state of a write, as Vault Enterprise does by
// X-Vault-Index, reads demand it for a minute, so that no replica answers with
// something older.
//
// # Logins
//
// [Config.Auth] logs in at the first request: by a method of Vault's own modules,
// such as github.com/hashicorp/vault/api/auth/approle, or by any other
// api.AuthMethod. The token is renewed in the background, and replaced by a
// new login where renewals end, or get no answer until the lease is near its
// end, or after Vault no longer knows it; calls under way go on with the new
// one. After an outage longer than the lease, too, the login is made in the
// background. A policy's refusal is no reason to log in. Refused logins are tried
// less and less often, to once a minute. [Config.Trace] is told of each.
//
// Printed, logged or encoded, a Config and a Source show their name, and neither
// a token nor what Auth holds.
//
// # Errors
//
// All errors match the sentinels of package scaivault. A version that was
// deleted or destroyed, or has expired, is [scaivault.ErrNotFound]. A mount that does not exist
// is told apart from a secret that does not: it is scaivault.ErrInvalid with
// the code [CodeMountNotFound]. A sealed Vault, a standby without a leader and
// an answer that is not Vault's own are [scaivault.ErrUnavailable].
//
// A write whose answer was lost is looked up, not repeated; if it still cannot
// be known, the error matches [scaivault.ErrUncertain].
//
// # Numbers
//
// What Vault returns is kept byte for byte. KV v2 itself rounds numbers to
// 64-bit floating point; KV v1 keeps every digit.
package vault
