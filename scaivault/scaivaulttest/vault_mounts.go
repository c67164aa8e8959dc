// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	coreVersion = "v1.21.4+builtin.vault"
	kvVersion   = "v0.25.0+builtin"
)

// A vaultMount is a secrets engine or an auth method at its path. It does not change once it is mounted.
type vaultMount struct {
	path        string // without "auth/", with a slash at its end
	auth        bool
	kind        string
	description string
	accessor    string
	uuid        string
	local       bool
	sealWrap    bool
	builtin     bool // Vault's own, which stays
	options     map[string]string
	defaultTTL  time.Duration // zero: the system's
	maxTTL      time.Duration
	backend     vaultBackend
}

// route is the path under which requests come.
func (m *vaultMount) route() string {
	if m.auth {
		return "auth/" + m.path
	}
	return m.path
}

// kvVersion is 1, 2, or 0 for what is not KV.
func (m *vaultMount) kvVersion() int {
	switch {
	case m.kind != "kv":
		return 0
	case m.options["version"] == "2":
		return 2
	}
	return 1
}

func (m *vaultMount) lease() time.Duration {
	if m.defaultTTL > 0 {
		return m.defaultTTL
	}
	return defaultLease
}

func (m *vaultMount) longestLease() time.Duration {
	if m.maxTTL > 0 {
		return m.maxTTL
	}
	return maxLease
}

// version is what the mount is said to run.
func (m *vaultMount) version() string {
	if m.kind == "kv" {
		return kvVersion
	}
	return coreVersion
}

// info is what Vault tells of a mount. Some routes tell times that nobody set as zero, others as the system's.
func (m *vaultMount) info(systemTimes bool) map[string]any {
	config := map[string]any{
		"default_lease_ttl": int64(m.defaultTTL.Seconds()),
		"max_lease_ttl":     int64(m.maxTTL.Seconds()),
		"force_no_cache":    false,
	}
	if systemTimes {
		config["default_lease_ttl"] = int64(m.lease().Seconds())
		config["max_lease_ttl"] = int64(m.longestLease().Seconds())
	}
	switch {
	case m.auth:
		config["token_type"] = "default-service"
	case m.kind == "system":
		config["passthrough_request_headers"] = []string{"Accept"}
	case m.kind == "identity":
		config["passthrough_request_headers"] = []string{"Authorization"}
	}
	info := map[string]any{
		"type": m.kind, "description": m.description, "accessor": m.accessor, "uuid": m.uuid,
		"local": m.local, "seal_wrap": m.sealWrap, "external_entropy_access": false, "options": m.options,
		"plugin_version": "", "running_plugin_version": m.version(), "running_sha256": "", "config": config,
	}
	if !m.builtin {
		info["deprecation_status"] = "supported"
	}
	return info
}

// newNamespace makes a namespace with what each one has from the start.
func (v *vaultCore) newNamespace(path string) *vaultNamespace {
	ns := &vaultNamespace{
		id: "root", path: path,
		mounts:   map[string]*vaultMount{},
		policies: map[string]*vaultPolicy{"root": {name: "root"}, "default": defaultPolicy()},
	}
	if path != "" {
		ns.id = randomBase62(5)
	}
	ns.sys = &sysBackend{core: v, ns: ns}
	for _, m := range []*vaultMount{
		{path: "sys/", kind: "system", description: "system endpoints used for control, policy and debugging", sealWrap: true, backend: ns.sys},
		{path: "identity/", kind: "identity", description: "identity store", backend: inertBackend{}},
		{path: "cubbyhole/", kind: "cubbyhole", description: "per-token private secret storage", local: true, backend: emptyBackend{}},
		{path: "token/", auth: true, kind: "token", description: "token based credentials", backend: &tokenBackend{core: v}},
	} {
		m.builtin = true
		m.name()
		ns.mounts[m.route()] = m
	}
	return ns
}

// name gives a mount its accessor and id.
func (m *vaultMount) name() {
	m.uuid = newUUID()
	m.accessor = m.kind + "_" + newUUID()[:8]
	if m.auth {
		m.accessor = "auth_" + m.accessor
	}
}

func (ns *vaultNamespace) mountAt(route string) *vaultMount {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	return ns.mounts[route]
}

// route finds the mount that a path lies in, and the path in it.
func (ns *vaultNamespace) route(path string) (*vaultMount, string) {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	for end := strings.LastIndexByte(path, '/') + 1; end > 0; end = strings.LastIndexByte(path[:end-1], '/') + 1 {
		if m := ns.mounts[path[:end]]; m != nil {
			return m, path[end:]
		}
	}
	if m := ns.mounts[path+"/"]; m != nil { // "kv" means "kv/"
		return m, ""
	}
	return nil, ""
}

// sorted returns the namespace's mounts by path.
func (ns *vaultNamespace) sorted() []*vaultMount {
	ns.mu.RLock()
	defer ns.mu.RUnlock()
	mounts := make([]*vaultMount, 0, len(ns.mounts))
	for _, m := range ns.mounts {
		mounts = append(mounts, m)
	}
	slices.SortFunc(mounts, func(a, b *vaultMount) int { return strings.Compare(a.route(), b.route()) })
	return mounts
}

// mountEngine puts a mount into the namespace, unless something is in its way.
func (v *vaultCore) mountEngine(ns *vaultNamespace, m *vaultMount) *vaultRefusal {
	if !m.auth && slices.Contains([]string{"auth", "sys", "cubbyhole", "identity"}, firstSegment(m.path)) {
		text := fmt.Sprintf("cannot mount %q", m.path)
		return &vaultRefusal{status: http.StatusBadRequest, message: text, cause: text}
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, other := range ns.mounts {
		if other.auth == m.auth && (strings.HasPrefix(other.path, m.path) || strings.HasPrefix(m.path, other.path)) {
			text := "path is already in use at " + other.path
			return &vaultRefusal{status: http.StatusBadRequest, message: text, cause: text}
		}
	}
	backend, refusal := v.newBackend(ns, m)
	if refusal != nil {
		return refusal
	}
	m.backend = backend
	if m.options == nil {
		m.options = map[string]string{}
	}
	m.name()
	ns.mounts[m.route()] = m
	return nil
}

func (v *vaultCore) newBackend(ns *vaultNamespace, m *vaultMount) (vaultBackend, *vaultRefusal) {
	switch {
	case m.auth && m.kind == "approle":
		return newAppRole(v, ns, m), nil
	case m.auth && m.kind == "kubernetes":
		return &kubernetesBackend{core: v, mount: m, roles: map[string]*kubernetesRole{}}, nil
	case m.auth && slices.Contains(inertAuthTypes(), m.kind):
		return inertBackend{}, nil
	case m.kind == "kv" && !m.auth:
		switch m.options["version"] {
		case "", "1":
			return &kv1Backend{mount: m}, nil
		case "2":
			return &kv2Backend{}, nil
		}
		return nil, badRequest("nil backend of type \"kv\" returned from factory")
	case !m.auth && slices.Contains(inertSecretTypes(), m.kind):
		return inertBackend{}, nil
	}
	return nil, badRequest("plugin not found in the catalog: %s", m.kind)
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func inertSecretTypes() []string {
	return []string{
		"ad", "alicloud", "aws", "azure", "consul", "database", "gcp", "gcpkms", "keymgmt", "kmip", "kubernetes", "ldap",
		"mongodbatlas", "nomad", "openldap", "pki", "rabbitmq", "ssh", "terraform", "totp", "transform", "transit",
	}
}

func inertAuthTypes() []string {
	return []string{
		"alicloud", "aws", "azure", "cert", "cf", "gcp", "github", "jwt", "kerberos", "ldap", "oci", "oidc",
		"okta", "radius", "userpass",
	}
}

// An inertBackend stands for an engine that is there and answers nothing.
type inertBackend struct{}

func (inertBackend) place(*vaultCall) vaultPlace { return vaultPlace{} }

func (inertBackend) handle(*vaultCall) (*vaultAnswer, *vaultRefusal) { return nil, unsupportedPath() }

// An emptyBackend stands for an engine that can be asked and has nothing.
type emptyBackend struct{ inertBackend }

func (emptyBackend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.op == opRead || c.op == opList || c.op == opDelete {
		return nil, nil
	}
	return nil, unsupportedOperation()
}
