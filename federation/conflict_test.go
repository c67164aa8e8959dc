// SPDX-License-Identifier: Apache-2.0

package federation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestConflictsTakeEveryForm(t *testing.T) {
	t.Parallel()
	detected := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	full := federation.Conflict{Path: "a/b", BackendPath: "kv/data/b", DetectedAt: detected}
	for body, want := range map[string][]federation.Conflict{
		`{"conflicts":[{"path":"a/b","backend_path":"kv/data/b","detected_at":"2030-01-02T03:04:05Z"}],"cursor":null,"has_more":false}`: {full},
		`{"data":[{"scaivault_path":"a/b","remote_path":"kv/data/b","detected_at":"2030-01-02T03:04:05Z"}]}`:                            {full},
		`[{"local_path":"a/b","external_path":"kv/data/b"},"c/d"]`:                                                                      {{Path: "a/b", BackendPath: "kv/data/b"}, {Path: "c/d"}},
		`{"conflicts":[]}`:   nil,
		`{"conflicts":null}`: nil,
		`[]`:                 nil,
	} {
		var got []federation.Conflict
		for conflict, err := range newClient(t, newScript().on(clash, ok(body))).Conflicts(t.Context(), "fed_abc") {
			require.NoError(t, err, body)
			got = append(got, conflict)
		}
		assert.Equal(t, want, got, body)
	}
}

func TestConflictsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	s := newScript().
		on(clash, ok(`{"conflicts":["a","b"],"cursor":"2","has_more":true}`)).
		on(clash+"?cursor=2", ok(`{"conflicts":["c"],"cursor":"3","has_more":true}`)).
		on(clash+"?cursor=3", failure(503, "service_unavailable"))
	c := newClient(t, s)
	for conflict, err := range c.Conflicts(t.Context(), "fed_abc") {
		require.NoError(t, err)
		if conflict.Path == "b" {
			break
		}
	}
	assert.Len(t, s.seen(), 1, "a page is asked for when the loop gets there")

	var paths []string
	var last error
	for conflict, err := range c.Conflicts(t.Context(), "fed_abc") {
		if last = err; err == nil {
			paths = append(paths, conflict.Path)
		}
	}
	assert.Equal(t, []string{"a", "b", "c"}, paths)
	require.ErrorIs(t, last, scaivault.ErrUnavailable)
}

func TestConflictsErrors(t *testing.T) {
	t.Parallel()
	for want, s := range map[error]*script{
		scaivault.ErrNotFound:    newScript(),
		scaivault.ErrUnavailable: newScript().on(clash, ok(`[7]`)),
	} {
		for _, err := range newClient(t, s).Conflicts(t.Context(), "fed_abc") {
			require.ErrorIs(t, err, want)
		}
		assert.Len(t, s.seen(), 1)
	}
	s := newScript()
	for _, err := range newClient(t, s).Conflicts(t.Context(), "a/b") {
		require.ErrorIs(t, err, scaivault.ErrInvalid)
	}
	assert.Empty(t, s.seen())
}
