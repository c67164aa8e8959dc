// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// tagMigrated is on every secret that was copied to ScaiVault.
const tagMigrated = "migrated-from-vault"

// descriptionPrefix begins the description of every such secret.
const descriptionPrefix = "Migrated from vault: "

// toScaiVault are the options of a write to ScaiVault. There is no condition:
// the service has none, and the destination was looked at just now.
func (c *copier) toScaiVault(item Item, s sides, m mark.Mark) *scaivault.PutOptions {
	src, dst := s.src, s.dst
	opts := &scaivault.PutOptions{Type: scaivault.TypeJSON, MaxVersions: c.opts.maxVersions()}
	// The service lets secrets expire and not versions, so the latest decides.
	if at := src.Info().ExpiresAt; !at.IsZero() && !s.old {
		if left := time.Until(at).Truncate(time.Second); left > 0 {
			opts.ExpiresIn = left
		}
	}
	meta := scaivault.Metadata{Description: descriptionPrefix + item.From, Tags: []string{tagMigrated}}
	values := map[string]any{}
	if dst != nil {
		carry(&meta, values, dst.Info().Metadata)
		for key := range values { // what an earlier copy has set is set anew
			if strings.HasPrefix(key, sourcePrefix) {
				delete(values, key)
			}
		}
	}
	theirs := src.Info().Metadata
	if theirs.Description != "" {
		values[sourcePrefix+"description"] = theirs.Description
	}
	carry(&meta, values, theirs)
	meta.Values = m.AddTo(values)
	opts.Metadata = meta
	return opts
}

// sourcePrefix stands before metadata of Vault whose own key is taken.
const sourcePrefix = "vault_"

// carry takes over tags, owner and values. The keys of Metadata's own fields
// can't stand among the values, so text under such a key goes to the field, or
// gets another key.
func carry(meta *scaivault.Metadata, values map[string]any, from scaivault.Metadata) {
	for _, tag := range from.Tags {
		if !slices.Contains(meta.Tags, tag) {
			meta.Tags = append(meta.Tags, tag)
		}
	}
	if from.Owner != "" {
		meta.Owner = from.Owner
	}
	for key, value := range from.Values {
		switch key {
		case "description", "tags", "owner":
			key = sourcePrefix + key
		}
		values[key] = value
	}
}

// toKV2 are the options of a write to KV v2: check-and-set, and the mark among
// the custom metadata that is there.
func toKV2(s sides, m mark.Mark) *scaivault.PutOptions {
	version, meta := 0, scaivault.Metadata{}
	if s.dst != nil {
		version, meta = s.dst.Version(), s.dst.Info().Metadata
	}
	meta.Values = m.AddTo(meta.Values)
	return &scaivault.PutOptions{Metadata: meta, IfVersion: &version}
}

// toKV1 are the options of a write to KV v1, which has neither versions nor
// metadata.
func toKV1(dst *scaivault.Secret) *scaivault.PutOptions {
	if dst == nil {
		return &scaivault.PutOptions{IfAbsent: true}
	}
	return &scaivault.PutOptions{IfUnchanged: dst}
}

// isKV1 tells whether a Vault path lies in KV v1, as far as can be seen: what
// exists there has no version, and a path of KV v2 has a level "data".
func isKV1(dst *scaivault.Secret, path string) bool {
	if dst != nil {
		return dst.Version() == 0
	}
	return !strings.Contains(path, "/data/")
}

// cannotHold says what of a secret the destination would not keep. Of a secret
// that is not there yet, a path with a level "data" is taken for KV v2.
func cannotHold(src, dst *scaivault.Secret, side scaivault.Side, path string) string {
	if side != scaivault.SideVault || isKV1(dst, path) {
		return ""
	}
	if field := roundedField(src.Data()); field != "" {
		return fmt.Sprintf("KV v2 would round a number in field %s; store it as a string", printable(field))
	}
	return ""
}

// roundedField names a field with a number that 64-bit floating point can't
// hold, or "". Of several it names the first.
func roundedField(data map[string]any) string {
	first := ""
	for name, value := range data {
		if rounded(value) && (first == "" || name < first) {
			first = name
		}
	}
	return first
}

func rounded(v any) bool {
	switch v := v.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(v.String(), 64)
		if err != nil {
			return true
		}
		kept := json.Number(strconv.FormatFloat(f, 'g', -1, 64))
		return string(jsonvalue.Canonical(v)) != string(jsonvalue.Canonical(kept))
	case []any:
		return slices.ContainsFunc(v, rounded)
	case map[string]any:
		for _, e := range v {
			if rounded(e) {
				return true
			}
		}
	}
	return false
}
