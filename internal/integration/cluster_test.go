// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/vault"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// realCluster starts two nodes of the real Vault, the active one first.
func realCluster(t *testing.T) []*server {
	t.Helper()
	cluster := vault.NewTestCluster(t, &vault.CoreConfig{Logger: hclog.NewNullLogger()}, &vault.TestClusterOptions{NumCores: 2, Logger: hclog.NewNullLogger(), HandlerFunc: vaulthttp.Handler})
	t.Cleanup(cluster.Cleanup)
	vault.TestWaitActiveForwardingReady(t, cluster.Cores[0].Core)
	var nodes []*server
	for _, core := range cluster.Cores {
		client := core.Client.CloneConfig().HttpClient
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		nodes = append(nodes, &server{url: core.Client.Address(), rootToken: cluster.RootToken, client: client})
	}
	return nodes
}

func smallCluster(t *testing.T) []*server {
	t.Helper()
	active := scaivaulttest.NewVault(t, nil)
	var nodes []*server
	for _, v := range []*scaivaulttest.Vault{active, active.AddStandby()} {
		nodes = append(nodes, &server{url: v.URL(), rootToken: v.RootToken(), client: newHTTPClient(t)})
	}
	return nodes
}

func TestSmallClusterAnswersLikeTheRealOne(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) []*server{"real": realCluster, "small": smallCluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := start(t)
			active, standby := nodes[0], nodes[1]
			const unforwarded = "X-Vault-No-Request-Forwarding: true"
			health := func(standby bool) string {
				return map[bool]string{true: `{"standby":true,"...":0}`, false: `{"standby":false,"...":0}`}[standby]
			}
			tell(t, active, []step{
				{do: "GET sys/health", status: 200, want: health(false)},
				{do: "GET sys/leader", status: 200, want: `{"ha_enabled":true,"is_self":true,"...":0}`},
				{do: "POST sys/auth/approle", body: `{"type":"approle"}`, status: 204},
			})
			tell(t, standby, []step{
				{do: "GET sys/health", status: 429, want: health(true)},
				{do: "GET sys/health?standbyok=true", status: 200, want: health(true)},
				{do: "GET sys/health?standbycode=299", status: 299, want: health(true)},
				{do: "GET sys/health?standbyok=true&activecode=298&standbycode=299", status: 298, want: health(true)},
				{do: "GET sys/leader", status: 200, want: `{"ha_enabled":true,"is_self":false,"leader_address":"` + active.url + `","...":0}`},
				{do: "POST auth/approle/role/a", body: `{"token_ttl":"1h"}`, status: 204},
				{do: "GET auth/approle/role/nosuch", status: 404, want: notFound},
				{as: nobody, do: "GET auth/approle/role/a", status: 403, want: noToken},
				{do: "GET auth/approle/role/a?x=y", header: unforwarded, status: 307},
				{as: nobody, do: "POST auth/approle/login", header: unforwarded, status: 307},
				{do: "PUT sys/seal", status: 500, want: `{"errors":["vault cannot seal when in standby mode; please restart instead"]}`},
			})
			assert.Equal(t, active.url+"/v1/auth/approle/role/a?x=y", redirectOf(t, standby, "auth/approle/role/a?x=y", unforwarded))

			tell(t, standby, []step{{do: "PUT sys/step-down", status: 204}})
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				status, _, _ := standby.send(t, step{do: "GET sys/health"}, nil)
				assert.Equal(c, 200, status)
			}, 20*time.Second, 20*time.Millisecond)
			tell(t, active, []step{{do: "GET sys/health", status: 429, want: health(true)}})
			tell(t, standby, []step{{do: "GET auth/approle/role/a", status: 200, want: `{"data":{"token_ttl":3600,"...":0}}`}})
		})
	}
}

// redirectOf is where a node sends a GET.
func redirectOf(t *testing.T, s *server, path, header string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/"+path, nil)
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", s.rootToken)
	name, value, _ := strings.Cut(header, ": ")
	req.Header.Set(name, value)
	resp, err := s.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.Header.Get("Location")
}
