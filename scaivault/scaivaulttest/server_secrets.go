// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// secretTypes is the documented vocabulary.
var secretTypes = [...]string{"kv", "json", "certificate", "ssh_key", "api_key"}

// getSecret answers GET /v1/secrets/{path}.
func (c *serverCall) getSecret() *refusal {
	if refusal := c.authorize(c.path); refusal != nil {
		return refusal
	}
	version, refusal := c.wantedVersion()
	if refusal != nil {
		return refusal
	}
	view, refusal := c.lookup(c.r.Context(), c.path, version)
	if refusal != nil {
		return refusal
	}
	body := appendSecret(nil, &view, true)
	if c.server.quirks.ReadMembers == ReadMembersNamed {
		body = append(body[:len(body)-1], `,"last_accessed_at":`...)
		body = appendTime(body, c.began)
		body = append(body, `,"secret_policy_id":null,"notify_before":"30d,7d,1d"}`...)
	}
	if c.server.quirks.ReadHeaders == ReadHeadersCaching {
		header := c.w.Header()
		header.Set("ETag", strconv.Quote(strconv.Itoa(view.version)))
		header.Set("Last-Modified", view.updated.UTC().Format(http.TimeFormat))
		header.Set("Cache-Control", "private, max-age=60")
	}
	c.reply(http.StatusOK, body)
	return nil
}

func (c *serverCall) wantedVersion() (int, *refusal) {
	text := c.r.URL.Query().Get("version")
	if text == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return 0, wrongField("version", "must be a positive integer")
	}
	return version, nil
}

type putBody struct {
	Data       json.RawMessage `json:"data"`
	SecretType *string         `json:"secret_type"`
	Metadata   json.RawMessage `json:"metadata"`
	Options    *struct {
		MaxVersions      *int    `json:"max_versions"`
		ExpiresIn        *string `json:"expires_in"`
		RotationPolicyID *string `json:"rotation_policy_id"`
	} `json:"options"`
}

// putSecret answers PUT /v1/secrets/{path}.
func (c *serverCall) putSecret() *refusal {
	if refusal := c.authorizeWrite(); refusal != nil {
		return refusal
	}
	var body putBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	w, refusal := c.server.writing(&body)
	if refusal != nil {
		return refusal
	}
	w.author = c.author()
	if refusal = c.refuseFederated(); refusal != nil {
		return refusal
	}
	view, refusal := c.secrets().put(c.path, w)
	if refusal != nil {
		return refusal
	}
	switch c.server.quirks.Put {
	case PutWithData:
		c.reply(http.StatusOK, appendSecret(nil, &view, true))
	case PutCreated:
		c.replyJSON(http.StatusCreated, map[string]any{"path": view.path, "version": view.version})
	case PutNoContent:
		c.reply(http.StatusNoContent, nil)
	default:
		c.reply(http.StatusOK, appendSecret(nil, &view, false))
	}
	return nil
}

// writing checks the body of a PUT.
func (s *Server) writing(body *putBody) (*writing, *refusal) {
	switch {
	case absent(body.Data):
		return nil, wrongField("data", "is required")
	case !isObject(body.Data) && s.quirks.NonObject == NonObject400:
		return nil, refuse(http.StatusBadRequest, "invalid_request", "data: must be an object")
	case !isObject(body.Data):
		return nil, wrongField("data", "must be an object")
	case body.SecretType != nil && !slices.Contains(secretTypes[:], *body.SecretType):
		return nil, refuse(http.StatusBadRequest, "invalid_secret_type", "secret_type must be one of %s", strings.Join(secretTypes[:], ", "))
	case !absent(body.Metadata) && !isObject(body.Metadata):
		return nil, wrongField("metadata", "must be an object")
	}
	w := &writing{data: body.Data, secretType: body.SecretType}
	if s.quirks.Numbers == NumbersRounded {
		var refusal *refusal
		if w.data, refusal = rounded(body.Data); refusal != nil {
			return nil, refusal
		}
	}
	if !absent(body.Metadata) {
		w.metadata = body.Metadata
	}
	if body.Options == nil {
		return w, nil
	}
	w.maxVersions, w.rotationPolicyID = body.Options.MaxVersions, body.Options.RotationPolicyID
	if w.maxVersions != nil && *w.maxVersions < 1 {
		return nil, wrongField("options.max_versions", "must be at least 1")
	}
	if body.Options.ExpiresIn != nil {
		d, refusal := parseDuration(*body.Options.ExpiresIn)
		if refusal != nil {
			return nil, refusal
		}
		w.expiresIn = &d
	}
	return w, nil
}

// rounded is what a service keeps that reads numbers into 64-bit floats.
func rounded(data json.RawMessage) (json.RawMessage, *refusal) {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return nil, wrongField("data", "has a number that no 64-bit float holds")
	}
	kept, err := encodeJSON(value)
	if err != nil { // cannot be: it was JSON
		return nil, wrongField("data", "cannot be kept")
	}
	return kept, nil
}

// parseDuration reads the documented form: a number and one of s, m, h, d.
func parseDuration(text string) (time.Duration, *refusal) {
	invalid := refuse(http.StatusBadRequest, "invalid_duration", "a duration is a number and one of s, m, h, d, for instance 15m")
	if text == "" {
		return 0, invalid
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
	// A century is more than any secret lives, and far from where int64 ends.
	const century = 100 * 365 * 24 * time.Hour
	if !ok || err != nil || n == 0 || time.Duration(n) > century/unit {
		return 0, invalid
	}
	return time.Duration(n) * unit, nil
}

// deleteSecret answers DELETE /v1/secrets/{path}.
func (c *serverCall) deleteSecret() *refusal {
	if refusal := c.authorizeWrite(); refusal != nil {
		return refusal
	}
	name := "permanent"
	if c.server.quirks.HardDelete == HardDeleteHard {
		name = "hard"
	}
	permanent, refusal := c.queryBool(name)
	if refusal != nil {
		return refusal
	}
	if refusal := c.refuseFederated(); refusal != nil {
		return refusal
	}
	until, refusal := c.secrets().remove(c.path, permanent, c.author())
	if refusal != nil {
		return refusal
	}
	if c.server.quirks.Delete == DeleteNoContent {
		c.reply(http.StatusNoContent, nil)
		return nil
	}
	body := map[string]any{"path": c.path, "deleted": true, "permanent": permanent}
	if !permanent {
		body["recoverable_until"] = timestamp(until)
	}
	c.replyJSON(http.StatusOK, body)
	return nil
}
