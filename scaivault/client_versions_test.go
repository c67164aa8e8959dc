// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestVersionsInEveryForm, in ascending order, each once.
func TestVersionsInEveryForm(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	first := scaivault.VersionInfo{Version: 1}
	second := scaivault.VersionInfo{Version: 2, CreatedAt: at, CreatedBy: "sa:x"}
	const object = `{"version":2,"created_at":"2030-01-02T03:04:05Z","created_by":"sa:x","data":{"k":"c4n4ry"},"new":[1]}`
	both := []scaivault.VersionInfo{first, second}
	for name, c := range map[string]struct {
		body string
		want []scaivault.VersionInfo
	}{
		"versions":          {`{"path":"a","current_version":2,"versions":[` + object + `,{"version":1}]}`, both},
		"data":              {`{"data":[{"version":"1"},` + object + `],"has_more":false,"cursor":null}`, both},
		"items":             {`{"items":[1,` + object + `]}`, both},
		"a list":            {`[` + object + `,1,1]`, both},
		"numbers":           {`{"versions":[2,1]}`, []scaivault.VersionInfo{{Version: 1}, {Version: 2}}},
		"numbers in quotes": {`{"versions":["2","1"]}`, []scaivault.VersionInfo{{Version: 1}, {Version: 2}}},
		"a map":             {`{"versions":{"2":` + object + `,"1":null}}`, both},
		"a map alone":       {`{"2":` + object + `,"1":{}}`, both},
		"empty":             {`{"versions":[]}`, []scaivault.VersionInfo{}},
		"null":              {`{"versions":null}`, []scaivault.VersionInfo{}},
		"an end":            {`[{"version":1,"expires_at":"2030-01-02T03:04:05Z"}]`, []scaivault.VersionInfo{{Version: 1, ExpiresAt: at}}},
		"deleted at":        {`[{"version":1,"deleted_at":"2030-01-02T03:04:05Z"}]`, []scaivault.VersionInfo{{Version: 1, Deleted: true, DeletedAt: at}}},
		"deleted":           {`[{"version":1,"deleted":true},{"version":2,"destroyed":true,"deleted_at":null}]`, []scaivault.VersionInfo{{Version: 1, Deleted: true}, {Version: 2, Deleted: true}}},
		"strange types":     {`[{"version":1,"deleted":"no","created_at":7,"created_by":{},"expires_at":"never"}]`, []scaivault.VersionInfo{first}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := serve(t, answer(200, c.body)).Versions(t.Context(), "a")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestVersionsThatAreNone are not taken for an answer.
func TestVersionsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{}`, `null`, `7`, `"x"`, `{"versions":"x"}`, `{"versions":[{}]}`, `{"versions":[{"version":0}]}`, `{"versions":[-1]}`, `{"versions":["x"]}`, `{"versions":{"x":1}}`,
		`{"current_version":2}`, `{"1":{},"status":"ok"}`, `{"versions":[1]} trailing`, `{"versions":[1],"has_more":true}`, `{"versions":[1],"cursor":{}}`,
		`{"versions":[1],"cursor":"x","has_more":true}`, balancerPage, refusal("secret_not_found"),
	} {
		got, err := serve(t, answer(200, body)).Versions(t.Context(), "a")
		require.Nil(t, got, body)
		requireMatches(t, err, scaivault.ErrUnavailable)
	}
	_, err := serve(t, answer(404, balancerPage)).Versions(t.Context(), "a")
	requireMatches(t, err, scaivault.ErrUnavailable)
}

// TestVersionsOverPages follows the cursor.
func TestVersionsOverPages(t *testing.T) {
	t.Parallel()
	var queries []string
	rt := &script{
		answers: says2(
			says(200, `{"versions":[{"version":5},{"version":4}],"cursor":"c 1","has_more":true}`),
			says(200, `{"versions":[{"version":4},{"version":3}],"next_cursor":2}`),
			says(200, `{"versions":[],"cursor":"more","has_more":false}`)),
		seen: func(r *http.Request, _ []byte) { queries = append(queries, r.URL.RequestURI()) },
	}
	got, err := newTestClient(t, "https://s.test", through(rt)).Versions(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, []string{"/v1/secrets/a/b/versions", "/v1/secrets/a/b/versions?cursor=c+1", "/v1/secrets/a/b/versions?cursor=2"}, queries)
	require.Equal(t, []scaivault.VersionInfo{{Version: 3}, {Version: 4}, {Version: 5}}, got)

	rt = &script{answers: says2(says(200, `{"versions":[1],"cursor":"x"}`))}
	_, err = newTestClient(t, "https://s.test", through(rt)).Versions(t.Context(), "a")
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Less(t, rt.requests.Load(), int64(5))
}

// TestVersionsThatTheServiceDoesNotKnow: what it says of a secret of that very
// path is no word on ours.
func TestVersionsThatTheServiceDoesNotKnow(t *testing.T) {
	t.Parallel()
	missing := says(404, refusal("secret_not_found"))
	for name, below := range map[string]func(*http.Request) (*http.Response, error){
		"missing": missing, "unknown": says(404, refusal("not_found")), "405": says(405, refusal("method_not_allowed")), "too long": says(400, refusal("invalid_path")),
		"a secret":                       says(200, `{"path":"a/versions","version":1,"data":{"1":"c4n4ry"}}`),
		"a secret with the member":       says(200, `{"path":"a/versions","version":1,"data":{"k":"c4n4ry"},"versions":[7]}`),
		"a secret that names no path":    says(200, `{"data":{"1":"c4n4ry"},"versions":[7]}`),
		"the versions of another secret": says(200, `{"path":"a/versions","versions":[7]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for there, answer := range map[bool]func(*http.Request) (*http.Response, error){true: says(200, infoOfA), false: missing} {
				rt := bySuffix(map[string]func(*http.Request) (*http.Response, error){"/a/versions": below, "/a/metadata": answer, "": missing})
				_, err := newTestClient(t, "https://s.test", through(rt)).Versions(t.Context(), "a")
				assert.NotContains(t, fmt.Sprintf("%+v", err), "c4n4ry")
				if there {
					requireUnsupported(t, err)
					require.ErrorContains(t, err, "GetVersion")
				} else {
					requireMatches(t, err, scaivault.ErrNotFound)
				}
			}
			rt := bySuffix(map[string]func(*http.Request) (*http.Response, error){"/a/versions": below, "": says(503, balancerPage)})
			_, err := newTestClient(t, "https://s.test", through(rt)).Versions(t.Context(), "a")
			requireMatches(t, err, scaivault.ErrUnavailable)
		})
	}
}

// TestManyVersions in one answer.
func TestManyVersions(t *testing.T) {
	t.Parallel()
	body := "[" + strings.Repeat(`{"version":1},`, 5_000) + "2]"
	got, err := serve(t, answer(200, body)).Versions(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, got, 2)
}

// FuzzSubresourceBody: whatever a service answers below a secret, the calls end
// with an answer or an error of a kind, and quote nothing.
func FuzzSubresourceBody(f *testing.F) {
	const marker = "c4n4ry of the server!"
	f.Add(200, infoOfA)
	f.Add(404, refusal("secret_not_found"))
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		for _, body := range []string{body, body + marker, `{"data":{"k":"` + marker + `"},` + strings.TrimPrefix(body, "{")} {
			c := newTestClient(t, "https://s.test", through(&script{answers: says2(says(status, body))}))
			for _, name := range []string{"versions", "metadata", "exists", "restore", "update metadata", "update below", "delete for good", "put with metadata"} {
				err := quotingCalls[name](t.Context(), c)
				if err == nil {
					continue
				}
				require.NotEqual(t, "??", kindOf(err), "%v", err)
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), marker)
			}
		}
	})
}
