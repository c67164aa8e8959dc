// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// oneSpec is a spec that can be sent.
func oneSpec(change ...func(*scaivault.SubscriptionSpec)) scaivault.SubscriptionSpec {
	s := scaivault.SubscriptionSpec{Name: "cache", Paths: []string{"a/**"}, Events: []scaivault.EventType{scaivault.EventSecretUpdated}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func hook(url string, secret scaivault.TokenSource) func(*scaivault.SubscriptionSpec) {
	return func(s *scaivault.SubscriptionSpec) { s.Webhook = &scaivault.WebhookSpec{URL: url, Secret: secret} }
}

func subscriptionsOf(ctx context.Context, c *scaivault.Client) (all []scaivault.Subscription, last error) {
	for s, err := range c.Subscriptions(ctx) {
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

func TestCreateSubscriptionSendsWhatIsDocumented(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec scaivault.SubscriptionSpec
		body string
	}{
		"polling": {oneSpec(), `{"name":"cache","paths":["a/**"],"events":["secret.updated"],"delivery":{"type":"polling"}}`},
		"buffer and filters": {
			oneSpec(func(s *scaivault.SubscriptionSpec) {
				s.BufferSize, s.Filters = 50, map[string]any{"x": json.Number("1.0")}
			}),
			`{"name":"cache","paths":["a/**"],"events":["secret.updated"],"delivery":{"type":"polling","buffer_size":50},"filters":{"x":1.0}}`,
		},
		"webhook": {
			oneSpec(hook("https://h.test/x?y=1", scaivault.StaticToken("sécret key"))),
			`{"name":"cache","paths":["a/**"],"events":["secret.updated"],"delivery":{"type":"webhook","url":"https://h.test/x?y=1","secret":"sécret key"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{answers: says2(says(201, `{"id":"sub_1","name":"cache","status":"active","identity_id":"sa:x"}`)), seen: func(r *http.Request, body []byte) {
				assert.Equal(t, "POST https://s.test/v1/subscriptions", r.Method+" "+r.URL.String())
				assert.JSONEq(t, c.body, string(body))
			}}
			s, err := newTestClient(t, "https://s.test", through(rt)).CreateSubscription(t.Context(), c.spec)
			require.NoError(t, err)
			require.Equal(t, "sub_1", s.ID)
			require.Equal(t, "sa:x", s.IdentityID)
			require.Equal(t, c.spec.Paths, s.Paths)
			require.Equal(t, c.spec.Events, s.Events)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", s, s, c.spec), "sécret")
		})
	}
}

func TestCreateSubscriptionRefusesWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	none := scaivault.TokenFunc(func(context.Context) (string, error) { return "", errors.New("the vault is shut") })
	for name, s := range map[string]scaivault.SubscriptionSpec{
		"nothing":       {},
		"no name":       oneSpec(func(s *scaivault.SubscriptionSpec) { s.Name = " " }),
		"no paths":      oneSpec(func(s *scaivault.SubscriptionSpec) { s.Paths = nil }),
		"bad path":      oneSpec(func(s *scaivault.SubscriptionSpec) { s.Paths = []string{"a", "/b"} }),
		"no events":     oneSpec(func(s *scaivault.SubscriptionSpec) { s.Events = nil }),
		"empty event":   oneSpec(func(s *scaivault.SubscriptionSpec) { s.Events = []scaivault.EventType{""} }),
		"buffer":        oneSpec(func(s *scaivault.SubscriptionSpec) { s.BufferSize = -1 }),
		"buffer of one": oneSpec(hook("https://h.test", scaivault.StaticToken("x")), func(s *scaivault.SubscriptionSpec) { s.BufferSize = 1 }),
		"plain http":    oneSpec(hook("http://h.test", scaivault.StaticToken("x"))),
		"no host":       oneSpec(hook("https:///x", scaivault.StaticToken("x"))),
		"user":          oneSpec(hook("https://u:p@h.test", scaivault.StaticToken("x"))),
		"no url":        oneSpec(hook("", scaivault.StaticToken("x"))),
		"bad url":       oneSpec(hook("https://h.test/%zz", scaivault.StaticToken("x"))),
		"no secret":     oneSpec(hook("https://h.test", nil)),
		"empty secret":  oneSpec(hook("https://h.test", scaivault.StaticToken(""))),
		"bytes":         oneSpec(hook("https://h.test", scaivault.StaticToken("\xff\xfe"))),
		"failed secret": oneSpec(hook("https://h.test", none)),
		"filters":       oneSpec(func(s *scaivault.SubscriptionSpec) { s.Filters = map[string]any{"x": func() {}} }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{}
			_, err := newTestClient(t, "https://s.test", through(rt)).CreateSubscription(t.Context(), s)
			requireMatches(t, err, scaivault.ErrInvalid)
			require.Zero(t, rt.requests.Load())
		})
	}
}

// TestCreateSubscriptionIsSentOnce: a lost answer is ErrUncertain.
func TestCreateSubscriptionIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]func(*http.Request) (*http.Response, error){
		"cut": breaks(errors.New("reset")), "500": says(500, refusal("internal_error")), "page": says(502, balancerPage), "strange": says(201, `{"status":"active"}`),
		"empty": says(201, ""), "html": says(200, balancerPage), "number": says(201, `{"id":7}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{answers: says2(a)}
			_, err := newTestClient(t, "https://s.test", through(rt), retries(5)).CreateSubscription(t.Context(), oneSpec())
			requireMatches(t, err, scaivault.ErrUncertain)
			require.EqualValues(t, 1, rt.requests.Load())
		})
	}
	rt := &script{answers: says2(says(429, refusal("rate_limited")), says(201, `{"subscription":{"id":"sub_1"}}`))}
	s, err := newTestClient(t, "https://s.test", through(rt), retries(5)).CreateSubscription(t.Context(), oneSpec())
	require.NoError(t, err, "what was refused for its rate is repeated")
	require.Equal(t, "sub_1", s.ID)
}

// TestWebhookSecretIsTakenOutOfTheServersWords.
func TestWebhookSecretIsTakenOutOfTheServersWords(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":"validation_error","message":"secret not-a-real-key is weak","details":{"secret":"not-a-real-key"}}}`
	_, err := serve(t, answer(422, body)).CreateSubscription(t.Context(), oneSpec(hook("https://h.test", scaivault.StaticToken("not-a-real-key"))))
	e := requireError(t, err)
	require.NotContains(t, e.Message+string(e.Details), "not-a-real-key")
}

func TestSubscriptionIsRead(t *testing.T) {
	t.Parallel()
	whole := `{"id":"sub_1","name":"n","status":"paused","identity_id":"sa:x","paths":["a/**"],"events":["secret.updated"],` +
		`"delivery":{"type":"webhook","url":"https://h.test","secret":"xx","buffer_size":9},"new":[{}]}`
	want := scaivault.Subscription{
		ID: "sub_1", Name: "n", Status: "paused", IdentityID: "sa:x", Paths: []string{"a/**"}, Events: []scaivault.EventType{"secret.updated"},
		Delivery: "webhook", WebhookURL: "https://h.test", BufferSize: 9,
	}
	for _, body := range []string{whole, `{"subscription":` + whole + `}`} {
		s, err := serve(t, answer(200, body)).GetSubscription(t.Context(), "sub_1")
		require.NoError(t, err)
		require.Equal(t, &want, s)
	}
	for _, body := range []string{`{"subscriptions":[` + whole + `]}`, `{"data":[` + whole + `],"cursor":null,"has_more":false}`, `[` + whole + `]`, `{"items":[` + whole + `]}`} {
		all, err := subscriptionsOf(t.Context(), serve(t, answer(200, body)))
		require.NoError(t, err)
		require.Equal(t, []scaivault.Subscription{want}, all)
	}
	for _, body := range []string{`{}`, `null`, `7`, `{"subscriptions":7}`, `{"subscriptions":[7]}`, `{"subscriptions":[{}]}`, `{"subscriptions":[],"has_more":true}`, balancerPage} {
		_, err := subscriptionsOf(t.Context(), serve(t, answer(200, body)))
		requireMatches(t, err, scaivault.ErrUnavailable)
		_, err = serve(t, answer(200, body)).GetSubscription(t.Context(), "sub_1")
		requireMatches(t, err, scaivault.ErrUnavailable)
	}
	s, err := serve(t, answer(200, `{"id":"x","name":7,"paths":"a","events":{},"delivery":[],"status":null}`)).GetSubscription(t.Context(), "x")
	require.NoError(t, err, "only the id counts")
	require.Equal(t, &scaivault.Subscription{ID: "x"}, s)
}

// TestIDsAreEscaped, and those that would name another address are refused.
func TestIDsAreEscaped(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*scaivault.Client, string) error{
		"get":    func(c *scaivault.Client, id string) error { _, err := c.GetSubscription(t.Context(), id); return err },
		"delete": func(c *scaivault.Client, id string) error { return c.DeleteSubscription(t.Context(), id) },
		"poll":   func(c *scaivault.Client, id string) error { _, _, err := c.Poll(t.Context(), id, nil); return err },
		"ack":    func(c *scaivault.Client, id string) error { return c.Ack(t.Context(), id, "e") },
		"policy": func(c *scaivault.Client, id string) error { _, err := c.GetPolicy(t.Context(), id); return err },
		"forget": func(c *scaivault.Client, id string) error { return c.DeletePolicy(t.Context(), id, nil) },
		"replace": func(c *scaivault.Client, id string) error {
			_, err := c.UpdatePolicy(t.Context(), onePolicy(id))
			return err
		},
		"bind": func(c *scaivault.Client, id string) error {
			_, err := c.BindPolicy(t.Context(), id, oneBinding)
			return err
		},
		"bindings": func(c *scaivault.Client, id string) error {
			for _, err := range c.PolicyBindings(t.Context(), id) {
				return err
			}
			return nil
		},
	}
	for name, call := range calls {
		rt := &script{answers: says2(says(403, refusal("access_denied"))), seen: func(r *http.Request, _ []byte) {
			assert.Contains(t, r.URL.EscapedPath(), "/a%2Fb%3Fc%23%20%2E%2E"[:16], name)
			assert.NotContains(t, r.URL.RawQuery, "c#")
		}}
		c := newTestClient(t, "https://s.test", through(rt))
		requireMatches(t, call(c, "a/b?c# .."), scaivault.ErrPermission)
		require.EqualValues(t, 1, rt.requests.Load(), name)
		for _, id := range []string{"", " ", ".", "..", "a\nb", "\xff", strings.Repeat("x", 513)} {
			requireMatches(t, call(c, id), scaivault.ErrInvalid)
		}
		require.EqualValues(t, 1, rt.requests.Load(), name)
	}
}

// TestDeletingLooksWhenTheAnswerIsLost: for subscriptions and policies.
func TestDeletingLooksWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*scaivault.Client) error{
		"subscription": func(c *scaivault.Client) error { return c.DeleteSubscription(t.Context(), "x") },
		"policy":       func(c *scaivault.Client) error { return c.DeletePolicy(t.Context(), "x", nil) },
	}
	there := says(200, `{"id":"x","name":"x"}`)
	for name, call := range calls {
		gone := says(404, refusal(name+"_not_found"))
		for _, c := range []struct {
			name   string
			first  func(*http.Request) (*http.Response, error)
			look   func(*http.Request) (*http.Response, error)
			asked  int64
			result error
		}{
			{"204", says(204, ""), there, 1, nil},
			{"200", says(200, `{"deleted":true}`), there, 1, nil},
			{"202", says(202, ""), there, 1, nil},
			{"missing", gone, there, 1, scaivault.ErrNotFound},
			{"denied", says(403, refusal("access_denied")), there, 1, scaivault.ErrPermission},
			{"bound", says(409, refusal("policy_in_use")), there, 1, scaivault.ErrConflict},
			{"cut, gone", breaks(errors.New("reset")), gone, 2, nil},
			{"cut, there", breaks(errors.New("reset")), there, 2, scaivault.ErrUncertain},
			{"cut, cut", breaks(errors.New("reset")), breaks(errors.New("reset")), 2, scaivault.ErrUncertain},
			{"page, gone", says(200, balancerPage), gone, 2, nil},
			{"error in 200", says(200, refusal("internal_error")), there, 2, scaivault.ErrUncertain},
			{"500, gone", says(500, refusal("internal_error")), gone, 2, nil},
		} {
			rt := &script{answers: says2(c.first, c.look)}
			err := call(newTestClient(t, "https://s.test", through(rt)))
			if c.result == nil {
				require.NoError(t, err, name+" "+c.name)
			} else {
				requireMatches(t, err, c.result)
			}
			require.Equal(t, c.asked, rt.requests.Load(), name+" "+c.name)
		}
	}
}

func TestPollReadsEvents(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, `{"events":[{"event_id":"e1","event_type":"secret.rotated","timestamp":"2030-01-01T00:00:00Z","path":"a","data":{"new_version":2}}],"has_more":true}`))}
	rt.seen = func(r *http.Request, _ []byte) {
		assert.Equal(t, "https://s.test/v1/subscriptions/sub_1/poll?max_events=5&since_event_id=e0&timeout=60", r.URL.String())
	}
	c := newTestClient(t, "https://s.test", through(rt))
	events, more, err := c.Poll(t.Context(), "sub_1", &scaivault.PollOptions{Timeout: time.Minute, SinceEventID: "e0", MaxEvents: 5})
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, []scaivault.Event{{ID: "e1", Type: scaivault.EventSecretRotated, Time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Path: "a", Data: []byte(`{"new_version":2}`)}}, events)

	for _, empty := range []struct {
		status int
		body   string
	}{{204, ""}, {200, `{"events":[],"has_more":false}`}, {200, `{"events":null}`}, {200, `[]`}, {200, `{"data":[]}`}} {
		events, more, err := serve(t, answer(empty.status, empty.body)).Poll(t.Context(), "x", nil)
		require.NoError(t, err)
		require.Empty(t, events)
		require.False(t, more)
	}
	events, _, err = serve(t, answer(200, `{"events":[{"event_id":"e1","event_type":"t"},7,{}]}`)).Poll(t.Context(), "x", nil)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.Len(t, events, 1, "what can be read comes with the error")
	for _, o := range []scaivault.PollOptions{{Timeout: -1}, {Timeout: time.Millisecond}, {Timeout: 61 * time.Second}, {Timeout: 1500 * time.Millisecond}, {MaxEvents: -1}} {
		_, _, err := newTestClient(t, "https://s.test").Poll(t.Context(), "x", &o)
		requireMatches(t, err, scaivault.ErrInvalid)
	}
}

// TestPollOutlastsItsTimeout, and not the caller's context.
func TestPollOutlastsItsTimeout(t *testing.T) {
	t.Parallel()
	slow := func(d time.Duration) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(d):
				return says(200, `{"events":[]}`)(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
	}
	for name, c := range map[string]struct {
		takes, poll, ctx, client time.Duration
		err                      []error
	}{
		"default":            {30 * time.Second, 0, 0, 0, nil},
		"longest":            {60 * time.Second, 60 * time.Second, 0, 0, nil},
		"some slack":         {65 * time.Second, 60 * time.Second, 0, 0, nil},
		"never":              {time.Hour, 10 * time.Second, 0, 0, []error{scaivault.ErrUnavailable}},
		"the caller's ctx":   {time.Hour, 0, 5 * time.Second, 0, []error{scaivault.ErrUnavailable, context.DeadlineExceeded}},
		"a short-lived HTTP": {4 * time.Second, 0, 0, 9 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.ctx)
					defer cancel()
				}
				rt := &script{answers: says2(slow(c.takes)), seen: func(r *http.Request, _ []byte) {
					if c.client > 0 {
						assert.Equal(t, "4", r.URL.Query().Get("timeout"))
					}
				}}
				client := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.HTTPClient.Timeout = c.client })
				_, _, err := client.Poll(ctx, "x", &scaivault.PollOptions{Timeout: c.poll})
				if c.err == nil {
					require.NoError(t, err)
					return
				}
				requireMatches(t, err, c.err...)
			})
		})
	}
}

// TestPollWithTheLongestTimeouts: no sum of them overflows.
func TestPollWithTheLongestTimeouts(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, `{"events":[]}`))}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) {
		cfg.Timeout, cfg.AttemptTimeout = math.MaxInt64, math.MaxInt64
		cfg.HTTPClient.Timeout = time.Hour
	})
	_, _, err := c.Poll(context.WithoutCancel(t.Context()), "x", nil)
	require.NoError(t, err)
}

func TestAck(t *testing.T) {
	t.Parallel()
	for _, a := range []struct {
		status int
		body   string
		err    error
	}{
		{204, "", nil},
		{200, "{}", nil},
		{200, `{"acknowledged":2}`, nil},
		{202, "null", nil},
		{200, balancerPage, scaivault.ErrUnavailable},
		{200, refusal("x"), scaivault.ErrUnavailable},
		{404, refusal("subscription_not_found"), scaivault.ErrNotFound},
		{502, balancerPage, scaivault.ErrUnavailable},
	} {
		rt := &script{answers: says2(says(a.status, a.body)), seen: func(r *http.Request, body []byte) {
			assert.Equal(t, "POST /v1/subscriptions/sub_1/ack", r.Method+" "+r.URL.Path)
			assert.JSONEq(t, `{"event_ids":["e1","e2"]}`, string(body))
		}}
		err := newTestClient(t, "https://s.test", through(rt)).Ack(t.Context(), "sub_1", "e1", "e2")
		if a.err == nil {
			require.NoError(t, err)
			continue
		}
		requireMatches(t, err, a.err)
	}
	rt := &script{answers: says2(breaks(errors.New("reset")), says(204, ""))}
	c := newTestClient(t, "https://s.test", through(rt), retries(1))
	require.NoError(t, c.Ack(t.Context(), "x", "e"), "it may be repeated")
	require.NoError(t, c.Ack(t.Context(), "x"))
	requireMatches(t, c.Ack(t.Context(), "x", "e", ""), scaivault.ErrInvalid)
	require.EqualValues(t, 2, rt.requests.Load())
}
