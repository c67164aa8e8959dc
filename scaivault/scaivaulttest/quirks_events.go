// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// EventForm says how much an event in a poll tells.
type EventForm uint8

// The events of a poll.
const (
	EventWhole EventForm = iota // the whole envelope, as webhooks have it
	EventShort                  // event_id, event_type, timestamp, path and data
)

// RestoreEvent is the event of a restore.
type RestoreEvent uint8

// The events of a restore.
const (
	RestoreEventRestored RestoreEvent = iota // secret.restored
	RestoreEventCreated                      // secret.created
	RestoreEventNone                         // none
)

// PollTimeout is the answer to a poll that ended without an event.
type PollTimeout uint8

// The answers to such a poll.
const (
	PollTimeoutEmpty     PollTimeout = iota // 200 with an empty list
	PollTimeoutNoContent                    // 204 without a body
)

// Unacked says when an event that was not acknowledged is delivered again.
type Unacked uint8

// The times of the next delivery.
const (
	UnackedEachPoll Unacked = iota // with the next poll
	UnackedLater                   // with the first poll after 30 seconds
)

// Overflow says what is dropped when a subscription's buffer is full.
type Overflow uint8

// The events that are dropped. Nothing in an answer tells of it.
const (
	OverflowOldest Overflow = iota // the oldest that was not acknowledged
	OverflowNewest                 // the one that comes
)

// UnknownSince is the answer to a poll with a since_event_id that is not known.
type UnknownSince uint8

// The answers to such a poll.
const (
	UnknownSinceStart UnknownSince = iota // all that is there
	UnknownSince404                       // 404 event_not_found
	UnknownSince400                       // 400 invalid_request
)

// AckForm is the answer to an acknowledgement.
type AckForm uint8

// The answers to an acknowledgement.
const (
	AckBody      AckForm = iota // 200 with {"acknowledged":n}
	AckNoContent                // 204 without a body
)
