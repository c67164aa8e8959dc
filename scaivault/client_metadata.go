// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// Metadata tells what is known of a secret beside its data. Where the service
// offers metadata it needs only the scope secrets:list. A secret that does not
// exist is [ErrNotFound].
//
// How metadata is read is not documented. Metadata asks for GET
// /v1/secrets/{path}/metadata, and where that has no answer that is surely on
// this secret, for POST /v1/secrets/batch/metadata. If the service offers
// neither, the error matches [ErrInvalid] and [errors.ErrUnsupported]; use
// [Client.Get].
//
// No value is read of a secret that has metadata. One that has none is read, and
// its value dropped, as it may be missing, or lie at a federated backend.
func (c *Client) Metadata(ctx context.Context, path string) (*SecretInfo, error) {
	const op = "get metadata"
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid(op, path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	info, err := c.describe(ctx, op, path)
	missing := errors.Is(err, ErrNotFound)
	if !missing && !errors.Is(err, errors.ErrUnsupported) {
		return info, err
	}
	s, getErr := c.readAnyway(ctx, path, err)
	switch {
	case errors.Is(getErr, ErrNotFound):
		return nil, getErr
	case !missing:
		return nil, err
	case getErr != nil:
		return nil, getErr
	}
	read := s.Info()
	return &read, nil
}

// Exists tells whether there is a secret at path. Where the service offers
// metadata, that of a secret that is there needs only the scope secrets:list,
// and no value is read. What has no metadata is read as well, as secrets of a
// federated backend need not have any; the value is dropped. A token that may
// not read is content with the metadata's no. A service may hide what the token
// must not see, and say that it is not there.
func (c *Client) Exists(ctx context.Context, path string) (bool, error) {
	const op = "look for"
	if rule := brokenPathRule(path); rule != "" {
		return false, c.invalid(op, path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	return c.exists(ctx, op, path)
}

func (c *Client) exists(ctx context.Context, op, path string) (bool, error) {
	_, err := c.describe(ctx, op, path)
	if err != nil && (errors.Is(err, ErrNotFound) || leavesToGet(err)) {
		_, err = c.readAnyway(ctx, path, err)
	}
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// readAnyway reads a secret that described says to have no metadata that can be
// read. Where it may not, a no of the metadata stands.
func (c *Client) readAnyway(ctx context.Context, path string, described error) (*Secret, error) {
	s, _, err := c.read(ctx, path, nil, false)
	if errors.Is(err, ErrPermission) && errors.Is(described, ErrNotFound) {
		return nil, described
	}
	return s, err
}

// leavesToGet tells of an error of describe whether a read of the secret can
// tell more: the service has answered, but not on this secret.
func leavesToGet(err error) bool {
	var e *Error
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrPermission) {
		return true
	}
	return errors.As(err, &e) && errors.Is(e.Kind, ErrUnavailable) && e.Code == "" &&
		e.Status >= 200 && e.Status < 500 && e.Status != http.StatusRequestTimeout
}

// describe finds out what is known of a secret without reading its value. Its
// ErrNotFound is on this very secret, by an answer that is keyed by its path.
func (c *Client) describe(ctx context.Context, op, path string) (*SecretInfo, error) {
	info, err := c.partMetadata(ctx, op, path)
	if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrPermission) && !isElsewhere(err) {
		return info, err
	}
	info, batchErr := c.batchMetadata(ctx, op, path)
	if batchErr == nil || !notOffered(batchErr) {
		return info, batchErr
	}
	if errors.Is(err, ErrPermission) {
		return nil, err
	}
	return nil, unsupported(op, path, "reading metadata; use Get, whose secrets have it", batchErr)
}

// partMetadata asks for the metadata below a secret. Where the service knows no
// such thing that is a read of another secret, and the answer is not ours.
func (c *Client) partMetadata(ctx context.Context, op, path string) (*SecretInfo, error) {
	r := request{op: op, path: path, method: http.MethodGet, apiPath: c.apiPart(path, partMetadata), reads: true, category: CategoryList}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, plain(err)
	}
	m, ok := readDescription(ans.body)
	switch {
	case !ok:
		return nil, ans.notAnObject(r)
	case isObject(m.data) || m.isOf(path) == anotherPath:
		return nil, ans.unsupported(r, "metadata below a secret")
	case !m.describes():
		return nil, ans.malformed(r, "the answer holds no metadata of a secret")
	}
	info := m.fullInfo(path)
	return &info, nil
}

// batchMetadata asks for the metadata of one secret by the batch.
func (c *Client) batchMetadata(ctx context.Context, op, path string) (*SecretInfo, error) {
	body, err := wire.Marshal(map[string]any{"paths": []string{path}})
	if err != nil {
		return nil, c.invalid(op, path, "the path cannot be written as JSON")
	}
	r := request{op: op, path: path, method: http.MethodPost, apiPath: c.apiBatchMetadata(), body: body, reads: true, category: CategoryBatchMetadata}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		if err = plain(err); errors.Is(err, ErrNotFound) { // the whole request: that is no word on the secret
			err = unsupported(op, path, "the batch of metadata", err)
		}
		return nil, err
	}
	entry, refused, ok := findDescription(ans.body, path)
	switch {
	case !ok:
		return nil, ans.notAnObject(r)
	case entry == nil:
		return nil, batchEntryError(r, ans, refused)
	}
	m, _ := readMembers(entry)
	info := m.fullInfo(path)
	return &info, nil
}

// findDescription finds the entry of path in the answer to a batch of metadata,
// a map by path or a list, and else the error of path. Either may be nil.
func findDescription(body []byte, path string) (entry, refused json.RawMessage, ok bool) {
	ok = jsonvalue.EachMember(body, func(name, value []byte) {
		switch string(name) {
		case "errors":
			refused = readEntries(value)[path]
		case "secrets", "metadata", "data", "items", "results":
			if found := entryOf(value, path); entry == nil && found != nil {
				entry = found
			}
		}
	})
	return entry, refused, ok
}

// entryOf returns the object that tells of path, or nil.
func entryOf(value []byte, path string) (entry json.RawMessage) {
	jsonvalue.EachMember(value, func(name, v []byte) {
		if m, ok := readMembers(v); string(name) == path && ok && m.isOf(path) != anotherPath {
			entry = v
		}
	})
	jsonvalue.EachElement(value, func(v []byte) {
		if m, ok := readMembers(v); ok && m.isOf(path) == thisPath {
			entry = v
		}
	})
	return entry
}

// readDescription reads a secret object that may stand below the key "secret".
func readDescription(body []byte) (m secretMembers, ok bool) {
	if m, ok = readMembers(body); !ok || m.known > 0 {
		return m, ok
	}
	jsonvalue.EachMember(body, func(name, value []byte) {
		if string(name) == "secret" {
			m, _ = readMembers(value)
		}
	})
	return m, true
}

// describes tells whether there is anything but data.
func (m *secretMembers) describes() bool {
	return m.known > 1 || m.known == 1 && m.data == nil
}

// A pathClaim is what a secret object says of its own path.
type pathClaim uint8

const (
	noPath pathClaim = iota // nothing
	thisPath
	anotherPath
)

func (m *secretMembers) isOf(path string) pathClaim {
	switch {
	case len(m.path) == 0 || m.path[0] != '"':
		return noPath
	case jsonvalue.String(m.path) == path:
		return thisPath
	default:
		return anotherPath
	}
}

// unsupported is the error of what the service does not offer, as an answer
// shows whose error is shown.
func unsupported(op, path, what string, shown error) *Error {
	return answeredBy(shown, &Error{
		Kind: ErrInvalid, Op: op, Source: sourceScaiVault, Path: path, Err: errors.ErrUnsupported,
		Reason: "the service does not offer " + what,
	})
}

// answeredBy notes on e which answer of the service it rests on.
func answeredBy(cause error, e *Error) *Error {
	var known *Error
	if errors.As(cause, &known) {
		e.Status, e.RequestID = known.Status, known.RequestID
	}
	return e
}

// notOffered tells of an error whether the service says that it has no such
// resource. A page of something in between says nothing.
func notOffered(err error) bool {
	var e *Error
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return true
	case !errors.As(err, &e) || e.Code == "":
		return false
	case e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented:
		return true
	case e.Code == codeInvalidPath: // ours is valid, and not with what stands below it
		return true
	default:
		_, known := kindOfCode[e.Code]
		return errors.Is(e.Kind, ErrNotFound) && !known
	}
}

// isElsewhere tells of an error whether the next place is worth a question: the
// service has no such resource, or something that is not the service says so.
func isElsewhere(err error) bool {
	var e *Error
	if notOffered(err) {
		return true
	}
	return errors.As(err, &e) && errors.Is(e.Kind, ErrUnavailable) && e.Code == "" &&
		(e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed)
}

// codeInvalidPath is what a service says to a path that is too long for a
// secret's.
const codeInvalidPath = "invalid_path"
