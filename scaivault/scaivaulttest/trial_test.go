// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A trial stands in for a *testing.T where a failure is what the test wants to
// see. Unlike a *testing.T it keeps what it is told.
type trial struct {
	name string
	ctx  context.Context
	only string // the one subtest to run; if empty, all

	mu       *sync.Mutex // guards all below, of every subtest
	failures *[]string
	cleanups []func()
	failed   bool
}

// try runs f as a test would be run, and returns the failures, each with the
// name of the subtest it is from.
func try(t testing.TB, f func(t *trial)) []string {
	t.Helper()
	root := &trial{ctx: t.Context(), mu: &sync.Mutex{}, failures: &[]string{}}
	root.run(f)
	return *root.failures
}

// run calls f on a goroutine of its own, which Fatalf can end.
func (t *trial) run(f func(t *trial)) {
	var done sync.WaitGroup
	done.Go(func() {
		defer func() {
			for i := len(t.cleanups) - 1; i >= 0; i-- {
				t.cleanups[i]()
			}
		}()
		f(t)
	})
	done.Wait()
}

func (t *trial) Helper() {}

func (t *trial) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

func (t *trial) Context() context.Context { return t.ctx }

func (t *trial) Fatalf(format string, args ...any) {
	t.mu.Lock()
	t.failed = true
	*t.failures = append(*t.failures, strings.TrimPrefix(t.name+": ", ": ")+fmt.Sprintf(format, args...))
	t.mu.Unlock()
	runtime.Goexit()
}

func (t *trial) Run(name string, f func(t *trial)) bool {
	if t.only != "" && t.only != name {
		return true
	}
	sub := &trial{name: name, ctx: t.ctx, mu: t.mu, failures: t.failures}
	sub.run(f)
	return !sub.failed
}
