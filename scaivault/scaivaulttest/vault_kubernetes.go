// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A kubernetesBackend is the Kubernetes auth method, with AddKubernetesRole in place of the cluster that is asked about tokens.
type kubernetesBackend struct {
	core  *vaultCore
	mount *vaultMount

	mu    sync.Mutex // guards all below, and what the roles hold
	roles map[string]*kubernetesRole
}

type kubernetesRole struct {
	policies []string
	accounts map[[sha256.Size]byte]*kubernetesAccount // by the hash of their token
}

// A kubernetesAccount is the service account that a token stands for.
type kubernetesAccount struct {
	name, namespace, uid string
	expires              time.Time // zero: never
	entity               string    // empty before the first login
}

// AddKubernetesRole lets the service account token jwt log in at auth/kubernetes/login
// under a role, as api/auth/kubernetes does, with the policies and "default". The auth
// method is enabled if it is not: enable it before to choose the times its tokens live.
// With a role that there is, the token is one more, and the policies are those from now
// on. The account's name, namespace and uid are taken from the token's claims where it
// has them; from its exp on, the token is refused. Its signature is not looked at, and
// any text may stand for a token. If role or jwt is empty, or something else is mounted
// at auth/kubernetes, the test fails; in a program nothing happens.
func (v *Vault) AddKubernetesRole(role, jwt string, policies ...string) {
	if role == "" || jwt == "" {
		v.test().Helper()
		v.fail("scaivaulttest: add kubernetes role: it needs a role and a token")
		return
	}
	root := v.core.namespace("")
	if root.mountAt("auth/kubernetes/") == nil {
		if refusal := v.core.mountEngine(root, &vaultMount{path: "kubernetes/", auth: true, kind: "kubernetes"}); refusal != nil {
			v.test().Helper()
			v.fail("scaivaulttest: add kubernetes role %s: %v", role, refusal)
			return
		}
	}
	backend, ok := root.mountAt("auth/kubernetes/").backend.(*kubernetesBackend)
	if !ok {
		v.test().Helper()
		v.fail("scaivaulttest: add kubernetes role %s: another auth method is at auth/kubernetes", role)
		return
	}
	backend.add(strings.ToLower(role), jwt, policies)
}

func (b *kubernetesBackend) add(name, jwt string, policies []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	role := b.roles[name]
	if role == nil {
		role = &kubernetesRole{accounts: map[[sha256.Size]byte]*kubernetesAccount{}}
		b.roles[name] = role
	}
	role.policies = cleanPolicies(policies, false)
	account := readKubernetesToken(jwt)
	if account.name == "" {
		account.name, account.namespace, account.uid = name, "default", newUUID()
	}
	role.accounts[sha256.Sum256([]byte(jwt))] = account
}

// readKubernetesToken reads what a token says of itself, in the claims of today's tokens or of those before Kubernetes 1.21.
func readKubernetesToken(jwt string) *kubernetesAccount {
	var claims struct {
		Expires    float64 `json:"exp"`
		Kubernetes struct {
			Namespace string `json:"namespace"`
			Account   struct {
				Name string `json:"name"`
				UID  string `json:"uid"`
			} `json:"serviceaccount"`
		} `json:"kubernetes.io"`
		OldNamespace string `json:"kubernetes.io/serviceaccount/namespace"`
		OldName      string `json:"kubernetes.io/serviceaccount/service-account.name"`
		OldUID       string `json:"kubernetes.io/serviceaccount/service-account.uid"`
	}
	account := &kubernetesAccount{}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return account
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return account
	}
	account.name, account.namespace, account.uid = claims.OldName, claims.OldNamespace, claims.OldUID
	if claims.Kubernetes.Account.Name != "" {
		account.name, account.uid = claims.Kubernetes.Account.Name, claims.Kubernetes.Account.UID
		account.namespace = claims.Kubernetes.Namespace
	}
	if claims.Expires > 0 {
		account.expires = time.Unix(int64(claims.Expires), 0)
	}
	return account
}

func (b *kubernetesBackend) place(c *vaultCall) vaultPlace {
	return vaultPlace{open: c.rest == "login"}
}

func (b *kubernetesBackend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.rest != "login" {
		return nil, unsupportedPath()
	}
	if c.op != opUpdate {
		return nil, unsupportedOperation()
	}
	f := c.validatedFields()
	name, jwt := f.text("role"), f.text("jwt")
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case name == "":
		return nil, invalid("missing role")
	case jwt == "":
		return nil, invalid("missing jwt")
	}
	grant, refusal := b.review(name, jwt)
	if refusal != nil {
		return nil, refusal
	}
	return b.core.issue(c, grant)
}

// review answers for the cluster whether the token is one, and what it gives.
func (b *kubernetesBackend) review(name, jwt string) (vaultGrant, *vaultRefusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	role := b.roles[strings.ToLower(name)]
	if role == nil {
		return vaultGrant{}, invalid("invalid role name %q", name)
	}
	account := role.accounts[sha256.Sum256([]byte(jwt))]
	if account == nil || (!account.expires.IsZero() && !time.Now().Before(account.expires)) {
		return vaultGrant{}, &vaultRefusal{status: http.StatusForbidden, message: "permission denied", cause: "permission denied"}
	}
	grant := vaultGrant{
		mount: b.mount, displayName: account.namespace + "-" + account.name, policies: role.policies,
		meta: map[string]string{
			"role": name, "service_account_name": account.name, "service_account_namespace": account.namespace,
			"service_account_secret_name": "", "service_account_uid": account.uid,
		},
		newEntity: account.entity == "",
	}
	if grant.newEntity {
		account.entity = newUUID()
	}
	grant.entity = account.entity
	grant.renewal = func() (tokenLimits, error) { return tokenLimits{}, nil }
	return grant, nil
}
