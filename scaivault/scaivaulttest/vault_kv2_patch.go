// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
)

// patchCall writes a new version that is the latest with a merge patch applied.
func (b *kv2Backend) patchCall(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	patch, given := f.object("data")
	options, _ := f.object("options")
	if f.refusal != nil {
		return nil, f.refusal
	}
	if !given {
		return nil, badRequest("no data provided")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nothingThere(), nil
	}
	if refusal := b.checkAndSet(secret, options); refusal != nil {
		return nil, refusal
	}
	latest := secret.versions[secret.current]
	if latest == nil {
		return nothingThere(), nil
	}
	if latest.gone() {
		return &vaultAnswer{status: http.StatusNotFound, data: latest.describe(secret), unnamed: true}, nil
	}
	patched, err := mergePatch(latest.data, patch)
	if err != nil {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, cause: err.Error()}
	}
	version, secret := b.writeLocked(key, roundNumbers(patched), c.actor())
	return &vaultAnswer{data: version.describe(secret)}, nil
}

// nothingThere is how a patch of nothing is answered: without any body.
func nothingThere() *vaultAnswer { return &vaultAnswer{status: http.StatusNotFound, bare: true} }

// mergePatch applies a patch as the library that Vault uses does. It differs from RFC 7396
// in arrays: a null in an object of an array goes where the array takes no object's place.
// A patch that is null becomes the whole.
func mergePatch(target json.RawMessage, patch map[string]any) (json.RawMessage, error) {
	var object map[string]any
	if err := json.Unmarshal(target, &object); err != nil {
		return nil, err
	}
	switch {
	case object == nil:
		return nil, errors.New("resource does not exist")
	case patch == nil:
		return json.RawMessage("null"), nil
	}
	mergeObjects(object, patch)
	return json.Marshal(object)
}

func mergeObjects(object, patch map[string]any) {
	for name, value := range patch {
		current := object[name]
		switch {
		case value == nil:
			delete(object, name)
		case current == nil:
			object[name] = withoutNulls(value)
		default:
			object[name] = mergeValues(current, value)
		}
	}
}

func mergeValues(current, value any) any {
	object, ok := current.(map[string]any)
	if !ok {
		return withoutNulls(value)
	}
	patch, ok := value.(map[string]any)
	if !ok {
		return value
	}
	mergeObjects(object, patch)
	return object
}

// withoutNulls drops the fields that are null; the elements of arrays stay. The caller's
// value is left as it is: the audit log still needs it.
func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for name, field := range v {
			if field != nil {
				kept[name] = withoutNulls(field)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(v))
		for i, element := range v {
			kept[i] = withoutNulls(element)
		}
		return kept
	}
	return value
}

// patchMetadata changes the settings that are given, and of the custom metadata single keys.
func (b *kv2Backend) patchMetadata(c *vaultCall, key string) (*vaultAnswer, *vaultRefusal) {
	f := c.validatedFields()
	settings := readKV2Settings(f, false)
	versions, _ := f.integer("max_versions")
	if f.refusal != nil {
		return nil, f.refusal
	}
	if key == "" {
		return nil, invalid("missing path")
	}
	given := make(map[string]any, len(settings.custom))
	for name, value := range settings.custom {
		if value != nil {
			given[name] = value
		}
	}
	if _, refusal := customMetadata(given); refusal != nil {
		return nil, refusal
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	secret, ok := b.secrets.get(key)
	if !ok {
		return nothingThere(), nil
	}
	custom, refusal := patchCustom(secret.custom, settings)
	if versions < 0 || int64(versions) > math.MaxUint32 {
		refusal = unfit("number "+fmt.Sprint(versions), "max_versions", "uint32")
	}
	if refusal != nil {
		return nil, refusal
	}
	secret.apply(settings, custom)
	return b.settingsAnswer(settings), nil
}

// patchCustom is the custom metadata with the given keys set, and those given as null removed.
// Other than a whole write, a patch takes no numbers for strings.
func patchCustom(current map[string]string, s kv2Settings) (map[string]string, *vaultRefusal) {
	if s.customGiven && s.custom == nil {
		return nil, nil
	}
	custom := map[string]string{}
	maps.Copy(custom, current)
	for name, value := range s.custom {
		switch v := value.(type) {
		case nil:
			delete(custom, name)
		case string:
			custom[name] = v
		case json.Number:
			return nil, unfit("number", "custom_metadata", "string")
		default:
			return nil, unfit(fmt.Sprintf("%T", v), "custom_metadata", "string")
		}
	}
	if len(custom) == 0 {
		return nil, nil
	}
	return custom, nil
}

// unfit is the error of Vault when the patched whole does not fit what it keeps.
func unfit(what, field, kind string) *vaultRefusal {
	return &vaultRefusal{
		status: http.StatusInternalServerError,
		cause:  "json: cannot unmarshal " + what + " into Go struct field KeyMetadata." + field + " of type " + kind,
	}
}
