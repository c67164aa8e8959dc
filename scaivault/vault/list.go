// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/scaivault"
)

// List lists the secrets below a folder, at any depth, by API paths in the form
// that Get takes. The folder is an API path too: kv/data/apps, or kv/data for
// the whole of a KV v2 mount; secret/apps, or secret, on KV v1. If prefix is
// empty, all KV mounts are listed. It returns names alone, on KV v2 also those
// of secrets whose latest version was deleted, as Vault lists them.
//
// Folders are asked for as the caller goes on, each in a request of its own, in
// Vault's order, depth first. A folder that does not exist is empty. A folder
// that Vault refuses, or cannot be asked for, is one pair: a zero Entry and the
// error, which names the folder; the listing goes on behind it. If Vault gives
// no answer, the pair with the error is the last. Vault has no pages, so opts is
// not used and may be nil.
func (s *Source) List(ctx context.Context, prefix string, opts *scaivault.ListOptions) iter.Seq2[scaivault.Entry, error] {
	return func(yield func(scaivault.Entry, error) bool) {
		if opts != nil && opts.PageSize < 0 {
			yield(scaivault.Entry{}, s.invalid(target{"list", prefix}, "ListOptions.PageSize is negative; Vault has no pages, leave it out"))
			return
		}
		l := lister{s: s, yield: yield}
		if prefix == "" {
			l.all(ctx)
			return
		}
		l.below(ctx, strings.TrimSuffix(prefix, "/"))
	}
}

// A lister goes through folders and yields what is in them.
type lister struct {
	s     *Source
	yield func(scaivault.Entry, error) bool
}

// fail yields a pair with an error. It reports whether to go on: what was
// refused says nothing of the other folders, and what was not answered does.
func (l *lister) fail(err error) bool {
	refused := errors.Is(err, scaivault.ErrPermission) || errors.Is(err, scaivault.ErrInvalid)
	return l.yield(scaivault.Entry{}, err) && refused
}

// all lists all KV mounts.
func (l *lister) all(ctx context.Context) {
	mounts, err := l.s.Mounts(ctx)
	if err != nil {
		l.fail(err)
		return
	}
	for _, m := range mounts {
		if m.KVVersion == 0 {
			continue
		}
		known := &mount{prefix: m.Path + "/", version: m.KVVersion}
		if !l.walk(ctx, place{mount: known}, 0) {
			return
		}
	}
}

// below lists one folder, and once more from the start if the mount turns out
// to be another by now: that shows at the first folder, before anything was
// yielded.
func (l *lister) below(ctx context.Context, prefix string) {
	t := target{"list", prefix}
	if wrong := pathProblem(prefix); wrong != "" {
		l.fail(l.s.invalid(t, wrong))
		return
	}
	for {
		p, keys, err := l.start(ctx, t)
		if errors.Is(err, errOutdated) {
			l.s.mounts.drop(p.mount)
			continue
		}
		if err != nil {
			l.fail(err)
			return
		}
		l.each(ctx, p, keys, 0)
		return
	}
}

// start finds the first folder and lists it.
func (l *lister) start(ctx context.Context, t target) (place, *names, error) {
	ctx, call, err := l.s.begin(ctx, t)
	if err != nil {
		return place{}, nil, err
	}
	defer call.end()
	loc, err := l.s.locateForRead(ctx, t)
	if err != nil {
		return place{}, nil, err
	}
	if loc.mount == nil {
		return l.s.startUnknown(ctx, t)
	}
	p, wrong := loc.mount.folder(t.path)
	switch {
	case wrong != "" && !loc.fresh:
		return place{mount: loc.mount}, nil, errOutdated // before this is told, it must be sure
	case wrong != "":
		return place{}, nil, l.s.invalid(t, wrong)
	}
	a, err := l.s.fetchKeys(ctx, t, p)
	if err != nil {
		return place{}, nil, err
	}
	if !loc.fresh && a.status == http.StatusNotFound {
		// Nothing is there, or the mount has changed: of that, silence would be
		// the wrong answer.
		return p, nil, errOutdated
	}
	keys, err := l.s.keys(t, a)
	return p, keys, err
}

// startUnknown lists where Vault does not tell the mount. KV v1 lists the path
// as it is; KV v2 says that it does not.
func (s *Source) startUnknown(ctx context.Context, t target) (place, *names, error) {
	asIs := place{mount: &mount{prefix: t.path + "/", version: 1}}
	a, err := s.fetchKeys(ctx, t, asIs)
	if err != nil {
		return place{}, nil, err
	}
	prefix, hasData := splitData(t.path + "/")
	env, ok := a.envelope()
	if hasData && (a.status == http.StatusForbidden || ok && env.wrongKVVersion()) {
		m := &mount{prefix: prefix, version: 2}
		p, _ := m.folder(t.path)
		a.names.discard()
		if a, err = s.fetchKeys(ctx, t, p); err != nil {
			return place{}, nil, err
		}
		keys, err := s.keys(t, a)
		return p, keys, err
	}
	keys, err := s.keys(t, a)
	return asIs, keys, err
}

// maxDepth is deeper than Vault's storage lets anybody nest, so that a server
// gone mad ends a listing too.
const maxDepth = 1000

// walk lists one folder. It reports whether to go on.
func (l *lister) walk(ctx context.Context, p place, depth int) bool {
	t := target{"list", p.folderPath()}
	if depth > maxDepth {
		return l.fail(l.s.failure(t, scaivault.ErrUnavailable, fmt.Sprintf("folders are nested deeper than %d; Vault cannot mean that", maxDepth)))
	}
	keys, err := l.folder(ctx, t, p)
	if err != nil {
		return l.fail(err)
	}
	return l.each(ctx, p, keys, depth)
}

// folder is one request, as a call of its own.
func (l *lister) folder(ctx context.Context, t target, p place) (*names, error) {
	ctx, call, err := l.s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer call.end()
	a, err := l.s.fetchKeys(ctx, t, p)
	if err != nil {
		return nil, err
	}
	return l.s.keys(t, a)
}

// each yields what is in a folder, and goes into the folders in it.
func (l *lister) each(ctx context.Context, p place, keys *names, depth int) bool {
	defer keys.discard()
	base := p.folderPath() + "/"
	name := p.name
	if name != "" {
		name += "/"
	}
	for key, err := range keys.all() {
		if err != nil {
			e := l.s.failure(target{"list", strings.TrimSuffix(base, "/")}, scaivault.ErrUnavailable, "the names could not be read back from the disk")
			e.Err = err
			return l.fail(e)
		}
		folder, isFolder := strings.CutSuffix(key, "/")
		switch {
		case !isFolder:
			if !l.yield(scaivault.Entry{Path: base + key}, nil) {
				return false
			}
		case pathProblem(folder) != "" || strings.Contains(folder, "/"):
			if !l.fail(l.s.invalid(target{"list", base + key}, "Vault names a folder that cannot be asked for: "+joinReasons(pathProblem(folder), "it may have been made by an older Vault"))) {
				return false
			}
		case !l.walk(ctx, place{mount: p.mount, name: name + folder}, depth+1):
			return false
		}
	}
	return true
}

// folderPath is the folder's API path in the form that List takes.
func (p place) folderPath() string { return p.api(partData) }

// fetchKeys asks for a folder. It is a GET, which net/http repeats on a new
// connection where the old one was closed under it; Vault treats it as LIST.
func (s *Source) fetchKeys(ctx context.Context, t target, p place) (*answer, error) {
	r := get(t, p.api(partMetadata), "list=true")
	r.lists = true
	return s.do(ctx, r)
}

// keys are a folder's names. One that does not exist has none.
func (s *Source) keys(t target, a *answer) (*names, error) {
	if !a.success() {
		if e := s.refusal(t, a); !errors.Is(e, scaivault.ErrNotFound) {
			return nil, e
		}
		return nil, nil
	}
	env, ok := a.envelope()
	var left []byte // of the list, once the names were taken out
	jsonvalue.EachMember(env.data, func(name, value []byte) {
		if string(name) == "keys" {
			left = value
		}
	})
	if !ok || string(left) != "[]" {
		a.names.discard()
		return nil, s.strange(t, a, "the answer is not a listing")
	}
	return a.names, nil
}
