// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import "time"

// Quirks are the answers to questions that ScaiVault's documents leave open, as far
// as a client can meet them. The zero value of each is the most natural one.
type Quirks struct {
	// Put is the answer to a PUT that succeeded. If zero, PutWhole.
	Put PutForm
	// Omitted says what a PUT does with metadata, secret_type and options that its
	// body leaves out. If zero, OmittedKept.
	Omitted Omitted
	// Same says what a PUT of the data that are there already does. If zero, SameAppends.
	Same Same
	// NonObject is how data that are not an object are refused. If zero, NonObject422.
	NonObject NonObject
	// Delete is the answer to a DELETE that succeeded. If zero, DeleteBody.
	Delete DeleteForm
	// HardDelete is the name of the query parameter for deleting for good. If zero, HardDeletePermanent.
	HardDelete HardDelete
	// Expired says what a read of a secret past its expires_at gives. If zero, ExpiredServed.
	Expired Expired
	// Deleted says what a read of a soft-deleted secret gives. If zero, DeletedMissing.
	Deleted Deleted
	// DeleteAgain says what a second soft DELETE gives. If zero, DeleteAgainMissing.
	DeleteAgain DeleteAgain
	// ConflictStatus is the status of secret_exists. If zero, Conflict409.
	ConflictStatus ConflictStatus
	// Numbers says what becomes of the numbers in data. If zero, NumbersKept.
	Numbers Numbers
	// DefaultType is the secret_type of what was written without one. If zero, DefaultTypeKV.
	DefaultType DefaultType
	// ReadMembers says which members a secret has that is read. If zero, ReadMembersShown.
	ReadMembers ReadMembers
	// ReadHeaders says which headers for caches come with it. If zero, ReadHeadersNone.
	ReadHeaders ReadHeaders
	// PartnerSecrets says how the partner's secrets show up in reads of the tenant's. If
	// zero, PartnerSecretsApart.
	PartnerSecrets PartnerSecrets

	// ListKey is the member of a listing that holds the items. If zero, ListSecrets.
	ListKey ListKey
	// ListItem says how much an item of a listing tells. If zero, ListItemWhole.
	ListItem ListItem
	// ListOrder is the order of a listing. If zero, ListByPath.
	ListOrder ListOrder
	// ListPrefix says where a prefix may end. If zero, PrefixSegments.
	ListPrefix ListPrefix
	// ListMax is the longest page. If zero, 1000.
	ListMax int
	// ListOver says what happens to a limit above ListMax. If zero, OverClamped.
	ListOver Over
	// ListDepth says how deep a listing goes. If zero, ListDepthAll.
	ListDepth ListDepth
	// ListDeleted says whether it shows what was deleted or has expired. If zero,
	// ListDeletedLeftOut.
	ListDeleted ListDeleted
	// ListDenied says whether it shows what the caller may not read. If zero,
	// ListDeniedLeftOut.
	ListDenied ListDenied
	// ListFederated says whether it shows what lies at a federation backend. If zero,
	// ListFederatedCopies.
	ListFederated ListFederated

	// Subresources says whether {path}/versions, {path}/metadata and {path}/restore are
	// served. If zero, SubresourcesServed.
	Subresources Subresources
	// MetadataForm is the answer to GET {path}/metadata. If zero, MetadataWhole.
	MetadataForm MetadataForm
	// VersionsForm is the answer to GET {path}/versions. If zero, VersionsWhole.
	VersionsForm VersionsForm
	// MetadataRoute is where metadata are changed without the data. If zero, MetadataOwnRoute.
	MetadataRoute MetadataRoute
	// MetadataUpdate says what such a change does with members that it does not name.
	// If zero, MetadataMerged.
	MetadataUpdate MetadataUpdate
	// MetadataVersion says whether such a change makes a version. If zero, MetadataKeepsVersion.
	MetadataVersion MetadataVersion
	// Restore says whether POST {path}/restore is served. If zero, RestoreServed.
	Restore Restore

	// Batch is the status of a batch in which some paths failed. If zero, Batch200.
	Batch BatchStatus
	// FailFast is the answer to a batch with fail_fast in which a path failed. If
	// zero, FailFastRefused.
	FailFast FailFast
	// BatchLimited says what runs into the read limit within a batch. If zero, BatchLimitedWhole.
	BatchLimited BatchLimited
	// BatchMetadataForm is the answer to a batch of metadata. If zero, BatchMetadataSecrets.
	BatchMetadataForm BatchMetadataForm
	// BatchSize says how many secrets the answer to a batch holds. If zero, BatchSizeAll.
	BatchSize BatchSize

	// TenantBoth is the fate of a request that names its tenant in the path and in
	// X-Tenant-ID. If zero, TenantBothAccepted.
	TenantBoth TenantBoth

	// Denied says what an identity is told of a path that it may not read. If zero, DeniedTold.
	Denied Denied
	// UnknownRoute is the answer to a path that the API does not have. If zero, UnknownRouteEnvelope.
	UnknownRoute UnknownRoute
	// FieldsForm is the shape of details.fields. If zero, FieldsFormObjects.
	FieldsForm FieldsForm
	// AuditDenied says whether the audit log has what was refused. If zero, AuditDeniedEntered.
	AuditDenied AuditDenied
	// AuditDelay is how long after a request its entry can be seen. If zero, at once.
	AuditDelay time.Duration
	// LimitHeaders are the names of the rate-limit headers. If zero, LimitHeadersX.
	LimitHeaders LimitHeaders
	// Compression says whether answers are compressed. If zero, CompressionNone.
	Compression Compression
	// Protocol is what a socket with TLS speaks. If zero, ProtocolHTTP1.
	Protocol Protocol
	// RetryAfter is the form of the header of that name. If zero, RetryAfterSeconds.
	RetryAfter RetryAfter

	// ExchangeForm is the answer to an exchange of tokens. If zero, ExchangeAccessToken.
	ExchangeForm ExchangeForm

	// EventForm says how much an event in a poll tells. If zero, EventWhole.
	EventForm EventForm
	// RestoreEvent is the event of a restore. If zero, RestoreEventRestored.
	RestoreEvent RestoreEvent
	// PollTimeout is the answer to a poll that ended without an event. If zero, PollTimeoutEmpty.
	PollTimeout PollTimeout
	// Unacked says when an event that was not acknowledged is delivered again. If zero,
	// UnackedEachPoll.
	Unacked Unacked
	// Overflow says what is dropped when a subscription's buffer is full. If zero, OverflowOldest.
	Overflow Overflow
	// UnknownSince is the answer to a poll with a since_event_id that is not known. If
	// zero, UnknownSinceStart.
	UnknownSince UnknownSince
	// AckForm is the answer to an acknowledgement. If zero, AckBody.
	AckForm AckForm

	// SyncedWrites says whether paths in mode sync can be written. If zero, SyncedWritesAllowed.
	SyncedWrites SyncedWrites
	// Sync is the answer to POST …/sync. If zero, SyncCompleted.
	Sync SyncForm
	// SyncAgain says what that does while a sync of the backend runs. If zero, SyncAgainRefused.
	SyncAgain SyncAgain
	// SyncedDeletions says what a sync does with the copy of what the backend no longer
	// has. If zero, SyncedDeletionsIgnored.
	SyncedDeletions SyncedDeletions
	// BackendDelete says what becomes of the copies when their backend is deleted. If
	// zero, BackendDeleteKeepsCopies.
	BackendDelete BackendDelete
	// FederatedWrite is the refusal of a write to a federated path. If zero, FederatedWrite403.
	FederatedWrite FederatedWrite
	// BackendFailure is the answer to a read that a backend failed. If zero, BackendFailure503.
	BackendFailure BackendFailure
	// ProxiedData says what of a KV v2 secret a proxied read gives. If zero, ProxiedDataUnwrapped.
	ProxiedData ProxiedData
	// BackendWords are the words for how a backend and its connection are. If zero,
	// BackendWordsHealthy.
	BackendWords BackendWords
	// BackendsKey is the member that holds the backends of a listing. If zero, BackendsKeyBackends.
	BackendsKey BackendsKey
	// ConflictsKey is the member that holds the conflicts of a listing. If zero,
	// ConflictsKeyConflicts.
	ConflictsKey ConflictsKey
}

// PutForm is the answer to a PUT.
type PutForm uint8

// The answers to a PUT.
const (
	PutWhole     PutForm = iota // 200 with the whole object but its data
	PutWithData                 // 200 with the whole object and its data
	PutCreated                  // 201 with path and version
	PutNoContent                // 204 without a body
)

// Omitted says what a PUT does with what its body leaves out.
type Omitted uint8

// The fates of omitted metadata, secret_type and options.
const (
	OmittedKept  Omitted = iota // they stay as they were
	OmittedReset                // they go back to their defaults
)

// Same says what a PUT of identical data does.
type Same uint8

// The effects of a PUT of identical data.
const (
	SameAppends Same = iota // it appends a version like any other
	SameIgnored             // it answers with the version that is there
)

// NonObject is how data that are not an object are refused.
type NonObject uint8

// The refusals of data that are not an object.
const (
	NonObject422 NonObject = iota // 422 validation_error
	NonObject400                  // 400 invalid_request
)

// DeleteForm is the answer to a DELETE.
type DeleteForm uint8

// The answers to a DELETE.
const (
	DeleteBody      DeleteForm = iota // 200 with path, permanent and recoverable_until
	DeleteNoContent                   // 204 without a body
)

// HardDelete is the query parameter for deleting for good.
type HardDelete uint8

// The names of that parameter. The other one is ignored.
const (
	HardDeletePermanent HardDelete = iota // ?permanent=true
	HardDeleteHard                        // ?hard=true
)

// Expired says what a read of an expired secret gives.
type Expired uint8

// The answers to a read of an expired secret.
const (
	ExpiredServed  Expired = iota // the value
	ExpiredMissing                // 404 secret_not_found
	ExpiredGone                   // 410 secret_expired
)

// ListKey is the member that holds the items of a listing.
type ListKey uint8

// The names of that member.
const (
	ListSecrets ListKey = iota // "secrets"
	ListData                   // "data"
)

// ListItem says how much an item of a listing tells.
type ListItem uint8

// The items of a listing.
const (
	ListItemWhole   ListItem = iota // everything but the data
	ListItemMinimal                 // path and version
)

// ListOrder is the order of a listing.
type ListOrder uint8

// The orders of a listing.
const (
	ListByPath           ListOrder = iota // ascending by bytes
	ListByPathDescending                  // descending by bytes
	ListByAge                             // the oldest secret first
)

// ListPrefix says where a prefix may end.
type ListPrefix uint8

// The readings of a prefix.
const (
	PrefixSegments ListPrefix = iota // "a/b" is the secret a/b and all below it; "a/b/" all below it
	PrefixString                     // "a/b" is also a/bc
)

// Over says what happens to a limit above the maximum.
type Over uint8

// The fates of such a limit.
const (
	OverClamped Over = iota // the maximum is taken
	OverRefused             // 422 validation_error
)

// BatchStatus is the status of a batch in which some paths failed.
type BatchStatus uint8

// The statuses of such a batch.
const (
	Batch200 BatchStatus = iota // 200
	Batch207                    // 207 Multi-Status
)

// FailFast is the answer to a batch with fail_fast in which a path failed.
type FailFast uint8

// The answers to such a batch.
const (
	FailFastRefused FailFast = iota // the first error is the answer to the whole request
	FailFastPartial                 // what was read before, and that one error, as in a batch without fail_fast
)

// BatchLimited says what runs into the read limit within a batch.
type BatchLimited uint8

// What runs into the read limit.
const (
	BatchLimitedWhole   BatchLimited = iota // the whole request: 429
	BatchLimitedEntries                     // the paths that are too many: rate_limited among the errors
)

// Denied says what an identity is told of a path that it may not read.
type Denied uint8

// What it is told.
const (
	DeniedTold   Denied = iota // 403 access_denied, also when there is no secret
	DeniedHidden               // 404 secret_not_found, also when there is one
)

// UnknownRoute is the answer to a path that the API does not have.
type UnknownRoute uint8

// The answers to such a path.
const (
	UnknownRouteEnvelope UnknownRoute = iota // 404 not_found in the error envelope
	UnknownRoutePlain                        // 404 in plain text
)

// RetryAfter is the form of the Retry-After header.
type RetryAfter uint8

// The forms of that header.
const (
	RetryAfterSeconds RetryAfter = iota // whole seconds
	RetryAfterDate                      // an HTTP date
)

// SyncedWrites says whether paths in mode sync can be written.
type SyncedWrites uint8

// The fates of such a write.
const (
	SyncedWritesAllowed SyncedWrites = iota // it makes a local version, which a sync does not overwrite
	SyncedWritesRefused                     // 403 forbidden, as in mode proxy
)

// SyncForm is the answer to POST …/sync.
type SyncForm uint8

// The answers to a sync.
const (
	SyncCompleted SyncForm = iota // 200 when it is done, with the counts
	SyncAccepted                  // 202 with a sync_id; it goes on in the background
)
