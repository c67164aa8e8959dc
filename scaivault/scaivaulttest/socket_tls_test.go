// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestTLSIsWhatTheSocketSpeaks, with the faults of a connection below it.
func TestTLSIsWhatTheSocketSpeaks(t *testing.T) {
	t.Parallel()
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate
	defer lender.Close()
	srv, _ := inMemory(t, &scaivaulttest.ServerOptions{NoLimits: true, TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	require.True(t, strings.HasPrefix(srv.URL(), "https://127.0.0.1:"), srv.URL())
	client := lender.Client()
	defer client.CloseIdleConnections()
	c := &caller{t: t, client: client, base: srv.URL(), token: srv.IssueToken("sa:tests")}
	assert.Equal(t, 200, c.get("/v1/auth/whoami").status)

	for how, cause := range map[scaivaulttest.Break]error{
		scaivaulttest.BreakClose: io.ErrUnexpectedEOF,
		scaivaulttest.BreakReset: syscall.ECONNRESET,
	} {
		srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutInBody, Break: how})
		res, err := client.Do(c.request("GET", "/v1/auth/whoami", ""))
		require.NoError(t, err)
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
		require.ErrorIs(t, err, cause)
	}
	srv.SetDown(true)
	srv.SetDown(false)
	assert.Equal(t, 200, c.get("/v1/auth/whoami").status, "at the same address")
}
