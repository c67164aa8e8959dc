// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// The times that Vault gives when nobody asks for others.
const (
	defaultLease = 32 * 24 * time.Hour
	maxLease     = defaultLease
)

// vaultCore is Vault without its way to the network.
type vaultCore struct {
	rootToken   string
	clusterName string
	clusterID   string
	community   bool // there are no namespaces
	cluster     vaultCluster
	audit       vaultAudit
	tokens      tokenStore

	mu         sync.RWMutex // guards all below, not what the namespaces hold
	namespaces map[string]*vaultNamespace
}

// A vaultNamespace has mounts and policies of its own.
type vaultNamespace struct {
	id   string
	path string // "" or with a slash at its end
	sys  *sysBackend

	mu       sync.RWMutex           // guards all below
	mounts   map[string]*vaultMount // by path, with "auth/" before those of auth methods
	policies map[string]*vaultPolicy

	// policyTurn rises with each change of a policy, so that compiled ones can be kept.
	policyTurn atomic.Uint64
}

// A vaultBackend is what is mounted somewhere.
type vaultBackend interface {
	// place says what kind of path the call is for, before anything is carried out.
	place(call *vaultCall) vaultPlace
	// handle carries the call out.
	handle(call *vaultCall) (*vaultAnswer, *vaultRefusal)
}

// A vaultPlace is what routing has to know of a path.
type vaultPlace struct {
	open    bool          // needs no token
	sudo    bool          // needs the sudo capability beside the other
	creates bool          // a writing creates what is not there yet, and policies tell that apart
	refusal *vaultRefusal // the fields cannot be read, which comes before the policies
}

func newVaultCore(opts VaultOptions) *vaultCore {
	v := &vaultCore{
		rootToken:   opts.RootToken,
		community:   opts.IgnoreNamespaces,
		clusterID:   newUUID(),
		clusterName: "vault-cluster-" + newUUID()[:8],
		namespaces:  map[string]*vaultNamespace{},
	}
	if v.rootToken == "" {
		v.rootToken = "hvs." + randomBase62(24)
	}
	v.audit.log = opts.AuditLog
	v.audit.logSalt = newAuditSalt()
	root := v.namespace("")
	v.tokens.add(&vaultToken{
		id: v.rootToken, accessor: randomBase62(24), displayName: "root", path: "auth/token/root",
		policies: []string{"root"}, kind: "service", ns: root, orphan: true, issued: time.Now(),
	})
	v.cluster.core = v
	return v
}

// namespace finds a namespace, or makes it: there is no other way to make one.
func (v *vaultCore) namespace(name string) *vaultNamespace {
	path := strings.Trim(name, "/")
	if path == "root" {
		path = ""
	}
	if path != "" {
		path += "/"
	}
	v.mu.RLock()
	ns := v.namespaces[path]
	v.mu.RUnlock()
	if ns != nil {
		return ns
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if ns := v.namespaces[path]; ns != nil {
		return ns
	}
	ns = v.newNamespace(path)
	v.namespaces[path] = ns
	return ns
}

// serve answers for the active node, or for a sealed one.
func (v *vaultCore) serve(w http.ResponseWriter, r *http.Request, sealed bool) {
	if strings.ContainsFunc(r.URL.Path, func(c rune) bool { return !unicode.IsPrint(c) }) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	call, refusal := v.readCall(r)
	if refusal == nil && sealed {
		refusal = &vaultRefusal{status: http.StatusServiceUnavailable, message: "Vault is sealed"}
	}
	if refusal != nil {
		message := refusal.message
		vaultError(w, refusal.status, "", message)
		return
	}
	answer, refusal := v.carryOut(call)
	call.write(w, answer, refusal)
}

// carryOut takes a call through routing, token, policy, audit and backend.
func (v *vaultCore) carryOut(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	c.mount, c.rest = c.ns.route(c.path)
	if c.writes() && strings.HasSuffix(c.path, "/") {
		return nil, invalid("cannot write to a path ending in '/'")
	}
	if c.writes() && c.mount != nil && c.path+"/" == c.mount.route() {
		c.path += "/" // "kv" means "kv/"
	}
	if c.tokenID != "" {
		c.token = v.tokens.find(c.tokenID)
	}
	var place vaultPlace
	if c.mount != nil {
		place = c.mount.backend.place(c)
	}
	c.login = place.open
	denied := v.admit(c, place)
	if err := v.audit.request(c, denied); err != nil {
		return nil, internalError()
	}
	var answer *vaultAnswer
	refusal := denied
	if denied == nil {
		answer, refusal = v.route(c)
	}
	if err := v.audit.response(c, answer, refusal, denied == nil); err != nil {
		return nil, internalError()
	}
	v.tokens.spend(c.token)
	return answer, refusal
}

func (v *vaultCore) route(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.mount == nil {
		return nil, noRoute(c.path)
	}
	if c.op == "" || c.op == opHeader {
		return nil, unsupportedOperation()
	}
	return c.mount.backend.handle(c)
}

// admit decides whether the caller may do this, and finds out on the way whether a writing creates or updates.
func (v *vaultCore) admit(c *vaultCall, place vaultPlace) *vaultRefusal {
	if c.login {
		c.audit = newAuditAuth(c.token, true)
		return nil
	}
	if c.token == nil || !c.token.validIn(c.ns) {
		c.audit = nil
		if c.tokenID == "" {
			return &vaultRefusal{status: http.StatusForbidden, message: "permission denied", cause: "permission denied"}
		}
		return deniedBecause("permission denied", "invalid token")
	}
	if !v.tokens.use(c.token) {
		c.audit = nil
		return deniedBecause("permission denied", "invalid token")
	}
	if place.refusal != nil {
		place.refusal.early = true
		return place.refusal
	}
	if place.creates && c.op == opUpdate {
		c.op = opCreate
	}
	allowed := c.token.acl().allows(c.op, c.policyPath(), place.sudo)
	c.audit = newAuditAuth(c.token, allowed)
	if !allowed {
		return deniedBecause("permission denied")
	}
	return nil
}

// policyPath is the path as policies see it. What a token does with itself, it does in its own namespace.
func (c *vaultCall) policyPath() string {
	switch c.path {
	case "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self":
		return c.token.ns.path + c.path
	}
	return c.ns.path + c.path
}

// deniedBecause is a refusal whose text is Vault's error list in the audit log too.
func deniedBecause(causes ...string) *vaultRefusal {
	text := listErrors(causes...)
	return &vaultRefusal{status: http.StatusForbidden, message: text, cause: text}
}

func internalError() *vaultRefusal {
	return &vaultRefusal{status: http.StatusInternalServerError, cause: "internal error"}
}

// emptyList tells whether a listing found nothing, which is told like a reading that found nothing.
func emptyList(op string, answer *vaultAnswer) bool {
	if op != opList || answer == nil {
		return false
	}
	keys, ok := answer.data["keys"].([]string)
	return ok && len(keys) == 0 && len(answer.data) == 1
}

var errNoAuditDevice = errors.New("no audit device could log the request")
