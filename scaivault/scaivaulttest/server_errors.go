// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// A refusal is an answer in the error envelope.
type refusal struct {
	status     int
	code       string
	message    string
	details    []detail
	retryAfter time.Duration // zero: no header
}

// A detail is a member of the details.
type detail struct {
	name  string
	value any
}

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// with adds a member of details.
func (r *refusal) with(name string, value any) *refusal {
	r.details = append(r.details, detail{name, value})
	return r
}

// wrongField is the refusal of one field of a body or a query.
func wrongField(field, format string, args ...any) *refusal {
	message := fmt.Sprintf(format, args...)
	return refuse(http.StatusUnprocessableEntity, "validation_error", "%s: %s", field, message).
		with("fields", []map[string]string{{"field": field, "message": message}})
}

func noSecret(path string) *refusal {
	// Without fmt: a batch may have a hundred of them.
	missing := &refusal{status: http.StatusNotFound, code: "secret_not_found", message: "no secret at " + path}
	return missing.with("path", path)
}

func noVersion(path string, version int) *refusal {
	return refuse(http.StatusNotFound, "version_not_found", "no version %d of %s", version, path).
		with("path", path).with("version", version)
}

type envelopeBody struct {
	Error struct {
		Code      string         `json:"code"`
		Message   string         `json:"message"`
		Details   map[string]any `json:"details,omitempty"`
		RequestID string         `json:"request_id"`
	} `json:"error"`
}

// writeEnvelope answers an injected fault, on a request that has no id yet.
func (s *Server) writeEnvelope(w http.ResponseWriter, status int, code, message string) {
	if w.Header().Get(requestIDHeader) == "" {
		w.Header().Set(requestIDHeader, s.nextRequestID())
	}
	s.writeRefusal(w, &refusal{status: status, code: code, message: message})
}

// writeRefusal answers with r, under the request id in the header.
func (s *Server) writeRefusal(w http.ResponseWriter, r *refusal) {
	var body envelopeBody
	body.Error.Code = r.code
	body.Error.Message = r.message
	body.Error.Details = s.formed(r.details)
	body.Error.RequestID = w.Header().Get(requestIDHeader)
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", s.retryAfter(r.retryAfter))
	}
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, r.status, &body)
}

// formed gives the details' fields the shape that the quirks ask for.
func (s *Server) formed(given []detail) map[string]any {
	details := make(map[string]any, len(given))
	for _, d := range given {
		details[d.name] = d.value
	}
	fields, ok := details["fields"].([]map[string]string)
	if !ok || s.quirks.FieldsForm == FieldsFormObjects {
		return details
	}
	names, byName := []string{}, map[string]string{}
	for _, field := range fields {
		names = append(names, field["field"])
		byName[field["field"]] = field["message"]
	}
	if s.quirks.FieldsForm == FieldsFormNames {
		return map[string]any{"fields": names}
	}
	return map[string]any{"fields": byName}
}

func (s *Server) retryAfter(d time.Duration) string {
	if s.quirks.RetryAfter == RetryAfterDate {
		// A date has whole seconds: the next one that is late enough.
		return time.Now().Add(d + time.Second - 1).UTC().Format(http.TimeFormat)
	}
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func (s *Server) nextRequestID() string {
	number := strconv.FormatUint(1<<32|s.requestSeq.Add(1), 16) // of nine digits, the first is not shown
	return "req_" + s.requestTag + number[1:]
}
