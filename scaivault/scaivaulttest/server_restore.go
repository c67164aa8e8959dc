// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"time"
)

// restoreSecret answers POST /v1/secrets/{path}/restore.
func (c *serverCall) restoreSecret() *refusal {
	if refusal := c.authorizeWrite(); refusal != nil {
		return refusal
	}
	if refusal := c.refuseFederated(); refusal != nil {
		return refusal
	}
	view, refusal := c.secrets().restore(c.path, c.author())
	if refusal != nil {
		return refusal
	}
	c.reply(http.StatusOK, appendSecret(nil, &view, false))
	return nil
}

// restore takes back a soft deletion. A secret that is there stays as it is.
func (s *secretStore) restore(path string, by author) (secretView, *refusal) {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	switch {
	case s.live(rec, now):
	case rec != nil && !rec.deleted.IsZero() && now.Before(rec.deleted.Add(s.retention)):
		rec.deleted = time.Time{}
		s.tellRestored(rec, by, now)
	default:
		return secretView{}, noSecret(path)
	}
	return rec.view(rec.latest()), nil
}
