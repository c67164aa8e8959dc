// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// An appRoleBackend is the AppRole auth method.
type appRoleBackend struct {
	core  *vaultCore
	ns    *vaultNamespace
	mount *vaultMount

	mu       sync.RWMutex // guards all below, and what the roles hold
	roles    map[string]*appRole
	byID     map[string]*appRole
	entities map[string]string       // by role id
	failed   map[string]failedLogins // by role id
}

type appRole struct {
	name         string
	id           string
	bindSecretID bool
	secretUses   int
	secretTTL    time.Duration
	policies     []string
	limits       tokenLimits
	tokenUses    int
	noDefault    bool
	kind         string // as told: "default", "service" or "batch"
	oldPolicies  bool   // policies and period were given by their old names, and are told by them too
	oldPeriod    bool
	secrets      map[string]*appSecret // by secret id
}

// An appSecret is a secret id.
type appSecret struct {
	accessor string
	uses     int           // left; zero: unlimited
	ttl      time.Duration // as it was asked for; expires has the mount's bound
	created  time.Time
	updated  time.Time
	expires  time.Time // zero: never
	meta     map[string]string
}

func (s *appSecret) expired() bool {
	return !s.expires.IsZero() && !time.Now().Before(s.expires)
}

func newAppRole(core *vaultCore, ns *vaultNamespace, m *vaultMount) *appRoleBackend {
	return &appRoleBackend{
		core: core, ns: ns, mount: m,
		roles: map[string]*appRole{}, byID: map[string]*appRole{}, entities: map[string]string{}, failed: map[string]failedLogins{},
	}
}

// splitRole takes role/<name>/<rest> apart. Vault knows a role by its name in lower case, and speaks of it as it was asked.
func splitRole(path string) (name, rest string, ok bool) {
	path, ok = strings.CutPrefix(path, "role/")
	name, rest, _ = strings.Cut(path, "/")
	return name, rest, ok && name != ""
}

func (b *appRoleBackend) place(c *vaultCall) vaultPlace {
	if c.rest == "login" {
		return vaultPlace{open: true}
	}
	name, rest, ok := splitRole(c.rest)
	if !ok || rest != "" || !c.writes() {
		return vaultPlace{}
	}
	f := c.fields()
	readAppRole(f, &appRole{})
	b.mu.RLock()
	defer b.mu.RUnlock()
	return vaultPlace{creates: b.roles[strings.ToLower(name)] == nil, refusal: f.refusal}
}

func (b *appRoleBackend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.rest == "login" {
		return b.login(c)
	}
	if strings.TrimSuffix(c.rest, "/") == "role" {
		return b.listRoles(c)
	}
	name, rest, ok := splitRole(c.rest)
	if !ok {
		return nil, unsupportedPath()
	}
	switch strings.TrimSuffix(rest, "/") {
	case "":
		return b.handleRole(c, strings.ToLower(name))
	case "role-id":
		return b.handleRoleID(c, strings.ToLower(name))
	case "secret-id", "custom-secret-id":
		return b.handleSecretID(c, name)
	case "secret-id/lookup", "secret-id/destroy", "secret-id-accessor/lookup", "secret-id-accessor/destroy":
		return b.handleOneSecret(c, name, rest)
	}
	return nil, unsupportedPath()
}

func (b *appRoleBackend) listRoles(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if c.op != opList {
		return nil, unsupportedOperation()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	names := slices.Sorted(maps.Keys(b.roles))
	if names == nil {
		names = []string{}
	}
	return &vaultAnswer{data: map[string]any{"keys": names}}, nil
}

func (b *appRoleBackend) handleRole(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	switch c.op {
	case opRead:
		b.mu.RLock()
		defer b.mu.RUnlock()
		role := b.roles[name]
		if role == nil {
			return nil, nil
		}
		return &vaultAnswer{data: role.describe()}, nil
	case opCreate, opUpdate:
		return b.writeRole(c, name)
	case opDelete:
		b.mu.Lock()
		defer b.mu.Unlock()
		if role := b.roles[name]; role != nil {
			delete(b.byID, role.id)
			delete(b.roles, name)
		}
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (r *appRole) describe() map[string]any {
	seconds := func(d time.Duration) int64 { return int64(d.Seconds()) }
	told := map[string]any{
		"bind_secret_id": r.bindSecretID, "local_secret_ids": false, "secret_id_bound_cidrs": nil,
		"secret_id_num_uses": r.secretUses, "secret_id_ttl": seconds(r.secretTTL), "token_bound_cidrs": []string{},
		"token_explicit_max_ttl": seconds(r.limits.explicitMax), "token_max_ttl": seconds(r.limits.maxTTL),
		"token_no_default_policy": r.noDefault, "token_num_uses": r.tokenUses, "token_period": seconds(r.limits.period),
		"token_policies": slices.Clone(r.policies), "token_ttl": seconds(r.limits.ttl), "token_type": r.kind,
	}
	if r.oldPolicies && len(r.policies) > 0 {
		told["policies"] = told["token_policies"]
	}
	if r.oldPeriod && r.limits.period > 0 {
		told["period"] = told["token_period"]
	}
	return told
}

func (b *appRoleBackend) writeRole(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	existing := b.roles[name]
	role := &appRole{
		name: name, id: newUUID(), bindSecretID: true, policies: []string{}, kind: "default",
		secrets: map[string]*appSecret{},
	}
	if existing != nil {
		*role = *existing
	}
	f := c.fields()
	readAppRole(f, role)
	if f.refusal != nil {
		return nil, f.refusal
	}
	if refusal := role.check(b.mount.longestLease()); refusal != nil {
		return nil, refusal
	}
	warnings := role.warnings(f.text("token_type"), b.mount.longestLease())
	refusal := role.checkConstraints()
	if refusal == nil {
		refusal = b.setLocked(existing, role)
	}
	switch {
	case warnings == nil:
		return nil, refusal
	case refusal != nil:
		refusal.status = http.StatusBadRequest // with anything to say, Vault takes its own errors for the caller's
		return nil, refusal
	}
	return &vaultAnswer{warnings: warnings}, nil
}

// warnings tell what was asked for and will not be so.
func (r *appRole) warnings(givenKind string, longest time.Duration) (warnings []string) {
	if strings.HasPrefix(givenKind, "default-") {
		warnings = append(warnings, givenKind+" has no useful meaning; adjusting to "+r.kind)
	}
	if r.limits.maxTTL > longest {
		warnings = append(warnings, "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated")
	}
	return warnings
}

// setLocked puts a role in the place of the one before it.
func (b *appRoleBackend) setLocked(existing, role *appRole) *vaultRefusal {
	if other := b.byID[role.id]; other != nil && other != existing {
		return &vaultRefusal{status: http.StatusInternalServerError, cause: "role_id already in use"}
	}
	if existing != nil {
		delete(b.byID, existing.id)
	}
	b.roles[role.name], b.byID[role.id] = role, role
	return nil
}

// readAppRole reads what is given into the role.
func readAppRole(f *vaultFields, r *appRole) {
	for _, field := range []struct {
		name string
		into *time.Duration
	}{
		{"secret_id_ttl", &r.secretTTL},
		{"token_ttl", &r.limits.ttl},
		{"token_max_ttl", &r.limits.maxTTL},
		{"period", &r.limits.period},
		{"token_period", &r.limits.period},
		{"token_explicit_max_ttl", &r.limits.explicitMax},
	} {
		if d, ok := f.duration(field.name, false); ok {
			*field.into = d
		}
	}
	for _, name := range []string{"policies", "token_policies"} {
		if policies, ok := f.list(name, true); ok {
			r.policies = policies
		}
	}
	r.oldPolicies = givenByOldName(f, "policies", r.oldPolicies)
	r.oldPeriod = givenByOldName(f, "period", r.oldPeriod)
	if n, ok := f.integer("secret_id_num_uses"); ok {
		r.secretUses = n
	}
	if n, ok := f.integer("token_num_uses"); ok {
		r.tokenUses = n
	}
	if bind, ok := f.boolean("bind_secret_id"); ok {
		r.bindSecretID = bind
	}
	if no, ok := f.boolean("token_no_default_policy"); ok {
		r.noDefault = no
	}
	if id := f.text("role_id"); id != "" {
		r.id = id
	}
	if kind := f.text("token_type"); kind != "" {
		r.kind = strings.TrimPrefix(kind, "default-")
	}
	for _, name := range []string{"secret_id_bound_cidrs", "bound_cidr_list", "token_bound_cidrs"} {
		if blocks, _ := f.list(name, true); len(blocks) > 0 && f.refusal == nil {
			f.refusal = badRequest("%s is not obeyed by this in-memory Vault: leave it out, or test against a real one", name)
		}
	}
}

// givenByOldName tells whether a field is told by its old name too: when that was the one it was last given by, or one of both.
func givenByOldName(f *vaultFields, name string, before bool) bool {
	_, old := f.data[name]
	_, current := f.data["token_"+name]
	return old || (before && !current)
}

func (r *appRole) check(longest time.Duration) *vaultRefusal {
	switch {
	case !slices.Contains([]string{"default", "service", "batch"}, r.kind):
		return badRequest("invalid 'token_type' value %q", r.kind)
	case r.tokenUses < 0:
		return badRequest("'token_num_uses' cannot be negative")
	case r.kind == "batch" && r.limits.period != 0:
		return badRequest("'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens")
	case r.kind == "batch" && r.tokenUses != 0:
		return badRequest("'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count")
	case r.limits.ttl > 0 && r.limits.maxTTL > 0 && r.limits.ttl > r.limits.maxTTL:
		return badRequest("'token_ttl' cannot be greater than 'token_max_ttl'")
	case r.secretUses < 0:
		return invalid("secret_id_num_uses cannot be negative")
	case r.oldPeriod && r.limits.period > longest:
		return invalid("period of %q is greater than the backend's maximum lease TTL of %q", r.limits.period, longest)
	}
	return nil
}

func (r *appRole) checkConstraints() *vaultRefusal {
	if r.bindSecretID {
		return nil
	}
	return &vaultRefusal{
		status: http.StatusInternalServerError,
		cause:  "at least one constraint should be enabled on the role",
	}
}

func (b *appRoleBackend) handleRoleID(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	role := b.roles[name]
	switch {
	case c.op != opRead && c.op != opUpdate:
		return nil, unsupportedOperation()
	case role == nil && c.op == opRead:
		return nil, nil
	case role == nil:
		return nil, unsupportedPath()
	case c.op == opRead:
		return &vaultAnswer{data: map[string]any{"role_id": role.id}}, nil
	}
	f := c.validatedFields()
	id := f.text("role_id")
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case id == "":
		return nil, invalid("missing role_id")
	}
	changed := *role
	changed.id = id
	return nil, b.setLocked(role, &changed)
}

// parseMetadata reads the metadata of a secret id, a JSON object in a string.
func parseMetadata(text string) (map[string]string, *vaultRefusal) {
	meta := map[string]string{}
	if text == "" {
		return meta, nil
	}
	if err := json.Unmarshal([]byte(text), &meta); err == nil {
		return meta, nil
	}
	for _, pair := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, invalid("failed to parse metadata: it is neither a JSON object nor key=value pairs")
		}
		meta[key] = strings.TrimSpace(value)
	}
	return meta, nil
}
