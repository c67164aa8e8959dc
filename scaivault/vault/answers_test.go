// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// answering is a Source of a Vault that knows the KV v2 mount kv and the KV v1
// mount secret, and answers everything else by h.
func answering(t *testing.T, h http.HandlerFunc) *vault.Source {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/sys/internal/ui/mounts/secret") {
			mounted(h)(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"request_id":"r","data":{"path":"secret/","type":"generic","options":null}}`)
	}))
	t.Cleanup(srv.Close)
	return sourceOf(t, clientOf(t, srv.URL, nil), once)
}

func TestTextsOfVaultThatDecide(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		text   string
		want   error
		says   string
	}{
		"an upgrade under way":  {400, "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period", scaivault.ErrUnavailable, "upgraded"},
		"no token, old":         {400, "missing client token", scaivault.ErrUnauthenticated, "no token"},
		"no token":              {403, "missing client token", scaivault.ErrUnauthenticated, "no token"},
		"an expired token":      {403, "bad token", scaivault.ErrUnauthenticated, "expired"},
		"not KV":                {404, "1 error occurred:\n\t* unsupported path\n\n", scaivault.ErrInvalid, "not KV"},
		"no such operation":     {405, "1 error occurred:\n\t* unsupported operation\n\n", scaivault.ErrInvalid, "not KV"},
		"too large for Vault":   {413, "request body too large", scaivault.ErrInvalid, "413"},
		"two dots":              {400, "1 error occurred:\n\t* read failed: relative paths not supported\n\n", scaivault.ErrInvalid, "two dots"},
		"a status nobody knows": {499, "what", scaivault.ErrInvalid, "499"},
		"a strange success":     {299, "what", scaivault.ErrUnavailable, "299"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, says(c.status, `{"errors":["`+strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(c.text)+`"]}`))
			for _, path := range []string{kvPath, v1Path} {
				_, err := s.Get(t.Context(), path)
				require.ErrorIs(t, err, c.want, path)
				assert.ErrorContains(t, err, c.says)
				assert.NotContains(t, err.Error(), "error occurred", "Vault's own words stay in Message")
				var e *scaivault.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, c.status, e.Status)
				if c.status >= 400 {
					assert.Equal(t, c.text, e.Message)
				}
			}
		})
	}
}

func TestRetryAfterAndRequestIDAreTold(t *testing.T) {
	t.Parallel()
	s := answering(t, says(429, `{"request_id":"2e6f01a2-9f42","errors":["rate limit quota exceeded"]}`, "Retry-After", "7"))
	_, err := s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrRateLimited)
	var e *scaivault.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, 7*time.Second, e.RetryAfter)
	assert.Equal(t, "2e6f01a2-9f42", e.RequestID)
}

func TestHostileAnswersOfKV1(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":      says(200, "<html>"+canary),
		"a bare list": says(200, `["`+canary+`"]`),
		"no data":     says(200, `{"request_id":"r"}`),
		"null":        says(200, `{"request_id":"r","data":null}`),
		"text":        says(200, `{"request_id":"r","data":"`+canary+`"}`),
		"nothing":     says(204, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := answering(t, answer)
			for _, path := range []string{v1Path, kvPath} {
				secret, err := s.Get(t.Context(), path)
				require.ErrorIs(t, err, scaivault.ErrUnavailable)
				assert.Nil(t, secret)
				assert.NotContains(t, err.Error(), canary)
			}
		})
	}
}

func TestUnknownFieldsAreSurvived(t *testing.T) {
	t.Parallel()
	s := answering(t, says(200, `{"request_id":7,"errors":null,"warnings":{"a":1},"new":[],"auth":null,"data":{"new":1,"data":{"p":"q"},
		"metadata":{"version":4,"created_time":"2026-01-01T00:00:00.123456789Z","deletion_time":17,"custom_metadata":{"a":1,"tags":["x"]},"new":{}}},
		"wrap_info":{"a":[]}}`))
	secret, err := s.Get(t.Context(), kvPath)
	require.NoError(t, err)
	assert.Equal(t, 4, secret.Version())
	assert.Zero(t, secret.Info().ExpiresAt)
	assert.Len(t, secret.Info().Metadata.Values, 2)
}

// An old secret with the data of a lost write is not taken for it where the
// server does not tell the time.
func TestLostWriteNeedsTheServersClock(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if r.Method == http.MethodPut {
			says(500, `{"errors":["internal error"]}`)(w, r)
			return
		}
		says(200, `{"request_id":"r","data":{"data":{"p":"q"},"metadata":{"version":1,"created_time":"`+
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)+`"}}}`)(w, r)
	})
	_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
}
