// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
)

// An envelope is what all of Vault's answers have in common. Its parts are read
// when they are asked for.
type envelope struct {
	requestID []byte // as JSON
	errors    []string
	warnings  []string
	data      json.RawMessage
	version   versioned // what data is on KV v2
}

// versioned is a version of a KV v2 secret.
type versioned struct {
	data           []byte // as JSON
	metadata       bool   // there are metadata, which what follows is from
	number         int
	created        time.Time
	deletion       time.Time
	destroyed      bool
	customMetadata []byte // as JSON
}

// envelope reads an answer's envelope. It reports false where the answer is
// not one of Vault's: those have errors, or a request id.
func (a *answer) envelope() (*envelope, bool) {
	if !a.parsed {
		a.parsed = true
		a.isVault = a.env.parse(a.body)
	}
	return &a.env, a.isVault
}

// parse goes through the body once, and in the same pass through what of the
// data may be a version of a secret. What does not fit stays empty: an unknown
// shape beside the data must not hide it.
func (e *envelope) parse(body []byte) bool {
	if !jsonvalue.EachMemberWithin(body, e.enter, e.take) {
		*e = envelope{}
		return false
	}
	return e.errors != nil || len(e.requestID) > len(`""`) && e.requestID[0] == '"'
}

// enter forgets what was read of an object of that name before: where one stands
// twice, the last one counts.
func (e *envelope) enter(depth int, name []byte) bool {
	switch {
	case depth == 1 && string(name) == "data":
		e.version = versioned{}
		return true
	case depth == 2 && string(name) == "metadata":
		e.version = versioned{data: e.version.data}
		return true
	default:
		return false
	}
}

func (e *envelope) take(depth int, name, value []byte) {
	switch depth {
	case 1:
		e.takeTop(name, value)
	case 2:
		e.version.take(name, value)
	default:
		e.version.takeMetadata(name, value)
	}
}

func (e *envelope) takeTop(name, value []byte) {
	switch string(name) {
	case "request_id":
		e.requestID = value
	case "errors":
		e.errors = texts(value)
	case "warnings":
		e.warnings = texts(value)
	case "data":
		e.data = value
		if value[0] != '{' {
			e.version = versioned{}
		}
	}
}

func (v *versioned) take(name, value []byte) {
	switch string(name) {
	case "data":
		v.data = value
	case "metadata":
		v.metadata = value[0] == '{'
	}
}

func (v *versioned) takeMetadata(name, value []byte) {
	switch string(name) {
	case "version":
		v.number, _ = strconv.Atoi(string(value)) // stays 0 for what is no number
	case "created_time":
		v.created = readTime(value)
	case "deletion_time":
		v.deletion = readTime(value)
	case "destroyed":
		v.destroyed = string(value) == "true"
	case "custom_metadata":
		v.customMetadata = value
	}
}

// versioned tells whether the data is a version of a KV v2 secret.
func (e *envelope) versioned() bool {
	v := &e.version
	return v.metadata && v.number > 0 && len(v.data) > 0 && !v.created.IsZero()
}

// readTime reads an RFC 3339 time in JSON, and is zero where it can't.
func readTime(value []byte) time.Time {
	if len(value) <= len(`""`) || value[0] != '"' {
		return time.Time{}
	}
	var t time.Time
	if t.UnmarshalText(value[1:len(value)-1]) != nil {
		return time.Time{}
	}
	return t
}

// texts reads a list of strings; anything else is nil.
func texts(value []byte) []string {
	if len(value) == 0 || value[0] != '[' {
		return nil
	}
	var list []string
	if json.Unmarshal(value, &list) != nil {
		return nil
	}
	return list
}

func (e *envelope) says(text string) bool {
	for _, m := range e.errors {
		if strings.Contains(strings.ToLower(m), strings.ToLower(text)) {
			return true
		}
	}
	return false
}

// refusesToken tells whether a 403 is about the token itself. Older Vaults say
// "permission denied" alone, whatever the reason.
func (e *envelope) refusesToken() bool { return e.says("invalid token") || e.says("bad token") }

// wrongKVVersion tells whether KV v2 was asked for a path that it does not have.
func (e *envelope) wrongKVVersion() bool {
	for _, w := range e.warnings {
		if strings.Contains(w, "versioned K/V") || strings.Contains(w, "K/V v2 mount") {
			return true
		}
	}
	return false
}
