// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"bytes"
	"encoding/json"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// heldBy tells whether a backend has everything that u sets. It is strict: what the
// service does not tell is not held. A config may hold more settings than were sent.
func (u *Update) heldBy(b *Backend) bool {
	if u.Config != nil && (b.Config == nil || u.Config.Type() != b.Config.Type()) {
		return false
	}
	is := b.change()
	want, ok := decoded(u.body())
	if !ok {
		return false
	}
	have, ok := decoded(is.body())
	if !ok {
		return false
	}
	if wantConfig, ok := want[keyConfig].(map[string]any); ok {
		haveConfig, ok := have[keyConfig].(map[string]any)
		if !ok || !contains(haveConfig, wantConfig) {
			return false
		}
		delete(want, keyConfig)
	}
	return contains(have, want)
}

// contains tells whether have has every field of want, and they mean the same.
func contains(have, want map[string]any) bool {
	for name, w := range want {
		h, ok := have[name]
		if !ok || !bytes.Equal(jsonvalue.Canonical(h), jsonvalue.Canonical(w)) {
			return false
		}
	}
	return true
}

// decoded brings a body into the form that it has on the wire.
func decoded(body map[string]any) (map[string]any, bool) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, false
	}
	obj, err := jsonvalue.Object(raw)
	return obj, err == nil
}
