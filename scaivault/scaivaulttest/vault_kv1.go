// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A kv1Backend is KV version 1: what was written last, and numbers keep their digits.
type kv1Backend struct {
	mount *vaultMount

	mu      sync.RWMutex // guards all below
	secrets pathTree[kv1Secret]
}

type kv1Secret struct {
	data  json.RawMessage // an object
	lease time.Duration
	asked bool // the lease is the secret's own wish
}

func (b *kv1Backend) get(key string) (json.RawMessage, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	secret, ok := b.secrets.get(key)
	return secret.data, ok
}

// put keeps an object, which the caller encoded.
func (b *kv1Backend) put(key string, data json.RawMessage) {
	secret := kv1Secret{data: data}
	secret.lease, secret.asked = readLease(data)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.secrets.put(key, secret)
}

// seed writes a secret without asking whether it may be written.
func (b *kv1Backend) seed(key string, data map[string]any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	b.put(key, encoded)
	return nil
}

// readLease looks for a lease that a secret asks for in its own data.
func readLease(data json.RawMessage) (lease time.Duration, asked bool) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if dec.Decode(&fields) != nil {
		return 0, false
	}
	raw, ok := fields["ttl"]
	if !ok {
		raw, ok = fields["lease"]
	}
	if !ok || raw == nil {
		return 0, ok
	}
	lease, err := weakDuration(raw)
	return lease, err == nil
}

func (b *kv1Backend) place(c *vaultCall) vaultPlace {
	if !c.writes() {
		return vaultPlace{}
	}
	if strings.Contains(c.rest, "..") {
		return vaultPlace{refusal: internalError()}
	}
	_, exists := b.get(c.rest)
	return vaultPlace{creates: !exists}
}

func (b *kv1Backend) handle(c *vaultCall) (*vaultAnswer, *vaultRefusal) {
	if refusal := kv1KeyRefusal(c); refusal != nil {
		return nil, refusal
	}
	switch c.op {
	case opRead:
		return b.read(c.rest)
	case opList:
		return b.list(c.rest), nil
	case opCreate, opUpdate:
		return nil, b.write(c)
	case opDelete:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.secrets.remove(c.rest)
		return nil, nil
	}
	return nil, unsupportedOperation()
}

// kv1KeyRefusal refuses the names under which Vault's storage keeps nothing: those with two dots in a row, and those that are no UTF-8.
func kv1KeyRefusal(c *vaultCall) *vaultRefusal {
	relative, text := strings.Contains(c.rest, ".."), utf8.ValidString(c.rest)
	switch {
	case relative && c.op == opRead:
		return &vaultRefusal{status: http.StatusBadRequest, cause: "read failed: relative paths not supported"}
	case relative:
		return &vaultRefusal{status: http.StatusBadRequest, cause: "relative paths not supported"}
	case !text && c.writes():
		return &vaultRefusal{status: http.StatusInternalServerError, cause: "failed to write: key contains invalid UTF-8 characters"}
	case !text && c.op == opDelete:
		return &vaultRefusal{status: http.StatusInternalServerError, cause: "key contains invalid UTF-8 characters"}
	}
	return nil
}

func (b *kv1Backend) read(key string) (*vaultAnswer, *vaultRefusal) {
	b.mu.RLock()
	secret, ok := b.secrets.get(key)
	b.mu.RUnlock()
	if !ok {
		return nil, nil
	}
	lease := secret.lease
	if !secret.asked {
		lease = b.mount.lease()
	}
	return &vaultAnswer{lease: int(lease.Seconds()), secret: secret.data}, nil
}

func (b *kv1Backend) list(folder string) *vaultAnswer {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return &vaultAnswer{data: map[string]any{"keys": b.secrets.list(folder, nil)}}
}

func (b *kv1Backend) write(c *vaultCall) *vaultRefusal {
	if c.rest == "" {
		return invalid("missing path")
	}
	if len(c.data) == 0 {
		return invalid("missing data fields")
	}
	encoded, err := encodeVaultJSON(c.data)
	if err != nil {
		return &vaultRefusal{status: http.StatusInternalServerError, cause: "json encoding failed"}
	}
	b.put(c.rest, encoded)
	return nil
}
