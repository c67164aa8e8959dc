// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// Get reads the latest version of a secret, by GET /v1/secrets/{path}. A secret
// that does not exist is [ErrNotFound]; a path that breaks a rule is
// [ErrInvalid], before any I/O.
func (c *Client) Get(ctx context.Context, path string) (*Secret, error) {
	return c.get(ctx, path, nil, false)
}

// getOnce is Get without repetition, for a Store that has another source to
// ask.
func (c *Client) getOnce(ctx context.Context, path string) (*Secret, error) {
	return c.get(ctx, path, nil, true)
}

// GetVersion reads one version of a secret, by
// GET /v1/secrets/{path}?version={version}. A version that never was, or that
// is no longer kept, is [ErrNotFound]; one below 1 is [ErrInvalid], before any
// I/O.
func (c *Client) GetVersion(ctx context.Context, path string, version int) (*Secret, error) {
	if version < 1 {
		return nil, c.invalid("get", path, fmt.Sprintf("version %d; versions count from 1", version))
	}
	return c.get(ctx, path, queryVersion(version), false)
}

func (c *Client) get(ctx context.Context, path string, query url.Values, once bool) (*Secret, error) {
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid("get", path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	s, _, err := c.read(ctx, path, query, once)
	return s, err
}

func (c *Client) read(ctx context.Context, path string, query url.Values, once bool) (*Secret, *answer, error) {
	r := request{op: "get", path: path, method: http.MethodGet, apiPath: c.apiSecret(path), query: query, reads: true, once: once, category: CategoryRead}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, nil, plain(err)
	}
	m, ok := readMembers(ans.body)
	if !ok {
		return nil, nil, ans.notAnObject(r)
	}
	s, ok := m.secret(path, ans.body)
	if !ok {
		return nil, nil, ans.malformed(r, "the answer holds no data object")
	}
	return s, ans, nil
}

// notAnObject is the error of an answer that is not one JSON object.
func (a *answer) notAnObject(r request) *Error {
	if err := a.decode(r, new(json.RawMessage)); err != nil {
		return err
	}
	return a.malformed(r, "the answer is not a JSON object")
}

// DeleteOptions are the optional parts of a delete. A nil pointer means the
// zero value.
type DeleteOptions struct {
	// Permanent deletes at once and for good. If false, the secret can be
	// restored for as long as the service keeps it, and until then nothing
	// new can be written to its path.
	Permanent bool
}

// Delete deletes a secret with all its versions, by DELETE /v1/secrets/{path}.
// A secret that does not exist is [ErrNotFound]. If no answer comes, Delete
// looks whether the secret is gone; if that can't be known either, the error
// matches [ErrUncertain].
//
// How a permanent delete is asked for is not documented, so Delete sends both
// names that the official clients know. If the service says that the secret can
// still be restored, the error matches [ErrInvalid] and [errors.ErrUnsupported]:
// it is deleted, but not for good. A service that says nothing is believed.
func (c *Client) Delete(ctx context.Context, path string, opts *DeleteOptions) error {
	if rule := brokenPathRule(path); rule != "" {
		return c.invalid("delete", path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: "delete", path: path, method: http.MethodDelete, apiPath: c.apiSecret(path), category: CategoryDelete}
	permanent := opts != nil && opts.Permanent
	if permanent {
		r.query = queryPermanent()
	}
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return c.lookForDelete(ctx, path, permanent, sent.cause)
	case err != nil:
		return err
	}
	if _, isError := parseEnvelope(ans.body); isError || !saysNothing(ans.body) && !json.Valid(ans.body) {
		return c.lookForDelete(ctx, path, permanent, ans.malformed(r, ""))
	}
	if permanent && isRestorable(ans.body) {
		e := c.notPermanent(path, ans.status, ans.header)
		ans.scrub(e)
		return e
	}
	return nil
}

// lookForDelete tells whether a secret is gone whose delete got no answer that
// counts.
func (c *Client) lookForDelete(ctx context.Context, path string, permanent bool, cause *Error) error {
	look, stop := c.lookUp(ctx)
	defer stop()
	now, _, err := c.read(look, path, nil, false)
	var e *Error
	switch {
	case errors.Is(err, ErrNotFound) && permanent && errors.As(err, &e) && isRestorable(e.Details):
		return c.notPermanent(path, e.Status, nil)
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return uncertain(cause, "and reading the secret failed too ("+categoryOf(err)+"); it may be deleted later")
	case now.Version() > 0:
		return uncertain(cause, fmt.Sprintf("and version %d stands there; the secret may be deleted later", now.Version()))
	default:
		return uncertain(cause, "and the secret stands there; it may be deleted later")
	}
}

// isRestorable tells whether a service's words on a deleted secret say that it
// can be restored.
func isRestorable(words []byte) bool {
	var w struct {
		Permanent        lenient[*bool] `json:"permanent"`
		RecoverableUntil wireTime       `json:"recoverable_until"`
	}
	if json.Unmarshal(words, &w) != nil {
		return false
	}
	if w.Permanent.value != nil {
		return !*w.Permanent.value
	}
	return !w.RecoverableUntil.IsZero()
}

func (c *Client) notPermanent(path string, status int, header http.Header) *Error {
	return &Error{
		Kind: ErrInvalid, Op: "delete", Source: sourceScaiVault, Path: path, Status: status,
		RequestID: wire.RequestID(header), Err: errors.ErrUnsupported,
		Reason: "the secret is deleted, but the service says that it can still be restored; delete it for good by the service's own tools",
	}
}

// saysNothing tells of an empty body.
func saysNothing(body []byte) bool { return len(bytes.TrimSpace(body)) == 0 }

func (c *Client) invalid(op, path, reason string) *Error {
	return &Error{Kind: ErrInvalid, Op: op, Source: sourceScaiVault, Path: wire.Printable(path), Reason: reason}
}

// plain takes the note off that something was sent, for callers that only read.
func plain(err error) error {
	var sent sentError
	if errors.As(err, &sent) {
		return sent.cause
	}
	return err
}

// writtenVersion reads the version out of a write's answer, which is the whole
// object, or a part of it, alone or under a key. It reports false for an answer
// that the service can't have given, or that says no.
func writtenVersion(body []byte) (int, bool) {
	if saysNothing(body) {
		return 0, true
	}
	version, saysNo := 0, false
	object := jsonvalue.EachMember(body, func(name, value []byte) {
		switch string(name) {
		case "version":
			version = max(version, readInt(value))
		case "secret":
			jsonvalue.EachMember(value, func(name, value []byte) {
				if string(name) == "version" {
					version = max(version, readInt(value))
				}
			})
		case "error":
			_, saysNo = parseEnvelope(body)
		}
	})
	switch {
	case saysNo:
		return 0, false
	case object:
		return version, true
	default: // some other JSON: it was accepted, and does not say more
		return 0, json.Valid(body)
	}
}
