// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"
	"strings"
)

// sizes are the bytes of the secrets' data, as JSON.
var sizes = []int{16, 1 << 10, 64 << 10}

// fieldsOf says how many fields a secret of so many bytes has: one where it is
// a single password, and the eight of a database account otherwise.
func fieldsOf(size int) []string {
	if size < 256 {
		return []string{"key"}
	}
	return []string{"host", "port", "user", "password", "database", "ca_pem", "cert_pem", "key_pem"}
}

// payload returns a secret's data: a JSON object of exactly size bytes. All
// fields are strings of about the same length.
func payload(size int) []byte {
	names := fieldsOf(size)
	rest := size - len("{}") - (len(names) - 1)
	for _, name := range names {
		rest -= len(name) + len(`"":""`)
	}
	members := make([]string, len(names))
	for i, name := range names {
		length := rest / (len(names) - i)
		rest -= length
		members[i] = fmt.Sprintf("%q:%q", name, filler(length))
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// filler returns text that needs no escapes, as base64 needs none.
func filler(length int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return strings.Repeat(alphabet, length/len(alphabet)+1)[:length]
}

// name is what the secret of so many bytes is called, below its mount.
func name(size int) string { return fmt.Sprintf("bench/bytes-%d", size) }

// scaiVaultBody is the answer of GET /v1/secrets/{path}: the documented object.
func scaiVaultBody(size int) []byte {
	return marshal(map[string]any{
		"path":               name(size),
		"secret_type":        "json",
		"version":            7,
		"data":               json.RawMessage(payload(size)),
		"metadata":           map[string]any{"description": "SMTP relay", "tags": []string{"smtp"}, "owner": "team:mail"},
		"created_at":         "2030-01-02T03:04:05Z",
		"updated_at":         "2030-02-03T04:05:06.123456Z",
		"expires_at":         nil,
		"rotation_policy_id": "rot_example",
	})
}

// vaultBody is the answer of GET /v1/kv/data/{path}, as Vault 1.21 gives it.
func vaultBody(size int) []byte {
	return vaultEnvelope("kv", map[string]any{
		"data": json.RawMessage(payload(size)),
		"metadata": map[string]any{
			"created_time":    "2030-02-03T04:05:06.123456789Z",
			"custom_metadata": map[string]any{"description": "SMTP relay", "tags": "smtp", "owner": "team:mail"},
			"deletion_time":   "",
			"destroyed":       false,
			"version":         7,
		},
	})
}

// mountBody is the answer of GET /v1/sys/internal/ui/mounts/{path}, which
// vault.Source asks for once.
func mountBody() []byte {
	return vaultEnvelope("system", map[string]any{
		"path": mount + "/", "type": "kv", "options": map[string]any{"version": "2"},
	})
}

func vaultEnvelope(mountType string, data any) []byte {
	return marshal(map[string]any{
		"request_id":     "8f0c9b9e-5d0c-2f5b-9a27-3f6f0d6e2b11",
		"lease_id":       "",
		"renewable":      false,
		"lease_duration": 0,
		"data":           data,
		"wrap_info":      nil,
		"warnings":       nil,
		"auth":           nil,
		"mount_type":     mountType,
	})
}

// marshal writes what is known to be JSON.
func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}
