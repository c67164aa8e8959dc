// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// maxBatch is the documented size of a batch.
const maxBatch = 100

// A BatchError says which secrets of a batch could not be read. It unwraps to
// all of their errors.
type BatchError struct {
	// Errors has one error for each path that could not be read.
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
// is among those, and is not sent. If ctx ends, the rest is among them too.
// [ClientConfig.Timeout] bounds each request.
func (c *Client) GetBatch(ctx context.Context, paths []string) (map[string]*Secret, error) {
	found := make(map[string]*Secret, len(paths))
	failed := map[string]error{}
	ask := make([]string, 0, len(paths))
	seen := make(map[string]bool, len(paths))
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		if rule := brokenPathRule(path); rule != "" {
			failed[path] = c.invalid("get", path, rule)
			continue
		}
		ask = append(ask, path)
	}
	for chunk := range slices.Chunk(ask, maxBatch) {
		if err := c.getChunk(ctx, chunk, found, failed); err != nil {
			for _, path := range chunk {
				failed[path] = batchFailure(err, path)
			}
		}
	}
	if len(failed) > 0 {
		return found, &BatchError{Errors: failed}
	}
	return found, nil
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

func (c *Client) getChunk(ctx context.Context, paths []string, found map[string]*Secret, failed map[string]error) error {
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	body, err := wire.Marshal(map[string]any{"paths": paths, "options": map[string]any{"include_metadata": true}})
	if err != nil {
		return c.invalid("get", "", "the paths cannot be written as JSON")
	}
	r := request{op: "get", method: http.MethodPost, apiPath: c.apiBatch(), body: body, reads: true, category: CategoryBatchRead, units: len(paths)}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return plain(err)
	}
	var w struct {
		Secrets map[string]wireSecret      `json:"secrets"`
		Errors  map[string]json.RawMessage `json:"errors"`
	}
	if err := ans.decode(r, &w); err != nil {
		return err
	}
	for _, path := range paths {
		r.path = path
		entry, ok := w.Secrets[path]
		if !ok {
			failed[path] = batchEntryError(r, ans, w.Errors[path])
		} else if s, ok := entry.secret(path); ok {
			found[path] = s
		} else {
			failed[path] = ans.malformed(r, "the answer holds no data object")
		}
	}
	return nil
}

// batchEntryError classifies one entry of a batch, which has no status.
func batchEntryError(r request, ans *answer, raw json.RawMessage) *Error {
	var w struct {
		Code    string          `json:"code"`
		Message lenient[string] `json:"message"`
		Details json.RawMessage `json:"details"`
	}
	if json.Unmarshal(raw, &w) != nil || wire.Identifier(w.Code) == "" {
		return ans.malformed(r, "the answer to the batch does not hold this path")
	}
	kind, ok := kindOfCode[w.Code]
	if !ok {
		kind = ErrUnavailable // an unknown code without a status says nothing for certain
	}
	e := &Error{
		Kind: kind, Op: r.op, Source: sourceScaiVault, Path: r.path, Code: w.Code, Message: w.Message.value, Details: w.Details,
		RequestID: wire.Identifier(ans.header.Get("X-Request-ID")), Reason: advice[w.Code],
	}
	ans.scrub(e)
	return e
}
