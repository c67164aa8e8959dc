// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// FederatedWrite is the refusal of a write to a path that is federated.
type FederatedWrite uint8

// The refusals of such a write.
const (
	FederatedWrite403 FederatedWrite = iota // 403 forbidden
	FederatedWrite400                       // 400 invalid_request
	FederatedWrite405                       // 405 method_not_allowed
	FederatedWrite409                       // 409 federation_read_only, a code that no document has
)

// BackendFailure is the answer to a read whose backend did not answer as it should.
type BackendFailure uint8

// The answers to such a read. Only the first code is documented.
const (
	BackendFailure503 BackendFailure = iota // 503 service_unavailable
	BackendFailure502                       // 502 backend_unavailable
	BackendFailure504                       // 504 backend_timeout
	BackendFailure424                       // 424 backend_unavailable
)

// ProxiedData says what of a KV v2 secret is the data of a proxied read.
type ProxiedData uint8

// The data of such a read.
const (
	ProxiedDataUnwrapped ProxiedData = iota // those of the secret, with the version of Vault
	ProxiedDataWrapped                      // data and metadata of Vault's answer, as version 1
)

// BackendsKey is the member of a listing of backends that holds them.
type BackendsKey uint8

// The names of that member.
const (
	BackendsKeyBackends BackendsKey = iota // "backends"
	BackendsKeyData                        // "data"
)

// ConflictsKey is the member of a listing of conflicts that holds them.
type ConflictsKey uint8

// The names of that member.
const (
	ConflictsKeyConflicts ConflictsKey = iota // "conflicts"
	ConflictsKeyData                          // "data"
)

// BackendDelete says what becomes of the synced copies when a backend is deleted.
type BackendDelete uint8

// The fates of those copies.
const (
	BackendDeleteKeepsCopies   BackendDelete = iota // they stay, and belong to the tenant
	BackendDeleteRemovesCopies                      // they are soft-deleted
)

// SyncedDeletions says what a sync does with the copy of what the backend no longer has.
type SyncedDeletions uint8

// The fates of such a copy.
const (
	SyncedDeletionsIgnored SyncedDeletions = iota // it stays
	SyncedDeletionsFollow                         // it is soft-deleted
)

// SyncAgain says what POST …/sync does while a sync of the backend runs.
type SyncAgain uint8

// What it does.
const (
	SyncAgainRefused SyncAgain = iota // 409 sync_in_progress
	SyncAgainJoined                   // the running one is the answer, with its sync_id
	SyncAgainQueued                   // another sync follows
)

// BackendWords are the words for how a backend and its connection are. Only healthy and
// connected are documented.
type BackendWords uint8

// The words, each for well and not well.
const (
	BackendWordsHealthy   BackendWords = iota // healthy and unhealthy; the connection is connected or disconnected
	BackendWordsActive                        // active and error; the connection is connected or failed
	BackendWordsOK                            // ok and down, of both
	BackendWordsUp                            // UP and DOWN, of the backend; nothing is told of the connection
	BackendWordsConnected                     // connected and disconnected, of both
)

// of are the words for a backend that is well or not; an empty one is not told.
func (w BackendWords) of(well bool) (backend, connection string) {
	words := [...][2][2]string{
		BackendWordsHealthy:   {{"unhealthy", "disconnected"}, {"healthy", "connected"}},
		BackendWordsActive:    {{"error", "failed"}, {"active", "connected"}},
		BackendWordsOK:        {{"down", "down"}, {"ok", "ok"}},
		BackendWordsUp:        {{"DOWN", ""}, {"UP", ""}},
		BackendWordsConnected: {{"disconnected", "disconnected"}, {"connected", "connected"}},
	}
	of := words[w][0]
	if well {
		of = words[w][1]
	}
	return of[0], of[1]
}
