// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func ids(backends []federation.Backend) []string {
	all := []string{}
	for _, b := range backends {
		all = append(all, b.ID)
	}
	return all
}

func TestListTakesEveryEnvelope(t *testing.T) {
	t.Parallel()
	const a, b = `{"id":"fed_a","name":"a","mode":"proxy"}`, `{"id":"fed_b","name":"b","mode":"sync"}`
	both, none := []string{"fed_a", "fed_b"}, []string{}
	for _, tc := range []struct {
		name, body string
		want       []string
	}{
		{"backends", `{"backends":[` + a + `,` + b + `]}`, both},
		{"backends with paging at its end", `{"backends":[` + a + `,` + b + `],"cursor":null,"has_more":false}`, both},
		{"a cursor behind the end", `{"backends":[` + a + `,` + b + `],"cursor":"c","has_more":false}`, both},
		{"data", `{"data":[` + a + `,` + b + `]}`, both},
		{"items", `{"items":[` + a + `,` + b + `],"total":2}`, both},
		{"results", `{"results":[` + a + `,` + b + `]}`, both},
		{"backends within data", `{"data":{"backends":[` + a + `,` + b + `]}}`, both},
		{"a bare array", ` [` + a + `,` + b + `]`, both},
		{"no backends", `{"backends":[]}`, none},
		{"null backends", `{"backends":null,"has_more":false}`, none},
		{"an empty array", `[]`, none},
		{"null", `null`, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(list, ok(tc.body))
			got, err := newClient(t, s).List(t.Context())
			require.NoError(t, err)
			require.NotNil(t, got)
			assert.Equal(t, tc.want, ids(got))
			assert.Len(t, s.seen(), 1)
		})
	}
}

func TestListFollowsCursors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, first, second string }{
		{"cursor and has_more", `{"backends":[{"id":"fed_a","name":"a"}],"cursor":"a&b=","has_more":true}`, `{"backends":[{"id":"fed_b","name":"b"}],"cursor":null,"has_more":false}`},
		{"cursor alone", `{"data":[{"id":"fed_a","name":"a"}],"cursor":"a&b="}`, `{"data":[{"id":"fed_b","name":"b"}],"cursor":""}`},
		{"next_cursor", `{"data":[{"id":"fed_a","name":"a"}],"next_cursor":"a&b="}`, `{"data":[{"id":"fed_b","name":"b"}]}`},
		{"within data", `{"data":{"backends":[{"id":"fed_a","name":"a"}],"cursor":"a&b="}}`, `{"data":{"backends":[{"id":"fed_b","name":"b"}]}}`},
		{"beside data", `{"data":{"backends":[{"id":"fed_a","name":"a"}]},"cursor":"a&b=","has_more":true}`, `{"data":{"backends":[{"id":"fed_b","name":"b"}]},"has_more":false}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newScript().on(list, ok(tc.first)).on(list+"?cursor=a%26b%3D", ok(tc.second))
			got, err := newClient(t, s).List(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"fed_a", "fed_b"}, ids(got))
		})
	}
}

func TestListIsNeverShortWithoutSayingSo(t *testing.T) {
	t.Parallel()
	const page = `{"backends":[{"id":"fed_a","name":"a"}],"cursor":"x","has_more":true}`
	for _, tc := range []struct {
		name   string
		script *script
		want   error
	}{
		{"more without a cursor", newScript().on(list, ok(`{"backends":[],"has_more":true}`)), scaivault.ErrUnavailable},
		{"going round in circles", newScript().on(list, ok(page)).on(list+"?cursor=x", ok(page)), scaivault.ErrUnavailable},
		{"a cursor that ran out", newScript().on(list, ok(page)).on(list+"?cursor=x", failure(400, "invalid_cursor")), scaivault.ErrInvalid},
		{"the second page fails", newScript().on(list, ok(page)).on(list+"?cursor=x", failure(503, "service_unavailable")), scaivault.ErrUnavailable},
		{"no listing", newScript().on(list, ok(`{"welcome":true}`)), scaivault.ErrUnavailable},
		{"text for a listing", newScript().on(list, ok(`{"backends":"none"}`)), scaivault.ErrUnavailable},
		{"a string", newScript().on(list, ok(`"none"`)), scaivault.ErrUnavailable},
		{"nothing", newScript().on(list, reply{status: 204}), scaivault.ErrUnavailable},
		{"a page of a load balancer", newScript().on(list, ok(`<html>`)), scaivault.ErrUnavailable},
		{"a backend without an id", newScript().on(list, ok(`[{"name":"a"}]`)), scaivault.ErrUnavailable},
		{"a backend that is a number", newScript().on(list, ok(`[7]`)), scaivault.ErrUnavailable},
		{"a backend of which nothing is told", newScript().on(list, ok(`[{"id":"fed_a"}]`)), scaivault.ErrUnavailable},
		{"refused", newScript().on(list, failure(403, "access_denied")), scaivault.ErrPermission},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := newClient(t, tc.script).List(t.Context())
			require.ErrorIs(t, err, tc.want)
			assert.Nil(t, got)
			assert.Contains(t, err.Error(), "list federation backends")
		})
	}
}
