// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// A State is a word of the service for how a backend, its connection or a sync is
// doing. The vocabulary is open.
type State string

// The states that ScaiVault documents. [Status.Healthy] knows others by what they mean.
const (
	StateHealthy   State = "healthy"   // of a backend
	StateConnected State = "connected" // of a connection
)

// A Status says how a backend is doing. What the service does not tell is zero.
type Status struct {
	// ID and Name are those of the backend.
	ID, Name string
	// State is the backend's.
	State State
	// LastSync is when secrets were copied last; zero in [ModeProxy] and before the
	// first time.
	LastSync time.Time
	// LastSyncDuration is how long that took.
	LastSyncDuration time.Duration
	// SecretsSynced is how many secrets were copied.
	SecretsSynced int64
	// Connection is that from ScaiVault to the backend.
	Connection Connection
	// Extra holds the fields that this version does not know, such as the words of
	// an error, as one object.
	Extra Opaque
}

// A Connection says how ScaiVault reaches a backend.
type Connection struct {
	// State is empty where the service does not tell.
	State State
	// Latency is how long the backend takes to answer; zero where the service does
	// not tell.
	Latency time.Duration
	// Extra holds the fields that this version does not know, as one object.
	Extra Opaque
}

// Healthy tells whether the service calls the backend healthy.
//
// Only [StateHealthy] is documented. Where the service has another word, one that
// says the same will do, in any case: available, connected, ok, online, operational,
// reachable, ready or up. The connection, where its state is told, must then be in such
// a state too; and active, enabled or running, which may say no more than that the
// backend is not switched off, count only beside a connection that is. Where the service
// tells nothing of the backend, the connection counts alone. Any other word is not
// healthy.
func (s *Status) Healthy() bool {
	connected := s.Connection.State.well()
	switch {
	case s.State == "":
		return connected
	case strings.EqualFold(string(s.State), string(StateHealthy)):
		return true
	case s.State.well():
		return connected || s.Connection.State == ""
	default:
		return s.State.switchedOn() && connected
	}
}

// well tells whether a word says that something can be used.
func (s State) well() bool {
	switch strings.ToLower(string(s)) {
	case "healthy", "available", "connected", "ok", "online", "operational", "reachable", "ready", "up":
		return true
	default:
		return false
	}
}

// switchedOn tells whether a word says that something is to be used.
func (s State) switchedOn() bool {
	switch strings.ToLower(string(s)) {
	case "active", "enabled", "running":
		return true
	default:
		return false
	}
}

// Status asks how a backend is doing. One that does not exist is an error that matches
// scaivault.ErrNotFound.
func (c *Client) Status(ctx context.Context, id string) (*Status, error) {
	op := "read status of federation backend " + printable(id)
	if err := checkID(op, id); err != nil {
		return nil, err
	}
	raw, err := c.call(ctx, op, http.MethodGet, apiStatus(id), nil)
	if err != nil {
		return nil, err
	}
	s, ok := parseStatus(raw)
	if !ok {
		return nil, malformed(op, "is not a status")
	}
	if s.ID == "" {
		s.ID = id
	}
	return s, nil
}

func parseStatus(raw json.RawMessage) (*Status, bool) {
	f, ok := parseFields(raw)
	if ok && isObject(f[keyStatus]) {
		f, ok = parseFields(f[keyStatus])
	} else if ok {
		f, ok = parseFields(unwrap(raw, keyStatus, "data", "backend"))
	}
	if !ok {
		return nil, false
	}
	s := &Status{}
	takeText(f, &s.ID, keyID, "backend_id")
	take(f, keyName, &s.Name)
	takeText(f, &s.State, keyStatus, "state")
	takeTime(f, "last_sync", &s.LastSync)
	takeMilliseconds(f, "last_sync_duration_ms", &s.LastSyncDuration)
	take(f, "secrets_synced", &s.SecretsSynced)
	s.Connection = takeConnection(f)
	s.Extra = f.rest()
	return s, s.State != "" || s.Connection.State != "" || !s.Extra.IsZero()
}

// takeConnection reads the connection, as an object or as its state alone.
func takeConnection(f fields) Connection {
	c, inner := Connection{}, fields{}
	if take(f, "connection", &c.State) || !take(f, "connection", &inner) {
		return c
	}
	takeText(inner, &c.State, keyStatus, "state")
	takeMilliseconds(inner, "latency_ms", &c.Latency)
	c.Extra = inner.rest()
	return c
}

// String is one line with the states and none of the service's other words.
func (s *Status) String() string {
	text := "status " + word(s.State)
	if s.Connection.State != "" {
		text += ", connection " + word(s.Connection.State)
	}
	return text
}

// word lets through what is a word and nothing else, so that no text of a server
// gets into an error by this way.
func word(s State) string {
	strange := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}
	switch {
	case s == "":
		return "unknown"
	case len(s) > 40 || strings.ContainsFunc(string(s), strange):
		return "strange"
	default:
		return string(s)
	}
}
