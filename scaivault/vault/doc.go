// SPDX-License-Identifier: Apache-2.0

// Package vault reads and writes the key-value secrets of HashiCorp Vault, as
// the Vault side of package scaivault. It is the only package of the module
// that links HashiCorp code.
//
// A [Source] goes by API paths, as they stand in Vault policies and audit logs:
// kv/data/apps/billing/db on KV v2, secret/apps/db on KV v1. Which of the two a
// mount is it finds out by itself, once per mount, from
// sys/internal/ui/mounts. Where that is not to be asked it can still read, by
// what the answer looks like, and write to mounts in which it has read. A path
// of KV v2 without data/ is [scaivault.ErrInvalid], and the error says what was
// meant.
//
// # Your client
//
// A Source works on a copy of your *api.Client and never changes yours. In the
// copy that library's own retries and redirects are off: a write is sent once,
// and a port that is closed is an error at once.
//
// # Errors
//
// All errors match the sentinels of package scaivault. A version that was
// deleted or destroyed is [scaivault.ErrNotFound]. A mount that does not exist
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
