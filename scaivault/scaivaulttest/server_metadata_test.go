// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestVersionsAreListed(t *testing.T) {
	t.Parallel()
	for form, want := range map[scaivaulttest.VersionsForm]string{
		scaivaulttest.VersionsWhole: `{"path":"a","current_version":3,"versions":[
			{"version":3,"created_at":"2000-01-01T00:00:00Z","created_by":"sa:other"},
			{"version":2,"created_at":"2000-01-01T00:00:00Z","created_by":"sa:tests"},
			{"version":1,"created_at":"2000-01-01T00:00:00Z","created_by":"system:seed"}]}`,
		scaivaulttest.VersionsData: `{"data":[
			{"version":3,"created_at":"2000-01-01T00:00:00Z","created_by":"sa:other"},
			{"version":2,"created_at":"2000-01-01T00:00:00Z","created_by":"sa:tests"},
			{"version":1,"created_at":"2000-01-01T00:00:00Z","created_by":"system:seed"}]}`,
		scaivaulttest.VersionsNumbers: `{"versions":[1,2,3]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, c := quirky(t, scaivaulttest.Quirks{VersionsForm: form})
			c.put("a", `{"data":{}}`)
			as(t, srv, srv.IssueToken("sa:other")).put("a", `{"data":{}}`)
			assert.JSONEq(t, want, c.get("/v1/secrets/a/versions").body)
		})
	}
}

func TestMetadataAreUpdated(t *testing.T) {
	t.Parallel()
	const before = `{"data":{"k":"v"},"metadata":{"owner":"team:a","tags":["x"],"n":1.50}}`
	const change = `{"metadata":{"owner":"team:b","tags":null}}`
	for name, tc := range map[string]struct {
		quirks   scaivaulttest.Quirks
		path     string
		metadata string
		version  int
	}{
		"merged":          {path: "p/q/metadata", metadata: `{"owner":"team:b","n":1.50}`, version: 1},
		"replaced":        {scaivaulttest.Quirks{MetadataUpdate: scaivaulttest.MetadataReplaced}, "p/q/metadata", `{"owner":"team:b","tags":null}`, 1},
		"a version":       {scaivaulttest.Quirks{MetadataVersion: scaivaulttest.MetadataAppends}, "p/q/metadata", `{"owner":"team:b","n":1.50}`, 2},
		"on its own path": {scaivaulttest.Quirks{MetadataRoute: scaivaulttest.MetadataSecretRoute}, "p/q", `{"owner":"team:b","n":1.50}`, 1},
		"without parts": {scaivaulttest.Quirks{
			MetadataRoute: scaivaulttest.MetadataSecretRoute, Subresources: scaivaulttest.SubresourcesAbsent,
		}, "p/q", `{"owner":"team:b","n":1.50}`, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, c := quirky(t, tc.quirks)
			c.put("p/q", before)
			time.Sleep(time.Hour)
			r := c.do("PATCH", "/v1/secrets/"+tc.path, change)
			require.Equal(t, 200, r.status, "%s: %s", name, r.body)
			assert.NotContains(t, r.body, `"data"`, name)
			o := r.object(t)
			assert.EqualValues(t, tc.version, o["version"], name)
			assert.EqualValues(t, tc.version, o["version_count"], name)
			assert.Equal(t, "2000-01-01T00:00:00Z", o["created_at"], name)
			assert.Equal(t, "2000-01-01T01:00:00Z", o["updated_at"], name)
			assert.Equal(t, tc.version, srv.SecretVersion("p/q"), name)
			got := c.get("/v1/secrets/p/q")
			assert.Equal(t, map[string]any{"k": "v"}, got.object(t)["data"], name)
			encoded := string(mustMember(t, got, "metadata"))
			assert.JSONEq(t, tc.metadata, encoded, name)
			for _, body := range []string{`{}`, `{"metadata":null}`, `{"metadata":[]}`, `null`} {
				c.do("PATCH", "/v1/secrets/"+tc.path, body).refused(t, 422, "validation_error")
			}
		})
	}
}

func TestMetadataUpdateIsOfTheLatestVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := quirky(t, scaivaulttest.Quirks{})
		c.put("a", `{"data":{}}`)
		time.Sleep(time.Hour)
		c.do("PATCH", "/v1/secrets/a/metadata", `{"metadata":{}}`)
		for version, want := range []string{1: "2000-01-01T00:00:00Z", 2: "2000-01-01T01:00:00Z"} {
			if version > 0 {
				assert.Equal(t, want, c.get(fmt.Sprintf("/v1/secrets/a?version=%d", version)).object(t)["updated_at"])
			}
		}
	})
}

func TestMetadataUpdatePassesTheGates(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{})
	const body = `{"metadata":{}}`
	c.do("PATCH", "/v1/secrets/missing/metadata", body).refused(t, 404, "secret_not_found")
	c.do("PATCH", "/v1/secrets/UPPER/metadata", body).refused(t, 400, "invalid_path")
	c.do("PATCH", "/v1/secrets/metadata", body).refused(t, 405, "method_not_allowed")
	reader := as(t, srv, srv.IssueToken("sa:reader", "secrets:read", "secrets:list"))
	reader.do("PATCH", "/v1/secrets/a/metadata", body).refused(t, 403, "insufficient_scope")
	reader.do("POST", "/v1/secrets/a/restore", "").refused(t, 403, "insufficient_scope")
	srv.Deny("sa:tests", "a")
	c.do("PATCH", "/v1/secrets/a/metadata", body).refused(t, 403, "access_denied")
	c.do("POST", "/v1/secrets/a/restore", "").refused(t, 403, "access_denied")
	srv.Allow("sa:tests", "a")
	c.do("PATCH", "/v1/secrets/a/metadata", body)
	e := c.audit("action=write&success=true").Logs[0]
	assert.Equal(t, "a", e.SecretPath)

	srv, c = inMemory(t, &scaivaulttest.ServerOptions{Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryWrite: 2}})
	srv.Seed("a", nil)
	assert.Equal(t, 200, c.do("PATCH", "/v1/secrets/a/metadata", body).status)
	assert.Equal(t, 200, c.do("POST", "/v1/secrets/a/restore", "").status)
	c.do("POST", "/v1/secrets/a/restore", "").refused(t, 429, "rate_limited")
}

func TestRestore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c := inMemory(t, nil)
		c.do("POST", "/v1/secrets/a/b/restore", "").refused(t, 404, "secret_not_found")
		c.put("a/b", `{"data":{"n":1}}`)
		c.put("a/b", `{"data":{"n":2}}`)
		live := c.do("POST", "/v1/secrets/a/b/restore", "")
		assert.EqualValues(t, 2, live.object(t)["version"], "what is there stays as it is")

		c.do("DELETE", "/v1/secrets/a/b", "")
		time.Sleep(29 * 24 * time.Hour)
		r := c.do("POST", "/v1/secrets/a/b/restore", "")
		require.Equal(t, 200, r.status, r.body)
		assert.NotContains(t, r.body, `"data"`)
		assert.EqualValues(t, 2, c.get("/v1/secrets/a/b").object(t)["version"])
		assert.Contains(t, c.get("/v1/secrets/a/b?version=1").body, `"data":{"n":1}`)
		assert.Equal(t, 2, srv.SecretVersion("a/b"))

		c.do("DELETE", "/v1/secrets/a/b", "")
		time.Sleep(30 * 24 * time.Hour)
		c.do("POST", "/v1/secrets/a/b/restore", "").refused(t, 404, "secret_not_found")
		c.put("a/b", `{"data":{}}`)
		c.do("DELETE", "/v1/secrets/a/b?permanent=true", "")
		c.do("POST", "/v1/secrets/a/b/restore", "").refused(t, 404, "secret_not_found")
	})
}

func TestSubresourcesThatAreAbsent(t *testing.T) {
	t.Parallel()
	_, c := quirky(t, scaivaulttest.Quirks{Restore: scaivaulttest.RestoreAbsent})
	c.do("DELETE", "/v1/secrets/a", "")
	c.do("POST", "/v1/secrets/a/restore", "").refused(t, 404, "not_found")
	c.put("a", `{"data":{}}`).refused(t, 409, "secret_exists")

	_, c = quirky(t, scaivaulttest.Quirks{Subresources: scaivaulttest.SubresourcesAbsent})
	for _, request := range [][2]string{{"PATCH", "a/metadata"}, {"PATCH", "a"}, {"POST", "a/restore"}} {
		c.do(request[0], "/v1/secrets/"+request[1], `{"metadata":{}}`).refused(t, 405, "method_not_allowed")
	}
	c.get("/v1/secrets/a/versions").refused(t, 404, "secret_not_found")

	_, c = quirky(t, scaivaulttest.Quirks{MetadataRoute: scaivaulttest.MetadataSecretRoute})
	c.do("PATCH", "/v1/secrets/a/metadata", `{"metadata":{}}`).refused(t, 404, "secret_not_found")
	assert.Equal(t, 200, c.get("/v1/secrets/a/metadata").status, "the reading of it stays")
}

func TestSecretsMayBeCalledLikeSubresources(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"versions", "metadata", "restore", "batch", "batch/metadata"} {
		for _, path := range []string{name, "a/" + name, "a/" + name + "/" + name} {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				_, c := quirky(t, scaivaulttest.Quirks{})
				require.Equal(t, 200, c.put(path, `{"data":{"literal":true}}`).status)
				assert.Contains(t, c.get("/v1/secrets/"+path).body, "literal")
				assert.Equal(t, 200, c.do("PATCH", "/v1/secrets/"+path+"/metadata", `{"metadata":{"k":"v"}}`).status)
				assert.Contains(t, c.get("/v1/secrets/"+path+"/metadata").body, `"metadata":{"k":"v"}`)
				assert.EqualValues(t, 1, c.get("/v1/secrets/" + path + "/versions").object(t)["current_version"])
				assert.Equal(t, 200, c.do("DELETE", "/v1/secrets/"+path, "").status)
				c.put(path, `{"data":{}}`).refused(t, 409, "secret_exists")
				assert.Equal(t, 200, c.do("POST", "/v1/secrets/"+path+"/restore", "").status)
				assert.Contains(t, c.get("/v1/secrets/"+path).body, "literal")
			})
		}
	}
}

func TestBatchMetadataForm(t *testing.T) {
	t.Parallel()
	for form, key := range map[scaivaulttest.BatchMetadataForm]string{
		scaivaulttest.BatchMetadataSecrets: "secrets", scaivaulttest.BatchMetadataMetadata: "metadata",
	} {
		_, c := quirky(t, scaivaulttest.Quirks{BatchMetadataForm: form})
		o := c.do("POST", "/v1/secrets/batch/metadata", `{"paths":["a","b"]}`).object(t)
		require.Len(t, o, 2)
		assert.Contains(t, o[key], "a")
		assert.Contains(t, o["errors"], "b")
		assert.Contains(t, c.do("POST", "/v1/secrets/batch", `{"paths":["a"]}`).body, fmt.Sprintf("%q:{", "secrets"))
	}
}

func TestFederatedSecretsAreNotChangedHere(t *testing.T) {
	t.Parallel()
	_, c := inMemory(t, nil)
	c.created("/v1/federation/backends", `{"name":"x","type":"aws-secrets-manager","config":{},"path_mapping":{"x/**":"y/**"},"mode":"proxy"}`)
	c.do("PATCH", "/v1/secrets/x/a/metadata", `{"metadata":{}}`).refused(t, 403, "forbidden")
	c.do("POST", "/v1/secrets/x/a/restore", "").refused(t, 403, "forbidden")
}

func TestMetadataUpdateThatIsAVersionIsTold(t *testing.T) {
	t.Parallel()
	for quirk, want := range map[scaivaulttest.MetadataVersion]int{
		scaivaulttest.MetadataAppends: 1, scaivaulttest.MetadataKeepsVersion: 0,
	} {
		srv, c := quirky(t, scaivaulttest.Quirks{MetadataVersion: quirk})
		srv.Seed("a/b", nil)
		id := c.subscribe("")
		require.Equal(t, 200, c.do("PATCH", "/v1/secrets/a/b/metadata", `{"metadata":{}}`).status)
		events, _ := c.poll(id, "timeout=0")
		assert.Len(t, events, want)
	}
}
