// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"slices"
	"sync"
)

// denials are the policies: everything is allowed to every identity unless denied.
type denials struct {
	mu   sync.RWMutex // guards all below
	list map[string][]denial
}

type denial struct {
	pattern string
	paths   glob
}

func newDenials() *denials { return &denials{list: map[string][]denial{}} }

// Deny refuses the identity every access to the paths that match pathGlob, with 403
// access_denied, and leaves them out of its listings. The identity "*" is everyone.
// In the glob "**" is any number of segments, "*" any characters within one. Paths of
// the partner's secrets match like those of the tenant's.
func (s *Server) Deny(identityID, pathGlob string) {
	s.policies.mu.Lock()
	defer s.policies.mu.Unlock()
	s.policies.list[identityID] = append(s.policies.list[identityID], denial{pathGlob, parseGlob(pathGlob)})
}

// Allow takes back every Deny of the same identity and glob.
func (s *Server) Allow(identityID, pathGlob string) {
	s.policies.mu.Lock()
	defer s.policies.mu.Unlock()
	s.policies.list[identityID] = slices.DeleteFunc(s.policies.list[identityID], func(d denial) bool {
		return d.pattern == pathGlob
	})
}

func (d *denials) denied(identityID, path string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, id := range [...]string{identityID, "*"} {
		for _, deny := range d.list[id] {
			if deny.paths.match(path) {
				return true
			}
		}
	}
	return false
}

// authorize refuses the caller a path that is not a path, or not the caller's.
func (c *serverCall) authorize(path string) *refusal {
	if refusal := checkPath(path); refusal != nil {
		return refusal
	}
	if !c.server.policies.denied(c.grant.identityID, path) {
		return nil
	}
	if c.server.quirks.Denied == DeniedHidden {
		return noSecret(path)
	}
	return refuse(http.StatusForbidden, "access_denied", "no policy allows %s to use %s", c.grant.identityID, path).
		with("path", path)
}
