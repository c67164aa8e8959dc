// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// A vaultAnswer is what a request that was carried out is told. A nil one means "nothing to say": 404 for a reading, 204 for a writing.
type vaultAnswer struct {
	status   int // zero: 200, and 204 for an answer without content
	data     map[string]any
	secret   json.RawMessage // in place of data: an object, all of it secret
	lease    int             // seconds
	warnings []string
	auth     *vaultAuth
	inject   bool // the data stand at the top level too, as on the oldest sys routes
	unnamed  bool // the mount type is not told
	bare     bool // the body is empty
}

// A vaultAuth is a token, freshly made or renewed, as its owner is told.
type vaultAuth struct {
	ClientToken   string            `json:"client_token"`
	Accessor      string            `json:"accessor"`
	Policies      []string          `json:"policies"`
	TokenPolicies []string          `json:"token_policies,omitempty"`
	Metadata      map[string]string `json:"metadata"`
	LeaseDuration int               `json:"lease_duration"`
	Renewable     bool              `json:"renewable"`
	EntityID      string            `json:"entity_id"`
	TokenType     string            `json:"token_type"`
	Orphan        bool              `json:"orphan"`
	MFA           *struct{}         `json:"mfa_requirement"`
	NumUses       int               `json:"num_uses"`

	displayName string
	created     bool // the entity was made by this login
}

// A vaultRefusal is an error that the client is told. Vault has two texts for one error: the message in the body and the cause in the audit log.
type vaultRefusal struct {
	status  int
	message string // empty: the cause is told
	cause   string // empty: the audit log shows the message only, as part of the response
	silent  bool   // the body has no message at all
	early   bool   // it came before the policies, and the audit log gives the message as the cause
}

func (r *vaultRefusal) Error() string {
	if r.message != "" {
		return r.message
	}
	return r.cause
}

// badRequest refuses what the client sent; invalid is the form that names no cause.
func badRequest(format string, args ...any) *vaultRefusal {
	return &vaultRefusal{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...), cause: "invalid request"}
}

func invalid(format string, args ...any) *vaultRefusal {
	return &vaultRefusal{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

func unsupportedOperation() *vaultRefusal {
	return &vaultRefusal{status: http.StatusMethodNotAllowed, cause: "unsupported operation"}
}

func unsupportedPath() *vaultRefusal {
	return &vaultRefusal{status: http.StatusNotFound, cause: "unsupported path"}
}

func noRoute(path string) *vaultRefusal {
	return &vaultRefusal{
		status:  http.StatusNotFound,
		message: fmt.Sprintf("no handler for route %q. route entry not found.", path),
		cause:   "unsupported path",
	}
}

// listErrors writes causes the way that Vault's error list does.
func listErrors(causes ...string) string {
	var b strings.Builder
	if len(causes) == 1 {
		b.WriteString("1 error occurred:")
	} else {
		fmt.Fprintf(&b, "%d errors occurred:", len(causes))
	}
	for _, cause := range causes {
		b.WriteString("\n\t* " + cause)
	}
	b.WriteString("\n\n")
	return b.String()
}

// vaultError writes Vault's error envelope; an empty message gives an empty list. The code has no place in it.
func vaultError(w http.ResponseWriter, status int, _, message string) {
	errs := []string{}
	if message != "" {
		errs = append(errs, message)
	}
	writeVaultJSON(w, status, map[string][]string{"errors": errs})
}

func writeVaultJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := appendVaultJSON(nil, body)
	writeVaultBody(w, status, encoded, err)
}

// writeVaultBody writes what was encoded, or says that it could not be.
func writeVaultBody(w http.ResponseWriter, status int, encoded []byte, err error) {
	if err != nil {
		status, encoded = http.StatusInternalServerError, []byte(`{"errors":["internal error"]}`)
	}
	writeVaultHeader(w, status)
	_, _ = w.Write(append(encoded, '\n')) // a client that left is no concern of the server
}

func writeVaultHeader(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
}

// write tells the client how the call ended.
func (c *vaultCall) write(w http.ResponseWriter, answer *vaultAnswer, refusal *vaultRefusal) {
	switch {
	case refusal != nil && refusal.silent:
		vaultError(w, refusal.status, "", "")
	case refusal != nil && refusal.message == "" && !c.login:
		vaultError(w, refusal.status, "", listErrors(refusal.cause))
	case refusal != nil:
		vaultError(w, refusal.status, "", refusal.Error())
	case emptyList(c.op, answer), answer == nil && (c.op == opRead || c.op == opList || c.op == opHeader):
		vaultError(w, http.StatusNotFound, "", "")
	case answer == nil:
		writeVaultHeader(w, http.StatusNoContent)
	case answer.bare:
		writeVaultHeader(w, answer.status)
	default:
		c.writeAnswer(w, answer)
	}
}

// writeAnswer writes the envelope of every answer that is not an error.
func (c *vaultCall) writeAnswer(w http.ResponseWriter, answer *vaultAnswer) {
	var data any
	switch {
	case answer.secret != nil:
		data = answer.secret
	case answer.data != nil:
		data = answer.data
	}
	mountType := ""
	if c.mount != nil && !answer.unnamed && !c.login {
		mountType = c.mount.kind
	}
	members := [...]vaultMember{
		{"request_id", c.id}, {"lease_id", ""}, {"renewable", false}, {"lease_duration", answer.lease}, {"data", data},
		{"wrap_info", nil}, {"warnings", answer.warnings}, {"auth", answer.auth}, {"mount_type", mountType},
	}
	status := answer.status
	if status == 0 {
		status = http.StatusOK
	}
	if answer.inject && len(answer.data) > 0 {
		injected := maps.Clone(answer.data)
		for _, member := range members {
			injected[member.name] = member.value
		}
		writeVaultJSON(w, status, injected)
		return
	}
	body, err := appendVaultMembers(make([]byte, 0, 512), members[:])
	writeVaultBody(w, status, body, err)
}
