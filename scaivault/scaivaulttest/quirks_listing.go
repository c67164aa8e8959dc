// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// ListDepth says how deep a listing goes.
type ListDepth uint8

// The depths of a listing.
const (
	ListDepthAll ListDepth = iota // all secrets below the prefix
	ListDepthOne                  // one level: what lies deeper is an item with the path of its folder and a slash
)

// ListDeleted says whether a listing shows soft-deleted secrets, and expired ones that
// are not served.
type ListDeleted uint8

// What a listing does with them.
const (
	ListDeletedLeftOut ListDeleted = iota // it leaves them out
	ListDeletedMarked                     // it shows them, the deleted ones with deleted_at
	ListDeletedShown                      // it shows them like others
)

// ListDenied says whether a listing shows what the caller may not read.
type ListDenied uint8

// What a listing does with it.
const (
	ListDeniedLeftOut ListDenied = iota // it leaves it out
	ListDeniedShown                     // it shows it
)

// BatchSize says how many secrets the answer to a batch holds.
type BatchSize uint8

// The sizes of that answer.
const (
	BatchSizeAll BatchSize = iota // all that were asked for
	BatchSize50                   // no more than 50 paths; the others are in neither map
)

// ListFederated says whether a listing shows secrets of a federation backend.
type ListFederated uint8

// What a listing does with them.
const (
	ListFederatedCopies  ListFederated = iota // it shows the copies of mode sync, and nothing of mode proxy
	ListFederatedLeftOut                      // it shows neither
	ListFederatedShown                        // it shows both; what is proxied has its path and backend_id, and no version
)
