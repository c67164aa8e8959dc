// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A sysBackend answers at sys/ in one namespace.
type sysBackend struct {
	core *vaultCore
	ns   *vaultNamespace
}

func (b *sysBackend) place(c *vaultCall) vaultPlace {
	return vaultPlace{
		open: c.rest == "internal/ui/mounts" || strings.HasPrefix(c.rest, "internal/ui/mounts/"),
		sudo: c.rest == "seal" || c.rest == "step-down" || c.rest == "audit" || strings.HasPrefix(c.rest, "audit/") || strings.HasPrefix(c.rest, "auth/"),
	}
}

func (b *sysBackend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	handler, name := b.handler(c)
	if handler == nil {
		return nil, unsupportedPath()
	}
	return handler(c, name)
}

type sysHandler func(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal)

// handler finds what answers a path; the name is what follows its fixed part.
func (b *sysBackend) handler(c *vaultCall) (handler sysHandler, name string) {
	path := c.rest
	if c.op == opList {
		path = strings.TrimSuffix(path, "/")
	}
	switch path {
	case "mounts", "auth":
		if c.op == opList {
			return nil, ""
		}
		return b.listMounts, ""
	case "internal/ui/mounts":
		if c.op == opList {
			return nil, ""
		}
		return b.visibleMounts, ""
	case "policy", "policy/", "policies/acl", "policies/acl/":
		return b.listPolicies, ""
	case "audit":
		return b.listAudit, ""
	case "capabilities-self":
		return b.capabilities, ""
	case "seal":
		return b.seal, ""
	case "step-down":
		return b.stepDown, ""
	case "namespaces":
		if b.core.community {
			return b.noNamespaces, ""
		}
	}
	for _, route := range []struct {
		prefix  string
		handler sysHandler
	}{
		{"mounts/", b.oneMount},
		{"auth/", b.oneMount},
		{"internal/ui/mounts/", b.visibleMount},
		{"policy/", b.onePolicy},
		{"policies/acl/", b.onePolicy},
		{"audit/", b.oneAudit},
		{"audit-hash/", b.auditHash},
	} {
		if name, ok := strings.CutPrefix(path, route.prefix); ok && name != "" {
			return route.handler, name
		}
	}
	return nil, ""
}

func (b *sysBackend) listMounts(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opRead {
		return nil, unsupportedOperation()
	}
	data := map[string]any{}
	for _, m := range b.ns.sorted() {
		if m.auth == (c.rest == "auth") {
			data[m.path] = m.info(false)
		}
	}
	return &vaultAnswer{data: data, inject: true}, nil
}

// oneMount answers for one secrets engine at mounts/ and one auth method at auth/.
func (b *sysBackend) oneMount(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	auth := strings.HasPrefix(c.rest, "auth/")
	path := strings.Trim(name, "/") + "/"
	route := path
	if auth {
		route = "auth/" + path
	}
	if base, ok := strings.CutSuffix(route, "/tune/"); ok && c.op == opRead {
		return b.readTuning(base + "/")
	}
	switch c.op {
	case opRead:
		m := b.ns.mountAt(route)
		switch {
		case m != nil:
			return &vaultAnswer{data: m.info(false), inject: true}, nil
		case auth:
			return nil, invalid("No auth engine at %s", path)
		}
		return nil, invalid("No secret engine mount at %s", path)
	case opUpdate:
		return nil, b.enable(c, path, auth)
	case opDelete:
		return nil, b.disable(route)
	}
	return nil, unsupportedOperation()
}

// readTuning tells the times of a mount, with the system's where it has none of its own.
func (b *sysBackend) readTuning(route string) (*vaultAnswer, *vaultRefusal) {
	m := b.ns.mountAt(route)
	if m == nil {
		return nil, badRequest("cannot fetch sysview for path %q", route)
	}
	data := map[string]any{
		"description": m.description, "force_no_cache": false,
		"default_lease_ttl": int64(m.lease().Seconds()), "max_lease_ttl": int64(m.longestLease().Seconds()),
	}
	if m.auth {
		data["token_type"] = "default-service"
	}
	if len(m.options) > 0 {
		data["options"] = m.options
	}
	return &vaultAnswer{data: data, inject: true}, nil
}

func (b *sysBackend) enable(c *vaultCall, path string, auth bool) *vaultRefusal {
	f := c.validatedFields()
	m := &vaultMount{path: path, auth: auth, kind: f.text("type"), description: f.text("description"), options: f.pairs("options")}
	m.local, _ = f.boolean("local")
	m.sealWrap, _ = f.boolean("seal_wrap")
	config, _ := f.object("config")
	if f.refusal != nil {
		return f.refusal
	}
	for _, limit := range []struct {
		name, field string
		into        *time.Duration
	}{{"default", "default_lease_ttl", &m.defaultTTL}, {"max", "max_lease_ttl", &m.maxTTL}} {
		ttl, err := weakDuration(cmp.Or[any](config[limit.field], ""))
		if err != nil {
			return badRequest("unable to parse %s TTL of %s: %s", limit.name, config[limit.field], err)
		}
		*limit.into = ttl
	}
	switch {
	case m.maxTTL != 0 && m.defaultTTL > m.maxTTL:
		return badRequest("given default lease TTL greater than given max lease TTL")
	case m.maxTTL == 0 && m.defaultTTL > maxLease:
		return badRequest("given default lease TTL greater than system max lease TTL of %d", int(maxLease.Seconds()))
	case m.kind == "":
		return badRequest("backend type must be specified as a string")
	}
	if version, ok := strings.CutPrefix(m.kind, "kv-v"); ok && !auth && (version == "1" || version == "2") {
		m.kind = "kv"
		if m.options == nil {
			m.options = map[string]string{}
		}
		m.options["version"] = version
	}
	if m.options["version"] != "" && (auth || m.kind != "kv") {
		kind := "secrets engine"
		if auth {
			kind = "auth method"
		}
		return badRequest("%s %q does not allow setting a version", kind, m.kind)
	}
	return b.core.mountEngine(b.ns, m)
}

func (b *sysBackend) disable(route string) *vaultRefusal {
	b.ns.mu.Lock()
	defer b.ns.mu.Unlock()
	m := b.ns.mounts[route]
	switch {
	case m == nil:
	case m.builtin && m.auth:
		return badRequest("token credential backend cannot be disabled")
	case m.builtin:
		return badRequest("cannot unmount %q", m.path)
	}
	delete(b.ns.mounts, route)
	if m != nil && m.auth {
		b.core.tokens.revokeMadeBy(b.ns, route)
	}
	return nil
}

// visibleMounts lists the mounts that the token reaches; without a token, none.
func (b *sysBackend) visibleMounts(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opRead {
		return nil, unsupportedOperation()
	}
	secret, auth := map[string]any{}, map[string]any{}
	answer := &vaultAnswer{data: map[string]any{"secret": secret, "auth": auth}}
	if c.tokenID == "" {
		return answer, nil
	}
	if c.token == nil || !c.token.validIn(c.ns) {
		return nil, deniedBecause("permission denied", "invalid token")
	}
	acl := c.token.acl()
	for _, m := range b.ns.sorted() {
		switch {
		case !acl.reaches(b.ns.path + m.route()):
		case m.auth:
			auth[m.path] = m.info(true)
		default:
			secret[m.path] = m.info(true)
		}
	}
	return answer, nil
}

// visibleMount tells a token which mount a path lies in, if the token reaches it.
func (b *sysBackend) visibleMount(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	switch {
	case c.op != opRead:
		return nil, unsupportedOperation()
	case c.tokenID == "":
		return nil, &vaultRefusal{status: http.StatusForbidden, message: "permission denied", cause: "permission denied"}
	case c.token == nil || !c.token.validIn(c.ns):
		return nil, deniedBecause("permission denied", "invalid token")
	}
	path := strings.Trim(name, "/") + "/"
	m, _ := b.ns.route(path)
	if m == nil || !c.token.acl().reaches(b.ns.path+m.route()) {
		return nil, &vaultRefusal{
			status:  http.StatusForbidden,
			message: "preflight capability check returned 403, please ensure client's policies grant access to path " + strconv.Quote(path),
			cause:   "permission denied",
		}
	}
	data := m.info(true)
	data["path"] = m.path
	return &vaultAnswer{data: data}, nil
}

func (b *sysBackend) listPolicies(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	old := strings.HasPrefix(c.rest, "policy")
	if c.op != opList && (c.op != opRead || !old) {
		return nil, unsupportedOperation()
	}
	b.ns.mu.RLock()
	names := slices.Sorted(maps.Keys(b.ns.policies))
	b.ns.mu.RUnlock()
	slices.SortStableFunc(names, func(x, y string) int { return cmp.Compare(strings.Count(x, "/"), strings.Count(y, "/")) })
	names = slices.DeleteFunc(names, func(name string) bool { return name == "root" })
	if b.ns.path == "" {
		names = append(names, "root") // always last
	}
	answer := &vaultAnswer{data: map[string]any{"keys": names}}
	if old {
		answer.data["policies"], answer.inject = names, true
	}
	return answer, nil
}

func (b *sysBackend) onePolicy(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	old := strings.HasPrefix(c.rest, "policy/")
	lower := strings.ToLower(name)
	switch c.op {
	case opRead:
		policy := b.ns.policy(lower)
		if policy == nil {
			return nil, nil
		}
		field := "policy"
		if old {
			field = "rules"
		}
		return &vaultAnswer{data: map[string]any{"name": policy.name, field: policy.text}, inject: old}, nil
	case opUpdate:
		return b.writePolicy(c, name, lower, old)
	case opDelete:
		switch lower {
		case "root":
			return nil, badRequest("cannot delete \"root\" policy")
		case "default":
			return nil, badRequest("cannot delete default policy")
		}
		b.setPolicy(lower, nil)
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (b *sysBackend) writePolicy(c *vaultCall, name, lower string, old bool) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	text := f.text("policy")
	var warnings []string
	if name != lower {
		warnings = append(warnings, "policy name was converted to "+lower)
	}
	if text == "" && old {
		text = f.text("rules")
		warnings = append(warnings, "'rules' is deprecated, please use 'policy' instead")
	}
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case text == "":
		return nil, invalid("'policy' parameter not supplied or empty")
	}
	policy, err := parsePolicy(lower, policyText(text))
	switch {
	case err != nil:
		return nil, badRequest("%s", err)
	case lower == "root":
		return nil, badRequest("cannot update \"root\" policy")
	}
	b.setPolicy(lower, policy)
	if warnings == nil {
		return nil, nil
	}
	return &vaultAnswer{warnings: warnings}, nil
}

// setPolicy changes or, with nil, removes a policy.
func (b *sysBackend) setPolicy(name string, policy *vaultPolicy) {
	b.ns.mu.Lock()
	defer b.ns.mu.Unlock()
	if policy == nil {
		delete(b.ns.policies, name)
	} else {
		b.ns.policies[name] = policy
	}
	b.ns.policyTurn.Add(1)
}

func (b *sysBackend) seal(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opUpdate {
		return nil, unsupportedOperation()
	}
	if active := b.core.cluster.activeNode(); active != nil {
		active.sealed.Store(true)
	}
	return nil, nil
}

func (b *sysBackend) stepDown(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opUpdate {
		return nil, unsupportedOperation()
	}
	b.core.cluster.stepDown(nil)
	return nil, nil
}

// noNamespaces is the answer of the community edition.
func (b *sysBackend) noNamespaces(*vaultCall, string) (*vaultAnswer, *vaultRefusal) {
	return nil, &vaultRefusal{status: http.StatusNotFound, message: "enterprise-only feature", cause: "enterprise-only feature"}
}

func (b *sysBackend) capabilities(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opUpdate {
		return nil, unsupportedOperation()
	}
	f := c.validatedFields()
	paths, _ := f.list("paths", true)
	if len(paths) == 0 {
		paths, _ = f.list("path", true)
	}
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case len(paths) == 0:
		return nil, invalid("paths must be supplied")
	}
	data := map[string]any{}
	for _, path := range paths {
		data[path] = c.token.acl().words(c.ns.path + strings.TrimPrefix(path, "/"))
	}
	if len(paths) == 1 {
		data["capabilities"] = data[paths[0]]
	}
	return &vaultAnswer{data: data, inject: true}, nil
}
