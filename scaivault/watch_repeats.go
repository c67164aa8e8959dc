// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"time"
)

// plainPollEvery is how often, at least, to poll without since_event_id. Such a
// poll alone brings what was delivered out of order and lost.
const plainPollEvery = time.Minute

// repeats is what a watch does about a service that delivers again what was
// acknowledged: it asks for what is newer than the last event that was told,
// and now and then for everything. The zero value asks for everything.
type repeats struct {
	last  string // id of the last event that was told
	count int    // answers that held only known events, since one did not
	stuck bool   // ask for what is newer than last
	never bool   // the service does not take since_event_id
	asked bool   // the last poll had it
	plain time.Time
}

// since returns the since_event_id of the next poll, or "".
func (r *repeats) since() string {
	r.asked = r.stuck && !r.never && r.last != "" && time.Since(r.plain) < plainPollEvery
	if r.asked {
		return r.last
	}
	r.plain = time.Now()
	return ""
}

// note takes in an answer and says how long to wait after it.
func (r *repeats) note(events, fresh int) time.Duration {
	known := events - fresh
	switch {
	case known == 0 && !r.asked:
		r.count, r.stuck = 0, false
		return 0
	case known == 0 || fresh > 0:
		return 0
	}
	r.count++
	r.stuck = r.stuck || r.count > 1
	if r.stuck && !r.asked && !r.never && r.last != "" {
		return 0 // the next poll asks for what is newer, and waits for it
	}
	return exponential(r.count)
}

// pollFailure looks whether the service did not like since_event_id, whose
// limits it does not document. Then the poll failed, and the subscription is
// still there.
func (r *repeats) pollFailure(err error) error {
	var e *Error
	if !r.asked || !errors.As(err, &e) || e.Code == codeSubscriptionNotFound {
		return err
	}
	if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) {
		return err
	}
	r.never = true
	own := *e
	own.Kind, own.Reason = ErrUnavailable, "the service does not take since_event_id"
	return &own
}
