// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A fakeCluster answers for a Kubernetes cluster which service account tokens
// are good: those of its accounts.
type fakeCluster map[string]struct{ namespace, name, uid string }

// ServeHTTP answers a TokenReview.
func (f fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review struct {
		Spec struct {
			Token string `json:"token"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	account, known := f[review.Spec.Token]
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":{"authenticated":%t,"user":{"username":"system:serviceaccount:%s:%s","uid":%q}}}`,
		known, account.namespace, account.name, account.uid)
}

// serviceToken makes a token as a cluster does, with a signature that is none.
func serviceToken(claims string) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part([]byte(claims)) + "." + part([]byte("signature"))
}

func TestSmallVaultLogsInFromKubernetesLikeTheRealOne(t *testing.T) {
	t.Parallel()
	account := `"kubernetes.io":{"namespace":"billing","serviceaccount":{"name":"invoices","uid":"u-1"}}`
	good := serviceToken(`{` + account + `}`)
	old := serviceToken(`{"kubernetes.io/serviceaccount/namespace":"billing","kubernetes.io/serviceaccount/service-account.name":"invoices",` +
		`"kubernetes.io/serviceaccount/service-account.uid":"u-1"}`)
	unknown := serviceToken(`{` + account + `,"other":1}`)
	mount := step{do: "POST sys/auth/kubernetes", body: `{"type":"kubernetes","config":{"default_lease_ttl":"1h","max_lease_ttl":"2h"}}`}

	known := struct{ namespace, name, uid string }{"billing", "invoices", "u-1"}
	cluster := httptest.NewServer(fakeCluster{good: known, old: known})
	t.Cleanup(cluster.Close)
	w := &twins{real: startReal(t)}
	small := scaivaulttest.NewVault(t, nil)
	w.small = &server{url: small.URL(), rootToken: small.RootToken(), client: newHTTPClient(t)}
	for _, s := range []*server{w.real, w.small} {
		status, _, body := s.send(t, mount, nil)
		require.Equal(t, http.StatusNoContent, status, body)
	}
	tell(t, w.real, []step{
		{do: "POST auth/kubernetes/config", body: `{"kubernetes_host":"` + cluster.URL + `","disable_local_ca_jwt":true}`, status: 204},
		{do: "POST auth/kubernetes/role/app", body: `{"bound_service_account_names":"invoices","bound_service_account_namespaces":"billing",` +
			`"audience":"","token_policies":"p1"}`, status: 200, want: `{"...":0}`},
	})
	small.AddKubernetesRole("app", good, "p1")
	small.AddKubernetesRole("app", old, "p1")

	login := func(role, jwt string) step {
		return step{as: nobody, do: "POST auth/kubernetes/login", body: fmt.Sprintf(`{"role":%q,"jwt":%q}`, role, jwt)}
	}
	kept := [2]map[string]string{{}, {}}
	for _, asked := range []step{
		login("app", good),
		login("app", good),
		login("APP", good),
		login("app", old),
		login("", good),
		login("app", ""),
		login("nosuch", good),
		login("app", unknown),
		{as: nobody, do: "GET auth/kubernetes/login"},
		{as: nobody, do: "POST auth/kubernetes/login"},
		{as: "token", do: "GET auth/token/lookup-self"},
		{as: "token", do: "POST auth/token/renew-self"},
		{as: "token", do: "POST auth/token/renew-self", body: `{"increment":"5h"}`},
		{as: "token", do: "GET auth/token/lookup-self"},
		{as: "token", do: "POST auth/token/revoke-self"},
		{as: "token", do: "GET auth/token/lookup-self"},
		{do: "GET sys/auth/kubernetes"},
	} {
		var answers [2]string
		for i, s := range []*server{w.real, w.small} {
			status, _, body := s.send(t, asked, kept[i])
			answers[i] = untimed(said(status, body))
			var answer struct {
				Auth struct {
					ClientToken string `json:"client_token"`
				} `json:"auth"`
			}
			if json.Unmarshal([]byte(body), &answer) == nil && answer.Auth.ClientToken != "" {
				kept[i]["token"] = answer.Auth.ClientToken
			}
		}
		assert.Equal(t, answers[0], answers[1], "%s %s", asked.do, asked.body)
	}
	assert.NotEmpty(t, kept[0]["token"], "a login succeeded")
}

// TestKubernetesTokensEndWithTheirClaims says what the real one answers to a
// token that has expired; the small one says less, with the same status.
func TestKubernetesTokensEndWithTheirClaims(t *testing.T) {
	t.Parallel()
	expired := serviceToken(fmt.Sprintf(`{"exp":%d,"kubernetes.io":{"namespace":"n","serviceaccount":{"name":"a","uid":"u"}}}`, time.Now().Add(-time.Hour).Unix()))
	v := scaivaulttest.NewVault(t, nil)
	v.AddKubernetesRole("app", expired)
	small := &server{url: v.URL(), rootToken: v.RootToken(), client: newHTTPClient(t)}
	real := startReal(t)
	tell(t, real, []step{
		{do: "POST sys/auth/kubernetes", body: `{"type":"kubernetes"}`, status: 204},
		{do: "POST auth/kubernetes/config", body: `{"kubernetes_host":"http://127.0.0.1:1","disable_local_ca_jwt":true}`, status: 204},
		{do: "POST auth/kubernetes/role/app", body: `{"bound_service_account_names":"a","bound_service_account_namespaces":"n"}`, status: 200, want: `{"...":0}`},
	})
	for _, s := range []*server{real, small} {
		status, _, _ := s.send(t, step{as: nobody, do: "POST auth/kubernetes/login", body: fmt.Sprintf(`{"role":"app","jwt":%q}`, expired)}, nil)
		assert.Equal(t, http.StatusForbidden, status)
	}
}
