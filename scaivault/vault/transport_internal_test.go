// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"net/http"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

func TestDefaultTransportOfTheAPIKeepsAsManyConnectionsAsThereAreCalls(t *testing.T) {
	t.Parallel()
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	given, ok := cfg.HttpClient.Transport.(*http.Transport)
	require.True(t, ok)
	before := given.MaxIdleConnsPerHost

	own, ok := roomier(given).(*ownTransport)
	require.True(t, ok, "vault/api has changed its default; look at roomier")
	require.Equal(t, idleConns, own.MaxIdleConnsPerHost)
	require.Equal(t, before, given.MaxIdleConnsPerHost, "what is lent is not changed")
	require.True(t, own.ForceAttemptHTTP2)

	for _, chosen := range []http.RoundTripper{&http.Transport{}, &http.Transport{MaxIdleConnsPerHost: before + 5}} {
		require.Same(t, chosen, roomier(chosen))
	}
}
