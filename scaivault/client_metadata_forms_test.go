// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestMetadataInEveryForm has all of it where any answer of the service does, and
// what can be told for certain where none has more.
func TestMetadataInEveryForm(t *testing.T) {
	t.Parallel()
	meta := scaivault.Metadata{Description: "d", Tags: []string{"a"}, Owner: "o", Values: map[string]any{"k": "v"}}
	for form, requests := range map[scaivaulttest.MetadataForm]int{
		scaivaulttest.MetadataWhole: 1, scaivaulttest.MetadataSecret: 1, scaivaulttest.MetadataData: 1,
		scaivaulttest.MetadataFlat: 2, scaivaulttest.MetadataAlone: 2,
	} {
		s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{MetadataForm: form}})
		_, err := c.Put(t.Context(), "a/b", valueA, &scaivault.PutOptions{Metadata: meta})
		require.NoError(t, err)
		before := s.RequestCount("", "")
		info, err := c.Metadata(t.Context(), "a/b")
		require.NoError(t, err)
		assert.Equal(t, meta, info.Metadata)
		assert.Equal(t, 1, info.Version)
		assert.Equal(t, requests, s.RequestCount("", "")-before)
		there, err := c.Exists(t.Context(), "a/b")
		require.NoError(t, err)
		require.True(t, there)
		assert.Equal(t, requests+1, s.RequestCount("", "")-before, "that it is there needs no more")

		s.Inject(scaivaulttest.Fault{Path: "/v1/secrets/batch/metadata", Status: 404, Code: "not_found"})
		info, err = c.Metadata(t.Context(), "a/b")
		require.NoError(t, err)
		if form != scaivaulttest.MetadataFlat {
			assert.Equal(t, meta, info.Metadata)
			continue
		}
		assert.Equal(t, scaivault.Metadata{Description: "d", Tags: []string{"a"}, Owner: "o"}, info.Metadata)
		assert.Equal(t, 1, info.Version)
	}
}

// TestHalfOfTheMetadataIsNotTakenForAll where the other half may come later.
func TestHalfOfTheMetadataIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{MetadataForm: scaivaulttest.MetadataFlat}})
	s.Seed("a/b", valueA)
	s.Inject(scaivaulttest.Fault{Path: "/v1/secrets/batch/metadata", Status: 503, Code: "service_unavailable"})
	_, err := c.Metadata(t.Context(), "a/b")
	requireMatches(t, err, scaivault.ErrUnavailable)
}
