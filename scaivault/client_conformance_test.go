// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestClientConforms to what a Source promises, in memory and over a socket, under
// every answer of the service that a read or a write can meet, and within the
// documented limits.
func TestClientConforms(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*scaivaulttest.ServerOptions{
		"as documented":              nil,
		"PUT answers with data":      {Quirks: scaivaulttest.Quirks{Put: scaivaulttest.PutWithData}},
		"PUT answers nothing":        {Quirks: scaivaulttest.Quirks{Put: scaivaulttest.PutNoContent}},
		"omitted metadata cleared":   {Quirks: scaivaulttest.Quirks{Omitted: scaivaulttest.OmittedReset}},
		"same data makes no version": {Quirks: scaivaulttest.Quirks{Same: scaivaulttest.SameIgnored}},
		"unknown routes are plain":   {Quirks: scaivaulttest.Quirks{UnknownRoute: scaivaulttest.UnknownRoutePlain}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scaivaulttest.TestSource(t, func(t *testing.T) scaivault.Source {
				_, c := service(t, opts)
				return c
			})
		})
	}
}

func TestClientConformsOverASocket(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t)
	token := s.IssueToken("sa:billing-prod")
	scaivaulttest.TestSource(t, func(t *testing.T) scaivault.Source {
		return newTestClient(t, s.URL(), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(token) })
	})
	assert.Less(t, s.RequestCount(http.MethodPut, ""), 100, "what the suite says of its writes")
}

func TestClientConformsForSecretsOfThePartner(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t)
	token := s.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin, "secrets:read", "secrets:write")
	scaivaulttest.TestSource(t, func(t *testing.T) scaivault.Source {
		c := newTestClient(t, "https://s.test", through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(token) })
		return c.PartnerSecrets()
	})
}
