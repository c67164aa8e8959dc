// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// data is the secret's data in an answer of any peer.
func data(t *testing.T, answer any) map[string]any {
	t.Helper()
	switch answer := answer.(type) {
	case *scaivault.Secret:
		return answer.Data()
	case *api.KVSecret:
		return answer.Data
	case map[string]any:
		fields, ok := answer["data"].(map[string]any)
		require.True(t, ok)
		return fields
	default:
		require.Failf(t, "an answer of no known peer", "%T", answer)
		return nil
	}
}

func TestThePeersAgreeOnTheSecret(t *testing.T) {
	t.Parallel()
	url := openServer(t)
	first := map[string]map[string]any{} // by group
	for _, row := range clientTable().Benchmarks {
		op, done, err := row.Open(url)
		require.NoError(t, err, "%s: %s", row.Group, row.Name)
		answer, err := op(t.Context())
		require.NoError(t, err, "%s: %s", row.Group, row.Name)
		got := data(t, answer)
		done()
		if first[row.Group] == nil {
			first[row.Group] = got
			assert.Equal(t, "net/http and encoding/json", row.Name, "what the others are compared with")
		}
		assert.Equal(t, first[row.Group], got, "%s: %s", row.Group, row.Name)
	}
	assert.Len(t, first, 5)
}

func TestTheSecretsHaveTheSizeThatTheGroupSays(t *testing.T) {
	t.Parallel()
	url := openServer(t)
	sizes := map[string]int{"16 B": 16, "1 KiB": 1 << 10, "64 KiB": 64 << 10}
	for _, row := range clientTable().Benchmarks {
		op, done, err := row.Open(url)
		require.NoError(t, err)
		answer, err := op(t.Context())
		require.NoError(t, err)
		body, err := json.Marshal(data(t, answer))
		done()
		require.NoError(t, err)
		said, _, _ := strings.Cut(strings.TrimPrefix(row.Group, "Get "), ",")
		assert.Len(t, body, sizes[said], "%s: %s", row.Group, row.Name)
	}
}

func TestThePeersKeepTheirConnections(t *testing.T) {
	t.Parallel()
	url := openServer(t)
	for _, row := range clientTable().Benchmarks {
		op, done, err := row.Open(url)
		require.NoError(t, err)
		_, err = op(t.Context())
		require.NoError(t, err)
		var got []bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(info httptrace.GotConnInfo) { got = append(got, info.Reused) },
		})
		_, err = op(ctx)
		require.NoError(t, err)
		done()
		assert.Equal(t, []bool{true}, got, "%s: %s: one request, on the connection of the first", row.Group, row.Name)
	}
}

func TestTheServerRefusesARequestWithoutToken(t *testing.T) {
	t.Parallel()
	url := openServer(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, header := range map[string]http.Header{
		"/v1/secrets/bench/bytes-16":         {"Authorization": {"Bearer another"}},
		"/v1/kv/data/bench/bytes-16":         {"X-Vault-Token": {"another"}},
		"/v1/sys/internal/ui/mounts/kv/data": {},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		require.NoError(t, err)
		req.Header = header
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, path)
	}
}
