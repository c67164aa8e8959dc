// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"
)

// indexFor is how long a read demands the state of a write. Replicas lag by
// seconds; a state that is demanded for ever would fail every read of a cluster
// that was restored from before.
const indexFor = time.Minute

// An index holds the state that Vault Enterprise tells after a write, so that
// a node which has not got that far answers 412 instead of something older. The
// zero value demands nothing.
type index struct{ last atomic.Pointer[indexed] }

// indexed is immutable.
type indexed struct {
	states []string // of one cluster; at most two, where neither has all of the other
	at     time.Time
}

// record takes note of a write's answer.
func (x *index) record(header http.Header) {
	state := header.Get(headerIndex)
	if state == "" {
		return
	}
	for {
		old := x.last.Load()
		next := &indexed{at: time.Now()}
		if old != nil {
			next.states = slices.Clone(old.states)
		}
		next.states = api.MergeReplicationStates(next.states, state)
		if x.last.CompareAndSwap(old, next) {
			return
		}
	}
}

// required returns what a request has to demand, or nil.
func (x *index) required() []string {
	last := x.last.Load()
	if last == nil || time.Since(last.at) > indexFor {
		return nil
	}
	return last.states
}
