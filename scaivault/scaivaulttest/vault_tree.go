// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"slices"
	"strings"
)

// A pathTree keeps values under paths, so that a folder is listed without looking at what lies elsewhere. It is not safe for concurrent use.
type pathTree[T any] struct {
	folders map[string]*pathTree[T]
	values  map[string]T
}

func (t *pathTree[T]) get(path string) (value T, ok bool) {
	folder, name := t.walk(path)
	if folder == nil {
		return value, false
	}
	value, ok = folder.values[name]
	return value, ok
}

// walk goes to the folder of a path and returns nil when there is none.
func (t *pathTree[T]) walk(path string) (folder *pathTree[T], name string) {
	for {
		first, rest, ok := strings.Cut(path, "/")
		if !ok {
			return t, path
		}
		if t = t.folders[first]; t == nil {
			return nil, ""
		}
		path = rest
	}
}

func (t *pathTree[T]) put(path string, value T) {
	for {
		first, rest, ok := strings.Cut(path, "/")
		if !ok {
			break
		}
		next := t.folders[first]
		if next == nil {
			if t.folders == nil {
				t.folders = map[string]*pathTree[T]{}
			}
			next = &pathTree[T]{}
			t.folders[first] = next
		}
		t, path = next, rest
	}
	if t.values == nil {
		t.values = map[string]T{}
	}
	t.values[path] = value
}

// remove takes a value away, and the folders that are empty then.
func (t *pathTree[T]) remove(path string) {
	first, rest, ok := strings.Cut(path, "/")
	if !ok {
		delete(t.values, path)
		return
	}
	next := t.folders[first]
	if next == nil {
		return
	}
	next.remove(rest)
	if len(next.folders) == 0 && len(next.values) == 0 {
		delete(t.folders, first)
	}
}

// list names what is directly in a folder, sorted; folders end in a slash. The root is "", any other folder ends in a slash. keep may leave values out.
func (t *pathTree[T]) list(folder string, keep func(T) bool) []string {
	t, _ = t.walk(folder)
	if t == nil {
		return []string{}
	}
	names := make([]string, 0, len(t.folders)+len(t.values))
	for name := range t.folders {
		names = append(names, name+"/")
	}
	for name, value := range t.values {
		if keep == nil || keep(value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
