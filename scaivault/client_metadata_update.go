// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// UpdateMetadata changes a secret's metadata and not its data. Whether what m
// does not name stays or goes, and whether that makes a version, is the
// service's choice; UpdateMetadata returns what stands there afterwards, or the
// path alone where that can't be read. A secret that does not exist is
// [ErrNotFound]; metadata that is zero, or cannot be sent, is [ErrInvalid],
// before any I/O.
//
// How that is asked for is not documented: UpdateMetadata tries PATCH
// /v1/secrets/{path}, which no service can take for another secret, and where
// it has no such method, PATCH /v1/secrets/{path}/metadata. If the service has
// neither, the error matches [ErrInvalid] and [errors.ErrUnsupported].
//
// Neither is ever repeated once it was sent. If no answer comes, the metadata is
// looked at; if it is not what was asked for, the error matches [ErrUncertain].
func (c *Client) UpdateMetadata(ctx context.Context, path string, m Metadata) (*SecretInfo, error) {
	const op = "update metadata of"
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid(op, path, rule)
	}
	m.Values = mark.WithoutPutID(m.Clone().Values)
	if m.IsZero() {
		return nil, c.invalid(op, path, "the metadata is zero, which would clear all of it at one service and nothing at another; set what is to be there")
	}
	body, err := wire.Marshal(map[string]any{"metadata": m})
	if err != nil {
		return nil, c.invalid(op, path, "the metadata cannot be written as JSON; use strings, numbers, booleans, slices and maps")
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	u := metadataUpdate{c: c, path: path, want: m}
	u.request = request{op: op, path: path, method: http.MethodPatch, body: body, category: CategoryWrite}
	return u.run(ctx)
}

// A metadataUpdate is one call of UpdateMetadata.
type metadataUpdate struct {
	c       *Client
	path    string
	want    Metadata
	request request // but for its URL
}

func (u *metadataUpdate) run(ctx context.Context) (*SecretInfo, error) {
	if strings.HasSuffix(u.path, "/"+partMetadata) {
		return u.runBelow(ctx)
	}
	info, err := u.patch(ctx, u.c.apiSecret(u.path))
	switch {
	case isElsewhere(err):
	case errors.Is(err, ErrNotFound):
		if there, lookErr := u.c.exists(ctx, u.request.op, u.path); lookErr != nil || !there {
			return nil, err
		}
	default:
		return info, err
	}
	return u.patchPart(ctx)
}

// runBelow is for a path that looks like the metadata of the secret above: there
// a PATCH of the path itself could change that one's. What lies below the path
// must be no secret either.
func (u *metadataUpdate) runBelow(ctx context.Context) (*SecretInfo, error) {
	below := u.path + "/" + partMetadata
	if brokenPathRule(below) == "" {
		there, err := u.c.exists(ctx, u.request.op, below)
		if err != nil {
			return nil, err
		}
		if there {
			return nil, u.c.invalid(u.request.op, u.path, "there is a secret at "+below+", which the service could take this for; rename one of them")
		}
	}
	return u.patchPart(ctx)
}

// patchPart patches what lies below the secret.
func (u *metadataUpdate) patchPart(ctx context.Context) (*SecretInfo, error) {
	info, err := u.patch(ctx, u.c.apiPart(u.path, partMetadata))
	const what = "a change of metadata alone; use Put, which writes the data again"
	switch {
	case notOffered(err):
		return nil, unsupported(u.request.op, u.path, what, err)
	case errors.Is(err, ErrNotFound):
		if there, lookErr := u.c.exists(ctx, u.request.op, u.path); lookErr == nil && there {
			return nil, unsupported(u.request.op, u.path, what, err)
		}
	}
	return info, err
}

// patch sends the change to one URL.
func (u *metadataUpdate) patch(ctx context.Context, apiPath string) (*SecretInfo, error) {
	r := u.request
	r.apiPath = apiPath
	ans, err := u.c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return u.look(ctx, sent.cause)
	case err != nil:
		return nil, err
	}
	info, ok := u.c.changed(ctx, r, ans)
	if !ok {
		return u.look(ctx, ans.malformed(r, ""))
	}
	return info, nil
}

// look finds out whether a change is there whose answer was lost.
func (u *metadataUpdate) look(ctx context.Context, cause *Error) (*SecretInfo, error) {
	const advice = "; read it before you change it again"
	look, cancel := u.c.lookUp(ctx)
	defer cancel()
	info, err := u.c.describe(look, u.request.op, u.path)
	if errors.Is(err, errors.ErrUnsupported) {
		var s *Secret
		if s, _, err = u.c.read(look, u.path, nil, false); err == nil {
			read := s.Info()
			info = &read
		}
	}
	switch {
	case err != nil:
		return nil, uncertain(cause, "and reading the metadata back failed too ("+categoryOf(err)+")"+advice)
	case !holdsMetadata(info.Metadata, u.want):
		return nil, uncertain(cause, "and the metadata is not what was asked for"+advice)
	default:
		return info, nil
	}
}

// holdsMetadata tells whether all that is set in part is in whole.
func holdsMetadata(whole, part Metadata) bool {
	have, want := metadataFields(whole), metadataFields(part)
	for name, v := range want {
		if got, ok := have[name]; v != nil && (!ok || !bytes.Equal(jsonvalue.Canonical(got), jsonvalue.Canonical(v))) {
			return false
		}
	}
	return want != nil
}

func metadataFields(m Metadata) map[string]any {
	raw, err := wire.Marshal(m)
	if err != nil {
		return nil
	}
	fields, err := jsonvalue.Object(raw)
	if err != nil {
		return nil
	}
	return fields
}

// changed reads the answer to a change of a secret, or else the secret's
// metadata. It reports false for an answer that the service can't have given,
// or that is on another secret.
func (c *Client) changed(ctx context.Context, r request, ans *answer) (*SecretInfo, bool) {
	var m secretMembers
	if !saysNothing(ans.body) {
		if _, isError := parseEnvelope(ans.body); isError {
			return nil, false
		}
		var ok bool
		if m, _, ok = readDescription(ans.body, r.path); !ok && ans.decode(r, new(any)) != nil || m.isOf(r.path) == anotherPath {
			return nil, false
		}
	}
	if m.metadata != nil && m.version != nil {
		info := m.fullInfo(r.path)
		return &info, true
	}
	if info, err := c.describe(ctx, r.op, r.path); err == nil {
		return info, true
	}
	return &SecretInfo{Path: r.path, Source: sourceScaiVault}, true
}
