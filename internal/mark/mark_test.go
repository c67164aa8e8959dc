// SPDX-License-Identifier: Apache-2.0

package mark_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestMarkGoesThroughMetadataAndBack(t *testing.T) {
	t.Parallel()
	marks := []mark.Mark{
		{Source: "kv/data/apps/billing/db", SourceVersion: 7, Version: 1, WriteID: mark.NewWriteID()},
		{Source: "kv/data/apps/web", SourceVersion: 2, Version: 3, WriteID: "w", SourceTime: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)},
		{Source: "secret/apps/db", SourceVersion: 0, Version: 0, WriteID: ""},
		{Source: "kv/data/Größe/\"x\" y", SourceVersion: 1 << 30, Version: 1 << 29, WriteID: "w"},
	}
	for _, want := range marks {
		metadata := scaivault.Metadata{
			Description: "d", Tags: []string{"t"}, Owner: "o",
			Values: want.AddTo(map[string]any{"team": "billing"}),
		}
		text, err := json.Marshal(metadata)
		require.NoError(t, err)

		var read scaivault.Metadata
		require.NoError(t, json.Unmarshal(text, &read))
		got, ok := mark.Parse(read.Values)
		require.True(t, ok, "%s", text)
		assert.Equal(t, want, got)
		assert.Equal(t, "billing", read.Values["team"], "what else was there stays")
		assert.Equal(t, "d", read.Description)
	}
}

func TestMarkHoldsStringsAlone(t *testing.T) {
	t.Parallel()
	for key, v := range (mark.Mark{Source: "a/b", SourceVersion: 1, Version: 2, WriteID: "w"}).AddTo(nil) {
		assert.IsType(t, "", v, "Vault's custom metadata holds nothing else: %s", key)
	}
}

func TestAddToCopiesAndReplaces(t *testing.T) {
	t.Parallel()
	first := mark.Mark{Source: "a/b", SourceVersion: 1, Version: 2, WriteID: "w1"}
	second := mark.Mark{Source: "c/d", SourceVersion: 3, Version: 4, WriteID: "w2"}
	given := map[string]any{"team": "billing"}
	one := first.AddTo(given)
	two := second.AddTo(one)

	assert.Equal(t, map[string]any{"team": "billing"}, given, "what was given stays as it is")
	got, ok := mark.Parse(one)
	require.True(t, ok)
	assert.Equal(t, first, got, "the copy of before stays as it is")
	got, ok = mark.Parse(two)
	require.True(t, ok)
	assert.Equal(t, second, got)
	assert.Len(t, two, len(one), "no part of the older mark stays")
}

func TestParseReportsFalseForWhatItCannotRead(t *testing.T) {
	t.Parallel()
	good := func() map[string]any {
		return mark.Mark{Source: "a/b", SourceVersion: 1, Version: 2, WriteID: "w"}.AddTo(nil)
	}
	_, ok := mark.Parse(good())
	require.True(t, ok)

	_, ok = mark.Parse(nil)
	assert.False(t, ok, "no metadata")
	for key := range good() {
		values := good()
		delete(values, key)
		_, ok := mark.Parse(values)
		assert.False(t, ok, "%s is missing", key)

		for _, wrong := range []any{nil, 5, 5.0, true, []any{"1"}, map[string]any{}} {
			values[key] = wrong
			_, ok := mark.Parse(values)
			assert.False(t, ok, "%s is %v", key, wrong)
		}
	}
	for _, key := range []string{"migration_source_version", "migration_version"} {
		for _, wrong := range []string{"", "-1", "1.0", "1e3", "one", " 1", "99999999999999999999"} {
			values := good()
			require.Contains(t, values, key)
			values[key] = wrong
			_, ok := mark.Parse(values)
			assert.False(t, ok, "%s is %q", key, wrong)
		}
	}
	values := good()
	values["migration_source"] = ""
	_, ok = mark.Parse(values)
	assert.False(t, ok, "the source is empty")
}

func TestWriteIDsAreRandom(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := mark.NewWriteID()
		assert.Regexp(t, `^[0-9a-f]{32}$`, id)
		assert.False(t, seen[id], "twice the same")
		seen[id] = true
	}
}

// TestPutIDIsApartFromTheMark: neither sees the other's keys.
func TestPutIDIsApartFromTheMark(t *testing.T) {
	t.Parallel()
	marked := mark.Mark{Source: "a/b", SourceVersion: 1, Version: 2, WriteID: "w"}.AddTo(map[string]any{"k": "v"})
	both := mark.WithPutID(marked, "one")
	assert.Empty(t, mark.PutID(marked), "a copy was changed")
	assert.Equal(t, "one", mark.PutID(both))
	both = mark.WithPutID(both, "two")
	assert.Equal(t, "two", mark.PutID(both))
	got, ok := mark.Parse(both)
	require.True(t, ok)
	assert.Equal(t, "w", got.WriteID)
	assert.Equal(t, marked, mark.WithoutPutID(both))
	assert.Equal(t, marked, mark.WithoutPutID(marked))
	assert.Nil(t, mark.WithoutPutID(mark.WithPutID(nil, "one")))
	assert.Nil(t, mark.WithoutPutID(nil))
}

func TestMarkTellsAVersionFromOneOfTheSameNumber(t *testing.T) {
	t.Parallel()
	written := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	m := mark.Mark{Source: "kv/data/a", SourceVersion: 2, Version: 1, WriteID: "w", SourceTime: written}
	assert.True(t, m.IsOf("kv/data/a", 2, written.In(time.FixedZone("x", 3600))))
	assert.False(t, m.IsOf("kv/data/a", 2, written.Add(1)), "removed and made anew")
	assert.False(t, m.IsOf("kv/data/a", 3, written))
	assert.False(t, m.IsOf("kv/data/b", 2, written))

	got, ok := mark.Parse(mark.Mark{Source: "kv/data/a", SourceVersion: 2, Version: 1}.AddTo(m.AddTo(nil)))
	require.True(t, ok)
	assert.True(t, got.SourceTime.IsZero(), "no part of the older mark stays")
	assert.True(t, got.IsOf("kv/data/a", 2, written), "a mark without a time goes by the number")
	assert.False(t, mark.Mark{Source: "secret/a"}.IsOf("secret/a", 0, time.Time{}), "KV v1 has no versions")
}
