// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A vaultToken is a token of Vault. Its first part does not change once it is made; the second is the store's.
type vaultToken struct {
	id          string
	accessor    string
	displayName string
	path        string // where it was made
	policies    []string
	meta        map[string]string
	kind        string // "service" or "batch"
	numUses     int    // zero: as many as it likes
	ns          *vaultNamespace
	entityID    string
	orphan      bool
	renewable   bool
	issued      time.Time
	ttl         time.Duration // when it was made; zero: forever
	explicitMax time.Duration
	period      time.Duration
	lease       time.Duration               // of the mount that made it; zero: the system's
	maxLease    time.Duration               // of the mount that made it; zero: the system's
	limits      func() (tokenLimits, error) // asks an auth method at renewal; nil: those above

	compiled atomic.Pointer[compiledPolicies]
	client   atomic.Pointer[string] // what clientID found out

	expires  time.Time     // zero: never
	lastTTL  time.Duration // what it had at the last renewal; zero: none yet
	renewed  time.Time
	uses     int // left
	children []*vaultToken
	revoked  bool
}

// tokenLimits are what an auth method allows a token.
type tokenLimits struct {
	ttl, maxTTL, period, explicitMax time.Duration
}

// compiledPolicies are a token's policies at one state of its namespace.
type compiledPolicies struct {
	turn uint64
	acl  *vaultACL
}

// validIn tells whether the token counts in a namespace: its own and those below.
func (t *vaultToken) validIn(ns *vaultNamespace) bool { return strings.HasPrefix(ns.path, t.ns.path) }

func (t *vaultToken) isRoot() bool { return slices.Contains(t.policies, "root") }

// acl compiles the token's policies, unless none of the namespace's has changed since.
func (t *vaultToken) acl() *vaultACL {
	turn := t.ns.policyTurn.Load()
	if c := t.compiled.Load(); c != nil && c.turn == turn {
		return c.acl
	}
	acl := t.ns.compile(t.policies)
	t.compiled.Store(&compiledPolicies{turn: turn, acl: acl})
	return acl
}

func (t *vaultToken) clientID() string {
	if t.entityID != "" {
		return t.entityID
	}
	if id := t.client.Load(); id != nil {
		return *id
	}
	id := clientID(t.policies, t.ns.id)
	t.client.Store(&id)
	return id
}

// clientID is the name under which Vault counts a token that belongs to no entity.
func clientID(policies []string, namespace string) string {
	sorted := slices.Sorted(slices.Values(policies))
	sum := sha256.Sum256([]byte(strings.Join(sorted, "\x1f") + "\x1e" + namespace))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A tokenStore keeps tokens until they expire.
type tokenStore struct {
	mu         sync.RWMutex // guards all below, and the second part of each token
	byID       map[string]*vaultToken
	byAccessor map[string]*vaultToken
	sweepAt    int // how many tokens there are when the expired ones are next looked for
}

func (s *tokenStore) add(t *vaultToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(nil, t)
}

// adopt adds a token that ends with its parent.
func (s *tokenStore) adopt(parent, t *vaultToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(parent, t)
}

func (s *tokenStore) addLocked(parent, t *vaultToken) {
	if s.byID == nil {
		s.byID, s.byAccessor = map[string]*vaultToken{}, map[string]*vaultToken{}
	}
	if len(s.byID) >= s.sweepAt {
		for _, old := range s.byID {
			if old.expired() {
				s.revokeLocked(old)
			}
		}
		s.sweepAt = 2*len(s.byID) + 1024
	}
	s.byID[t.id] = t
	if t.accessor != "" {
		s.byAccessor[t.accessor] = t
	}
	if parent == nil || t.orphan {
		return
	}
	if parent.revoked {
		s.revokeLocked(t)
		return
	}
	parent.children = slices.DeleteFunc(parent.children, func(child *vaultToken) bool { return child.revoked })
	parent.children = append(parent.children, t)
}

func (t *vaultToken) expired() bool { return !t.expires.IsZero() && !time.Now().Before(t.expires) }

// find returns a token that is still good, or nil.
func (s *tokenStore) find(id string) *vaultToken { return s.look(&s.byID, id) }

func (s *tokenStore) findAccessor(accessor string) *vaultToken {
	return s.look(&s.byAccessor, accessor)
}

func (s *tokenStore) look(index *map[string]*vaultToken, name string) *vaultToken {
	s.mu.RLock()
	t := (*index)[name]
	gone := t != nil && t.expired()
	s.mu.RUnlock()
	if gone {
		s.revoke(t)
		return nil
	}
	return t
}

// use counts one use and reports whether there was one left.
func (s *tokenStore) use(t *vaultToken) bool {
	if !t.limited() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.uses == 0 {
		return false
	}
	t.uses--
	return true
}

// spent tells whether this is the token's last use.
func (s *tokenStore) spent(t *vaultToken) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return t.limited() && t.uses == 0
}

// spend ends a token whose last use this was; t may be nil.
func (s *tokenStore) spend(t *vaultToken) {
	if t == nil || !t.limited() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.uses == 0 {
		s.revokeLocked(t)
	}
}

func (s *tokenStore) revoke(t *vaultToken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revokeLocked(t)
}

func (s *tokenStore) revokeLocked(t *vaultToken) {
	pending := []*vaultToken{t}
	for len(pending) > 0 {
		t = pending[len(pending)-1]
		pending = append(pending[:len(pending)-1], t.children...)
		t.revoked, t.children = true, nil
		if s.byID[t.id] == t {
			delete(s.byID, t.id)
		}
		delete(s.byAccessor, t.accessor)
	}
}

// revokeMadeBy ends the tokens that an auth method gave, when it is disabled.
func (s *tokenStore) revokeMadeBy(ns *vaultNamespace, route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.byID {
		if t.ns == ns && strings.HasPrefix(t.path, route) {
			s.revokeLocked(t)
		}
	}
}

// leaseTime works out how long something lives from now on, and says when it had to be shortened. limits.ttl is what the auth method wants, increment what
// the caller asks for.
func leaseTime(issued time.Time, increment time.Duration, limits tokenLimits, mountDefault, mountMax time.Duration) (ttl time.Duration, warnings []string, err error) {
	longest := mountMax
	for _, limit := range []time.Duration{limits.maxTTL, limits.explicitMax} {
		if limit > 0 && limit < longest {
			longest = limit
		}
	}
	now := time.Now().Truncate(time.Second)
	end := issued.Truncate(time.Second).Add(longest)
	switch {
	case limits.period > 0:
		if ttl = limits.period; ttl > longest {
			warnings = append(warnings, fmt.Sprintf("period of %q exceeded the effective max_ttl of %q; period value is capped accordingly",
				shortDuration(ttl), shortDuration(longest)))
			ttl = longest
		}
		if limits.explicitMax == 0 {
			return ttl, warnings, nil
		}
		end = issued.Truncate(time.Second).Add(limits.explicitMax)
	case increment > 0:
		ttl = increment
	case limits.ttl > 0:
		ttl = limits.ttl
	default:
		ttl = mountDefault
	}
	left := end.Sub(now)
	if left <= 0 {
		return 0, nil, fmt.Errorf("past the max TTL, cannot renew")
	}
	if ttl > left {
		warnings = append(warnings, fmt.Sprintf("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly",
			shortDuration(ttl), shortDuration(left)))
		ttl = left
	}
	return ttl, warnings, nil
}

// shortDuration leaves out the zeros at the end: 24h0m0s is 24h.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// limited tells whether the token ends with its last use. A batch token is told a
// number when it is made and keeps none.
func (t *vaultToken) limited() bool { return t.numUses > 0 && t.kind != "batch" }
