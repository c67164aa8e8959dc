// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestQuirksOfWhatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := quirky(t, scaivaulttest.Quirks{
			Deleted: scaivaulttest.DeletedGone, DeleteAgain: scaivaulttest.DeleteAgainAccepted, Expired: scaivaulttest.ExpiredGone,
		})
		c.put("b", `{"data":{},"options":{"expires_in":"1m"}}`)
		first := c.do("DELETE", "/v1/secrets/a", "")
		time.Sleep(time.Minute)
		assert.JSONEq(t, first.body, c.do("DELETE", "/v1/secrets/a", "").body)
		c.get("/v1/secrets/a").refused(t, 410, "secret_deleted")
		c.get("/v1/secrets/a/versions").refused(t, 404, "secret_not_found") // no more than a path that looks like one
		c.get("/v1/secrets/b").refused(t, 410, "secret_expired")
		time.Sleep(30 * 24 * time.Hour)
		c.get("/v1/secrets/a").refused(t, 404, "secret_not_found")
		c.do("DELETE", "/v1/secrets/a", "").refused(t, 404, "secret_not_found")
	})
}

func TestQuirkConflictStatus(t *testing.T) {
	t.Parallel()
	for setting, status := range map[scaivaulttest.ConflictStatus]int{
		scaivaulttest.Conflict409: 409, scaivaulttest.Conflict412: 412, scaivaulttest.Conflict400: 400,
	} {
		_, c := quirky(t, scaivaulttest.Quirks{ConflictStatus: setting})
		c.do("DELETE", "/v1/secrets/a", "")
		c.put("a", `{"data":{}}`).refused(t, status, "secret_exists")
	}
}

func TestQuirkNumbers(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{Numbers: scaivaulttest.NumbersRounded})
	c.put("b", `{"data":{"z":1, "n":12345678901234567890, "m":null}}`)
	data, _ := srv.Value("b")
	assert.Equal(t, `{"m":null,"n":12345678901234567000,"z":1}`, string(data))
	c.put("b", `{"data":{"n":1e999}}`).refused(t, 422, "validation_error")
	assert.Equal(t, 1, srv.SecretVersion("b"))
}

func TestQuirksOfAReadSecret(t *testing.T) {
	t.Parallel()
	_, c := quirky(t, scaivaulttest.Quirks{
		ReadMembers: scaivaulttest.ReadMembersNamed, ReadHeaders: scaivaulttest.ReadHeadersCaching, DefaultType: scaivaulttest.DefaultTypeJSON,
	})
	r := c.get("/v1/secrets/a")
	for _, name := range []string{"last_accessed_at", "secret_policy_id", "notify_before"} {
		assert.Contains(t, r.object(t), name)
	}
	assert.Equal(t, "json", r.object(t)["secret_type"])
	assert.Equal(t, `"1"`, r.header.Get("ETag"))
	assert.NotEmpty(t, r.header.Get("Last-Modified"))
	assert.Contains(t, r.header.Get("Cache-Control"), "max-age")
	_, c = quirky(t, scaivaulttest.Quirks{})
	r = c.get("/v1/secrets/a")
	assert.NotContains(t, r.object(t), "last_accessed_at")
	assert.Empty(t, r.header.Get("ETag"))
}

func TestQuirkPartnerSecrets(t *testing.T) {
	t.Parallel()
	for setting, status := range map[scaivaulttest.PartnerSecrets]int{
		scaivaulttest.PartnerSecretsApart: 404, scaivaulttest.PartnerSecretsFallback: 200,
	} {
		srv, c := quirky(t, scaivaulttest.Quirks{PartnerSecrets: setting})
		admin := as(t, srv, srv.IssueToken("user:admin", scaivaulttest.ScopePartnerAdmin, "secrets:write"))
		for _, path := range []string{"a", "shared"} {
			require.Equal(t, 200, admin.do("PUT", "/v1/partner/secrets/"+path, `{"data":{"k":"of the partner"}}`).status)
		}
		assert.Equal(t, status, c.get("/v1/secrets/shared").status)
		assert.NotContains(t, c.get("/v1/secrets/a").body, "of the partner", "the tenant's own comes first")
		c.do("DELETE", "/v1/secrets/shared", "").refused(t, 404, "secret_not_found")
	}
}

func TestQuirkListDepth(t *testing.T) {
	t.Parallel()
	for order, want := range map[scaivaulttest.ListOrder][]string{
		scaivaulttest.ListByPath:           {"a/b", "a/b-c", "a/b/", "a/b0", "a/c/"},
		scaivaulttest.ListByPathDescending: {"a/c/", "a/b0", "a/b/", "a/b-c", "a/b"},
		scaivaulttest.ListByAge:            {"a/b/", "a/c/", "a/b0", "a/b", "a/b-c"},
	} {
		srv, c := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, Quirks: scaivaulttest.Quirks{
			ListDepth: scaivaulttest.ListDepthOne, ListOrder: order,
		}})
		seedAll(srv, "a/b/x", "a/c/y/z", "a/b0", "a/b", "a/b/y", "a/b-c", "b")
		for limit := 1; limit < 7; limit++ {
			assert.Equal(t, want, walk(t, c, "secrets", fmt.Sprintf("prefix=a/&limit=%d", limit)), "order %d, limit %d", order, limit)
		}
		assert.ElementsMatch(t, []string{"a/", "b"}, walk(t, c, "secrets", "limit=1"))
		assert.ElementsMatch(t, []string{"a/c/y/"}, walk(t, c, "secrets", "prefix=a/c"))
		assert.ElementsMatch(t, []string{"a/c/y/z"}, walk(t, c, "secrets", "prefix=a/c/y"))
		srv.Deny("*", "a/c/**")
		assert.NotContains(t, walk(t, c, "secrets", "prefix=a/"), "a/c/", "nothing in it may be seen")
	}
}

func TestQuirkListDeleted(t *testing.T) {
	t.Parallel()
	for setting, want := range map[scaivaulttest.ListDeleted][]string{
		scaivaulttest.ListDeletedLeftOut: {"c"}, scaivaulttest.ListDeletedMarked: {"a", "b", "c"}, scaivaulttest.ListDeletedShown: {"a", "b", "c"},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv, c := quirky(t, scaivaulttest.Quirks{ListDeleted: setting, Expired: scaivaulttest.ExpiredMissing})
			c.put("b", `{"data":{},"options":{"expires_in":"1m"}}`)
			srv.Seed("c", nil)
			c.do("DELETE", "/v1/secrets/a", "")
			time.Sleep(time.Minute)
			r := c.get("/v1/secrets")
			assert.Equal(t, want, r.paths(t, "secrets"))
			assert.Equal(t, setting == scaivaulttest.ListDeletedMarked, strings.Contains(r.body, "deleted_at"))
			time.Sleep(30 * 24 * time.Hour)
			assert.NotContains(t, c.get("/v1/secrets").paths(t, "secrets"), "a", "its retention has ended")
		})
	}
}

func TestQuirkMetadataForm(t *testing.T) {
	t.Parallel()
	const alone = `{"metadata":{"owner":"x","version":7,"team":"y"}}`
	for setting, key := range map[scaivaulttest.MetadataForm]string{
		scaivaulttest.MetadataWhole: "", scaivaulttest.MetadataSecret: "secret", scaivaulttest.MetadataData: "data",
		scaivaulttest.MetadataFlat: "", scaivaulttest.MetadataAlone: "",
	} {
		_, c := quirky(t, scaivaulttest.Quirks{MetadataForm: setting})
		c.put("b", `{"data":{},`+alone[1:])
		r := c.get("/v1/secrets/b/metadata")
		if setting == scaivaulttest.MetadataAlone {
			assert.JSONEq(t, alone, r.body)
			continue
		}
		o := r.object(t)
		if key != "" {
			require.Len(t, o, 1)
			o = o[key].(map[string]any)
		}
		assert.Equal(t, "b", o["path"])
		assert.EqualValues(t, 1, o["version"])
		assert.EqualValues(t, 1, o["version_count"])
		if setting == scaivaulttest.MetadataFlat {
			assert.Equal(t, "x", o["owner"])
			assert.Equal(t, "y", o["team"])
			assert.NotContains(t, o, "metadata")
			continue
		}
		assert.Equal(t, "x", o["metadata"].(map[string]any)["owner"])
	}
}

func TestQuirkListDenied(t *testing.T) {
	t.Parallel()
	srv, c := quirky(t, scaivaulttest.Quirks{ListDenied: scaivaulttest.ListDeniedShown})
	srv.Deny("*", "a")
	assert.Equal(t, []string{"a"}, c.get("/v1/secrets").paths(t, "secrets"))
	c.get("/v1/secrets/a").refused(t, 403, "access_denied")
}

func TestQuirkBatchSize(t *testing.T) {
	t.Parallel()
	_, c := quirky(t, scaivaulttest.Quirks{BatchSize: scaivaulttest.BatchSize50})
	paths := ""
	for i := range 60 {
		paths += fmt.Sprintf(`"p/%d",`, i)
	}
	o := c.do("POST", "/v1/secrets/batch", `{"paths":[`+paths+`"a"]}`).object(t)
	assert.Empty(t, o["secrets"])
	assert.Len(t, o["errors"], 50)
}

func TestQuirkFieldsForm(t *testing.T) {
	t.Parallel()
	for setting, want := range map[scaivaulttest.FieldsForm]string{
		scaivaulttest.FieldsFormObjects: `{"fields":[{"field":"data","message":"is required"}]}`,
		scaivaulttest.FieldsFormMap:     `{"fields":{"data":"is required"}}`,
		scaivaulttest.FieldsFormNames:   `{"fields":["data"]}`,
	} {
		_, c := quirky(t, scaivaulttest.Quirks{FieldsForm: setting})
		assert.Contains(t, c.put("a", `{}`).body, want[1:len(want)-1])
	}
}

func TestQuirksOfAudit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := quirky(t, scaivaulttest.Quirks{AuditDenied: scaivaulttest.AuditDeniedLeftOut, AuditDelay: time.Minute})
		c.get("/v1/secrets/a")
		c.get("/v1/secrets/missing")
		time.Sleep(time.Minute - 1)
		assert.Empty(t, c.audit("").Logs)
		time.Sleep(time.Nanosecond)
		require.Len(t, c.audit("").Logs, 1)
		assert.True(t, c.audit("").Logs[0].Success)
	})
}
