// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/scailabs/scaivault-go/scaivault"
)

func concurrencyChecks() []sourceCheck {
	return []sourceCheck{
		{"concurrent calls do not meet on different paths", checkConcurrentPaths},
		{"concurrent writes of one path leave one of them whole", checkConcurrentWrites},
		{"concurrent IfAbsent lets one through", checkConcurrentIfAbsent},
	}
}

// callers is how many goroutines call at once.
const callers = 6

// together runs f on several goroutines at once, waits for them, and fails the test
// with the first error.
func (s *subject) together(f func(caller int) error) {
	s.Helper()
	errs := make([]error, callers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			<-start
			errs[caller] = f(caller)
		})
	}
	close(start)
	all.Wait()
	for _, err := range errs {
		if err != nil {
			s.Fatalf("of %d concurrent callers: %v", callers, err)
		}
	}
}

func checkConcurrentPaths(s *subject) {
	s.put(s.path("shared"), map[string]any{"k": "v"}, nil)
	s.together(func(caller int) error {
		path := s.path(fmt.Sprintf("own-%d", caller))
		for round := range 2 {
			want := fmt.Sprintf("%d/%d", caller, round)
			if _, err := s.source.Put(s.ctx, path, map[string]any{"k": want}, nil); err != nil {
				return err
			}
			if err := s.fieldIs(path, want); err != nil {
				return err
			}
			if err := s.fieldIs(s.path("shared"), "v"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *subject) fieldIs(path, want string) error {
	secret, err := s.source.Get(s.ctx, path)
	if err != nil {
		return err
	}
	if secret == nil {
		return errors.New("Get returned neither an error nor a Secret")
	}
	if got, _ := secret.Field("k"); got != want || secret.Path() != path {
		return errors.New("Get returned the secret of another call")
	}
	return nil
}

func checkConcurrentWrites(s *subject) {
	path := s.path("a")
	versions := make([]int, callers)
	s.together(func(caller int) error {
		own := fmt.Sprint(caller)
		written, err := s.source.Put(s.ctx, path, map[string]any{"a": own, "b": own}, nil)
		if err == nil && written != nil {
			versions[caller] = written.Version
		}
		return err
	})
	secret := s.get(path)
	a, _ := secret.Field("a")
	b, _ := secret.Field("b")
	if a == "" || a != b {
		s.Fatalf("the secret is a mixture of several writes")
	}
	seen := map[int]bool{}
	for _, version := range versions {
		if version != 0 && seen[version] {
			s.Fatalf("two writes were told version %d", version)
		}
		seen[version] = true
	}
	if v := secret.Version(); v != 0 && v != callers {
		s.Fatalf("after %d writes the version is %d", callers, v)
	}
}

// checkConcurrentIfAbsent lets several through where the condition is a look before the
// write, as PutOptions says of ScaiVault and KV v1. None would be wrong everywhere.
func checkConcurrentIfAbsent(s *subject) {
	path := s.path("a")
	won := make([]bool, callers)
	s.together(func(caller int) error {
		_, err := s.source.Put(s.ctx, path, map[string]any{"k": fmt.Sprint(caller)}, &scaivault.PutOptions{IfAbsent: true})
		won[caller] = err == nil
		if errors.Is(err, scaivault.ErrConflict) {
			return nil
		}
		return err
	})
	field, _ := s.get(path).Field("k")
	for caller, through := range won {
		if through && field == fmt.Sprint(caller) {
			return
		}
	}
	s.Fatalf("what stands there is of no caller whose write succeeded")
}
