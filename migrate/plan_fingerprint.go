// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

// minFingerprintKey is how long the key of fingerprints is at least. With a
// short one, whoever has the plan could try all keys and then guess values.
const minFingerprintKey = 32

// unseen is what a plan says of a secret to be written whose later changes it
// will not notice.
const unseen = "it has no versions, so a change after the plan goes unnoticed; PlanOptions.FingerprintKey would show it"

// A fingerprinter tells one content of a secret without versions from another,
// by HMAC-SHA256 with a key that stays with the operator. Nil makes none.
type fingerprinter struct {
	key func() []byte // a func, so that no printer shows the key
}

func newFingerprinter(op string, key []byte) (*fingerprinter, error) {
	if key == nil {
		return nil, nil //nolint:nilnil // a nil fingerprinter is one that makes none
	}
	if len(key) < minFingerprintKey {
		return nil, invalid(op, fmt.Sprintf("the fingerprint key has %d bytes, and needs at least %d random ones, as of: openssl rand -hex 32", len(key), minFingerprintKey))
	}
	own := bytes.Clone(key)
	return &fingerprinter{key: func() []byte { return own }}, nil
}

// of is the fingerprint of a secret that has no versions; else it is empty. It
// is bound to the name, so that equal values of two secrets don't show.
func (f *fingerprinter) of(name string, s *scaivault.Secret) string {
	if f == nil || s.Version() > 0 {
		return ""
	}
	content, err := jsonvalue.CanonicalObject(s.JSON())
	if err != nil {
		return "" // no secret is made of what is no object
	}
	return f.sum("secret", name, string(content))
}

// id tells one key from another.
func (f *fingerprinter) id() string {
	if f == nil {
		return ""
	}
	return f.sum("key")
}

func (f *fingerprinter) sum(parts ...string) string {
	h := hmac.New(sha256.New, f.key())
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(part), part) // a hash takes everything
	}
	return "hmac-sha256:" + hex.EncodeToString(h.Sum(nil))
}

// UseFingerprintKey gives a plan that was read from a file the key that it was
// made with, [PlanOptions.FingerprintKey]. [CopyPlan] needs it where
// [PlanHeader.FingerprintKeyID] is not empty. The key is copied, and is in no
// file and in nothing that is printed. Another key than that of the plan, or a
// key for a plan that was made without one, is [scaivault.ErrInvalid].
func (p *Plan) UseFingerprintKey(key []byte) error {
	const op = "use fingerprint key"
	prints, err := newFingerprinter(op, key)
	switch {
	case err != nil:
		return err
	case prints == nil:
		return invalid(op, "the key is nil")
	case p.Header.FingerprintKeyID == "":
		return invalid(op, "the plan was made without a fingerprint key, so there is nothing to compare; make a new plan with the key")
	case !hmac.Equal([]byte(prints.id()), []byte(p.Header.FingerprintKeyID)):
		return invalid(op, "the plan was made with another key")
	}
	p.prints = prints
	return nil
}
