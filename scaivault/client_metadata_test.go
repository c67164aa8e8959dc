// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// subresourceQuirks are all the ways in which a service may offer what lies
// below a secret.
func subresourceQuirks(yield func(string, scaivaulttest.Quirks) bool) {
	for _, sub := range []scaivaulttest.Subresources{scaivaulttest.SubresourcesServed, scaivaulttest.SubresourcesAbsent} {
		for _, route := range []scaivaulttest.MetadataRoute{scaivaulttest.MetadataOwnRoute, scaivaulttest.MetadataSecretRoute} {
			for _, update := range []scaivaulttest.MetadataUpdate{scaivaulttest.MetadataMerged, scaivaulttest.MetadataReplaced} {
				for _, version := range []scaivaulttest.MetadataVersion{scaivaulttest.MetadataKeepsVersion, scaivaulttest.MetadataAppends} {
					for _, form := range []scaivaulttest.VersionsForm{scaivaulttest.VersionsWhole, scaivaulttest.VersionsData, scaivaulttest.VersionsNumbers} {
						for _, batch := range []scaivaulttest.BatchMetadataForm{scaivaulttest.BatchMetadataSecrets, scaivaulttest.BatchMetadataMetadata} {
							q := scaivaulttest.Quirks{
								Subresources: sub, MetadataRoute: route, MetadataUpdate: update, MetadataVersion: version,
								VersionsForm: form, BatchMetadataForm: batch, Restore: scaivaulttest.Restore(form % 2),
								UnknownRoute: scaivaulttest.UnknownRoute(batch % 2),
							}
							if !yield(fmt.Sprintf("%d%d%d%d%d%d", sub, route, update, version, form, batch), q) {
								return
							}
						}
					}
				}
			}
		}
	}
}

// requireUnsupported is for what a service does not offer.
func requireUnsupported(t testing.TB, err error) {
	t.Helper()
	requireMatches(t, err, scaivault.ErrInvalid)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// TestWhatLiesBelowASecret under every quirk, next to secrets whose names look
// the same, whose values are never shown and which never change.
func TestWhatLiesBelowASecret(t *testing.T) {
	t.Parallel()
	for name, q := range subresourceQuirks {
		for _, literal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, literal %t", name, literal), func(t *testing.T) {
				t.Parallel()
				s, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
				if literal {
					for _, part := range []string{"versions", "metadata", "restore"} {
						s.Seed("a/b/"+part, canaryData())
						s.Seed("not/there/"+part, canaryData())
					}
				}
				lifeBelow(t, s, c, q)
				if literal {
					for _, part := range []string{"versions", "metadata", "restore"} {
						require.Equal(t, 1, s.SecretVersion("a/b/"+part))
						read, err := c.Get(t.Context(), "not/there/"+part)
						require.NoError(t, err)
						require.True(t, read.Info().Metadata.IsZero())
					}
				}
			})
		}
	}
}

// lifeBelow goes through the calls for one secret and one that is not there.
func lifeBelow(t *testing.T, s *scaivaulttest.Server, c *scaivault.Client, q scaivaulttest.Quirks) {
	t.Helper()
	ctx := t.Context()
	for range 3 {
		_, err := c.Put(ctx, "a/b", valueA, &scaivault.PutOptions{Type: scaivault.TypeKV, Metadata: scaivault.Metadata{Description: "d", Owner: "o"}})
		require.NoError(t, err)
	}
	info, err := c.Metadata(ctx, "a/b")
	require.NoError(t, err)
	assert.Equal(t, "a/b", info.Path)
	assert.Equal(t, 3, info.Version)
	assert.Equal(t, scaivault.TypeKV, info.Type)
	assert.Equal(t, scaivault.Metadata{Description: "d", Owner: "o"}, info.Metadata)
	assert.Equal(t, "scaivault", info.Source)
	assert.False(t, info.UpdatedAt.IsZero())
	_, err = c.Metadata(ctx, "not/there")
	requireMatches(t, err, scaivault.ErrNotFound)
	for path, want := range map[string]bool{"a/b": true, "not/there": false} {
		there, err := c.Exists(ctx, path)
		require.NoError(t, err)
		assert.Equal(t, want, there, path)
	}
	require.Zero(t, s.RequestCount(http.MethodGet, "/v1/secrets/a/b"), "no value was read")

	_, err = c.Versions(ctx, "not/there")
	requireMatches(t, err, scaivault.ErrNotFound)
	literal := s.SecretVersion("a/b/versions") > 0 // which the server serves in place of the versions
	versions, err := c.Versions(ctx, "a/b")
	if literal || q.Subresources == scaivaulttest.SubresourcesAbsent {
		requireUnsupported(t, err)
	} else {
		require.NoError(t, err)
		require.Len(t, versions, 3)
		for i, v := range versions {
			assert.Equal(t, i+1, v.Version)
			assert.Equal(t, q.VersionsForm == scaivaulttest.VersionsNumbers, v.CreatedAt.IsZero())
			assert.Equal(t, q.VersionsForm == scaivaulttest.VersionsNumbers, v.CreatedBy == "")
		}
	}
	updateBelow(t, s, c, q)
	restoreBelow(t, s, c, q)
}

func updateBelow(t *testing.T, s *scaivaulttest.Server, c *scaivault.Client, q scaivaulttest.Quirks) {
	t.Helper()
	ctx := t.Context()
	change := scaivault.Metadata{Owner: "new", Values: map[string]any{"k": "v"}}
	before := s.RequestCount(http.MethodPatch, "/v1/secrets/**")
	info, err := c.UpdateMetadata(ctx, "a/b", change)
	require.LessOrEqual(t, s.RequestCount(http.MethodPatch, "/v1/secrets/**"), before+2)
	if q.Subresources == scaivaulttest.SubresourcesAbsent && q.MetadataRoute == scaivaulttest.MetadataOwnRoute {
		requireUnsupported(t, err)
	} else {
		require.NoError(t, err)
		if q.MetadataUpdate == scaivaulttest.MetadataMerged {
			change.Description = "d"
		}
		assert.Equal(t, change, info.Metadata)
		want := 3
		if q.MetadataVersion == scaivaulttest.MetadataAppends {
			want = 4
		}
		assert.Equal(t, want, info.Version)
		assert.Equal(t, want, s.SecretVersion("a/b"))
	}
	_, err = c.UpdateMetadata(ctx, "not/there", change)
	requireMatchesOneOf(t, err, scaivault.ErrNotFound, scaivault.ErrInvalid)
}

func restoreBelow(t *testing.T, s *scaivaulttest.Server, c *scaivault.Client, q scaivaulttest.Quirks) {
	t.Helper()
	ctx := t.Context()
	version := s.SecretVersion("a/b")
	require.NoError(t, c.Delete(ctx, "a/b", nil))
	there, err := c.Exists(ctx, "a/b")
	require.NoError(t, err)
	require.False(t, there)
	info, err := c.Restore(ctx, "a/b")
	switch {
	case q.Subresources == scaivaulttest.SubresourcesAbsent:
		requireUnsupported(t, err)
		return
	case q.Restore == scaivaulttest.RestoreAbsent && q.UnknownRoute == scaivaulttest.UnknownRoutePlain:
		requireMatches(t, err, scaivault.ErrUnavailable)
		return
	case q.Restore == scaivaulttest.RestoreAbsent:
		requireUnsupported(t, err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, version, info.Version)
	require.Equal(t, "a/b", info.Path)
	info, err = c.Restore(ctx, "a/b")
	require.NoError(t, err, "it is there")
	require.Equal(t, version, info.Version)
	_, err = c.Restore(ctx, "not/there")
	requireMatches(t, err, scaivault.ErrNotFound)
}

// bySuffix answers by the end of the URL's path and the method; "" is any other.
func bySuffix(answers map[string]func(*http.Request) (*http.Response, error)) *script {
	return &script{answers: says2(func(r *http.Request) (*http.Response, error) {
		for key, answer := range answers {
			if key != "" && strings.HasSuffix(r.Method+" "+r.URL.Path, key) {
				return answer(r)
			}
		}
		return answers[""](r)
	})}
}

const infoOfA = `{"path":"a","version":3,"secret_type":"kv","metadata":{"owner":"o"}}`

// TestMetadataIsNeverThatOfAnotherSecret, and a page is never a no.
func TestMetadataIsNeverThatOfAnotherSecret(t *testing.T) {
	t.Parallel()
	type answer = func(*http.Request) (*http.Response, error)
	missing, unknown, page := says(404, refusal("secret_not_found")), says(404, refusal("not_found")), says(404, balancerPage)
	other := says(200, `{"path":"a/metadata","version":9,"data":{"k":"c4n4ry"},"metadata":{"owner":"them"}}`)
	inBatch := says(200, `{"secrets":{"a":`+infoOfA+`},"errors":{}}`)
	notInBatch := says(200, `{"secrets":{},"errors":{"a":{"code":"secret_not_found"}}}`)
	for name, c := range map[string]struct {
		below, batch, get answer
		err               error // of Metadata; nil: found, ErrUnsupported: not offered
		there             bool
		existsErr         error
	}{
		"whole":                        {below: says(200, infoOfA), there: true},
		"under a key":                  {below: says(200, `{"secret":`+infoOfA+`}`), there: true},
		"under data":                   {below: says(200, `{"data":`+infoOfA+`}`), there: true},
		"under data, of another path":  {below: says(200, `{"data":{"path":"a/metadata","version":9,"metadata":{}}}`), batch: inBatch, there: true},
		"under data, with a value":     {below: says(200, `{"data":{"data":{"k":"c4n4ry"},`+infoOfA[1:]+`}`), batch: inBatch, there: true},
		"under data, nameless":         {below: says(200, `{"data":{"version":9,"metadata":{"owner":"them"}}}`), batch: inBatch, there: true},
		"no version":                   {below: says(200, `{"path":"a","metadata":{"owner":"o"}}`), batch: inBatch, there: true},
		"no metadata":                  {below: says(200, `{"path":"a","version":3}`), batch: inBatch, there: true},
		"flat, and no more":            {below: says(200, `{"path":"a","version":3,"secret_type":"kv","owner":"o","version_count":3}`), batch: unknown, there: true},
		"flat, and no more for us":     {below: says(200, `{"path":"a","version":3,"secret_type":"kv","owner":"o"}`), batch: says(403, refusal("insufficient_scope")), there: true},
		"flat, and gone":               {below: says(200, `{"path":"a","version":3,"owner":"o"}`), batch: notInBatch, get: missing, err: scaivault.ErrNotFound, there: true},
		"no path":                      {below: says(200, `{"version":3,"metadata":{"owner":"o"},"secret_type":"kv"}`), there: true},
		"data is null":                 {below: says(200, `{"data":null,`+infoOfA[1:]), there: true},
		"another secret":               {below: other, batch: inBatch, there: true},
		"another secret, nameless":     {below: says(200, `{"version":9,"data":{"k":"c4n4ry"},"metadata":{"owner":"them"}}`), batch: inBatch, there: true},
		"another path":                 {below: says(200, `{"path":"a/metadata","version":9}`), batch: inBatch, there: true},
		"our path with a value":        {below: says(200, `{"data":{"k":"c4n4ry"},`+infoOfA[1:]), batch: inBatch, there: true},
		"missing, and there":           {below: missing, batch: inBatch, there: true},
		"missing, and so in the batch": {below: missing, batch: notInBatch, get: missing, err: scaivault.ErrNotFound},
		"missing, and may not be read": {below: missing, batch: notInBatch, get: says(403, refusal("insufficient_scope")), err: scaivault.ErrNotFound},
		"missing, and cannot be read":  {below: missing, batch: notInBatch, get: says(503, refusal("service_unavailable")), err: scaivault.ErrUnavailable, existsErr: scaivault.ErrUnavailable},
		"no metadata, and there":       {below: missing, batch: notInBatch, get: says(200, `{"data":{"k":"c4n4ry"},`+infoOfA[1:]), there: true},
		"denied, and there":            {below: says(403, refusal("insufficient_scope")), batch: inBatch, there: true},
		"too long":                     {below: says(400, refusal("invalid_path")), batch: inBatch, there: true},
		"405":                          {below: says(405, refusal("method_not_allowed")), batch: inBatch, there: true},
		"501":                          {below: says(501, refusal("not_implemented")), batch: inBatch, there: true},
		"a page":                       {below: page, batch: inBatch, there: true},
		"a page that succeeds":         {below: says(200, balancerPage), get: says(200, oneSecret), err: scaivault.ErrUnavailable, there: true},
		"nothing that describes":       {below: says(200, `{"status":"ok"}`), get: missing, err: scaivault.ErrUnavailable},
		"only another one's data":      {below: says(200, `{"data":[1]}`), get: missing, err: scaivault.ErrUnavailable},
		"batch as a list":              {below: missing, batch: says(200, `{"items":[{"path":"b"},7,`+infoOfA+`]}`), there: true},
		"batch under metadata":         {below: missing, batch: says(200, `{"metadata":{"b":{},"a":`+infoOfA+`}}`), there: true},
		"batch with values":            {below: missing, batch: says(200, `{"secrets":{"a":{"data":{"k":"c4n4ry"},`+infoOfA[1:]+`}}`), there: true},
		"batch of another path":        {below: missing, batch: says(200, `{"secrets":{"a":{"path":"b","version":1}}}`), get: missing, err: scaivault.ErrUnavailable},
		"batch leaves it out":          {below: missing, batch: says(200, `{"secrets":{}}`), get: says(200, oneSecret), err: scaivault.ErrUnavailable, there: true},
		"batch denies it":              {below: missing, batch: says(200, `{"errors":{"a":{"code":"access_denied"}}}`), get: says(403, refusal("access_denied")), err: scaivault.ErrPermission, existsErr: scaivault.ErrPermission},
		"batch is denied":              {below: missing, batch: says(403, refusal("insufficient_scope")), get: missing, err: scaivault.ErrPermission},
		"batch is down":                {below: missing, batch: says(503, refusal("service_unavailable")), err: scaivault.ErrUnavailable, existsErr: scaivault.ErrUnavailable},
		"batch is a page":              {below: missing, batch: page, get: missing, err: scaivault.ErrUnavailable},
		"all down":                     {below: says(503, balancerPage), err: scaivault.ErrUnavailable, existsErr: scaivault.ErrUnavailable},
		"rate limited":                 {below: says(429, refusal("rate_limited")), err: scaivault.ErrRateLimited, existsErr: scaivault.ErrRateLimited},
		"neither, and missing":         {below: missing, batch: unknown, get: missing, err: scaivault.ErrNotFound},
		"neither, and there":           {below: missing, batch: unknown, get: says(200, oneSecret), err: errors.ErrUnsupported, there: true},
		"neither, and another":         {below: other, batch: missing, get: says(200, oneSecret), err: errors.ErrUnsupported, there: true},
		"neither, and cannot be read":  {below: missing, batch: unknown, get: says(403, refusal("access_denied")), err: errors.ErrUnsupported, existsErr: scaivault.ErrPermission},
		"denied, and no batch":         {below: says(403, refusal("access_denied")), batch: unknown, get: missing, err: scaivault.ErrPermission},
		"no tenant":                    {below: says(404, refusal("tenant_not_found")), err: scaivault.ErrInvalid, existsErr: scaivault.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			none := func(r *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("not to be asked: %s %s", r.Method, r.URL.Path)
			}
			answers := map[string]answer{"/a/metadata": c.below, "POST /v1/secrets/batch/metadata": c.batch, "": c.get}
			for key, a := range answers {
				if a == nil {
					answers[key] = none
				}
			}
			client := newTestClient(t, "https://s.test", through(bySuffix(answers)))
			info, err := client.Metadata(t.Context(), "a")
			switch {
			case errors.Is(c.err, errors.ErrUnsupported):
				requireUnsupported(t, err)
			case c.err != nil:
				requireMatches(t, err, c.err)
			default:
				require.NoError(t, err)
				require.Equal(t, &scaivault.SecretInfo{Path: "a", Version: 3, Type: scaivault.TypeKV, Source: "scaivault", Metadata: scaivault.Metadata{Owner: "o"}}, info)
			}
			there, err := client.Exists(t.Context(), "a")
			require.Equal(t, c.there, there)
			if c.existsErr != nil {
				requireMatches(t, err, c.existsErr)
				return
			}
			require.NoError(t, err)
		})
	}
}

// TestSecretsOfABackendExist, though ScaiVault has no metadata of them.
func TestSecretsOfABackendExist(t *testing.T) {
	t.Parallel()
	vault := scaivaulttest.NewVault(t)
	vault.Mount("kv", 2)
	vault.Seed("kv/data/app/db", map[string]any{"password": "not-a-real-one"})
	s, c := service(t, &scaivaulttest.ServerOptions{BackendTransport: vault.RoundTripper()})
	s.Seed("infra/vault", map[string]any{"token": vault.RootToken()})
	require.NoError(t, c.Do(t.Context(), http.MethodPost, "/v1/federation/backends", map[string]any{
		"name": "v", "type": "hashicorp-vault", "mode": "proxy", "path_mapping": map[string]string{"ext/**": "kv/data/**"},
		"config": map[string]any{"endpoint": "https://vault.internal:8200", "auth_method": "token", "auth_config_path": "infra/vault"},
	}, nil))
	for path, want := range map[string]bool{"ext/app/db": true, "ext/app/none": false} {
		there, err := c.Exists(t.Context(), path)
		require.NoError(t, err)
		require.Equal(t, want, there, path)
		info, err := c.Metadata(t.Context(), path)
		if want {
			require.NoError(t, err)
			require.Equal(t, 1, info.Version)
		} else {
			requireMatches(t, err, scaivault.ErrNotFound)
		}
	}
	_, err := c.Versions(t.Context(), "ext/app/db")
	requireUnsupported(t, err)
}

// TestMetadataNeedsOnlyTheScopeOfAListing, however the service offers it.
func TestMetadataNeedsOnlyTheScopeOfAListing(t *testing.T) {
	t.Parallel()
	for _, sub := range []scaivaulttest.Subresources{scaivaulttest.SubresourcesServed, scaivaulttest.SubresourcesAbsent} {
		s, _ := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{Subresources: sub}})
		s.Seed("a/b", valueA)
		c := newTestClient(t, "https://s.test", through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.StaticToken(s.IssueToken("sa:lister", "secrets:list"))
		})
		_, err := c.Metadata(t.Context(), "a/b")
		require.NoError(t, err)
		for path, want := range map[string]bool{"a/b": true, "not/there": false} {
			there, err := c.Exists(t.Context(), path)
			require.NoError(t, err)
			require.Equal(t, want, there)
		}
	}
}

// TestPartnersSecretsHaveTheSameMethods, below their own path.
func TestPartnersSecretsHaveTheSameMethods(t *testing.T) {
	t.Parallel()
	var paths []string
	rt := &script{answers: says2(says(404, refusal("secret_not_found"))), seen: func(r *http.Request, _ []byte) { paths = append(paths, r.URL.Path) }}
	c := newTestClient(t, "https://s.test", through(rt)).PartnerSecrets()
	for _, name := range []string{
		"get", "put", "put if", "put with metadata", "list", "delete", "delete for good", "batch", "versions",
		"metadata", "exists", "restore", "update metadata", "update below",
	} {
		paths = nil
		_ = quotingCalls[name](t.Context(), c)
		require.NotEmpty(t, paths, name)
		for _, path := range paths {
			require.True(t, strings.HasPrefix(path, "/v1/partner/secrets"), "%s asks for %s", name, path)
		}
	}
}

// TestCallsBelowASecretEndWithTheirContext.
func TestCallsBelowASecretEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	s.Seed("a", valueA)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, name := range []string{"versions", "metadata", "exists", "restore", "update metadata"} {
		requireMatches(t, quotingCalls[name](ctx, c), scaivault.ErrUnavailable, context.DeadlineExceeded)
	}
	require.NoError(t, c.Close())
	for _, name := range []string{"versions", "metadata", "exists", "restore", "update metadata"} {
		requireMatches(t, quotingCalls[name](t.Context(), c), scaivault.ErrClosed)
	}
}
