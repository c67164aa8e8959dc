// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// Get reads the latest version of a secret by its API path: kv/data/apps/db on
// KV v2, secret/apps/db on KV v1. It costs one request, and once for each mount
// a look-up of the mount's KV version.
//
// The data is what Vault sent, byte by byte. A secret that does not exist, or
// whose latest version was deleted or destroyed, is [scaivault.ErrNotFound]. A
// KV v2 path without data/, and a path in no mount, is [scaivault.ErrInvalid];
// the latter has [CodeMountNotFound], where Vault tells it at all: a token that
// has no business at the path sees [scaivault.ErrPermission].
//
// On KV v2 [scaivault.SecretInfo] has the times of this version, its time of
// deletion as ExpiresAt if that is yet to come, and the custom metadata, in
// which "tags" are separated by commas.
func (s *Source) Get(ctx context.Context, path string) (*scaivault.Secret, error) {
	return s.getVersion(ctx, target{"get", path}, 0)
}

// GetVersion reads one version of a KV v2 secret, counted from 1. A version that
// does not exist, or was deleted or destroyed, is [scaivault.ErrNotFound]. KV
// v1 has no versions, so there it is [scaivault.ErrInvalid].
func (s *Source) GetVersion(ctx context.Context, path string, version int) (*scaivault.Secret, error) {
	t := target{"get version", path}
	if version < 1 {
		return nil, s.invalid(t, fmt.Sprintf("there is no version %d; the first is 1", version))
	}
	return s.getVersion(ctx, t, version)
}

func (s *Source) getVersion(ctx context.Context, t target, version int) (*scaivault.Secret, error) {
	if wrong := pathProblem(t.path); wrong != "" {
		return nil, s.invalid(t, wrong)
	}
	ctx, call, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer call.end()
	f, err := s.read(ctx, t, version)
	return f.secret, err
}

// found is what a read has brought, also where it is an error: a deleted
// secret still has a version.
type found struct {
	secret  *scaivault.Secret // nil where there is none to read
	version int               // of KV v2; 0 where there never was one
	mount   *mount            // nil where it stays unknown
	header  http.Header       // of the answer
}

// errOutdated says that the mount is not what it was taken for.
var errOutdated = errors.New("the mount has changed")

// locateForRead is locate, but does not ask again where Vault has just refused
// to tell.
func (s *Source) locateForRead(ctx context.Context, t target) (location, error) {
	if s.mounts.covering(t.path) == nil && s.mounts.isSilent(t.path) {
		return location{fresh: true}, nil
	}
	return s.locate(ctx, t)
}

// read locates and reads. If a remembered mount turns out to be another by
// now, it is looked up anew, once.
func (s *Source) read(ctx context.Context, t target, version int) (found, error) {
	for {
		loc, err := s.locateForRead(ctx, t)
		if err != nil {
			return found{}, err
		}
		f, err := s.readAt(ctx, t, loc, version)
		if !errors.Is(err, errOutdated) {
			return f, err
		}
		s.mounts.drop(loc.mount)
	}
}

// readAt reads at a location. The error is errOutdated only where the location
// is not fresh.
func (s *Source) readAt(ctx context.Context, t target, loc location, version int) (found, error) {
	if loc.mount == nil {
		return s.readUnknown(ctx, t, version)
	}
	p, wrong := loc.mount.secret(t.path)
	switch {
	case wrong != "" && !loc.fresh:
		return found{}, errOutdated // before this is told, it must be sure
	case wrong != "":
		return found{}, s.invalid(t, wrong)
	case version > 0 && loc.mount.version == 1:
		if !loc.fresh {
			return found{}, errOutdated
		}
		return found{}, s.invalid(t, fmt.Sprintf("%s is KV v1, which has no versions", loc.mount))
	}
	a, err := s.fetch(ctx, t, p.api(partData), version)
	if err != nil {
		return found{}, err
	}
	if !loc.fresh && s.outdated(loc.mount, a) {
		return found{}, errOutdated
	}
	f := found{mount: loc.mount, header: a.header}
	if loc.mount.version == 1 {
		f.secret, err = s.parseV1(t, a)
		return f, err
	}
	f.secret, f.version, err = s.parseV2(t, a)
	return f, err
}

func (s *Source) fetch(ctx context.Context, t target, api string, version int) (*answer, error) {
	query := ""
	if version > 0 {
		query = "version=" + strconv.Itoa(version)
	}
	return s.do(ctx, get(t, api, query))
}

// outdated tells whether an answer does not fit the mount that was remembered.
func (s *Source) outdated(m *mount, a *answer) bool {
	env, ok := a.envelope()
	switch {
	case !ok:
		return false
	case a.status == http.StatusNotFound && (env.says(textNoRoute) || env.wrongKVVersion()):
		return true
	case !a.success():
		return false
	default:
		return env.versioned() != (m.version == 2)
	}
}

// readUnknown reads where the mount is not known: the answer tells the version
// by its shape.
func (s *Source) readUnknown(ctx context.Context, t target, version int) (found, error) {
	a, err := s.fetch(ctx, t, t.path, version)
	if err != nil {
		return found{}, err
	}
	f := found{header: a.header}
	prefix, hasData := splitData(t.path)
	env, _ := a.envelope()
	if hasData && env.versioned() {
		f.mount = &mount{prefix: prefix, version: 2}
		s.mounts.add(f.mount)
		f.secret, f.version, err = s.parseV2(t, a)
		return f, err
	}
	switch {
	case !a.success():
		return f, s.refusal(t, a)
	case version > 0:
		return f, s.invalid(t, "the mount seems to be KV v1, which has no versions")
	case isHistory(env.data):
		return f, s.invalid(t, "these are the metadata of a KV v2 secret; use data/ in place of metadata/")
	}
	f.mount = &mount{prefix: parent(t.path), version: 1} // for this path; not remembered
	f.secret, err = s.parseV1(t, a)
	return f, err
}

// parent is all of a path before its last segment, slash included.
func parent(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }

// parseV2 returns the secret, or an error and the version that was deleted.
func (s *Source) parseV2(t target, a *answer) (*scaivault.Secret, int, error) {
	env, _ := a.envelope()
	v, ok := &env.version, env.versioned()
	switch {
	case a.status == http.StatusNotFound && ok:
		return nil, v.number, s.deleted(t, v.number, v.destroyed)
	case !a.success():
		return nil, 0, s.refusal(t, a)
	case !ok:
		return nil, 0, s.strange(t, a, "the answer is not a KV v2 secret")
	}
	info := scaivault.SecretInfo{
		Path: t.path, Version: v.number, Source: s.name,
		CreatedAt: v.created, UpdatedAt: v.created, ExpiresAt: v.deletion,
		Metadata: readCustomMetadata(v.customMetadata),
	}
	data := v.data
	if isNull(data) {
		data = []byte("{}") // Vault takes a write of null, and it is a version
	}
	secret, err := scaivault.NewSecret(info, data)
	if err != nil {
		return nil, 0, s.strange(t, a, "the data of the secret is not a JSON object")
	}
	return secret, v.number, nil
}

func (s *Source) parseV1(t target, a *answer) (*scaivault.Secret, error) {
	env, ok := a.envelope()
	switch {
	case !a.success():
		return nil, s.refusal(t, a)
	case !ok:
		return nil, s.strange(t, a, "the answer is not one of Vault's")
	}
	secret, err := scaivault.NewSecret(scaivault.SecretInfo{Path: t.path, Source: s.name}, env.data)
	if err != nil {
		return nil, s.strange(t, a, "the data of the secret is not a JSON object")
	}
	return secret, nil
}

func isNull(value []byte) bool { return string(value) == "null" }

// strange is for a success that does not hold what it should.
func (s *Source) strange(t target, a *answer, what string) *scaivault.Error {
	e := s.failure(t, scaivault.ErrUnavailable, joinReasons(what+"; "+describe(a), a.besides))
	e.Status = a.status
	return e
}
