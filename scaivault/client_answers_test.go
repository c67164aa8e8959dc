// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// listing reads a whole listing, and its error.
func listing(t *testing.T, c *scaivault.Client, prefix string) (paths []string, last error) {
	t.Helper()
	for e, err := range c.List(t.Context(), prefix, nil) {
		require.NoError(t, last, "the error is the last pair")
		if last = err; err != nil {
			require.Equal(t, scaivault.Entry{}, e)
			continue
		}
		paths = append(paths, e.Path)
	}
	return paths, last
}

// TestCursorsInACircleEnd, however long the circle is.
func TestCursorsInACircleEnd(t *testing.T) {
	t.Parallel()
	for _, circle := range []int{1, 2, 3, 7, 50} {
		for _, lead := range []int{0, 1, 10} {
			pages := 0
			page := func(list string) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					pages++
					n := pages
					if n > lead {
						n = lead + (pages-lead)%circle
					}
					answer(200, fmt.Sprintf(`{%s,"cursor":"c%d","has_more":true}`, list, n))(w, r)
				}
			}
			_, err := listing(t, serve(t, page(`"secrets":["a"]`)), "")
			requireMatches(t, err, scaivault.ErrUnavailable)
			require.Less(t, pages, 10*(circle+lead+1))

			pages = 0
			requireMatches(t, lastAudit(t.Context(), serve(t, page(`"logs":[]`)), 1), scaivault.ErrUnavailable)
			require.Less(t, pages, 10*(circle+lead+1))
		}
	}
}

func TestListingNeverEndsEarlyInSilence(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"cursor of another type":   `{"secrets":["a"],"cursor":{"next":1}}`,
		"more that is a word":      `{"secrets":["a"],"cursor":"x","has_more":"yes"}`,
		"an item without form":     `{"secrets":["a",7]}`,
		"a path without form":      `{"secrets":[{"path":7}]}`,
		"items that are no list":   `{"secrets":{"a":{}}}`,
		"nothing":                  `{}`,
		"something else":           `{"status":"ok"}`,
		"null":                     `null`,
		"an empty body":            ``,
		"two answers":              `{"secrets":[]}{"secrets":["a"]}`,
		"more and an empty cursor": `{"secrets":["a"],"cursor":"","has_more":true}`,
		"more and a null cursor":   `{"secrets":["a"],"cursor":null,"has_more":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := listing(t, serve(t, answer(200, body)), "")
			requireMatches(t, err, scaivault.ErrUnavailable)
		})
	}
}

func TestListingIsReadInOtherForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages []string
		want  []string
	}{
		"items":              {[]string{`{"items":["a"]}`}, []string{"a"}},
		"null for none":      {[]string{`{"secrets":null,"cursor":null,"has_more":false}`}, nil},
		"data beside a null": {[]string{`{"secrets":null,"data":["a"]}`}, []string{"a"}},
		"a number as cursor": {[]string{`{"secrets":["a"],"cursor":100,"has_more":true}`, `{"secrets":["b"]}`}, []string{"a", "b"}},
		"next_cursor":        {[]string{`{"secrets":["a"],"next_cursor":"x"}`, `{"secrets":["b"],"next_cursor":null}`}, []string{"a", "b"}},
		"a cursor at the end": {
			[]string{`{"secrets":["a"],"cursor":"x","has_more":false}`, `{"secrets":["b"]}`},
			[]string{"a"},
		},
		"odd fields": {[]string{`{"secrets":[{"path":"a","version":"two","secret_type":[],"updated_at":0,"new":{}}],"total":1}`}, []string{"a"}},
		"null items": {[]string{`{"secrets":[null,{},"a"]}`}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answers []func(*http.Request) (*http.Response, error)
			for _, p := range c.pages {
				answers = append(answers, says(200, p))
			}
			got, err := listing(t, newTestClient(t, "https://s.test", through(&script{answers: answers})), "")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestFoldersAreFollowedDownwardsOnly, so that a service that ignores the
// prefix ends too, and nothing is listed twice.
func TestFoldersAreFollowedDownwardsOnly(t *testing.T) {
	t.Parallel()
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		answer(200, `{"secrets":["top","f/","g/","f/in/","f/in/deep","g/x","f/../","//","F/"]}`)(w, r)
	})
	got, err := listing(t, c, "")
	require.NoError(t, err)
	require.Contains(t, got, "top")
	require.Contains(t, got, "f/in/deep")
	require.Contains(t, got, "g/x")
	require.Less(t, asked, 10)
}

func TestOneLevelListingIsWalked(t *testing.T) {
	t.Parallel()
	levels := map[string]string{
		"":       `{"secrets":["a/","z"]}`,
		"a/":     `{"secrets":["a/b/","a/c"]}`,
		"a/b/":   `{"secrets":["a/b/d/"]}`,
		"a/b/d/": `{"secrets":["a/b/d/e"]}`,
	}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(200, levels[r.URL.Query().Get("prefix")])(w, r) })
	got, err := listing(t, c, "")
	require.NoError(t, err)
	require.Equal(t, []string{"a/b/d/e", "a/c", "z"}, got)
}

// TestBatchThatIsRefusedAsAWhole says nothing of a single secret's absence.
func TestBatchThatIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{404, refusal("not_found"), scaivault.ErrUnavailable},
		{404, refusal("secret_not_found"), scaivault.ErrUnavailable},
		{404, balancerPage, scaivault.ErrUnavailable},
		{403, refusal("insufficient_scope"), scaivault.ErrPermission},
		{429, refusal("rate_limited"), scaivault.ErrRateLimited},
		{200, `{}`, scaivault.ErrUnavailable},
		{200, `{"secrets":[],"errors":[]}`, scaivault.ErrUnavailable},
		{200, `{"secrets":null,"errors":null}`, scaivault.ErrUnavailable},
		{200, balancerPage, scaivault.ErrUnavailable},
		{200, ``, scaivault.ErrUnavailable},
	} {
		got, err := serve(t, answer(c.status, c.body)).GetBatch(t.Context(), []string{"b", "a"})
		require.Empty(t, got)
		var all *scaivault.BatchError
		require.ErrorAs(t, err, &all)
		for _, path := range []string{"a", "b"} {
			requireMatches(t, all.Errors[path], c.want)
			require.Equal(t, path, requireError(t, all.Errors[path]).Path)
		}
		require.Less(t, strings.Index(err.Error(), "get a"), strings.Index(err.Error(), "get b"), "in the order of the paths")
	}
}

func TestBatchEntriesAreReadByTheirCode(t *testing.T) {
	t.Parallel()
	body := `{"secrets":{"ok":{"data":{"k":"v"},"version":"x","secret_type":1,"metadata":"odd"},"both":{"data":{}}},"errors":{
		"gone":{"code":"secret_not_found","message":["x"]},"denied":{"code":"access_denied"},"later":{"code":"rate_limited"},
		"both":{"code":"access_denied"},"odd":"text","empty":null}}`
	got, err := serve(t, answer(207, body)).GetBatch(t.Context(), []string{"ok", "gone", "denied", "later", "both", "odd", "empty"})
	require.Len(t, got, 2)
	v, _ := got["ok"].Field("k")
	require.Equal(t, "v", v)
	var some *scaivault.BatchError
	require.ErrorAs(t, err, &some)
	require.Len(t, some.Errors, 5)
	for path, want := range map[string]error{
		"gone": scaivault.ErrNotFound, "denied": scaivault.ErrPermission, "later": scaivault.ErrRateLimited,
		"odd": scaivault.ErrUnavailable, "empty": scaivault.ErrUnavailable,
	} {
		requireMatches(t, some.Errors[path], want)
	}
	for range 20 {
		require.Equal(t, err.Error(), (&scaivault.BatchError{Errors: some.Errors}).Error())
	}
}

func TestBatchWithinTheReadLimit(t *testing.T) {
	t.Parallel()
	s, c := service(t, &scaivaulttest.ServerOptions{
		Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: 2},
		Quirks: scaivaulttest.Quirks{BatchLimited: scaivaulttest.BatchLimitedEntries},
	})
	for _, p := range []string{"a", "b", "c"} {
		s.Seed(p, valueA)
	}
	got, err := c.GetBatch(t.Context(), []string{"a", "b", "c"})
	require.Len(t, got, 2)
	require.ErrorIs(t, err, scaivault.ErrRateLimited)
}

// TestAuditLogIsNeverEmptyByMistake: who looks for readers must not be told
// that there are none when nothing was told.
func TestAuditLogIsNeverEmptyByMistake(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `{"status":"ok"}`, `{"logs":{}}`, `{"logs":["x"]}`, `{"logs":[{"secret_path":7}]}`, `{"logs":[{"success":"yes"}]}`,
		`{"logs":[],"has_more":true}`, `[]`, ``, balancerPage,
	} {
		requireMatches(t, lastAudit(t.Context(), serve(t, answer(200, body)), 1), scaivault.ErrUnavailable)
	}
	require.ErrorContains(t, lastAudit(t.Context(), serve(t, answer(200, `{}`)), 1), "holds no logs")
	require.NoError(t, lastAudit(t.Context(), serve(t, answer(200, `{"logs":null}`)), 1))

	odd := `{"logs":[{"id":7,"timestamp":"never","action":"read","identity_id":"sa:x","identity_type":null,"secret_path":"a/b",` +
		`"source_ip":[],"user_agent":{},"success":true,"duration_ms":"12","request_id":1,"extra_data":{"a":1}}],"cursor":null}`
	for e, err := range serve(t, answer(200, odd)).AuditLogs(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, scaivault.AuditEntry{
			Action: "read", IdentityID: "sa:x", Path: "a/b", Success: true, Duration: 12 * time.Millisecond, Extra: json.RawMessage(`{"a":1}`),
		}, e)
	}
	for _, extra := range []string{"null", "7", `"x"`, "[]"} {
		for e, err := range serve(t, answer(200, `{"logs":[{"action":"read","extra_data":`+extra+`}]}`)).AuditLogs(t.Context(), nil) {
			require.NoError(t, err)
			require.Nil(t, e.Extra)
		}
	}
}

func TestWhoAmISurvivesWhatIsOptional(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"identity_id":"sa:x"}`,
		`{"identity_id":"sa:x","identity_type":7,"display_name":null,"scopes":"a b","groups":{},"roles":[1],"token_expires_at":0,"new":1}`,
	} {
		who, err := serve(t, answer(200, body)).WhoAmI(t.Context())
		require.NoError(t, err)
		require.Equal(t, &scaivault.Identity{ID: "sa:x"}, who)
	}
	for _, body := range []string{`{}`, `{"identity_id":null}`, `null`, `[]`, balancerPage, ``} {
		_, err := serve(t, answer(200, body)).WhoAmI(t.Context())
		requireMatches(t, err, scaivault.ErrUnavailable)
	}
}

func TestReadyTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	notReady := `{"status":"not_ready","checks":{"database":"failed","redis":true},"errors":{"database":{"code":7}}}`
	for _, status := range []int{200, 503} { // some proxies make one of the other
		ready, err := serve(t, answer(status, notReady, "X-Request-ID", "req_7")).Ready(t.Context())
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Equal(t, "req_7", requireError(t, err).RequestID)
		require.Equal(t, map[string]string{"database": "failed", "redis": "true"}, ready.Checks)
		require.Equal(t, map[string]string{"database": `{"code":7}`}, ready.Errors)
	}
	ready, err := serve(t, answer(200, `{"status":"ready","checks":["odd"]}`)).Ready(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ready", ready.Status)
	for status, want := range map[int]error{200: scaivault.ErrUnavailable, 503: scaivault.ErrUnavailable, 401: scaivault.ErrUnauthenticated} {
		ready, err := serve(t, answer(status, balancerPage)).Ready(t.Context())
		requireMatches(t, err, want)
		require.Nil(t, ready)
	}
}

func TestDoChecksMethodAndAnswer(t *testing.T) {
	t.Parallel()
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt))
	for _, method := range []string{"", "get", "GE T", "GET\r\n", "GET/"} {
		requireMatches(t, c.Do(t.Context(), method, "/v1/x", nil, nil), scaivault.ErrInvalid)
	}
	requireMatches(t, c.Do(t.Context(), "GET", "/v1/x?a=%zz", nil, nil), scaivault.ErrInvalid)
	requireMatches(t, c.Do(t.Context(), "GET", "/v1/x#y", nil, nil), scaivault.ErrInvalid)
	requireMatches(t, c.Do(t.Context(), "POST", "/v1/x", make(chan int), nil), scaivault.ErrInvalid)
	require.Zero(t, rt.requests.Load())

	// An answer that is no JSON is not the service's, wanted or not.
	requireMatches(t, serve(t, answer(200, balancerPage)).Do(t.Context(), "DELETE", "/v1/x", nil, nil), scaivault.ErrUncertain)
	requireMatches(t, serve(t, answer(200, balancerPage)).Do(t.Context(), "GET", "/v1/x", nil, nil), scaivault.ErrUnavailable)
	require.NoError(t, serve(t, answer(200, `{"any":"thing"}`)).Do(t.Context(), "DELETE", "/v1/x", nil, nil))

	out := map[string]any{"kept": true}
	require.NoError(t, serve(t, answer(204, "")).Do(t.Context(), "GET", "/v1/x", nil, &out))
	require.Equal(t, map[string]any{"kept": true}, out)
	var raw json.RawMessage
	require.NoError(t, serve(t, answer(200, `{"n":0.10}`)).Do(t.Context(), "GET", "/v1/x", nil, &raw))
	require.Equal(t, `{"n":0.10}`, string(raw))
	require.NoError(t, serve(t, answer(200, "")).Do(t.Context(), "HEAD", "/v1/x", nil, nil))
}

// TestDoShowsNoQuery in its errors: it can hold anything.
func TestDoShowsNoQuery(t *testing.T) {
	t.Parallel()
	err := serve(t, answer(400, refusal("invalid_request"))).Do(t.Context(), "GET", "/v1/x/y?code=canary", nil, nil)
	requireMatches(t, err, scaivault.ErrInvalid)
	require.Contains(t, err.Error(), "get /v1/x/y")
	require.NotContains(t, err.Error(), "canary")
}
