// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// eventQuirks are different answers to what is open about events.
var eventQuirks = map[string]scaivaulttest.Quirks{
	"natural":            {},
	"short events":       {EventForm: scaivaulttest.EventShort},
	"204 for no event":   {PollTimeout: scaivaulttest.PollTimeoutNoContent},
	"redelivered later":  {Unacked: scaivaulttest.UnackedLater},
	"newest dropped":     {Overflow: scaivaulttest.OverflowNewest},
	"unknown since: 404": {UnknownSince: scaivaulttest.UnknownSince404},
	"unknown since: 400": {UnknownSince: scaivaulttest.UnknownSince400, Unacked: scaivaulttest.UnackedLater},
	"ack answers 204":    {AckForm: scaivaulttest.AckNoContent},
}

// eventFaults are what goes wrong with a watch, each now and then.
var eventFaults = map[string]func(s *scaivaulttest.Server){
	"nothing":          func(*scaivaulttest.Server) {},
	"poll: no answer":  inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", Cut: scaivaulttest.CutBeforeAnswer, Count: 2}),
	"poll: lost":       inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", After: true, Cut: scaivaulttest.CutBeforeAnswer, Count: 1}),
	"poll: half":       inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", After: true, Cut: scaivaulttest.CutInBody, Count: 1}),
	"poll: 503":        inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", Status: 503, Code: "service_unavailable", Count: 1}),
	"poll: page":       inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", Status: 200, Body: balancerPage, Count: 1}),
	"poll: hangs":      inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/poll", Hang: true, Count: 1}),
	"ack: no answer":   inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/ack", Cut: scaivaulttest.CutBeforeAnswer, Count: 2}),
	"ack: lost":        inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/ack", After: true, Cut: scaivaulttest.CutBeforeAnswer, Count: 2}),
	"ack: half":        inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/ack", After: true, Cut: scaivaulttest.CutInBody, Count: 2}),
	"ack: 500":         inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/ack", Status: 500, Code: "internal_error", Count: 2}),
	"ack: 403":         inject(scaivaulttest.Fault{Path: "/v1/subscriptions/*/ack", Status: 403, Code: "access_denied", Count: 4}),
	"all: 429":         inject(scaivaulttest.Fault{Path: "/v1/subscriptions/**", Status: 429, Code: "rate_limited", Count: 2}),
	"the service down": func(s *scaivaulttest.Server) { s.SetDown(true); time.Sleep(20 * time.Second); s.SetDown(false) },
}

func inject(f scaivaulttest.Fault) func(*scaivaulttest.Server) {
	return func(s *scaivaulttest.Server) { s.Inject(f) }
}

// TestWatchOnTheServer loses nothing and tells nothing twice, whatever the
// service answers where its documents are silent and whatever goes wrong.
func TestWatchOnTheServer(t *testing.T) {
	t.Parallel()
	for quirk, q := range eventQuirks {
		for fault, strike := range eventFaults {
			t.Run(quirk+"; "+fault, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
					ctx, cancel := context.WithCancel(t.Context())
					w := watching(ctx, c, nil)
					synctest.Wait()
					var want []string
					for i := range 12 {
						if i%3 == 1 {
							strike(s)
						}
						for range 15 {
							want = append(want, s.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b"}))
						}
						time.Sleep(13 * time.Second)
					}
					time.Sleep(10 * time.Minute)
					require.ElementsMatch(t, want, w.told())
					cancel()
					<-w.ended
					left, err := subscriptionsOf(t.Context(), c)
					require.NoError(t, err)
					require.Empty(t, left)
				})
			})
		}
	}
}

// TestWatchTellsWhatWritesDo, of its paths alone.
func TestWatchTellsWhatWritesDo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := service(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var told []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for e, err := range c.Watch(ctx, "a/*", "b") {
				if err == nil {
					told = append(told, fmt.Sprintf("%s %s %d", e.Type, e.Path, e.Version()))
				}
			}
		}()
		synctest.Wait()
		for _, path := range []string{"a/x", "a/x", "a/x/y", "b", "c"} {
			_, err := c.Put(t.Context(), path, map[string]any{"k": time.Now().String() + path}, nil)
			require.NoError(t, err)
			_, err = c.Get(t.Context(), path)
			require.NoError(t, err)
		}
		require.NoError(t, c.Delete(t.Context(), "b", nil))
		time.Sleep(time.Minute)
		cancel()
		<-ended
		require.Equal(t, []string{"secret.created a/x 1", "secret.updated a/x 2", "secret.created b 1", "secret.deleted b 0"}, told)
	})
}

// TestWatchAfterDroppedSubscriptions says that events may be missing, and goes
// on.
func TestWatchAfterDroppedSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := service(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, c, nil)
		var want []string
		for range 4 {
			time.Sleep(time.Minute)
			want = append(want, s.Emit(scaivaulttest.Event{Type: "secret.deleted", Path: "a/b"}))
			time.Sleep(time.Second)
			s.DropSubscriptions()
		}
		time.Sleep(time.Minute)
		require.Equal(t, want, w.told())
		require.Len(t, w.errors(), 4)
		cancel()
		<-w.ended
	})
}

// TestWatchWithARevokedToken waits for a good one.
func TestWatchWithARevokedToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scaivaulttest.NewServer(t)
		var token atomic.Value
		token.Store(s.IssueToken("sa:x"))
		c := newTestClient(t, "https://s.test", through(s.RoundTripper()), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { return token.Load().(string), nil })
		})
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, c, nil)
		synctest.Wait()
		s.RevokeToken(token.Load().(string))
		id := s.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b"})
		time.Sleep(time.Hour)
		require.NotEmpty(t, w.errors())
		for _, err := range w.errors() {
			requireMatches(t, err, scaivault.ErrUnauthenticated)
		}
		token.Store(s.IssueToken("sa:x"))
		time.Sleep(time.Minute)
		require.Equal(t, []string{id}, w.told())
		cancel()
		<-w.ended
	})
}

// TestSubscriptionsOnTheServer goes through the life of one.
func TestSubscriptionsOnTheServer(t *testing.T) {
	t.Parallel()
	for name, q := range eventQuirks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, c := service(t, &scaivaulttest.ServerOptions{Quirks: q})
				ctx := t.Context()
				made, err := c.CreateSubscription(ctx, oneSpec(func(spec *scaivault.SubscriptionSpec) { spec.BufferSize = 7 }))
				require.NoError(t, err)
				read, err := c.GetSubscription(ctx, made.ID)
				require.NoError(t, err)
				require.Equal(t, made, read)
				all, err := subscriptionsOf(ctx, c)
				require.NoError(t, err)
				require.Equal(t, []scaivault.Subscription{*made}, all)
				events, more, err := c.Poll(ctx, made.ID, nil)
				require.NoError(t, err)
				require.Empty(t, events)
				require.False(t, more)
				first := s.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b", Data: map[string]any{"new_version": 4}})
				second := s.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/c"})
				events, more, err = c.Poll(ctx, made.ID, &scaivault.PollOptions{MaxEvents: 1})
				require.NoError(t, err)
				require.True(t, more)
				require.Equal(t, first, events[0].ID)
				require.Equal(t, 4, events[0].Version())
				require.False(t, events[0].Time.IsZero())
				events, _, err = c.Poll(ctx, made.ID, &scaivault.PollOptions{SinceEventID: first})
				require.NoError(t, err)
				require.Equal(t, second, events[0].ID)
				require.NoError(t, c.Ack(ctx, made.ID, first, second))
				require.NoError(t, c.Ack(ctx, made.ID, first, second), "twice does no harm")
				time.Sleep(time.Minute)
				events, _, err = c.Poll(ctx, made.ID, nil)
				require.NoError(t, err)
				require.Empty(t, events)
				require.NoError(t, c.DeleteSubscription(ctx, made.ID))
				requireMatches(t, c.DeleteSubscription(ctx, made.ID), scaivault.ErrNotFound)
				_, _, err = c.Poll(ctx, made.ID, nil)
				requireMatches(t, err, scaivault.ErrNotFound)
				requireMatches(t, c.Ack(ctx, made.ID, first), scaivault.ErrNotFound)
			})
		})
	}
}

// TestPoliciesOnTheServer goes through the life of one.
func TestPoliciesOnTheServer(t *testing.T) {
	t.Parallel()
	_, c := service(t, nil)
	ctx := t.Context()
	p := onePolicy("")
	p.Description = "who may read"
	p.Rules[0].Conditions = &scaivault.PolicyConditions{IPRanges: []string{"10.0.0.0/8"}, RequireMFA: true}
	made, err := c.CreatePolicy(ctx, p)
	require.NoError(t, err)
	require.Equal(t, p.Rules, made.Rules)
	require.Equal(t, "tenant", made.Scope)
	read, err := c.GetPolicy(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, made, read)
	read.Inactive, read.Description = true, ""
	read.Rules = append(read.Rules, scaivault.PolicyRule{PathPattern: "b/*", Permissions: []scaivault.Permission{scaivault.PermissionAdmin}})
	changed, err := c.UpdatePolicy(ctx, read)
	require.NoError(t, err)
	require.Equal(t, read.Rules, changed.Rules)
	require.True(t, changed.Inactive)
	require.Empty(t, changed.Description)

	all, err := policiesOf(ctx, c, nil)
	require.NoError(t, err)
	require.Empty(t, all, "it is inactive")
	all, err = policiesOf(ctx, c, &scaivault.PolicyQuery{IncludeInactive: true, Scope: "tenant", PageSize: 1})
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, 2, all[0].RuleCount)
	require.Empty(t, all[0].Rules)
	changed.Inactive = false
	_, err = c.UpdatePolicy(ctx, changed)
	require.NoError(t, err)

	bound, err := c.BindPolicy(ctx, made.ID, scaivault.PolicyBinding{IdentityType: "service_account", IdentityID: "sa:x", ExpiresAt: time.Now().Add(time.Hour)})
	require.NoError(t, err)
	require.NotEmpty(t, bound.ID)
	var bindings []scaivault.PolicyBinding
	for b, err := range c.PolicyBindings(ctx, made.ID) {
		require.NoError(t, err)
		bindings = append(bindings, b)
	}
	require.Equal(t, []scaivault.PolicyBinding{*bound}, bindings)
	for path, allowed := range map[string]bool{"b/x": true, "b/x/y": false} {
		d, err := c.TestPolicy(ctx, "sa:x", path, scaivault.PermissionWrite)
		require.NoError(t, err)
		require.Equal(t, allowed, d.Allowed, path)
	}
	err = c.DeletePolicy(ctx, made.ID, nil)
	requireMatches(t, err, scaivault.ErrConflict)
	require.Equal(t, "policy_in_use", requireError(t, err).Code)
	require.NoError(t, c.UnbindPolicy(ctx, made.ID, bound.ID))
	requireMatches(t, c.UnbindPolicy(ctx, made.ID, bound.ID), scaivault.ErrNotFound)
	require.NoError(t, c.DeletePolicy(ctx, made.ID, &scaivault.DeletePolicyOptions{Force: true}))
	_, err = c.GetPolicy(ctx, made.ID)
	requireMatches(t, err, scaivault.ErrNotFound)
	_, err = c.UpdatePolicy(ctx, changed)
	requireMatches(t, err, scaivault.ErrNotFound)
}

// TestWatchGoesOnToTheNextAddress of the same service, without a word.
func TestWatchGoesOnToTheNextAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scaivaulttest.NewServer(t)
		var down atomic.Value
		down.Store("none")
		rt := s.RoundTripper()
		byHost := roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == down.Load() {
				return reply(502, balancerPage), nil
			}
			return rt.RoundTrip(r)
		})
		c := newTestClient(t, "", through(byHost), func(cfg *scaivault.ClientConfig) {
			cfg.URLs = []string{"https://a.test", "https://b.test"}
			cfg.Token = scaivault.StaticToken(s.IssueToken("sa:x"))
		})
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, c, nil)
		synctest.Wait()
		var want []string
		for _, host := range []string{"a.test", "b.test", "none", "a.test"} {
			down.Store(host)
			for range 5 {
				want = append(want, s.Emit(scaivaulttest.Event{Type: "secret.updated", Path: "a/b"}))
				time.Sleep(20 * time.Second)
			}
		}
		require.Empty(t, w.errors())
		require.Equal(t, want, w.told())
		cancel()
		<-w.ended
	})
}
