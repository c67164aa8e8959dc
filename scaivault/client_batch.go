// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/retry"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// maxBatch is the documented size of a batch.
const maxBatch = 100

// A BatchError says which secrets of a batch could not be read. It unwraps to
// all of their errors.
type BatchError struct {
	// Errors has one [*Error] for each path that could not be read.
	Errors map[string]error
}

// Error is one line with the first paths, in order.
func (e *BatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d secrets of the batch could not be read", len(e.Errors))
	for i, path := range slices.Sorted(maps.Keys(e.Errors)) {
		if i == 3 {
			fmt.Fprintf(&b, "; and %d more", len(e.Errors)-i)
			break
		}
		b.WriteString("; " + e.Errors[path].Error())
	}
	return b.String()
}

// Unwrap returns the errors in the order of their paths.
func (e *BatchError) Unwrap() []error {
	all := make([]error, 0, len(e.Errors))
	for _, path := range slices.Sorted(maps.Keys(e.Errors)) {
		all = append(all, e.Errors[path])
	}
	return all
}

// Format prints Error under every verb.
func (e *BatchError) Format(f fmt.State, _ rune) { printError(f, e) }

// LogValue is the text of Error.
func (e *BatchError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// MarshalText is the text of Error.
func (e *BatchError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// GetBatch reads any number of secrets, 100 in a request, by POST
// /v1/secrets/batch. It returns what it could read; if that is not all, also a
// [*BatchError] with an error for each of the others. A path that breaks a rule
// is among those, and is not sent. If ctx ends, the rest is among them too. A
// path that is given twice is read once; no paths at all are an empty map.
//
// Where the values make an answer larger than [ClientConfig.MaxResponseBytes],
// the secrets are asked for in halves, and those in halves, down to one.
//
// What an answer leaves out, or says to be unavailable or rate limited, is asked
// for once more, all of it together, after the wait that the service asks for;
// unless [RetryConfig.MaxRetries] is negative or ctx ends before.
// [ClientConfig.Timeout] bounds each request, and that wait.
func (c *Client) GetBatch(ctx context.Context, paths []string) (map[string]*Secret, error) {
	b := batch{c: c, found: make(map[string]*Secret, len(paths)), failed: map[string]error{}}
	ask := make([]string, 0, len(paths))
	seen := make(map[string]bool, len(paths))
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		if rule := brokenPathRule(path); rule != "" {
			b.failed[path] = c.invalid("get", path, rule)
			continue
		}
		ask = append(ask, path)
	}
	b.ask(ctx, ask)
	if again := b.again; len(again) > 0 && c.cfg.Retry.bounds().Repeats() > 0 && b.pause(ctx) {
		b.ask(ctx, again)
	}
	if len(b.failed) > 0 {
		return b.found, &BatchError{Errors: b.failed}
	}
	return b.found, nil
}

// A batch is one call of GetBatch.
type batch struct {
	c      *Client
	found  map[string]*Secret
	failed map[string]error
	// again are the paths that failed for now, in requests that did not.
	again []string
	// retryAfter is the longest wait that the service has asked for.
	retryAfter time.Duration
}

// ask asks for paths, which differ, one request after the other; in halves where
// their values make an answer too large.
func (b *batch) ask(ctx context.Context, paths []string) {
	for chunk := range slices.Chunk(paths, maxBatch) {
		err := b.askChunk(ctx, chunk)
		var large tooLargeError
		switch {
		case err == nil:
		case errors.As(err, &large) && len(chunk) > 1:
			b.ask(ctx, chunk[:len(chunk)/2])
			b.ask(ctx, chunk[len(chunk)/2:])
		default:
			for _, path := range chunk {
				b.failed[path] = batchFailure(err, path)
			}
		}
	}
}

// pause waits before the further attempt. It reports false if ctx does not
// allow that.
func (b *batch) pause(ctx context.Context) bool {
	ctx, cancel := b.c.withDeadline(ctx)
	defer cancel()
	return retry.Sleep(ctx, max(b.retryAfter, b.c.cfg.Retry.bounds().Waits().NextBackOff()))
}

// refuse notes that one path has no secret in the answer. It is asked for again
// if the service says that this may pass, or says nothing of it.
func (b *batch) refuse(path string, e *Error) {
	b.failed[path] = e
	kind, known := kindOfCode[e.Code]
	if e.Code == "" || known && (errors.Is(kind, ErrRateLimited) || errors.Is(kind, ErrUnavailable)) {
		b.again = append(b.again, path)
		b.retryAfter = max(b.retryAfter, e.RetryAfter)
	}
}

// batchFailure says of one path that the whole request failed.
func batchFailure(err error, path string) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	own := *e
	own.Path = path
	if errors.Is(own.Kind, ErrNotFound) { // the whole request: that is no word on any of its secrets
		own.Kind, own.Reason = ErrUnavailable, "the service does not know the batch read"
	}
	return &own
}

// askChunk asks for as many paths as a request may have. Its error is that of
// the whole request.
func (b *batch) askChunk(ctx context.Context, paths []string) error {
	ctx, cancel := b.c.withDeadline(ctx)
	defer cancel()
	body, err := wire.Marshal(map[string]any{"paths": paths, "options": map[string]any{"include_metadata": true}})
	if err != nil {
		return b.c.invalid("get", "", "the paths cannot be written as JSON")
	}
	r := request{op: "get", method: http.MethodPost, apiPath: b.c.apiBatch(), body: body, reads: true, category: CategoryBatchRead, units: len(paths)}
	ans, err := b.c.exchange(ctx, r)
	if err != nil {
		return plain(err)
	}
	w, ok := readBatch(ans.body, len(paths))
	if !ok {
		return ans.notAnObject(r)
	}
	for _, path := range paths {
		r.path = path
		entry, ok := w.secrets[path]
		if !ok {
			b.refuse(path, batchEntryError(r, ans, w.errors[path]))
			continue
		}
		entry = bytes.Clone(entry) // so that one secret does not keep the whole batch in memory
		m, _ := readMembers(entry)
		s, ok := m.secret(path, entry)
		if !ok {
			b.failed[path] = ans.malformed(r, "the answer holds no data object")
			continue
		}
		b.found[path] = s
		delete(b.failed, path)
	}
	return nil
}

// A wireBatch is the documented answer to a batch, each entry as it is written.
type wireBatch struct {
	secrets, errors map[string]json.RawMessage
}

// readBatch reports whether body is one JSON object. Entries that it does not
// hold as documented are not in the maps.
func readBatch(body []byte, size int) (w wireBatch, ok bool) {
	ok = jsonvalue.EachMember(body, func(name, value []byte) {
		switch string(name) {
		case "secrets":
			w.secrets = readEntries(value, size)
		case "errors":
			w.errors = readEntries(value, size)
		}
	})
	return w, ok
}

// readEntries reads a map by path, of size entries or less; it is nil for
// anything else.
func readEntries(value []byte, size int) (entries map[string]json.RawMessage) {
	if !isObject(value) {
		return nil
	}
	jsonvalue.EachMember(value, func(path, entry []byte) {
		if entries == nil {
			entries = make(map[string]json.RawMessage, size)
		}
		entries[string(path)] = entry
	})
	return entries
}

// batchEntryError classifies one entry of a batch, which has no status.
func batchEntryError(r request, ans *answer, raw json.RawMessage) *Error {
	var code, message string
	var details json.RawMessage
	jsonvalue.EachMember(raw, func(name, value []byte) {
		switch string(name) {
		case "code":
			code = jsonvalue.String(value)
		case "message":
			message = jsonvalue.String(value)
		case "details":
			details = bytes.Clone(value)
		}
	})
	if wire.Identifier(code) == "" {
		return ans.malformed(r, "the answer to the batch does not hold this path")
	}
	kind, ok := kindOfCode[code]
	if !ok {
		kind = ErrUnavailable // an unknown code without a status says nothing for certain
	}
	e := &Error{
		Kind: kind, Op: r.op, Source: sourceScaiVault, Path: r.path, Code: code, Message: message, Details: details,
		RequestID: wire.RequestID(ans.header), Reason: advice[code],
	}
	if errors.Is(kind, ErrRateLimited) || errors.Is(kind, ErrUnavailable) {
		e.RetryAfter = wire.RetryAfter(ans.header, time.Now())
	}
	ans.scrub(e)
	return e
}
