// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// encodeJSON is json.Marshal without the escapes for HTML.
func encodeJSON(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// writeJSON answers with v, which this package made and so can be encoded.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := encodeJSON(v)
	if err != nil {
		body, status = []byte(`{"error":{"code":"internal_error","message":"the answer is not JSON"}}`), http.StatusInternalServerError
	}
	writeRaw(w, status, body)
}

// writeRaw answers with a body that is JSON already, byte for byte.
func writeRaw(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that left needs no answer
}

// readBody reads a JSON body of at most limit bytes into dst.
func readBody(r *http.Request, limit int64, dst any) *refusal {
	body, err := readAll(r, limit)
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return refuse(http.StatusRequestEntityTooLarge, "payload_too_large", "the body is longer than %d bytes", limit)
	case err != nil:
		return refuse(http.StatusBadRequest, "invalid_request", "the body broke off")
	case !utf8.Valid(body):
		return refuse(http.StatusBadRequest, "invalid_request", "the body is not UTF-8")
	}
	if err := json.Unmarshal(body, dst); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			kind, _, _ := strings.Cut(wrong.Value, " ") // behind it may stand the value
			return wrongField(wrong.Field, "must not be a %s", kind)
		}
		return refuse(http.StatusBadRequest, "invalid_request", "the body is not the JSON object that is expected")
	}
	return nil
}

// readAll reads a body of at most limit bytes. It has room for what the request says
// that it brings, up to what may be set aside on its word alone.
func readAll(r *http.Request, limit int64) ([]byte, error) {
	const trusted = 64 << 10
	body := bytes.NewBuffer(make([]byte, 0, bytes.MinRead+max(0, min(r.ContentLength, trusted))))
	_, err := body.ReadFrom(http.MaxBytesReader(nil, r.Body, limit))
	return body.Bytes(), err
}

// isObject reports whether raw, which is JSON, is an object.
func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

// absent reports whether a member was left out, or is null.
func absent(raw json.RawMessage) bool {
	return len(raw) == 0 || string(bytes.TrimSpace(raw)) == "null"
}

// timestamp is t as the API writes it, or nil for the zero time.
func timestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

// randomID is unguessable, lower case, and fit for a token or an id.
func randomID() string { return strings.ToLower(rand.Text()) }
