// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// A Conflict is a path for which ScaiVault and the backend hold different values. The
// service documents no form for it: what it does not tell is zero.
type Conflict struct {
	// Path is the ScaiVault path.
	Path string
	// BackendPath is the secret's name in the backend.
	BackendPath string
	// DetectedAt is when the service noticed.
	DetectedAt time.Time
	// Extra holds the fields that this version does not know, as one object. It may
	// hold the two values.
	Extra Opaque
}

// Conflicts yields the conflicts of a backend in the service's order. The error, if
// any, is the last pair. Each page of the service's listing is one operation, made when
// the loop gets there.
func (c *Client) Conflicts(ctx context.Context, id string) iter.Seq2[Conflict, error] {
	op := "list conflicts of federation backend " + printable(id)
	return func(yield func(Conflict, error) bool) {
		if err := checkID(op, id); err != nil {
			yield(Conflict{}, err)
			return
		}
		for raw, err := range c.pages(ctx, op, apiConflicts(id), "conflicts") {
			if err != nil {
				yield(Conflict{}, err)
				return
			}
			conflict, ok := parseConflict(raw)
			if !ok {
				yield(Conflict{}, malformed(op, "holds a conflict that is neither an object nor a path"))
				return
			}
			if !yield(conflict, nil) {
				return
			}
		}
	}
}

// parseConflict reads an object, or a path alone.
func parseConflict(raw json.RawMessage) (Conflict, bool) {
	c := Conflict{}
	f, ok := parseFields(raw)
	if !ok {
		return c, json.Unmarshal(raw, &c.Path) == nil && c.Path != ""
	}
	takeText(f, &c.Path, "path", "scaivault_path", "local_path")
	takeText(f, &c.BackendPath, "backend_path", "remote_path", "external_path")
	takeTime(f, "detected_at", &c.DetectedAt)
	c.Extra = f.rest()
	return c, true
}
