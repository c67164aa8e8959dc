// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestLostUpdateOfMetadata is looked at and never repeated.
func TestLostUpdateOfMetadata(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		for _, f := range []scaivaulttest.Fault{
			{Cut: scaivaulttest.CutBeforeAnswer}, {Status: 502, Body: balancerPage}, {Status: 200, Body: balancerPage}, {Status: 500, Code: "internal_error"},
		} {
			s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{MetadataRoute: scaivaulttest.MetadataSecretRoute}}, retries(3))
			s.Seed("a/b", valueA)
			f.Method, f.After = http.MethodPatch, done
			s.Inject(f)
			info, err := c.UpdateMetadata(t.Context(), "a/b", scaivault.Metadata{Owner: "o", Tags: []string{"t"}})
			require.Equal(t, 1, s.RequestCount(http.MethodPatch, "/**"))
			if done {
				require.NoError(t, err)
				require.Equal(t, scaivault.Metadata{Owner: "o", Tags: []string{"t"}}, info.Metadata)
				continue
			}
			requireMatches(t, err, scaivault.ErrUncertain)
			require.ErrorContains(t, err, "the metadata is not what was asked for")
		}
	}
}

// TestLostUpdateThatCannotBeLookedAt says so.
func TestLostUpdateThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	rt := bySuffix(map[string]func(*http.Request) (*http.Response, error){"PATCH /v1/secrets/a": says(502, ""), "": says(503, refusal("service_unavailable"))})
	_, err := newTestClient(t, "https://s.test", through(rt)).UpdateMetadata(t.Context(), "a", scaivault.Metadata{Owner: "o"})
	requireMatches(t, err, scaivault.ErrUncertain)
	require.ErrorContains(t, err, "reading the metadata back failed too (unavailable)")
}

// TestUpdateOfMetadataChangesNoOtherSecret: a path that looks like the metadata
// of the secret above, and one that has a secret below it that looks like its
// own metadata.
func TestUpdateOfMetadataChangesNoOtherSecret(t *testing.T) {
	t.Parallel()
	for _, route := range []scaivaulttest.MetadataRoute{scaivaulttest.MetadataOwnRoute, scaivaulttest.MetadataSecretRoute} {
		for _, path := range []string{"a", "a/metadata", "a/metadata/metadata"} {
			s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{MetadataRoute: route}})
			all := []string{"a", "a/metadata", "a/metadata/metadata"}
			for _, p := range all {
				s.Seed(p, valueA)
			}
			_, err := c.UpdateMetadata(t.Context(), path, scaivault.Metadata{Owner: "o"})
			for _, p := range all {
				read, readErr := c.Get(t.Context(), p)
				require.NoError(t, readErr)
				require.Equal(t, err == nil && p == path, read.Info().Metadata.Owner == "o", "%s after an update of %s by route %d: %v", p, path, route, err)
			}
		}
	}
}

// TestUpdateOfMetadataFindsItsWay to what the service offers, and asks each at
// most once.
func TestUpdateOfMetadataFindsItsWay(t *testing.T) {
	t.Parallel()
	type answer = func(*http.Request) (*http.Response, error)
	missing, unknown, refused := says(404, refusal("secret_not_found")), says(404, refusal("not_found")), says(405, refusal("method_not_allowed"))
	framework := says(405, `{"detail":"Method Not Allowed"}`)
	whole := says(200, `{"path":"a","version":3,"metadata":{"owner":"new"}}`)
	for name, c := range map[string]struct {
		secret, below, look answer
		patches             int
		want                error // nil: done; ErrUnsupported: not offered
	}{
		"of the secret":            {secret: whole, patches: 1},
		"below it":                 {secret: refused, below: whole, patches: 2},
		"below it, unknown before": {secret: unknown, below: whole, patches: 2},
		"in a framework's words":   {secret: framework, below: whole, patches: 2},
		"missing":                  {secret: missing, look: missing, patches: 1, want: scaivault.ErrNotFound},
		"missing, but there":       {secret: missing, below: whole, look: says(200, infoOfA), patches: 2},
		"missing below":            {secret: refused, below: missing, look: missing, patches: 2, want: scaivault.ErrNotFound},
		"missing below, but there": {secret: refused, below: missing, look: says(200, infoOfA), patches: 2, want: errors.ErrUnsupported},
		"neither":                  {secret: refused, below: unknown, patches: 2, want: errors.ErrUnsupported},
		"pages":                    {secret: framework, below: framework, patches: 2, want: scaivault.ErrUnavailable},
		"denied":                   {secret: says(403, refusal("access_denied")), patches: 1, want: scaivault.ErrPermission},
		"lost":                     {secret: says(502, ""), look: says(200, infoOfA), patches: 1, want: scaivault.ErrUncertain},
		"lost, and there":          {secret: says(502, ""), look: whole, patches: 1},
		"lost below":               {secret: refused, below: says(500, refusal("internal_error")), look: says(200, infoOfA), patches: 2, want: scaivault.ErrUncertain},
		"an answer on another":     {secret: says(200, `{"path":"b","version":3,"metadata":{}}`), look: says(200, infoOfA), patches: 1, want: scaivault.ErrUncertain},
		"an answer that says no":   {secret: says(200, refusal("access_denied")), look: whole, patches: 1},
		"no answer at all":         {secret: says(204, ""), look: whole, patches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patches := 0
			rt := bySuffix(map[string]answer{"PATCH /v1/secrets/a": c.secret, "PATCH /v1/secrets/a/metadata": c.below, "": c.look})
			rt.seen = func(r *http.Request, _ []byte) {
				if r.Method == http.MethodPatch {
					patches++
				}
			}
			info, err := newTestClient(t, "https://s.test", through(rt), retries(3)).UpdateMetadata(t.Context(), "a", scaivault.Metadata{Owner: "new"})
			require.Equal(t, c.patches, patches)
			switch {
			case errors.Is(c.want, errors.ErrUnsupported):
				requireUnsupported(t, err)
			case c.want != nil:
				requireMatches(t, err, c.want)
			default:
				require.NoError(t, err)
				require.Equal(t, "new", info.Metadata.Owner)
				require.Equal(t, 3, info.Version)
			}
		})
	}
}

// TestUpdateOfMetadataRefuses what cannot be meant, before any request.
func TestUpdateOfMetadataRefuses(t *testing.T) {
	t.Parallel()
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt))
	for _, m := range []scaivault.Metadata{{}, {Values: map[string]any{"f": func() {}}}, {Owner: "o", Values: map[string]any{"owner": "p"}}, {Values: map[string]any{"scaivault_write_id": "x"}}} {
		_, err := c.UpdateMetadata(t.Context(), "a", m)
		requireMatches(t, err, scaivault.ErrInvalid)
	}
	for _, call := range []func(context.Context, string) error{
		func(ctx context.Context, p string) error {
			_, err := c.UpdateMetadata(ctx, p, scaivault.Metadata{Owner: "o"})
			return err
		},
		func(ctx context.Context, p string) error { _, err := c.Metadata(ctx, p); return err },
		func(ctx context.Context, p string) error { _, err := c.Exists(ctx, p); return err },
		func(ctx context.Context, p string) error { _, err := c.Versions(ctx, p); return err },
		func(ctx context.Context, p string) error { _, err := c.Restore(ctx, p); return err },
	} {
		requireMatches(t, call(t.Context(), "Not/Valid"), scaivault.ErrInvalid)
	}
	require.Zero(t, rt.requests.Load())
}
