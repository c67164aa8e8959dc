// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sealed = `{"errors":["Vault is sealed"]}`

func TestSealedVaultAnswers503(t *testing.T) {
	t.Parallel()
	forEachVault(t, func(t *testing.T, s *server) {
		s.mount("kv", 2)
		written := []step{{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)}}
		tell(t, s, written)
		s.seal()
		tell(t, s, []step{
			{do: "GET kv/data/a", status: 503, want: sealed},
			{do: "POST kv/data/a", body: `{"data":{}}`, status: 503, want: sealed},
			{do: "LIST kv/metadata", status: 503, want: sealed},
			{as: nobody, do: "GET kv/data/a", status: 503, want: sealed},
			{as: "hvs.bad", do: "GET kv/data/a", status: 503, want: sealed},
			{do: "GET sys/mounts", status: 503, want: sealed},
			{do: "GET sys/internal/ui/mounts/kv/data/a", status: 503, want: sealed},
			{as: nobody, do: "POST auth/approle/login", body: `{}`, status: 503, want: sealed},
			{as: nobody, do: "GET sys/health", status: 503, want: `{"initialized":true,"sealed":true,"standby":true,"version":"<string>"}`},
			{as: nobody, do: "GET sys/health?sealedcode=200", status: 200, want: `{"sealed":true}`},
			{as: nobody, do: "GET sys/seal-status", status: 200, want: `{"type":"shamir","initialized":true,"sealed":true}`},
		})
		s.unseal()
		tell(t, s, []step{
			{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, live(1))},
			{as: nobody, do: "GET sys/health", status: 200, want: `{"sealed":false}`},
			{as: nobody, do: "PUT sys/seal", status: 403, want: noToken},
			{do: "PUT sys/seal", status: 204},
			{do: "GET kv/data/a", status: 503, want: sealed},
		})
		s.unseal()
		tell(t, s, []step{{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, live(1))}})
	})
}

func TestVaultThatIsDownRefusesConnections(t *testing.T) {
	t.Parallel()
	forEachVault(t, func(t *testing.T, s *server) {
		s.mount("kv", 2)
		tell(t, s, []step{{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)}})
		s.setDown(true)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/sys/health", nil)
		require.NoError(t, err)
		resp, err := newHTTPClient(t).Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		require.Error(t, err)
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		s.setDown(false)
		tell(t, s, []step{{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, live(1))}})
	})
}
