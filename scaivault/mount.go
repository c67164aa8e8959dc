// SPDX-License-Identifier: Apache-2.0

package scaivault

// A Mount is a secrets engine of a Vault, and where it is.
type Mount struct {
	// Path is where the engine is mounted, without a slash at its end:
	// "kv", "team/kv".
	Path string `json:"path"`
	// Type is the engine's type as Vault calls it: "kv", "pki", "database".
	Type string `json:"type"`
	// Description is for people. May be empty.
	Description string `json:"description,omitempty"`
	// KVVersion is 1 or 2 for the type "kv", and 0 for all others.
	KVVersion int `json:"kv_version,omitempty"`
}
