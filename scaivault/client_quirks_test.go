// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// quirks are different answers to what the service's documents leave open.
var quirks = map[string]scaivaulttest.Quirks{
	"natural":                     {},
	"PUT answers with data":       {Put: scaivaulttest.PutWithData},
	"PUT answers 201":             {Put: scaivaulttest.PutCreated},
	"PUT answers nothing":         {Put: scaivaulttest.PutNoContent},
	"listing under data":          {ListKey: scaivaulttest.ListData},
	"omitted metadata cleared":    {Omitted: scaivaulttest.OmittedReset},
	"batch answers 207":           {Batch: scaivaulttest.Batch207},
	"delete answers nothing":      {Delete: scaivaulttest.DeleteNoContent},
	"same data makes no version":  {Same: scaivaulttest.SameIgnored},
	"non-objects are 400":         {NonObject: scaivaulttest.NonObject400},
	"?hard=true":                  {HardDelete: scaivaulttest.HardDeleteHard},
	"expired is missing":          {Expired: scaivaulttest.ExpiredMissing},
	"items are minimal":           {ListItem: scaivaulttest.ListItemMinimal},
	"listing descends":            {ListOrder: scaivaulttest.ListByPathDescending},
	"listing by age":              {ListOrder: scaivaulttest.ListByAge},
	"prefix is a string":          {ListPrefix: scaivaulttest.PrefixString},
	"pages of one":                {ListMax: 1},
	"no sub-resources":            {Subresources: scaivaulttest.SubresourcesAbsent},
	"no restore":                  {Restore: scaivaulttest.RestoreAbsent},
	"no restore, plain":           {Restore: scaivaulttest.RestoreAbsent, UnknownRoute: scaivaulttest.UnknownRoutePlain},
	"versions under data":         {VersionsForm: scaivaulttest.VersionsData},
	"versions are numbers":        {VersionsForm: scaivaulttest.VersionsNumbers},
	"PATCH of the secret":         {MetadataRoute: scaivaulttest.MetadataSecretRoute},
	"PATCH replaces":              {MetadataUpdate: scaivaulttest.MetadataReplaced},
	"PATCH makes a version":       {MetadataVersion: scaivaulttest.MetadataAppends},
	"batch under metadata":        {BatchMetadataForm: scaivaulttest.BatchMetadataMetadata},
	"fail fast is partial":        {FailFast: scaivaulttest.FailFastPartial},
	"denied is hidden":            {Denied: scaivaulttest.DeniedHidden},
	"unknown routes are plain":    {UnknownRoute: scaivaulttest.UnknownRoutePlain},
	"answers are compressed":      {Compression: scaivaulttest.CompressionGzip},
	"limits as the IETF has them": {LimitHeaders: scaivaulttest.LimitHeadersIETF},
	"limits with more dashes":     {LimitHeaders: scaivaulttest.LimitHeadersDashed},
	"Retry-After is a date":       {RetryAfter: scaivaulttest.RetryAfterDate},
}

// TestClientUnderEveryQuirk goes through a secret's life, whatever the service
// answers where its documents are silent.
func TestClientUnderEveryQuirk(t *testing.T) {
	t.Parallel()
	for name, q := range quirks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
			ctx := t.Context()
			meta := scaivault.Metadata{Description: "d", Tags: []string{"a"}, Owner: "team:x", Values: map[string]any{"k": "v"}}
			w, err := c.Put(ctx, testPath, map[string]any{"v": "1"}, &scaivault.PutOptions{Type: scaivault.TypeKV, Metadata: meta, MaxVersions: 5, ExpiresIn: 720 * time.Hour})
			require.NoError(t, err)
			assert.Contains(t, []int{0, 1}, w.Version)
			assert.Equal(t, "scaivault", w.Source)
			_, err = c.Put(ctx, testPath, map[string]any{"v": "2"}, &scaivault.PutOptions{Metadata: meta})
			require.NoError(t, err)

			s, err := c.Get(ctx, testPath)
			require.NoError(t, err)
			v, _ := s.Field("v")
			assert.Equal(t, "2", v)
			assert.Equal(t, 2, s.Version())
			assert.Equal(t, meta, s.Info().Metadata)
			s, err = c.GetVersion(ctx, testPath, 1)
			require.NoError(t, err)
			v, _ = s.Field("v")
			assert.Equal(t, "1", v)
			_, err = c.GetVersion(ctx, testPath, 9)
			requireMatches(t, err, scaivault.ErrNotFound)

			assert.Equal(t, []string{testPath}, listed(t, c, "environments/production"))
			assert.Equal(t, []string{testPath}, listed(t, c, ""))
			assert.Empty(t, listed(t, c, "environments/prod"))

			batch, err := c.GetBatch(ctx, []string{testPath, "not/there", testPath, "Not/Allowed"})
			var partial *scaivault.BatchError
			require.ErrorAs(t, err, &partial)
			assert.Equal(t, []string{"Not/Allowed", "not/there"}, slices.Sorted(maps.Keys(partial.Errors)))
			requireMatches(t, partial.Errors["not/there"], scaivault.ErrNotFound)
			requireMatches(t, partial.Errors["Not/Allowed"], scaivault.ErrInvalid)
			require.Len(t, batch, 1)
			assert.Equal(t, meta, batch[testPath].Info().Metadata)

			require.NoError(t, c.Delete(ctx, testPath, nil))
			_, err = c.Get(ctx, testPath)
			requireMatches(t, err, scaivault.ErrNotFound)
			_, err = c.Put(ctx, testPath, map[string]any{}, nil)
			requireMatches(t, err, scaivault.ErrConflict)
			requireMatches(t, c.Delete(ctx, "not/there", &scaivault.DeleteOptions{Permanent: true}), scaivault.ErrNotFound)
		})
	}
}

// TestEveryMethodOverBothTransports goes through the same life of a secret over
// a socket and in memory, under every quirk; and of one of the partner's.
func TestEveryMethodOverBothTransports(t *testing.T) {
	t.Parallel()
	for name, q := range quirks {
		for _, socket := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, socket %t", name, socket), func(t *testing.T) {
				t.Parallel()
				s := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{Quirks: q})
				withToken := func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.StaticToken(s.IssueToken("sa:x")) }
				c := newTestClient(t, "https://s.test", withToken, through(s.RoundTripper()))
				if socket {
					c = newTestClient(t, s.URL(), withToken)
				}
				everyMethodOfSecrets(t, c)
				everyOtherMethod(t, c)
				partner := newTestClient(t, "https://s.test", through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) {
					cfg.Token = scaivault.StaticToken(s.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin,
						"secrets:read", "secrets:write", "secrets:delete", "secrets:list"))
				})
				everyMethodOfSecrets(t, partner.PartnerSecrets())
			})
		}
	}
}

func everyMethodOfSecrets(t *testing.T, c *scaivault.Client) {
	t.Helper()
	ctx := t.Context()
	paths := []string{"a/one", "a/two", "a/x/three"}
	for _, path := range append(slices.Clone(paths), "ab/other") {
		w, err := c.Put(ctx, path, map[string]any{"path": path}, &scaivault.PutOptions{IfAbsent: true})
		require.NoError(t, err)
		require.Contains(t, []int{0, 1}, w.Version)
	}
	s, err := c.Get(ctx, "a/one")
	require.NoError(t, err)
	require.JSONEq(t, `{"path":"a/one"}`, string(s.JSON()))
	s, err = c.GetVersion(ctx, "a/one", 1)
	require.NoError(t, err)
	require.Equal(t, 1, s.Version())
	require.ElementsMatch(t, paths, listed(t, c, "a"))
	require.ElementsMatch(t, paths, listed(t, c, "a/"))
	all, err := c.GetBatch(ctx, paths)
	require.NoError(t, err)
	require.ElementsMatch(t, paths, slices.Collect(maps.Keys(all)))

	everyMethodBelow(t, c)
	require.NoError(t, c.Delete(ctx, "a/one", &scaivault.DeleteOptions{Permanent: true}))
	_, err = c.Get(ctx, "a/one")
	requireMatches(t, err, scaivault.ErrNotFound)
	left := slices.DeleteFunc(listed(t, c, "a"), func(path string) bool { return path == "a/four" }) // deleted softly
	require.ElementsMatch(t, paths[1:], left)
}

func everyOtherMethod(t *testing.T, c *scaivault.Client) {
	t.Helper()
	ctx := t.Context()
	who, err := c.WhoAmI(ctx)
	require.NoError(t, err)
	require.Equal(t, "sa:x", who.ID)
	ready, err := c.Ready(ctx)
	require.NoError(t, err)
	require.Equal(t, "ready", ready.Status)
	entries := 0
	for e, err := range c.AuditLogs(ctx, &scaivault.AuditQuery{From: time.Now().Add(-time.Hour), PathPrefix: "a/"}) {
		require.NoError(t, err)
		require.NotEmpty(t, e.Action)
		entries++
	}
	require.Positive(t, entries)
	var version struct {
		Version string `json:"version"`
	}
	require.NoError(t, c.Do(ctx, "GET", "/v1/version", nil, &version))
	require.NotEmpty(t, version.Version)
	requireMatchesOneOf(t, c.Do(ctx, "GET", "/v1/no/such/route", nil, nil), scaivault.ErrNotFound, scaivault.ErrUnavailable)
}

// everyMethodBelow goes through what not every service offers.
func everyMethodBelow(t *testing.T, c *scaivault.Client) {
	t.Helper()
	ctx := t.Context()
	info, err := c.Metadata(ctx, "a/one")
	require.NoError(t, err)
	require.Equal(t, 1, info.Version)
	there, err := c.Exists(ctx, "a/none")
	require.NoError(t, err)
	require.False(t, there)
	versions, err := c.Versions(ctx, "a/one")
	if offered(t, err) {
		require.Len(t, versions, 1)
	}
	info, err = c.UpdateMetadata(ctx, "a/one", scaivault.Metadata{Owner: "o"})
	if offered(t, err) {
		require.Equal(t, "o", info.Metadata.Owner)
	}
	_, err = c.Put(ctx, "a/four", map[string]any{}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "o"}})
	require.NoError(t, err)
	require.NoError(t, c.Delete(ctx, "a/four", nil))
	info, err = c.Restore(ctx, "a/four")
	if offered(t, err) {
		require.Equal(t, scaivault.Metadata{Owner: "o"}, info.Metadata)
		require.NoError(t, c.Delete(ctx, "a/four", nil))
	}
}

// offered tells of an error whether the service has what was asked for.
func offered(t *testing.T, err error) bool {
	t.Helper()
	if err != nil {
		requireMatchesOneOf(t, err, scaivault.ErrInvalid, scaivault.ErrUnavailable)
	}
	return err == nil
}

// requireMatchesOneOf is for what the quirks answer differently.
func requireMatchesOneOf(t *testing.T, err error, kinds ...error) {
	t.Helper()
	for _, kind := range kinds {
		if err != nil && kindOf(err) == kindOf(kind) {
			return
		}
	}
	require.Failf(t, "another kind", "%v", err)
}

func TestHiddenDenialIsNotFound(t *testing.T) {
	t.Parallel()
	for denied, want := range map[scaivaulttest.Denied]error{
		scaivaulttest.DeniedTold: scaivault.ErrPermission, scaivaulttest.DeniedHidden: scaivault.ErrNotFound,
	} {
		s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{Denied: denied}})
		s.Seed(testPath, valueA)
		s.Deny("*", testPath)
		_, err := c.Get(t.Context(), testPath)
		requireMatches(t, err, want)
	}
}
