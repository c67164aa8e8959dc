// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// getBody is Get of testPath from a service that answers this.
func getBody(t testing.TB, body string) (*scaivault.Secret, error) {
	t.Helper()
	return newTestClient(t, "https://s.test", through(&script{answers: says2(says(200, body))})).Get(t.Context(), testPath)
}

func TestEverythingThatIsDocumentedIsRead(t *testing.T) {
	t.Parallel()
	s, err := getBody(t, `{"path":"elsewhere","secret_type":"api_key","version":7,"data":{"k":"v"},`+
		`"metadata":{"description":"d","tags":["t"],"owner":"o","tier":1.0},"created_at":"2030-01-02T03:04:05Z","updated_at":"2030-01-02T03:04:05.123456Z",`+
		`"expires_at":"2031-01-02T03:04:05+01:00","last_accessed_at":"2030-06-01T00:00:00Z","rotation_policy_id":"rot_1","secret_policy_id":"sp\u005f1"}`)
	require.NoError(t, err)
	info := s.Info()
	assert.True(t, info.ExpiresAt.Equal(time.Date(2031, 1, 2, 2, 4, 5, 0, time.UTC)))
	info.ExpiresAt = time.Time{}
	assert.Equal(t, scaivault.SecretInfo{
		Path: testPath, Version: 7, Type: scaivault.TypeAPIKey, Source: "scaivault",
		Metadata: scaivault.Metadata{
			Description: "d", Tags: []string{"t"}, Owner: "o", Values: map[string]any{"tier": json.Number("1.0")},
		},
		CreatedAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), UpdatedAt: time.Date(2030, 1, 2, 3, 4, 5, 123456000, time.UTC),
		LastAccessedAt: time.Date(2030, 6, 1, 0, 0, 0, 0, time.UTC), RotationPolicyID: "rot_1", SecretPolicyID: "sp_1",
	}, info)
	assert.Empty(t, s.Extra())
}

// TestInfoIsACopy, also of what is read only when it is asked for.
func TestInfoIsACopy(t *testing.T) {
	t.Parallel()
	s, err := getBody(t, `{"data":{},"metadata":{"tags":["t"],"k":{"n":1}}}`)
	require.NoError(t, err)
	before := s.Info()
	changed := s.Info()
	changed.Metadata.Tags[0] = "changed"
	changed.Metadata.Values["k"].(map[string]any)["n"] = "changed"
	assert.Equal(t, before, s.Info())
}

// TestUnknownMembersAreKept, and not printed.
func TestUnknownMembersAreKept(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry-of-a-member"
	s, err := getBody(t, `{ "notify_before" : ["30d", "7d"], "data":{"k":"v"},"h\u0069nt":{"v":"`+canary+`","n":1.50},"again":1,"again":null,"Version":9}`)
	require.NoError(t, err)
	want := map[string]json.RawMessage{
		"notify_before": json.RawMessage(`["30d", "7d"]`), "hint": json.RawMessage(`{"v":"` + canary + `","n":1.50}`),
		"again": json.RawMessage(`null`), "Version": json.RawMessage(`9`),
	}
	assert.Equal(t, want, s.Extra())
	assert.Zero(t, s.Version())
	s.Extra()["notify_before"][0] = 'x'
	assert.Equal(t, want, s.Extra(), "it is a copy")
	assert.NotContains(t, string(s.JSON()), canary)
	holder := struct {
		s any
		p *scaivault.Secret
		v scaivault.Secret
	}{s, s, *s}
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, s), fmt.Sprintf(verb, holder), string(encoded)} {
			assert.NotContains(t, printed, canary)
			assert.NotContains(t, printed, fmt.Sprintf("%x", canary))
		}
	}

	made, err := scaivault.NewSecret(scaivault.SecretInfo{}, json.RawMessage(`{}`))
	require.NoError(t, err)
	assert.Nil(t, made.Extra())
	assert.Nil(t, (*scaivault.Secret)(nil).Extra())
}

// TestBatchKeepsUnknownMembers of each entry.
func TestBatchKeepsUnknownMembers(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, `{"secrets":{"a":{"data":{"k":1},"hint":"h"},"b":{"data":{}}}}`))}
	found, err := newTestClient(t, "https://s.test", through(rt)).GetBatch(t.Context(), []string{"a", "b"})
	require.NoError(t, err)
	assert.Equal(t, map[string]json.RawMessage{"hint": json.RawMessage(`"h"`)}, found["a"].Extra())
	assert.Nil(t, found["b"].Extra())
}

// TestLastOfTwoMembersCounts, as everywhere in Go.
func TestLastOfTwoMembersCounts(t *testing.T) {
	t.Parallel()
	s, err := getBody(t, `{"data":{"k":"old"},"version":1,"data":{"k":"new"},"version":2,"d\u0061ta":{"k":"newer"}}`)
	require.NoError(t, err)
	k, _ := s.Field("k")
	assert.Equal(t, "newer", k)
	assert.Equal(t, 2, s.Version())
	_, err = getBody(t, `{"data":{"k":"v"},"data":null}`)
	requireMatches(t, err, scaivault.ErrUnavailable)
}

// TestReadingASecretAllocatesLittle: what an answer costs beyond one that is
// refused for holding no data.
func TestReadingASecretAllocatesLittle(t *testing.T) {
	get := func(body string) float64 {
		c := newTestClient(t, "https://s.test", through(&script{answers: says2(says(200, body))}))
		return testing.AllocsPerRun(100, func() { _, _ = c.Get(t.Context(), testPath) })
	}
	empty := strings.Replace(secretBody(1<<10), `"data":{`, `"none":{`, 1)
	// The refusal makes an Error; the success a Secret and a func.
	assert.LessOrEqual(t, get(secretBody(1<<10)), get(empty)+2)
}

// FuzzSecretBody: whatever a server answers, Get returns a secret or an error of
// a kind, never quotes the body, and agrees with encoding/json on what is there.
func FuzzSecretBody(f *testing.F) {
	f.Add(200, oneSecret)
	f.Add(404, refusal("secret_not_found"))
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		const marker = "canary-5e1f"
		rt := &script{answers: says2(says(status, body+strings.Repeat(" ", 3)), says(status, body+marker))}
		c := newTestClient(t, "https://s.test", through(rt))
		for i := range 2 {
			s, err := c.Get(t.Context(), testPath)
			if i == 0 && status < 300 {
				requireReadLikeJSON(t, body, s, err)
			}
			if err == nil {
				require.NotNil(t, s)
				require.True(t, s.Equal(s))
				continue
			}
			require.Nil(t, s)
			require.NotEqual(t, "??", kindOf(err))
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), marker)
		}
	})
}

// requireReadLikeJSON compares a read with that of encoding/json, which is
// another one.
func requireReadLikeJSON(t *testing.T, body string, s *scaivault.Secret, err error) {
	t.Helper()
	var members map[string]json.RawMessage
	ok := json.Unmarshal([]byte(body), &members) == nil
	require.Equal(t, ok && strings.HasPrefix(string(members["data"]), "{"), err == nil, "%v", err)
	if err != nil {
		return
	}
	require.Equal(t, string(members["data"]), string(s.JSON()))
	var version struct{ Version int }
	if json.Unmarshal([]byte(`{"version":`+string(members["version"])+`}`), &version) == nil && version.Version >= 0 {
		require.Equal(t, version.Version, s.Version())
	}
	var created struct{ At time.Time }
	if json.Unmarshal([]byte(`{"at":`+string(members["created_at"])+`}`), &created) == nil {
		require.True(t, created.At.Equal(s.Info().CreatedAt))
	}
	for _, known := range []string{
		"path", "secret_type", "version", "data", "metadata", "created_at", "updated_at", "expires_at",
		"last_accessed_at", "rotation_policy_id", "secret_policy_id",
	} {
		delete(members, known)
	}
	extra := s.Extra()
	require.Len(t, extra, len(members))
	for name, value := range members {
		require.Equal(t, string(value), string(extra[name]))
	}
}
