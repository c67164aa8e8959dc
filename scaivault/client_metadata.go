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
// [Client.Get]. Where the first answers without the version or without what the
// secret was written with, the second is asked for that; what neither tells is zero.
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
	_, _, err := c.firstDescription(ctx, op, path)
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
	info, whole, err := c.firstDescription(ctx, op, path)
	if err != nil || whole {
		return info, err
	}
	more, err := c.batchMetadata(ctx, op, path)
	switch {
	case err == nil:
		return more, nil
	case notOffered(err), errors.Is(err, ErrPermission):
		return info, nil // there is no more to be had
	default:
		return nil, err
	}
}

// firstDescription is describe without a further question where the first answer
// leaves out a part. It reports whether that was whole.
func (c *Client) firstDescription(ctx context.Context, op, path string) (info *SecretInfo, whole bool, err error) {
	info, whole, err = c.partMetadata(ctx, op, path)
	if err == nil || !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrPermission) && !isElsewhere(err) {
		return info, whole, err
	}
	info, batchErr := c.batchMetadata(ctx, op, path)
	switch {
	case batchErr == nil || !notOffered(batchErr):
		return info, true, batchErr
	case errors.Is(err, ErrPermission):
		return nil, false, err
	default:
		return nil, false, unsupported(op, path, "reading metadata; use Get, whose secrets have it", batchErr)
	}
}

// partMetadata asks for the metadata below a secret. Where the service knows no
// such thing that is a read of another secret, and the answer is not ours.
func (c *Client) partMetadata(ctx context.Context, op, path string) (info *SecretInfo, whole bool, err error) {
	r := request{op: op, path: path, method: http.MethodGet, apiPath: c.apiPart(path, partMetadata), reads: true, category: CategoryList}
	ans, err := c.exchange(ctx, r)
	if err != nil {
		return nil, false, plain(err)
	}
	m, object, ok := readDescription(ans.body, path)
	switch {
	case !ok:
		return nil, false, ans.notAnObject(r)
	case isObject(m.data) || m.isOf(path) == anotherPath:
		return nil, false, ans.unsupported(r, "metadata below a secret")
	case !m.describes():
		return nil, false, ans.malformed(r, "the answer holds no metadata of a secret")
	}
	full := m.fullInfo(path)
	if m.metadata == nil {
		full.Metadata = flatMetadata(object)
	}
	return &full, m.metadata != nil && m.version != nil, nil
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
			refused = readEntries(value, 1)[path]
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

// readDescription reads a secret object that may stand below the key "secret", or
// below "data" if it says there that it is on path. It returns where it stands, too.
func readDescription(body []byte, path string) (m secretMembers, object []byte, ok bool) {
	m, ok = readMembers(body)
	switch {
	case !ok || m.known > 1:
		return m, body, ok
	case m.known == 1 && isObject(m.data): // the data of another secret, or an envelope
		if inner, isOne := readMembers(m.data); isOne && inner.isOf(path) == thisPath && inner.describes() {
			return inner, m.data, true
		}
	case m.known == 0:
		object = body
		jsonvalue.EachMember(body, func(name, value []byte) {
			if string(name) == "secret" {
				m, _ = readMembers(value)
				object = value
			}
		})
		return m, object, true
	}
	return m, body, true
}

// flatMetadata reads the metadata of a secret object that has it beside its own
// members. Which of those that are not documented belong to it can't be told.
func flatMetadata(object []byte) Metadata {
	var m Metadata
	members, err := jsonvalue.Object(object)
	if err != nil {
		return m // cannot be: it was read before
	}
	for _, name := range [...]string{metadataDescription, metadataTags, metadataOwner} {
		if v, there := members[name]; there {
			m.set(name, v)
		}
	}
	return m
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
