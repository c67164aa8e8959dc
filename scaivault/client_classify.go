// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// Error codes that this package itself looks at, from the service's catalogue.
const (
	codeTokenRevoked   = "token_revoked"
	codeTenantNotFound = "tenant_not_found"
	codeInternalError  = "internal_error"

	codeServiceUnavailable = "service_unavailable"
)

// kindOfCode is the documented catalogue of error codes. The suffix
// "_not_found" of codes that are not listed is ErrNotFound by their status.
var kindOfCode = map[string]error{
	"authentication_required": ErrUnauthenticated,
	"token_expired":           ErrUnauthenticated,
	"token_invalid":           ErrUnauthenticated,
	codeTokenRevoked:          ErrUnauthenticated,

	"access_denied":         ErrPermission,
	"insufficient_scope":    ErrPermission,
	"mfa_required":          ErrPermission,
	"ip_not_allowed":        ErrPermission,
	"time_window_violation": ErrPermission,
	"tenant_access_denied":  ErrPermission,
	"forbidden":             ErrPermission,

	"invalid_request":     ErrInvalid,
	"invalid_path":        ErrInvalid,
	"invalid_secret_type": ErrInvalid,
	"invalid_duration":    ErrInvalid,
	"invalid_cursor":      ErrInvalid,
	"invalid_policy":      ErrInvalid,
	"invalid_glob":        ErrInvalid,
	"invalid_role":        ErrInvalid,
	"invalid_config":      ErrInvalid,
	"validation_error":    ErrInvalid,

	"secret_not_found":          ErrNotFound,
	"version_not_found":         ErrNotFound,
	"policy_not_found":          ErrNotFound,
	"binding_not_found":         ErrNotFound,
	"webhook_not_found":         ErrNotFound,
	"subscription_not_found":    ErrNotFound,
	"rotation_policy_not_found": ErrNotFound,
	"secret_policy_not_found":   ErrNotFound,
	"ca_not_found":              ErrNotFound,
	"certificate_not_found":     ErrNotFound,
	"identity_not_found":        ErrNotFound,
	codeTenantNotFound:          ErrInvalid, // a wrong setting, never an absence

	"secret_exists":    ErrConflict,
	"version_conflict": ErrConflict,
	"policy_in_use":    ErrConflict,

	"rate_limited":         ErrRateLimited,
	codeServiceUnavailable: ErrUnavailable,
	codeInternalError:      ErrUnavailable,
}

// advice says for a code what to do about it.
var advice = map[string]string{
	"authentication_required": "the service saw no token, or not one it can read",
	"token_expired":           "get a new token",
	"token_invalid":           "check the token and its issuer",
	codeTokenRevoked:          "the token was revoked; issue a new one",
	"access_denied":           "no policy allows this",
	"insufficient_scope":      "the token lacks a scope",
	"mfa_required":            "the policy asks for a fresh second factor",
	"ip_not_allowed":          "the policy does not allow this address",
	"time_window_violation":   "the policy does not allow this hour",
	codeTenantNotFound:        "no such tenant; check ClientConfig.TenantID",
	"secret_exists":           "the path was deleted and can still be restored, so nothing new can be written there",
	"version_conflict":        "somebody else wrote at the same time; read the secret again",
}

// kindOf classifies an answer that is not a success: by its code first, by
// its status where the code is unknown. Without a well-formed error envelope
// the answer may come from something in between, so it is never a no.
func kindOf(status int, code string, wellFormed bool) error {
	if wellFormed {
		if kind, ok := kindOfCode[code]; ok {
			return kind
		}
	}
	switch {
	case status == http.StatusUnauthorized:
		return ErrUnauthenticated
	case status == http.StatusTooManyRequests:
		return ErrRateLimited
	case !wellFormed || status < 400 || status >= 500 || status == http.StatusRequestTimeout ||
		status == http.StatusFailedDependency: // a federation backend failed, and that is no word on the secret
		return ErrUnavailable
	}
	switch status {
	case http.StatusForbidden:
		return ErrPermission
	case http.StatusNotFound, http.StatusGone:
		return ErrNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return ErrConflict
	default:
		return ErrInvalid
	}
}

// leavesOpen tells of an answer that is not a success whether what was asked
// may have been done all the same. A no was not; nor was what something in
// between turned away with a status below 500.
func leavesOpen(e *Error) bool {
	if !errors.Is(e.Kind, ErrUnavailable) {
		return false
	}
	return e.Code != "" || e.Status >= 500 || e.Status < 200 ||
		e.Status == http.StatusSeeOther || e.Status == http.StatusRequestTimeout
}

// envelope is the service's documented error body.
type envelope struct {
	Error *struct {
		Code      string          `json:"code"`
		Message   lenient[string] `json:"message"`
		Details   json.RawMessage `json:"details"`
		RequestID lenient[string] `json:"request_id"`
	} `json:"error"`
}

// parseEnvelope reports whether a body is a well-formed error envelope: one
// that names a code.
func parseEnvelope(body []byte) (env envelope, ok bool) {
	ok = json.Unmarshal(body, &env) == nil && env.Error != nil && wire.Identifier(env.Error.Code) != ""
	return env, ok
}

// answerError turns an answer that is not a success into an Error.
func answerError(op, path string, status int, header http.Header, body []byte) *Error {
	e := &Error{
		Op: op, Source: sourceScaiVault, Path: wire.Printable(path), Status: status,
		RequestID: wire.RequestID(header), RetryAfter: wire.RetryAfter(header, time.Now()),
	}
	env, wellFormed := parseEnvelope(body)
	if wellFormed {
		e.Code, e.Message, e.Details = env.Error.Code, env.Error.Message.value, env.Error.Details
		if id := wire.Identifier(env.Error.RequestID.value); id != "" {
			e.RequestID = id
		}
	}
	e.Kind = kindOf(status, e.Code, wellFormed)
	e.Reason = advice[e.Code]
	if !wellFormed {
		e.Reason = "the answer is not one of ScaiVault's; " + describe(status, header, body)
	}
	return e
}

// isPage tells of a body that is markup: what stands before the service says
// something, whatever its status.
func isPage(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("<"))
}

// usualContentTypes are those that are worth telling.
var usualContentTypes = []string{"application/json", "application/problem+json", "application/octet-stream", "application/xml", "text/xml", "text/html", "text/plain"}

// describe says what a strange answer looks like, without quoting it.
func describe(status int, header http.Header, body []byte) string {
	switch {
	case status >= 300 && status < 400:
		return "a redirect, which is not followed with the token; set ClientConfig.URLs to the final address"
	case len(body) == 0:
		return "it is empty"
	case isPage(body):
		return "it looks like the page of a load balancer or proxy"
	default:
		kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
		if !slices.Contains(usualContentTypes, kind) { // it can be anything
			return "it names no content type that is usual"
		}
		return "its content type is " + kind
	}
}
