// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// Subresources says whether the resources below a secret's path are served.
type Subresources uint8

// The fates of the sub-resources. In a GET a secret of that very path comes first.
const (
	SubresourcesServed Subresources = iota // …/versions, …/metadata and …/restore
	SubresourcesAbsent                     // they are secret paths like others
)

// MetadataForm is the answer to GET {path}/metadata.
type MetadataForm uint8

// The answers to that request.
const (
	MetadataWhole  MetadataForm = iota // the secret object but its data, and version_count
	MetadataSecret                     // the same below "secret"
	MetadataData                       // the same below "data"
	MetadataFlat                       // the same, with the members of metadata beside the others
	MetadataAlone                      // {"metadata":{…}} and nothing else
)

// VersionsForm is the answer to GET {path}/versions.
type VersionsForm uint8

// The answers to that request.
const (
	VersionsWhole   VersionsForm = iota // {"versions":[{version, created_at, created_by}]} with path and current_version, the newest first
	VersionsData                        // the same items under "data", alone
	VersionsNumbers                     // {"versions":[1,2,3]}
)

// MetadataRoute is where metadata are changed without the data.
type MetadataRoute uint8

// The requests that change metadata. The body is {"metadata":{…}}.
const (
	MetadataOwnRoute    MetadataRoute = iota // PATCH {path}/metadata, where sub-resources are served
	MetadataSecretRoute                      // PATCH {path}
)

// MetadataUpdate says what such a change does with members that it does not name.
type MetadataUpdate uint8

// The fates of those members.
const (
	MetadataMerged   MetadataUpdate = iota // they stay; one that is given as null goes
	MetadataReplaced                       // they go
)

// MetadataVersion says whether such a change makes a version.
type MetadataVersion uint8

// The effects of such a change on the versions.
const (
	MetadataKeepsVersion MetadataVersion = iota // none
	MetadataAppends                             // one more, with the same data
)

// Restore says whether POST {path}/restore is served.
type Restore uint8

// The fates of that request.
const (
	RestoreServed Restore = iota // it takes back a soft deletion
	RestoreAbsent                // it is an unknown route
)

// BatchMetadataForm is the answer to a batch of metadata.
type BatchMetadataForm uint8

// The members that hold the map of what was found, by path.
const (
	BatchMetadataSecrets  BatchMetadataForm = iota // "secrets"
	BatchMetadataMetadata                          // "metadata"
)
