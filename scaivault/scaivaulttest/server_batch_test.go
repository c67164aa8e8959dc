// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

type batch struct {
	Secrets map[string]map[string]any `json:"secrets"`
	Errors  map[string]struct{ Code, Message string }
}

func (c *caller) batch(body string) (reply, batch) {
	c.t.Helper()
	r := c.do("POST", "/v1/secrets/batch", body)
	var b batch
	require.NoError(c.t, json.Unmarshal([]byte(r.body), &b))
	return r, b
}

func manyPaths(n int) string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("p/%d", i)
	}
	encoded, _ := json.Marshal(paths)
	return string(encoded)
}

func TestBatchRead(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	seedAll(srv, "a/1", "a/1", "a/2", "a/3", "a/4")
	c.do("DELETE", "/v1/secrets/a/3", "")
	srv.Deny("sa:tests", "a/4")
	r, b := c.batch(`{"paths":["a/1","a/2","a/1","a/3","a/4","a/5","A"]}`)
	assert.Equal(t, 200, r.status)
	require.Len(t, b.Secrets, 2)
	assert.Equal(t, map[string]any{"k": "v"}, b.Secrets["a/1"]["data"])
	assert.EqualValues(t, 2, b.Secrets["a/1"]["version"])
	assert.Equal(t, "kv", b.Secrets["a/1"]["secret_type"])
	assert.NotContains(t, b.Secrets["a/1"], "metadata")
	codes := map[string]string{}
	for path, e := range b.Errors {
		codes[path] = e.Code
		assert.NotEmpty(t, e.Message)
	}
	assert.Equal(t, map[string]string{"a/3": "secret_not_found", "a/4": "access_denied", "a/5": "secret_not_found", "A": "invalid_path"}, codes)

	r, _ = c.batch(`{"paths":["z","a\"<","A","ü","a/9"]}`)
	const invalid = `{"code":"invalid_path","message":"invalid path: only a-z, 0-9, -, _ and / are allowed"}`
	assert.Equal(t, `{"secrets":{},"errors":{"A":`+invalid+`,"a\"<":`+invalid+`,`+
		`"a/9":{"code":"secret_not_found","message":"no secret at a/9"},"z":{"code":"secret_not_found","message":"no secret at z"},"ü":`+invalid+`}}`, r.body)

	_, b = c.batch(`{"paths":["a/1"],"options":{"include_metadata":true}}`)
	assert.Contains(t, b.Secrets["a/1"], "metadata")
	assert.Contains(t, b.Secrets["a/1"], "created_at")
	assert.NotNil(t, b.Errors)

	_, b = c.batch(`{"paths":["a/1","a/2"],"options":{"version":2}}`)
	assert.Contains(t, b.Secrets, "a/1")
	assert.Equal(t, "version_not_found", b.Errors["a/2"].Code)
}

func TestBatchBounds(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	r, b := c.batch(`{"paths":` + manyPaths(100) + `}`)
	assert.Equal(t, 200, r.status)
	assert.Len(t, b.Errors, 100)
	for _, body := range []string{`{}`, `{"paths":[]}`, `{"paths":` + manyPaths(101) + `}`, `{"paths":["a"],"options":{"version":0}}`, `{"paths":"a"}`} {
		c.do("POST", "/v1/secrets/batch", body).refused(t, 422, "validation_error")
	}
	c.do("POST", "/v1/secrets/batch", `{`).refused(t, 400, "invalid_request")
}

func TestBatchFailFast(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	seedAll(srv, "a", "b")
	const body = `{"paths":["a","missing","b"],"options":{"fail_fast":true}}`
	c.do("POST", "/v1/secrets/batch", body).refused(t, 404, "secret_not_found")

	srv, c = inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{FailFast: scaivaulttest.FailFastPartial}})
	seedAll(srv, "a", "b")
	r, b := c.batch(body)
	assert.Equal(t, 200, r.status)
	assert.Contains(t, b.Secrets, "a")
	assert.NotContains(t, b.Secrets, "b", "not read any more")
	assert.Len(t, b.Errors, 1)
}

func TestBatchMetadata(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	seedAll(srv, "a/1", "a/2", "a/x/3", "b")
	c.token = srv.IssueToken("sa:tests", "secrets:list")
	r := c.do("POST", "/v1/secrets/batch/metadata", `{"paths":["a/*","a/1","c"],"options":{"expand_wildcards":true}}`)
	var b batch
	require.NoError(t, json.Unmarshal([]byte(r.body), &b))
	assert.Len(t, b.Secrets, 2)
	assert.NotContains(t, b.Secrets["a/1"], "data")
	assert.Contains(t, b.Secrets["a/1"], "metadata")
	assert.Equal(t, "secret_not_found", b.Errors["c"].Code)
	r = c.do("POST", "/v1/secrets/batch/metadata", `{"paths":["a/*"]}`)
	require.NoError(t, json.Unmarshal([]byte(r.body), &b))
	assert.Equal(t, "invalid_path", b.Errors["a/*"].Code, "expanded only when asked")
}
