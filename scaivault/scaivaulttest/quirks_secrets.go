// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// Deleted says what a read of a soft-deleted secret gives.
type Deleted uint8

// The answers to such a read.
const (
	DeletedMissing Deleted = iota // 404 secret_not_found
	DeletedGone                   // 410 secret_deleted
)

// DeleteAgain says what a soft DELETE of a soft-deleted secret gives.
type DeleteAgain uint8

// The answers to such a DELETE.
const (
	DeleteAgainMissing  DeleteAgain = iota // 404 secret_not_found
	DeleteAgainAccepted                    // the answer to the first one; nothing changes
)

// ConflictStatus is the status of secret_exists.
type ConflictStatus uint8

// The statuses of that code.
const (
	Conflict409 ConflictStatus = iota // 409
	Conflict412                       // 412
	Conflict400                       // 400
)

// Numbers says what becomes of the numbers in the data of a PUT.
type Numbers uint8

// The fates of those numbers.
const (
	NumbersKept    Numbers = iota // the data stay as they are, byte for byte
	NumbersRounded                // they become 64-bit floats, and the data are written anew, with sorted keys
)

// DefaultType is the secret_type of a secret that was written without one.
type DefaultType uint8

// The types of such a secret.
const (
	DefaultTypeKV   DefaultType = iota // kv
	DefaultTypeJSON                    // json
)

// ReadMembers says which members a secret has that is read.
type ReadMembers uint8

// The members of such a secret.
const (
	ReadMembersShown ReadMembers = iota // those of the documents' examples
	ReadMembersNamed                    // also last_accessed_at, secret_policy_id and notify_before, which are only named
)

// ReadHeaders says which headers for caches an answer with a secret has.
type ReadHeaders uint8

// The headers of such an answer.
const (
	ReadHeadersNone    ReadHeaders = iota // none
	ReadHeadersCaching                    // ETag, Last-Modified and a Cache-Control that allows a minute
)

// PartnerSecrets says how the partner's secrets show up in reads of the tenant's.
type PartnerSecrets uint8

// The ways in which they do.
const (
	PartnerSecretsApart    PartnerSecrets = iota // not at all
	PartnerSecretsFallback                       // where the tenant has no secret a read gives the partner's
)
