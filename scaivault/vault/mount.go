// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A mount is a KV engine of Vault.
type mount struct {
	prefix  string // where it is, with a slash at its end: "kv/", "team/a/kv/"
	version int    // 1 or 2
	told    bool   // by Config.Mounts, and so beyond doubt
}

// String is the mount's path for an error.
func (m *mount) String() string { return wire.Printable(m.prefix) }

// A location is where a path lies, as far as it is known.
type location struct {
	mount *mount // nil where Vault does not tell this token
	fresh bool   // Vault has just told it; otherwise it may be out of date
}

// A mountTable remembers mounts by their prefix. Vault never mounts one engine
// within another, so at most one of them covers a path. A table is one Source's,
// which is one Vault and one namespace. The zero value is ready.
type mountTable struct {
	lookups flights[*mount]

	mu     sync.RWMutex // guards all below
	known  map[string]*mount
	silent map[string]time.Time // until when Vault is not asked, by the path's first segment
}

const (
	// silentFor is how long the look-up of a mount is left out that Vault has
	// refused: a read does without.
	silentFor = time.Minute
	// maxSilent bounds what is remembered of refusals.
	maxSilent = 1000
)

// covering returns the mount that path lies in, or nil.
func (t *mountTable) covering(path string) *mount {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := len(path) - 1; i > 0; i-- {
		if path[i] != '/' {
			continue
		}
		if m := t.known[path[:i+1]]; m != nil {
			return m
		}
	}
	return t.known[path+"/"]
}

// silence takes note that Vault does not tell a mount.
func (t *mountTable) silence(path string) {
	first, _, _ := strings.Cut(path, "/")
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.silent == nil || len(t.silent) >= maxSilent {
		t.silent = map[string]time.Time{}
	}
	t.silent[first] = time.Now().Add(silentFor)
}

// isSilent tells whether Vault has refused to tell a mount there a moment ago.
func (t *mountTable) isSilent(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	t.mu.RLock()
	defer t.mu.RUnlock()
	until, ok := t.silent[first]
	return ok && time.Now().Before(until)
}

func (t *mountTable) add(m *mount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]*mount{}
	}
	t.known[m.prefix] = m
}

// drop forgets a mount, unless somebody has looked it up anew since.
func (t *mountTable) drop(m *mount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[m.prefix] == m {
		delete(t.known, m.prefix)
	}
}

// locate finds the mount of a path: in the table, or by a look-up that all who
// ask below the same first segment share. An unknown mount is no error.
func (s *Source) locate(ctx context.Context, t target) (location, error) {
	if m := s.mounts.covering(t.path); m != nil {
		return location{mount: m, fresh: m.told}, nil
	}
	first, _, _ := strings.Cut(t.path, "/")
	look := func(ctx context.Context) (*mount, error) { return s.lookUpMount(ctx, t) }
	fl, joined := s.mounts.lookups.join(first, s.spawner(ctx), look)
	m, err := fl.wait(ctx)
	var e *scaivault.Error
	switch {
	case err != nil && joined && errors.As(err, &e) && errors.Is(e, scaivault.ErrInvalid) && s.ended(ctx, t) == nil:
		// About somebody else's path.
	case err != nil:
		return location{}, s.sharedError(ctx, t, err)
	case m != nil && covers(m.prefix, t.path), !joined:
		return location{mount: m, fresh: true}, nil
	}
	// The shared look-up was for another mount.
	m, err = s.lookUpMount(ctx, t)
	return location{mount: m, fresh: true}, err
}

func covers(prefix, path string) bool { return strings.HasPrefix(path+"/", prefix) }

const (
	apiUIMounts = "sys/internal/ui/mounts"
	apiMounts   = "sys/mounts"
)

// lookUpMount asks Vault for the mount of a path, as Vault's own command line
// does. It returns nil where Vault does not tell: it answers 403 both for a
// mount that does not exist and for one that the token has nothing in.
func (s *Source) lookUpMount(ctx context.Context, t target) (*mount, error) {
	if covers("auth/", t.path) { // Vault tells the mounts of auth methods, but by other paths
		return nil, s.invalid(t, "auth/ holds auth methods, and no secrets engine can be mounted there; name a path in a KV mount")
	}
	a, err := s.do(ctx, get(t, apiUIMounts+"/"+t.path, ""))
	if err != nil {
		return nil, err
	}
	if !a.success() {
		e := s.refusal(t, a)
		if a.status == http.StatusForbidden && !errors.Is(e, scaivault.ErrUnauthenticated) ||
			a.status == http.StatusNotFound || a.status == http.StatusBadRequest || a.status == http.StatusMethodNotAllowed {
			s.mounts.silence(t.path)
			return nil, nil //nolint:nilnil // an unknown mount; the answer to the request itself decides
		}
		return nil, e
	}
	var w wireMount
	env, ok := a.envelope()
	if !ok || json.Unmarshal(env.data, &w) != nil || !strings.HasSuffix(w.Path, "/") || !covers(w.Path, t.path) {
		e := s.failure(t, scaivault.ErrUnavailable, "the answer to the look-up of the mount is not one of Vault's; "+describe(a))
		e.Status = a.status
		return nil, e
	}
	version := w.kvVersion()
	if version == 0 {
		return nil, s.invalid(t, fmt.Sprintf("%s is a secrets engine of type %q, not KV", wire.Printable(w.Path), wire.Printable(w.Type)))
	}
	m := &mount{prefix: w.Path, version: version}
	s.mounts.add(m)
	return m, nil
}

// A wireMount is a mount as Vault describes it.
type wireMount struct {
	Path        string            `json:"path"`
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
}

// kvVersion is 0 for anything but KV, which was called "generic" once.
func (w *wireMount) kvVersion() int {
	switch {
	case w.Type != "kv" && w.Type != "generic":
		return 0
	case w.Options["version"] == "2":
		return 2
	default:
		return 1
	}
}
