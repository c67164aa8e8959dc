// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

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
	latest, ok := h.Versions[h.CurrentVersion]
	switch {
	case !ok || h.CurrentVersion < 1: // metadata can be written before the first version
		return nil, s.failure(t, scaivault.ErrNotFound, "no version of it was ever written")
	case latest.gone():
		return nil, s.deleted(t, h.CurrentVersion, latest.Destroyed)
	}
	return &scaivault.SecretInfo{
		Path: path, Version: h.CurrentVersion, Source: s.name,
		CreatedAt: latest.CreatedTime.Time, UpdatedAt: latest.CreatedTime.Time, ExpiresAt: latest.DeletionTime.Time,
		Metadata: readCustomMetadata(h.CustomMetadata),
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
	list := make([]scaivault.VersionInfo, 0, len(h.Versions))
	for number, v := range h.Versions {
		info := scaivault.VersionInfo{Version: number, CreatedAt: v.CreatedTime.Time, Deleted: v.gone()}
		if v.gone() {
			info.DeletedAt = v.DeletionTime.Time
		} else {
			info.ExpiresAt = v.DeletionTime.Time
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b scaivault.VersionInfo) int { return a.Version - b.Version })
	return list, nil
}

// A history is what KV v2 keeps of a secret beside its data.
type history struct {
	CurrentVersion int                  `json:"current_version"`
	Versions       map[int]*versionMeta `json:"versions"`
	CustomMetadata json.RawMessage      `json:"custom_metadata"`
}

type versionMeta struct {
	CreatedTime  wireTime `json:"created_time"`
	DeletionTime wireTime `json:"deletion_time"`
	Destroyed    bool     `json:"destroyed"`
}

// wireTime reads an RFC 3339 time, and stays zero where it can't.
type wireTime struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *wireTime) UnmarshalJSON(b []byte) error {
	t.Time = readTime(b)
	return nil
}

// gone tells whether the version can't be read any more. A time of deletion
// that is yet to come is when it expires.
func (v *versionMeta) gone() bool {
	return v.Destroyed || !v.DeletionTime.IsZero() && !v.DeletionTime.After(time.Now())
}

// history reads the metadata. If a remembered mount turns out to be another by
// now, it is looked up anew, once.
func (s *Source) history(ctx context.Context, t target) (*history, error) {
	if wrong := pathProblem(t.path); wrong != "" {
		return nil, s.invalid(t, wrong)
	}
	ctx, done, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer done()
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
	if !loc.fresh && (a.success() && !isMetadata(env.data) || a.status == http.StatusNotFound && ok && env.says(textNoRoute)) {
		return nil, errOutdated
	}
	if !a.success() {
		return nil, s.refusal(t, a)
	}
	var h history
	if !isMetadata(env.data) || json.Unmarshal(env.data, &h) != nil || h.incomplete() {
		return nil, s.strange(t, a, "the answer is not the metadata of a KV v2 secret at "+wire.Printable(p.api(partMetadata)))
	}
	return &h, nil
}

// incomplete tells whether a version is told without what is known of it.
func (h *history) incomplete() bool {
	for _, v := range h.Versions {
		if v == nil {
			return true
		}
	}
	return false
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
