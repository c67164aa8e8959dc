// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// both is the two lines of one request, as Vault writes them.
func both(at time.Time, path, operation, auth string) string {
	return half("request", at, path, operation, auth) + half("response", at.Add(time.Millisecond), path, operation, auth)
}

func half(kind string, at time.Time, path, operation, auth string) string {
	return fmt.Sprintf(`{"auth":%s,"request":{"id":"7e62e079","namespace":{"id":"root"},"operation":%q,"path":%q},"time":%q,"type":%q}`+"\n",
		auth, operation, path, at.Format(time.RFC3339Nano), kind)
}

func approle(role, entity string) string {
	return fmt.Sprintf(`{"accessor":"hmac-sha256:be3a","display_name":"approle","entity_id":%q,"metadata":{"role_name":%q}}`, entity, role)
}

const (
	db     = "kv/data/apps/billing/db"
	stripe = "kv/data/apps/billing/stripe"
)

// aLog is read by billing and reports, migrated by mover.
func aLog() string {
	var b strings.Builder
	b.WriteString(both(monday, "sys/mounts", "read", `{"display_name":"root"}`))
	b.WriteString(both(monday.Add(time.Hour), db, "read", approle("billing", "e1")))
	b.WriteString(both(monday.Add(2*time.Hour), db, "read", approle("billing", "e1")))
	b.WriteString(both(monday.Add(3*time.Hour), db, "update", approle("billing", "e1")))
	b.WriteString(both(monday.Add(4*time.Hour), db, "read", approle("mover", "e2")))
	b.WriteString(both(monday.Add(5*time.Hour), stripe, "read", `{"display_name":"token-reports"}`))
	b.WriteString(both(monday.Add(6*time.Hour), "kv/data/apps/web", "read", `{"accessor":"hmac-sha256:77"}`))
	b.WriteString(both(monday.Add(7*time.Hour), "kv/metadata/apps/billing/db", "read", approle("billing", "e1")))
	return b.String()
}

func TestFindReaders(t *testing.T) {
	t.Parallel()
	got, err := migrate.FindReaders(t.Context(), strings.NewReader(aLog()), &migrate.ReadersOptions{
		Paths: []string{db, "kv/data/apps/**"}, Exclude: []string{"mover"}, Mapping: billing(t),
	})
	require.NoError(t, err)
	assert.Equal(t, monday, got.LogStart)
	assert.Equal(t, monday.Add(7*time.Hour+time.Millisecond), got.LogEnd, "lines about others count for the time covered")
	assert.Equal(t, 16, got.Lines)
	assert.Zero(t, got.Broken)
	require.Len(t, got.Secrets, 3)
	assert.Equal(t, db, got.Secrets[0].Path)
	assert.Equal(t, "environments/production/billing/database", got.Secrets[0].ScaiVault)
	assert.Equal(t, []migrate.Reader{{
		Name: "approle", Role: "billing", Entity: "e1", Count: 3,
		Operations: map[string]int{"read": 2, "update": 1}, First: monday.Add(time.Hour), Last: monday.Add(3*time.Hour + time.Millisecond),
	}}, got.Of(db))
	assert.Equal(t, "token-reports", got.Of(stripe)[0].Name)
	assert.Equal(t, "hmac-sha256:77", got.Of("kv/data/apps/web")[0].Name)
	assert.Nil(t, got.Of("kv/data/apps/none"))
	text := got.String()
	assert.Contains(t, text, "approle (billing)")
	assert.NotContains(t, text, "mover")
}

func TestFindReadersCountsEachRequestOnce(t *testing.T) {
	t.Parallel()
	who := approle("billing", "e1")
	log := half("response", monday, db, "read", who) + // its request is in the file before
		both(monday, db, "read", who) + both(monday, db, "read", who) +
		strings.Replace(both(monday, db, "read", who), `"type"`, `"error":"1 error occurred:\n\t* permission denied\n\n","type"`, 2)
	got, err := migrate.FindReaders(t.Context(), strings.NewReader(log), nil)
	require.NoError(t, err)
	assert.Equal(t, 4, got.Of(db)[0].Count)
	assert.Equal(t, 1, got.Of(db)[0].Refused)
}

func TestFindReadersFilters(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts migrate.ReadersOptions
		want []string
	}{
		{"all", migrate.ReadersOptions{}, []string{db, stripe, "kv/data/apps/web", "kv/metadata/apps/billing/db", "sys/mounts"}},
		{"exact", migrate.ReadersOptions{Paths: []string{stripe}}, []string{stripe}},
		{"below", migrate.ReadersOptions{Paths: []string{"kv/data/apps/billing/**"}}, []string{db, stripe}},
		{"since", migrate.ReadersOptions{Since: monday.Add(5 * time.Hour), Paths: []string{"kv/data/**"}}, []string{stripe, "kv/data/apps/web"}},
		{"excluded by display name", migrate.ReadersOptions{Exclude: []string{"approle", "root", "hmac-sha256:77"}}, []string{stripe}},
		{"excluded by entity", migrate.ReadersOptions{Paths: []string{db}, Exclude: []string{"e1", "e2"}}, nil},
		{"mapping", migrate.ReadersOptions{Mapping: mustMapping(t, scaivault.Rule{Vault: stripe, ScaiVault: "s"})}, []string{stripe}},
		{"another namespace", migrate.ReadersOptions{Namespace: "acme/finance"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := migrate.FindReaders(t.Context(), strings.NewReader(aLog()), &tc.opts)
			require.NoError(t, err)
			var paths []string
			for _, s := range got.Secrets {
				paths = append(paths, s.Path)
			}
			assert.Equal(t, tc.want, paths)
		})
	}
}

func TestFindReadersOfANamespace(t *testing.T) {
	t.Parallel()
	log := strings.ReplaceAll(aLog(), `{"id":"root"}`, `{"id":"x","path":"acme/finance/"}`)
	got, err := migrate.FindReaders(t.Context(), strings.NewReader(log), &migrate.ReadersOptions{Namespace: "acme/finance"})
	require.NoError(t, err)
	assert.Len(t, got.Secrets, 5)
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestFindReadersReadsRotatedFiles(t *testing.T) {
	t.Parallel()
	who := approle("billing", "e1")
	line := func(day int) string { return both(monday.AddDate(0, 0, day), db, "read", who) }
	log := io.MultiReader(strings.NewReader(line(0)), bytes.NewReader(zipped(t, line(1))), bytes.NewReader(zipped(t, line(2))), strings.NewReader(line(3)))
	got, err := migrate.FindReaders(t.Context(), iotest.HalfReader(log), nil)
	require.NoError(t, err)
	assert.Equal(t, 4, got.Of(db)[0].Count)
	assert.Zero(t, got.Broken)
	assert.Equal(t, monday.AddDate(0, 0, 3).Add(time.Millisecond), got.LogEnd)
}

func TestFindReadersSurvivesBrokenLines(t *testing.T) {
	t.Parallel()
	good := both(monday, db, "read", approle("billing", "e1"))
	cut := zipped(t, strings.Repeat(good, 1000))
	for _, tc := range []struct {
		name   string
		log    []byte
		count  int
		broken bool
	}{
		{"torn in the middle", []byte(good + good[:50] + "\n" + good), 2, true},
		{"no JSON", []byte("hello\n" + good + "{not json about kv/data/apps/billing/db}\n"), 1, true},
		{"no time", []byte(good + `{"request":{"path":"kv/data/apps/billing/db"}}` + "\n"), 1, true},
		{"a last line that is being written", []byte(good + good[:50]), 1, false},
		{"a last line without an end", []byte(strings.TrimSuffix(good, "\n")), 1, false},
		{"empty lines", []byte("\n\r\n" + good + "\n"), 1, false},
		{"a line that is too long", []byte(good + `{"a":"` + strings.Repeat("x", 17<<20) + "\"}\n" + good), 2, true},
		{"a long line", []byte(strings.Replace(good, `"time"`, `"x":"`+strings.Repeat("x", 3<<20)+`","time"`, 1)), 1, false},
		{"a damaged file", append(bytes.Clone(cut[:20]), []byte(good)...), 1, true},
		{"empty", nil, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := migrate.FindReaders(t.Context(), bytes.NewReader(tc.log), &migrate.ReadersOptions{Paths: []string{db}})
			require.NoError(t, err)
			assert.Equal(t, tc.broken, got.Broken > 0, "broken: %d", got.Broken)
			count := 0
			for _, r := range got.Of(db) {
				count += r.Count
			}
			assert.Equal(t, tc.count, count)
		})
	}
}

func TestFindReadersTellsErrors(t *testing.T) {
	t.Parallel()
	_, err := migrate.FindReaders(t.Context(), nil, nil)
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	for _, path := range []string{"", "kv/*/x", "/kv/data/x"} {
		_, err = migrate.FindReaders(t.Context(), strings.NewReader(""), &migrate.ReadersOptions{Paths: []string{path}})
		require.ErrorIs(t, err, scaivault.ErrInvalid, path)
	}
	broken := errors.New("disk on fire")
	_, err = migrate.FindReaders(t.Context(), iotest.ErrReader(broken), nil)
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = migrate.FindReaders(ctx, strings.NewReader(aLog()), nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestReadersEncode(t *testing.T) {
	t.Parallel()
	got, err := migrate.FindReaders(t.Context(), strings.NewReader(aLog()), nil)
	require.NoError(t, err)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	var again migrate.Readers
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, got.String(), again.String())
}

func FuzzFindReaders(f *testing.F) {
	f.Add([]byte(aLog()))
	f.Fuzz(func(t *testing.T, log []byte) {
		got, err := migrate.FindReaders(t.Context(), bytes.NewReader(log), &migrate.ReadersOptions{Paths: []string{"kv/data/**"}})
		if err != nil {
			return // a damaged compressed part may end the log
		}
		for _, s := range got.Secrets {
			if !strings.HasPrefix(s.Path, "kv/data/") || len(s.Readers) == 0 {
				t.Fatalf("%q does not belong here", s.Path)
			}
		}
		if got.Broken > got.Lines {
			t.Fatalf("%d of %d lines are broken", got.Broken, got.Lines)
		}
	})
}

func BenchmarkFindReaders(b *testing.B) {
	log := strings.Repeat(aLog(), 1000)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := migrate.FindReaders(b.Context(), strings.NewReader(log), &migrate.ReadersOptions{Paths: []string{db}}); err != nil {
			b.Fatal(err)
		}
	}
}
