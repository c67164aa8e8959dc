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
