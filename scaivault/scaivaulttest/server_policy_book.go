// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A policyBook holds the policies and their bindings.
type policyBook struct {
	mu       sync.RWMutex // guards all below
	made     int          // how many policies ever were
	policies map[string]*policy
	bindings map[string][]policyBinding // by the policy's id, oldest first
}

func newPolicyBook() *policyBook {
	return &policyBook{policies: map[string]*policy{}, bindings: map[string][]policyBinding{}}
}

func noPolicy() *refusal {
	return refuse(http.StatusNotFound, "policy_not_found", "no policy of that id")
}

// add enters a new policy and gives it its id.
func (b *policyBook) add(p *policy) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	p.number, p.id, p.created = b.made, "pol_"+randomID()[:16], p.updated
	b.policies[p.id] = p
}

// find returns a policy and a copy of its bindings.
func (b *policyBook) find(id string) (*policy, []policyBinding, *refusal) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	p := b.policies[id]
	if p == nil {
		return nil, nil, noPolicy()
	}
	return p, slices.Clone(b.bindings[id]), nil
}

// list returns the policies after the given number, oldest first.
func (b *policyBook) list(after int, wanted func(*policy) bool) []*policy {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := slices.SortedFunc(maps.Values(b.policies), byNumber)
	return slices.DeleteFunc(all, func(p *policy) bool { return p.number <= after || !wanted(p) })
}

// change puts what f makes of a policy in its place, unless f refuses.
func (b *policyBook) change(id string, f func(*policy) (*policy, *refusal)) (*policy, []policyBinding, *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.policies[id]
	if old == nil {
		return nil, nil, noPolicy()
	}
	p, refusal := f(old)
	if refusal != nil {
		return nil, nil, refusal
	}
	b.policies[id] = p
	return p, slices.Clone(b.bindings[id]), nil
}

// remove deletes a policy, one with bindings only by force.
func (b *policyBook) remove(id string, force bool) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policies[id] == nil {
		return noPolicy()
	}
	if n := len(b.bindings[id]); n > 0 && !force {
		return refuse(http.StatusConflict, "policy_in_use", "the policy has %d bindings", n).with("binding_count", n)
	}
	delete(b.policies, id)
	delete(b.bindings, id)
	return nil
}

// bind adds a binding and gives it its id.
func (b *policyBook) bind(id string, binding *policyBinding) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policies[id] == nil {
		return noPolicy()
	}
	binding.ID, binding.CreatedAt = "bnd_"+randomID()[:16], timestamp(time.Now())
	b.bindings[id] = append(b.bindings[id], *binding)
	return nil
}

// unbind takes a binding away.
func (b *policyBook) unbind(id, bindingID string) *refusal {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.policies[id] == nil {
		return noPolicy()
	}
	at := slices.IndexFunc(b.bindings[id], func(binding policyBinding) bool { return binding.ID == bindingID })
	if at < 0 {
		return refuse(http.StatusNotFound, "binding_not_found", "no binding of that id")
	}
	b.bindings[id] = slices.Delete(b.bindings[id], at, at+1)
	return nil
}

// bound returns the active policies that bind an identity, oldest first.
func (b *policyBook) bound(identityID string) []*policy {
	now := time.Now()
	b.mu.RLock()
	defer b.mu.RUnlock()
	var bound []*policy
	for id, p := range b.policies {
		binds := func(binding policyBinding) bool { return binding.binds(identityID, now) }
		if p.Active && slices.ContainsFunc(b.bindings[id], binds) {
			bound = append(bound, p)
		}
	}
	slices.SortFunc(bound, byNumber)
	return bound
}
