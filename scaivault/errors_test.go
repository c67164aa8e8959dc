// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestErrorShowsFactsAndNotTheServersWords.
func TestErrorShowsFactsAndNotTheServersWords(t *testing.T) {
	t.Parallel()
	e := &scaivault.Error{
		Kind: scaivault.ErrRateLimited, Op: "get", Source: "scaivault", Path: "a/b", Status: 429, Code: "rate_limited",
		RequestID: "req_1", RetryAfter: 3 * time.Second, Reason: "wait", Message: "canary", Details: json.RawMessage(`"canary"`),
		Err: errors.New("two\r\nlines\u2028and more"),
	}
	require.Equal(t, "get a/b: scaivault: rate limited (status 429, rate_limited, retry after 3s, request req_1): wait: two  lines and more", e.Error())
	require.ErrorIs(t, e, scaivault.ErrRateLimited)
	require.NotErrorIs(t, e, scaivault.ErrUnavailable)

	require.Equal(t, "get: interrupted: context canceled", (&scaivault.Error{Op: "get", Err: context.Canceled}).Error())
	require.ErrorIs(t, &scaivault.Error{Op: "get", Err: context.Canceled}, context.Canceled)
	require.NotPanics(t, func() { _ = fmt.Sprint((*scaivault.Error)(nil)) })
}

// quotingCalls are calls of every method, for a service that quotes a canary
// wherever it can.
var quotingCalls = map[string]func(context.Context, *scaivault.Client) error{
	"get":    getOf("a"),
	"put":    putOf(map[string]any{"k": "v"}, nil),
	"put if": putOf(map[string]any{"k": "v"}, &scaivault.PutOptions{IfAbsent: true}),
	"list":   listOf("a", nil),
	"delete": func(ctx context.Context, c *scaivault.Client) error { return c.Delete(ctx, "a", nil) },
	"batch": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.GetBatch(ctx, []string{"a", "b"})
		return err
	},
	"versions":        func(ctx context.Context, c *scaivault.Client) error { _, err := c.Versions(ctx, "a"); return err },
	"metadata":        func(ctx context.Context, c *scaivault.Client) error { _, err := c.Metadata(ctx, "a"); return err },
	"exists":          func(ctx context.Context, c *scaivault.Client) error { _, err := c.Exists(ctx, "a"); return err },
	"restore":         func(ctx context.Context, c *scaivault.Client) error { _, err := c.Restore(ctx, "a"); return err },
	"update metadata": updateOf("a", scaivault.Metadata{Owner: "o"}),
	"update below":    updateOf("a/metadata", scaivault.Metadata{Owner: "o"}),
	"delete for good": func(ctx context.Context, c *scaivault.Client) error {
		return c.Delete(ctx, "a", &scaivault.DeleteOptions{Permanent: true})
	},
	"put with metadata": putOf(map[string]any{"k": "v"}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "o"}}),
	"who":               func(ctx context.Context, c *scaivault.Client) error { _, err := c.WhoAmI(ctx); return err },
	"ready":             func(ctx context.Context, c *scaivault.Client) error { _, err := c.Ready(ctx); return err },
	"audit":             func(ctx context.Context, c *scaivault.Client) error { return lastAudit(ctx, c, 1) },
	"do": func(ctx context.Context, c *scaivault.Client) error {
		return c.Do(ctx, "POST", "/v1/x", map[string]any{"k": "v"}, nil)
	},
	"do read": doOf("/v1/x"),
	"live":    liveOf,
	"version": versionOf,
	"subscribe": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.CreateSubscription(ctx, oneSpec())
		return err
	},
	"subscriptions": func(ctx context.Context, c *scaivault.Client) error { _, err := subscriptionsOf(ctx, c); return err },
	"subscription": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.GetSubscription(ctx, "x")
		return err
	},
	"unsubscribe": func(ctx context.Context, c *scaivault.Client) error { return c.DeleteSubscription(ctx, "x") },
	"poll":        func(ctx context.Context, c *scaivault.Client) error { _, _, err := c.Poll(ctx, "x", nil); return err },
	"ack":         func(ctx context.Context, c *scaivault.Client) error { return c.Ack(ctx, "x", "e") },
	"watch": func(ctx context.Context, c *scaivault.Client) error {
		for _, err := range c.Watch(ctx, "a") {
			return err
		}
		return nil
	},
	"policies": func(ctx context.Context, c *scaivault.Client) error { _, err := policiesOf(ctx, c, nil); return err },
	"policy":   func(ctx context.Context, c *scaivault.Client) error { _, err := c.GetPolicy(ctx, "x"); return err },
	"permit": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.CreatePolicy(ctx, onePolicy(""))
		return err
	},
	"re-permit": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.UpdatePolicy(ctx, onePolicy("x"))
		return err
	},
	"revoke": func(ctx context.Context, c *scaivault.Client) error { return c.DeletePolicy(ctx, "x", nil) },
	"bind": func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.BindPolicy(ctx, "x", oneBinding)
		return err
	},
	"unbind":     func(ctx context.Context, c *scaivault.Client) error { return c.UnbindPolicy(ctx, "x", "y") },
	"bindings":   lastBinding,
	"may policy": mayOf,
}

func lastBinding(ctx context.Context, c *scaivault.Client) (last error) {
	for _, err := range c.PolicyBindings(ctx, "x") {
		last = err
	}
	return last
}

func mayOf(ctx context.Context, c *scaivault.Client) error {
	_, err := c.TestPolicy(ctx, "sa:x", "a", scaivault.PermissionRead)
	return err
}

func updateOf(path string, m scaivault.Metadata) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.UpdateMetadata(ctx, path, m)
		return err
	}
}

// carriesNoToken names the calls that no service learns the token from.
var carriesNoToken = map[string]bool{"ready": true, "live": true, "version": true}

// TestNoErrorQuotesTheServer: whatever a service says, and wherever.
func TestNoErrorQuotesTheServer(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry of the server! " + testToken
	text, _ := json.Marshal(canary)
	bodies := []string{
		canary, "<html>" + canary, `{"error":{"code":"access_denied","message":` + string(text) + `,"details":{"v":` + string(text) + `},"request_id":` + string(text) + `}}`,
		`{"error":{"code":` + string(text) + `}}`, `{"data":` + string(text) + `}`, `{"data":{"v":` + string(text) + `}`, `{"secrets":` + string(text) + `}`,
		`{"secrets":{"a":` + string(text) + `},"errors":{"a":{"code":"access_denied","message":` + string(text) + `},"b":` + string(text) + `}}`,
		`{"logs":[` + string(text) + `]}`, `{"identity_id":{"v":` + string(text) + `}}`, `{"status":"not_ready","errors":{"x":` + string(text) + `}}`,
		`{"id":"x","name":` + string(text) + `,"rules":` + string(text) + `}`, `{"policies":[` + string(text) + `]}`, `{"bindings":[` + string(text) + `]}`,
		`{"events":[` + string(text) + `]}`, `{"allowed":` + string(text) + `}`,
	}
	failed, shown := 0, map[string]bool{}
	for _, body := range bodies {
		for _, status := range []int{200, 302, 401, 403, 404, 429, 500, 503} {
			rt := &script{answers: says2(says(status, body, "X-Request-ID", canary, "Retry-After", canary, "Content-Type", canary, "Location", "/"+canary))}
			c := newTestClient(t, "https://s.test", through(rt))
			for name, call := range quotingCalls {
				err := call(t.Context(), c)
				if err == nil {
					continue
				}
				failed++
				e := requireError(t, err)
				alike := fmt.Sprint(name, err, e.Code, e.Message, e.Details)
				if shown[alike] { // whatever prints the one prints the other
					continue
				}
				shown[alike] = true
				for how, shown := range shownForms(err) {
					// fmt prints the fields of a pointer in an unexported field where
					// the verb does not fit; what the request carried is not in them.
					holder := how == "%s of a holder" || how == "%q of a holder"
					if !holder || !carriesNoToken[name] {
						require.NotContains(t, shown, testToken, "%s of %s with %d", how, name, status)
					}
					if !holder {
						require.NotContains(t, shown, "c4n4ry", "%s of %s with %d", how, name, status)
					}
				}
			}
		}
	}
	require.Greater(t, failed, 500)
}

// shownForms are the ways in which an error gets into a log.
func shownForms(err error) map[string]string {
	forms := map[string]string{}
	type holder struct {
		Err     error
		private error
	}
	var e *scaivault.Error
	held := map[string]any{
		"itself": err, "a holder": holder{err, err}, "a slice": []error{err}, "a map": map[string]error{"e": err},
		"a wrapper": fmt.Errorf("more: %w", err), "a join": errors.Join(err, err),
	}
	if errors.As(err, &e) {
		held["a copy"] = *e // by mistake
	}
	for i, v := range held {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%10.3v"} {
			forms[verb+" of "+i] = fmt.Sprintf(verb, v)
		}
		encoded, _ := json.Marshal(v)
		forms["json of "+i] = string(encoded)
		encoded, _ = xml.Marshal(v)
		forms["xml of "+i] = string(encoded)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		forms["slog of "+i] = log.String()
	}
	return forms
}

// TestDetailsStayJSON where what the request carried is taken out of them.
func TestDetailsStayJSON(t *testing.T) {
	t.Parallel()
	for details, want := range map[string]string{
		`{"got":"54321","max":7}`: `{"got":"REDACTED","max":7}`,
		`{"got":54321}`:           ``, // a number that was taken out leaves no JSON
		`{"max":7}`:               `{"max":7}`,
	} {
		body := `{"error":{"code":"validation_error","details":` + details + `}}`
		_, err := serve(t, answer(422, body)).Put(t.Context(), "a", map[string]any{"pin": 54321}, nil)
		require.Equal(t, want, string(requireError(t, err).Details))
	}
}

// TestBatchEntriesDoNotQuoteTheToken either.
func TestBatchEntriesDoNotQuoteTheToken(t *testing.T) {
	t.Parallel()
	body := `{"errors":{"a":{"code":"access_denied","message":"token ` + testToken + ` may not","details":{"t":"` + testToken + `"}}}}`
	_, err := serve(t, answer(200, body)).GetBatch(t.Context(), []string{"a"})
	e := requireError(t, err)
	require.Equal(t, "token REDACTED may not", e.Message)
	require.JSONEq(t, `{"t":"REDACTED"}`, string(e.Details))
}

// TestClientOfTheCallerIsNotChanged, and neither are the caller's slices used
// later on.
func TestClientOfTheCallerIsNotChanged(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(says(200, oneSecret))}
	given := &http.Client{Transport: rt, Timeout: 7 * time.Second}
	before := *given
	urls := []string{"https://s.test"}
	c := newTestClient(t, "", func(cfg *scaivault.ClientConfig) { cfg.URLs, cfg.HTTPClient = urls, given })
	urls[0] = "https://elsewhere.test"
	given.Transport = &script{}
	_, err := c.Get(t.Context(), "a")
	require.NoError(t, err)
	given.Transport = rt
	require.Equal(t, before, *given)
}
