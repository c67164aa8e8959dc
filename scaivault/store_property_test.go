// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A scripted source answers what the test last told it.
type scripted struct {
	plainSource
	value string // the value, if err is nil
	err   error
	asked atomic.Int64
}

func newScripted(name string) *scripted {
	s := &scripted{plainSource: plainSource{name: name}}
	s.get = func(context.Context, string) (*scaivault.Secret, error) {
		s.asked.Add(1)
		if s.err != nil {
			return nil, &scaivault.Error{Kind: s.err, Op: "get", Source: name}
		}
		return scaivault.NewSecret(scaivault.SecretInfo{Version: 1}, []byte(fmt.Sprintf(`{"v":%q}`, s.value)))
	}
	return s
}

func (s *scripted) saysNo() bool {
	return s.err == scaivault.ErrNotFound || s.err == scaivault.ErrPermission || s.err == scaivault.ErrInvalid
}

// TestPrincipleHolds: over random stages, answers, flips and times, the
// authority's answer is final, including its no, and the other source's answer
// counts only when it is a value.
func TestPrincipleHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(rt *rapid.T) {
			w := newWorld(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"flip":      func(rt *rapid.T) { w.stage = rapid.SampledFrom(allStages).Draw(rt, "stage") },
				"scaivault": func(rt *rapid.T) { w.answer(rt, w.scai) },
				"vault":     func(rt *rapid.T) { w.answer(rt, w.vault) },
				"time":      func(rt *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 90).Draw(rt, "seconds")) * time.Second) },
				"read":      w.read,
			})
			synctest.Wait()
			if err := w.store.Close(); err != nil {
				rt.Fatal(err)
			}
		})
	})
}

var allStages = []scaivault.Stage{
	scaivault.StageUnknown, scaivault.StageVault, scaivault.StageShadow, scaivault.StageCanary,
	scaivault.StageFreeze, scaivault.StageCutover, scaivault.StageScaiVault,
}

// A world is a Store over two scripted sources, and what the test knows.
type world struct {
	scai, vault *scripted
	stage, last scaivault.Stage
	store       *scaivault.Store
	equalAt     time.Time // when a read at canary or freeze last found both sides equal
}

func newWorld(rt *rapid.T) *world {
	w := &world{scai: newScripted("scaivault"), vault: newScripted("vault"), stage: scaivault.StageVault, last: scaivault.StageShadow}
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/a", ScaiVault: "a"})
	if err != nil {
		rt.Fatal(err)
	}
	w.store, err = scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: w.scai, Vault: w.vault, Mapping: mapping, InitialStage: w.last,
		Flag: scaivault.FlagFunc(func(context.Context, string) scaivault.Stage { return w.stage }),
		// A source that is left alone counts as unavailable, whatever it would say.
		Failover: scaivault.FailoverConfig{Breaker: scaivault.BreakerConfig{Failures: -1}},
	})
	if err != nil {
		rt.Fatal(err)
	}
	return w
}

func (w *world) answer(rt *rapid.T, s *scripted) {
	synctest.Wait() // comparisons under way read the scripts too
	s.err = rapid.SampledFrom([]error{
		nil, nil, nil, scaivault.ErrNotFound, scaivault.ErrPermission, scaivault.ErrInvalid,
		scaivault.ErrUnavailable, scaivault.ErrRateLimited, scaivault.ErrUnauthenticated,
	}).Draw(rt, "error")
	s.value = rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "value")
}

func (w *world) read(rt *rapid.T) {
	synctest.Wait()
	stage := w.stage
	if stage == scaivault.StageUnknown {
		stage = w.last
	}
	compares := func(s scaivault.Stage) bool { return s == scaivault.StageCanary || s == scaivault.StageFreeze }
	if !compares(stage) || !compares(w.last) {
		w.equalAt = time.Time{}
	}
	w.last = stage
	authority, other := w.vault, w.scai
	if stage >= scaivault.StageCutover {
		authority, other = w.scai, w.vault
	}
	secret, err := w.store.Get(context.Background(), "a")
	synctest.Wait()
	equal := w.scai.err == nil && w.vault.err == nil && w.scai.value == w.vault.value
	if compares(stage) && equal {
		w.equalAt = time.Now()
	}
	trusted := compares(stage) && !w.equalAt.IsZero() && time.Since(w.equalAt) < time.Minute
	alone := stage == scaivault.StageVault || stage == scaivault.StageShadow || stage == scaivault.StageScaiVault
	w.judge(rt, stage, authority, other, secret, err, trusted, alone)
}

func (w *world) judge(rt *rapid.T, stage scaivault.Stage, authority, other *scripted, secret *scaivault.Secret, err error, trusted, alone bool) {
	if err != nil {
		switch {
		case authority.err == nil:
			rt.Fatalf("%s: the authority had a value and the read failed: %v", stage, err)
		case kindOf(err) != kindOf(authority.err):
			rt.Fatalf("%s: the error is %v and the authority's is %v", stage, err, authority.err)
		case !authority.saysNo() && !alone && other.err == nil:
			rt.Fatalf("%s: one side had a value and the read failed: %v", stage, err)
		}
		return
	}
	value, _ := secret.Field("v")
	switch secret.Source() {
	case authority.name:
		if authority.err != nil || value != authority.value {
			rt.Fatalf("%s: the authority did not say that", stage)
		}
		if !trusted && secret.Failover() {
			rt.Fatalf("%s: the authority was asked first, that is no failover", stage)
		}
	case other.name:
		if other.err != nil || value != other.value || alone {
			rt.Fatalf("%s: the other side did not say that, or must not be asked", stage)
		}
		if authority.saysNo() && !trusted {
			rt.Fatalf("%s: the authority says %v and the other side's value got out", stage, authority.err)
		}
		if authority.err == nil && !trusted {
			rt.Fatalf("%s: the authority has a value and the other side's got out", stage)
		}
		if !trusted && !secret.Failover() {
			rt.Fatalf("%s: a failover that is not marked", stage)
		}
	default:
		rt.Fatalf("%s: nobody said that", stage)
	}
}

// bubbled hides Deadline, which may not be called in a bubble.
type bubbled struct{ testing.TB }
