// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// FuzzServer: whatever comes in, the server neither panics nor fails, and says
// everything but 204 in JSON.
func FuzzServer(f *testing.F) {
	f.Add("GET", "/v1/secrets", "prefix=a&cursor=c3YxOjE6YQ&limit=1", "")
	f.Add("PUT", "/v1/secrets/a/b", "", `{"data":{"k":"v"},"options":{"expires_in":"1d"}}`)
	f.Add("GET", "/v1/secrets/a/b/versions", "version=1", "")
	f.Add("PATCH", "/v1/secrets/a/metadata", "", `{"metadata":{"owner":"x","tags":null}}`)
	f.Add("POST", "/v1/secrets/a/restore", "", "")
	f.Add("DELETE", "/v1/secrets/a", "permanent=true", "")
	f.Add("POST", "/v1/secrets/batch", "", `{"paths":["a","b"],"options":{"fail_fast":true}}`)
	f.Add("POST", "/v1/secrets/batch/metadata", "", `{"paths":["a/*"],"expand_wildcards":true}`)
	f.Add("GET", "/v1/audit/logs", "from=1+hour+ago&action=read,write&success=true", "")
	f.Add("POST", "/v1/federation/backends", "", `{"name":"x","type":"aws-secrets-manager","config":{},"path_mapping":{"x/**":"y/**"},"mode":"sync","sync_interval":"1h"}`)
	f.Add("PATCH", "/v1/federation/backends/fed_x", "", `{"mode":"sync"}`)
	f.Add("POST", "/v1/policies", "", `{"name":"x","rules":[{"path_pattern":"a/**","permissions":["read"],"conditions":{"ip_ranges":["10.0.0.0/8"]}}]}`)
	f.Add("POST", "/v1/policies/pol_x/bindings", "", `{"identity_type":"user","identity_id":"x","expires_at":"2100-01-01T00:00:00Z"}`)
	f.Add("POST", "/v1/policies/test", "", `{"identity_id":"x","path":"a/b","permission":"read"}`)
	f.Add("POST", "/v1/subscriptions", "", `{"name":"x","paths":["a/**"],"events":["secret.updated"],"delivery":{"type":"polling","buffer_size":3}}`)
	f.Add("GET", "/v1/subscriptions/sub_x/poll", "timeout=0&max_events=3&since_event_id=evt_x", "")
	f.Add("POST", "/v1/subscriptions/sub_x/ack", "", `{"event_ids":["evt_x"]}`)
	f.Add("POST", "/v1/auth/exchange", "", `{"subject_token":"x","role":"sa:x"}`)
	f.Add("POST", "/v1/partner/secrets/a/restore", "", "")
	f.Add("GET", "/v1/t/tnt_test/auth/whoami", "", "")
	f.Add("\x00", "//..//%", "=%zz", "\xff")
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		srv := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true, BackendTransport: nowhere{}})
		srv.Seed("a", map[string]any{"k": "v"})
		req := httptest.NewRequest(http.MethodGet, "/", bytes.NewBufferString(body))
		req.Method, req.URL = method, &url.URL{Path: path, RawQuery: query}
		req.Header.Set("Authorization", "Bearer "+srv.IssueToken("sa:fuzz"))
		rec := httptest.NewRecorder()
		srv.ServeHTTP(rec, req)
		switch {
		case rec.Code >= http.StatusInternalServerError && rec.Code != http.StatusServiceUnavailable:
			t.Fatalf("status %d", rec.Code)
		case rec.Code != http.StatusNoContent && !json.Valid(rec.Body.Bytes()):
			t.Fatalf("status %d without JSON: %q", rec.Code, rec.Body)
		case rec.Header().Get("X-Request-ID") == "":
			t.Fatal("no request id")
		}
	})
}

// nowhere is a transport to nowhere.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }
