// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An auditSalt keys the hashes of one device.
type auditSalt struct {
	key     []byte
	hashers sync.Pool // of *auditHasher: to key one costs as much as to hash a value
}

// An auditHasher hashes one value after the other.
type auditHasher struct {
	mac  hash.Hash
	sum  []byte
	text []byte
}

func newAuditSalt() *auditSalt {
	salt := &auditSalt{key: make([]byte, 32)}
	_, _ = rand.Read(salt.key) // never fails
	return salt
}

func (s *auditSalt) hash(value string) string {
	h, ok := s.hashers.Get().(*auditHasher)
	if !ok {
		h = &auditHasher{mac: hmac.New(sha256.New, s.key)}
	}
	defer s.hashers.Put(h)
	return h.hash(value)
}

func (h *auditHasher) hash(value string) string {
	h.text = append(h.text[:0], value...)
	h.mac.Reset()
	h.mac.Write(h.text)
	h.sum = h.mac.Sum(h.sum[:0])
	h.text = hex.AppendEncode(append(h.text[:0], "hmac-sha256:"...), h.sum)
	return string(h.text)
}

// An auditShape is how a device wants its entries.
type auditShape struct {
	salt       *auditSalt
	accessors  bool // in clear
	elideLists bool
}

// auditAuth is who asks, or whom a login made.
type auditAuth struct {
	token   *vaultToken // nil: nobody known
	allowed bool
	issued  *vaultAuth
}

func (s auditShape) hash(value string) string { return s.salt.hash(value) }

// An auditRecord is one line of the log before it is hashed.
type auditRecord struct {
	call    *vaultCall
	kind    string
	auth    *auditAuth
	refusal *vaultRefusal
	answer  *vaultAnswer
	routed  bool // the mount was asked
}

func (r *auditRecord) entry(shape auditShape) map[string]any {
	entry := map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339Nano), "type": r.kind, "request": r.request(shape),
	}
	if r.auth != nil {
		entry["auth"] = r.auth.entry(shape)
	}
	if text := r.errorText(); text != "" {
		entry["error"] = text
	}
	if response := r.response(shape); response != nil {
		entry["response"] = response
	}
	return entry
}

func (r *auditRecord) errorText() string {
	switch {
	case r.refusal == nil || r.refusal.cause == "":
		return ""
	case r.kind == "request" && r.refusal.early:
		return r.refusal.message
	case r.call.login || r.kind == "request" || strings.HasSuffix(r.refusal.cause, "\n\n"):
		return r.refusal.cause
	}
	return listErrors(r.refusal.cause)
}

func (r *auditRecord) request(shape auditShape) map[string]any {
	c := r.call
	request := map[string]any{"id": c.id, "namespace": c.ns.describe()}
	if c.op != "" {
		request["operation"] = c.op
	}
	if c.path != "" {
		request["path"] = c.path
	}
	if c.tokenID != "" {
		request["client_token"] = shape.hash(c.tokenID)
	}
	if c.token != nil {
		request["client_id"] = c.token.clientID()
		if c.token.accessor != "" {
			request["client_token_accessor"] = shape.accessor(c.token.accessor)
		}
	}
	if c.remoteAddr != "" {
		request["remote_address"], request["remote_port"] = c.remoteAddr, c.remotePort
	}
	if len(c.data) > 0 {
		request["data"] = shape.hashAll(c.data)
	}
	if c.headers != nil {
		request["headers"] = c.headers
	}
	c.mount.annotate(request, "mount_running_version")
	if !c.writes() && (r.kind == "request" || !r.routed) {
		delete(request, "mount_accessor") // Vault does not know it yet
	}
	return request
}

func (ns *vaultNamespace) describe() map[string]any {
	if ns.path == "" {
		return map[string]any{"id": ns.id}
	}
	return map[string]any{"id": ns.id, "path": ns.path}
}

// annotate adds which mount the request went to; nil: none.
func (m *vaultMount) annotate(entry map[string]any, versionField string) {
	if m == nil {
		return
	}
	class := "secret"
	if m.auth {
		class = "auth"
	}
	entry["mount_accessor"], entry["mount_class"], entry["mount_point"], entry["mount_type"] = m.accessor, class, m.route(), m.kind
	entry[versionField] = m.version()
}

func (r *auditRecord) response(shape auditShape) map[string]any {
	if r.kind != "response" || (r.answer == nil && (r.refusal == nil || r.refusal.message == "")) {
		return nil
	}
	response := map[string]any{}
	r.call.mount.annotate(response, "mount_running_plugin_version")
	if !r.call.writes() && !r.routed {
		delete(response, "mount_accessor")
	}
	switch {
	case r.refusal != nil:
		response["data"] = map[string]any{"error": shape.hash(r.refusal.message)}
	case r.answer.status == http.StatusNotFound:
		return shape.rawResponse(response, r.answer)
	case r.answer.secret != nil:
		response["data"] = shape.hashJSON(r.answer.secret)
		response["secret"] = map[string]any{}
	case len(r.answer.data) > 0:
		response["data"] = shape.hashData(r.call.op, r.answer.data)
	}
	if r.answer != nil && r.answer.auth != nil {
		response["auth"] = (&auditAuth{issued: r.answer.auth}).entry(shape)
	}
	if r.answer != nil && len(r.answer.warnings) > 0 {
		response["warnings"] = r.answer.warnings
	}
	return response
}

// rawResponse is an answer that the engine wrote itself: only its hash is told.
func (s auditShape) rawResponse(response map[string]any, answer *vaultAnswer) map[string]any {
	body, err := json.Marshal(answer.data)
	if err != nil {
		return response
	}
	response["data"] = map[string]any{
		"http_status_code": answer.status, "http_content_type": s.hash("application/json"), "http_raw_body": s.hash(string(body)),
	}
	return response
}

func (a *auditAuth) entry(shape auditShape) map[string]any {
	if a.issued != nil {
		return a.issued.entry(shape)
	}
	entry := map[string]any{"token_type": "default", "policy_results": map[string]any{"allowed": a.allowed}}
	t := a.token
	if t == nil {
		return entry
	}
	entry["client_token"] = shape.hash(t.id)
	if t.accessor != "" {
		entry["accessor"] = shape.accessor(t.accessor)
	}
	entry["display_name"], entry["token_type"] = t.displayName, t.kind
	entry["policies"], entry["token_policies"] = t.policies, t.policies
	entry["token_issue_time"] = t.issued.UTC().Format(time.RFC3339)
	if t.ttl > 0 {
		entry["token_ttl"] = int64(t.ttl.Seconds())
	}
	if t.entityID != "" {
		entry["entity_id"] = t.entityID
	}
	if len(t.meta) > 0 {
		entry["metadata"] = t.meta
	}
	return entry
}

func (a *vaultAuth) entry(shape auditShape) map[string]any {
	entry := map[string]any{
		"client_token": shape.hash(a.ClientToken), "display_name": a.displayName,
		"policies": a.Policies, "token_policies": a.TokenPolicies, "token_type": a.TokenType,
	}
	if a.LeaseDuration > 0 {
		entry["token_ttl"] = a.LeaseDuration
	}
	if a.Accessor != "" {
		entry["accessor"] = shape.accessor(a.Accessor)
	}
	if a.EntityID != "" {
		entry["entity_id"] = a.EntityID
	}
	if a.created {
		entry["entity_created"] = true
	}
	if len(a.Metadata) > 0 {
		entry["metadata"] = a.Metadata
	}
	return entry
}

func (s auditShape) accessor(accessor string) string {
	if s.accessors {
		return accessor
	}
	return s.hash(accessor)
}

// hashData hashes what Vault tells of its own. Numbers and truths in it stay, as in Vault, but not those of a secret: there this Vault is stricter.
func (s auditShape) hashData(op string, data map[string]any) any {
	if keys, ok := data["keys"].([]string); ok && op == opList && s.elideLists {
		return map[string]any{"keys": len(keys)}
	}
	return s.hashTold(data)
}

func (s auditShape) hashTold(value any) any {
	switch v := value.(type) {
	case nil, bool, int, int64, uint32, uint64:
		return v
	case string:
		return s.hash(v)
	case []string:
		hashed := make([]string, len(v))
		for i, element := range v {
			hashed[i] = s.hash(element)
		}
		return hashed
	case map[string]string:
		if v == nil {
			return nil
		}
		hashed := make(map[string]string, len(v))
		for key, element := range v {
			hashed[key] = s.hash(element)
		}
		return hashed
	case map[string]any:
		hashed := make(map[string]any, len(v))
		for key, element := range v {
			hashed[key] = s.hashTold(element)
		}
		return hashed
	case json.RawMessage:
		return s.hashJSON(v)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return s.hashJSON(encoded)
}

// hashJSON hashes every value in it, and keeps the keys.
func (s auditShape) hashJSON(raw json.RawMessage) any {
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return s.hash(string(raw))
	}
	return s.hashAll(value)
}

func (s auditShape) hashAll(value any) any {
	switch v := value.(type) {
	case string:
		return s.hash(v)
	case json.Number:
		return s.hash(v.String())
	case bool:
		return s.hash(strconv.FormatBool(v))
	case []string:
		return s.hashTold(v)
	case []any:
		hashed := make([]any, len(v))
		for i, element := range v {
			hashed[i] = s.hashAll(element)
		}
		return hashed
	case map[string]any:
		hashed := make(map[string]any, len(v))
		for key, element := range v {
			hashed[key] = s.hashAll(element)
		}
		return hashed
	}
	return nil
}
