// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Metadata tells what is known of a KV v2 secret beside its data, by its API
// path: kv/data/apps/db. It reads no value, and needs the right to read the
// mount's metadata/. It says what the Info of a secret from Get says: the latest
// version, its times, and the custom metadata.
//
// A secret that does not exist, or whose latest version was deleted or
// destroyed, is [scaivault.ErrNotFound]. KV v1 keeps no metadata, so there it
// is [scaivault.ErrInvalid].
func (s *Source) Metadata(ctx context.Context, path string) (*scaivault.SecretInfo, error) {
	t := target{"get metadata", path}
	h, err := s.history(ctx, t)
	if err != nil {
		return nil, err
	}
	latest := h.latest()
	switch {
	case latest == nil: // metadata can be written before the first version
		return nil, s.failure(t, scaivault.ErrNotFound, "no version of it was ever written")
	case latest.gone():
		return nil, s.deleted(t, h.current, latest.destroyed)
	}
	created := readTime(latest.created)
	return &scaivault.SecretInfo{
		Path: path, Version: h.current, Source: s.name,
		CreatedAt: created, UpdatedAt: created, ExpiresAt: readTime(latest.deletion),
		Metadata: readCustomMetadata(h.customMetadata),
	}, nil
}

// Versions lists the versions of a KV v2 secret that Vault keeps, deleted ones
// too, in ascending order, by its API path. It reads no value, and needs the
// right to read the mount's metadata/. A secret that does not exist is
// [scaivault.ErrNotFound]; one whose versions were all deleted is none. KV v1
// has no versions, so there it is [scaivault.ErrInvalid].
func (s *Source) Versions(ctx context.Context, path string) ([]scaivault.VersionInfo, error) {
	h, err := s.history(ctx, target{"list versions of", path})
	if err != nil {
		return nil, err
	}
	list := make([]scaivault.VersionInfo, 0, len(h.versions))
	for i := range slices.Backward(h.versions) { // where one stands twice, the last one counts
		v := &h.versions[i]
		info := scaivault.VersionInfo{Version: v.number, CreatedAt: readTime(v.created), Deleted: v.gone()}
		if info.Deleted {
			info.DeletedAt = readTime(v.deletion)
		} else {
			info.ExpiresAt = readTime(v.deletion)
		}
		list = append(list, info)
	}
	slices.SortStableFunc(list, func(a, b scaivault.VersionInfo) int { return cmp.Compare(a.Version, b.Version) })
	return slices.CompactFunc(list, func(a, b scaivault.VersionInfo) bool { return a.Version == b.Version }), nil
}

// history reads the metadata. If a remembered mount turns out to be another by
// now, it is looked up anew, once.
func (s *Source) history(ctx context.Context, t target) (*history, error) {
	if wrong := pathProblem(t.path); wrong != "" {
		return nil, s.invalid(t, wrong)
	}
	ctx, call, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer call.end()
	for {
		loc, err := s.locateForRead(ctx, t)
		if err != nil {
			return nil, err
		}
		h, err := s.historyAt(ctx, t, loc)
		if !errors.Is(err, errOutdated) {
			return h, err
		}
		s.mounts.drop(loc.mount)
	}
}

// historyAt reads at a location. The error is errOutdated only where the
// location is not fresh.
func (s *Source) historyAt(ctx context.Context, t target, loc location) (*history, error) {
	at := loc.mount
	if at == nil {
		prefix, hasData := splitData(t.path)
		if !hasData {
			return nil, s.invalid(t, "the mount seems to be KV v1, which keeps no metadata")
		}
		at, loc.fresh = &mount{prefix: prefix, version: 2}, true
	}
	p, wrong := at.secret(t.path)
	if wrong == "" && at.version == 1 {
		wrong = fmt.Sprintf("%s is KV v1, which keeps no metadata", at)
	}
	switch {
	case wrong != "" && !loc.fresh:
		return nil, errOutdated // before this is told, it must be sure
	case wrong != "":
		return nil, s.invalid(t, wrong)
	}
	a, err := s.do(ctx, get(t, p.api(partMetadata), ""))
	if err != nil {
		return nil, err
	}
	env, ok := a.envelope()
	h, isHistory := readHistory(env.data)
	if !loc.fresh && (a.success() && !isHistory || a.status == http.StatusNotFound && ok && env.says(textNoRoute)) {
		return nil, errOutdated
	}
	if !a.success() {
		return nil, s.refusal(t, a)
	}
	if !isHistory || h.strange {
		return nil, s.strange(t, a, "the answer is not the metadata of a KV v2 secret at "+wire.Printable(p.api(partMetadata)))
	}
	return h, nil
}

// deleted is the error of a version that was there once. Its details say which,
// as the next write makes one more.
func (s *Source) deleted(t target, version int, destroyed bool) *scaivault.Error {
	e := s.failure(t, scaivault.ErrNotFound, fmt.Sprintf("version %d was deleted; Vault can still undelete it", version))
	if destroyed {
		e.Reason = fmt.Sprintf("version %d was destroyed", version)
	}
	e.Status = http.StatusNotFound
	e.Details = json.RawMessage(`{"version":` + strconv.Itoa(version) + `}`)
	return e
}
