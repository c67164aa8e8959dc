// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// kv2Settings are what can be set for one secret; a nil pointer leaves the setting as it is.
type kv2Settings struct {
	maxVersions *uint32
	casRequired *bool
	deleteAfter *time.Duration
	custom      map[string]any
	customGiven bool
}

// readKV2Settings reads the settings of a secret or, with signed, of the whole engine.
func readKV2Settings(f *vaultFields, signed bool) kv2Settings {
	var s kv2Settings
	if n, ok := f.integer("max_versions"); ok {
		versions := uint32(n) // wraps around, as in Vault
		s.maxVersions = &versions
	}
	if required, ok := f.boolean("cas_required"); ok {
		s.casRequired = &required
	}
	if after, ok := f.duration("delete_version_after", signed); ok {
		s.deleteAfter = &after
	}
	if !signed {
		s.custom, s.customGiven = f.object("custom_metadata")
	}
	return s
}

func (s kv2Settings) empty() bool {
	return s.maxVersions == nil && s.casRequired == nil && s.deleteAfter == nil && !s.customGiven
}

func (b *kv2Backend) handleConfig(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	switch c.op {
	case opRead:
		b.mu.RLock()
		defer b.mu.RUnlock()
		return &vaultAnswer{data: map[string]any{
			"max_versions": b.config.maxVersions, "cas_required": b.config.casRequired,
			"delete_version_after": b.config.deleteAfter.String(),
		}}, nil
	case opUpdate:
		f := c.validatedFields()
		settings := readKV2Settings(f, true)
		if f.refusal != nil {
			return nil, f.refusal
		}
		b.configure(settings)
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (b *kv2Backend) configure(s kv2Settings) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.maxVersions != nil {
		b.config.maxVersions = *s.maxVersions
	}
	if s.casRequired != nil {
		b.config.casRequired = *s.casRequired
	}
	if s.deleteAfter != nil {
		b.config.deleteAfter = max(*s.deleteAfter, -time.Second)
	}
}

func (b *kv2Backend) handleMetadata(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	switch c.op {
	case opRead:
		return b.readMetadata(key), nil
	case opList:
		return b.listMetadata(c, key)
	case opCreate, opUpdate:
		return b.writeMetadata(c, key)
	case opPatch:
		return b.patchMetadata(c, key)
	case opDelete:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.secrets.remove(key)
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (b *kv2Backend) readMetadata(key string) *vaultAnswer {
	b.mu.RLock()
	defer b.mu.RUnlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nil
	}
	versions := make(map[string]any, len(secret.versions))
	for number, version := range secret.versions {
		versions[strconv.FormatUint(number, 10)] = map[string]any{
			"created_time": stamp(version.created), "deletion_time": stamp(version.deleted), "destroyed": version.destroyed,
			"created_by": version.createdBy, "deleted_by": version.deletedBy,
		}
	}
	return &vaultAnswer{data: map[string]any{
		"versions": versions, "current_version": secret.current, "oldest_version": secret.oldest,
		"created_time": stamp(secret.created), "updated_time": stamp(secret.updated),
		"max_versions": secret.maxVersions, "cas_required": secret.casRequired,
		"delete_version_after": secret.deleteAfter.String(), "custom_metadata": secret.custom,
		"last_updated_by": secret.updatedBy,
	}}
}

func (b *kv2Backend) listMetadata(c *vaultCall, folder string) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	excludeDeleted, _ := f.boolean("exclude_deleted")
	if f.refusal != nil {
		return nil, f.refusal
	}
	keep := func(secret *kv2Secret) bool {
		latest := secret.versions[secret.current]
		return !excludeDeleted || latest == nil || latest.deleted.IsZero()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return &vaultAnswer{data: map[string]any{"keys": b.secrets.list(folder, keep)}}, nil
}

func (b *kv2Backend) writeMetadata(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	f := c.fields()
	settings := readKV2Settings(f, false)
	if f.refusal != nil {
		return nil, f.refusal
	}
	if key == "" {
		return nil, invalid("missing path")
	}
	if settings.empty() {
		return nil, nil
	}
	custom, refusal := customMetadata(settings.custom)
	if refusal == nil {
		refusal = kv2KeyRefusal(key)
	}
	if refusal != nil {
		return nil, refusal
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		now := time.Now().UTC()
		secret = &kv2Secret{versions: map[uint64]*kv2Version{}, created: now, updated: now}
		b.secrets.put(key, secret)
	}
	secret.apply(settings, custom)
	return b.settingsAnswer(settings), nil
}

// settingsAnswer warns of a setting that the engine's own overrules; the caller holds mu.
func (b *kv2Backend) settingsAnswer(s kv2Settings) *vaultAnswer {
	if s.casRequired == nil || !b.config.casRequired || *s.casRequired {
		return nil
	}
	return &vaultAnswer{warnings: []string{
		`"cas_required" set to false, but is mandated by backend config. This value will be ignored.`,
	}}
}

func (k *kv2Secret) apply(s kv2Settings, custom map[string]string) {
	if s.maxVersions != nil {
		k.maxVersions = *s.maxVersions
	}
	if s.casRequired != nil {
		k.casRequired = *s.casRequired
	}
	if s.deleteAfter != nil {
		k.deleteAfter = *s.deleteAfter
	}
	if s.customGiven {
		k.custom = custom
	}
}

// customMetadata turns what was sent into strings within Vault's bounds; nothing is nil.
func customMetadata(raw map[string]any) (map[string]string, *vaultRefusal) {
	const failed = "custom_metadata validation failed: "
	if len(raw) == 0 {
		return nil, nil
	}
	custom := make(map[string]string, len(raw))
	for key, value := range raw {
		text, err := weakString(value, "")
		if err != nil {
			return nil, invalid("%s%s", failed, err)
		}
		custom[key] = text
	}
	if len(custom) > 64 {
		return nil, invalid("%s", listErrors(fmt.Sprintf("%spayload must contain at most 64 keys, provided %d", failed, len(custom))))
	}
	var problems []string
	for key, value := range custom {
		if len(key) == 0 || len(key) > 128 {
			problems = append(problems, fmt.Sprintf("%slength of key %q is %d but must be 0 < len(key) <= 128", failed, key, len(key)))
		}
		if len(value) == 0 || len(value) > 512 {
			problems = append(problems, fmt.Sprintf("%slength of value for key %q is %d but must be 0 < len(value) <= 512", failed, key, len(value)))
		}
		if hasUnprintable(key) {
			problems = append(problems, fmt.Sprintf("%skey %q (%s) contains unprintable characters", failed, key, key))
		}
		if hasUnprintable(value) {
			problems = append(problems, fmt.Sprintf("%svalue for key %q contains unprintable characters", failed, key))
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return nil, invalid("%s", listErrors(problems...))
	}
	return custom, nil
}

func hasUnprintable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// handleVersions deletes, restores or destroys single versions.
func (b *kv2Backend) handleVersions(c *vaultCall, action, key string) *vaultRefusal {
	f := c.validatedFields()
	numbers := f.integers("versions")
	switch {
	case f.refusal != nil:
		return f.refusal
	case len(numbers) == 0 && action == "destroy":
		return badRequest("no version number provided")
	case len(numbers) == 0:
		return badRequest("No version number provided")
	}
	by := c.actor()
	if action == "undelete" {
		by.Operation = action
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nil
	}
	if action != "destroy" {
		secret.updatedBy = by
	}
	for _, number := range numbers {
		if version := secret.versions[uint64(number)]; version != nil && !version.destroyed {
			b.changeVersion(secret, version, action, by)
		}
	}
	return nil
}

func (b *kv2Backend) changeVersion(secret *kv2Secret, version *kv2Version, action string, by *kv2Actor) {
	now := time.Now().UTC()
	switch action {
	case "delete":
		if !version.isDeleted() {
			version.deleted, version.deletedBy = now, by
		}
	case "undelete":
		version.deleted, version.deletedBy = b.expiry(secret, now), nil
	case "destroy":
		version.destroyed, version.data = true, nil
	}
}
