// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestRestoreOfEveryFate.
func TestRestoreOfEveryFate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deleted, permanent bool
		fault              *scaivaulttest.Fault
		want               error
	}{
		"lost, done":      {deleted: true, fault: &scaivaulttest.Fault{After: true, Cut: scaivaulttest.CutBeforeAnswer}},
		"a page, done":    {deleted: true, fault: &scaivaulttest.Fault{After: true, Status: 200, Body: balancerPage}},
		"lost, not done":  {deleted: true, fault: &scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer}, want: scaivault.ErrUncertain},
		"502, not done":   {deleted: true, fault: &scaivaulttest.Fault{Status: 502, Body: balancerPage}, want: scaivault.ErrUncertain},
		"a page with 404": {deleted: true, fault: &scaivaulttest.Fault{Status: 404, Body: balancerPage}, want: scaivault.ErrUnavailable},
		"nothing there":   {deleted: true, permanent: true, want: scaivault.ErrNotFound},
		"denied":          {fault: &scaivaulttest.Fault{Status: 403, Code: "access_denied"}, want: scaivault.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := service(t, nil, retries(3))
			s.Seed("a/b", valueA)
			if c.deleted {
				require.NoError(t, client.Delete(t.Context(), "a/b", &scaivault.DeleteOptions{Permanent: c.permanent}))
			}
			if c.fault != nil {
				f := *c.fault
				f.Method, f.Path = http.MethodPost, "/v1/secrets/a/b/restore"
				s.Inject(f)
			}
			info, err := client.Restore(t.Context(), "a/b")
			require.Equal(t, 1, s.RequestCount(http.MethodPost, "/v1/secrets/a/b/restore"))
			if c.want != nil {
				requireMatches(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1, info.Version)
		})
	}
}

// TestAnswersToARestore that say little.
func TestAnswersToARestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		version int
	}{
		"nothing":    {204, "", 3},
		"a version":  {200, `{"version":3}`, 3},
		"other JSON": {200, `["ok"]`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := bySuffix(map[string]func(*http.Request) (*http.Response, error){"/restore": says(c.status, c.body), "/a/metadata": says(200, infoOfA)})
			info, err := newTestClient(t, "https://s.test", through(rt)).Restore(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, c.version, info.Version)
		})
	}
	rt := bySuffix(map[string]func(*http.Request) (*http.Response, error){"/restore": says(204, ""), "": says(503, "")})
	info, err := newTestClient(t, "https://s.test", through(rt)).Restore(t.Context(), "a")
	require.NoError(t, err, "it is restored, whatever can be told of it")
	require.Equal(t, &scaivault.SecretInfo{Path: "a", Source: "scaivault"}, info)
}
