// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestClientPutHappensOnce: a write that may have arrived is looked up and not
// repeated.
func TestClientPutHappensOnce(t *testing.T) {
	t.Parallel()
	for _, a := range writeAnswers {
		if a.down {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, c := service(t, &scaivaulttest.ServerOptions{NoLimits: true}, retries(3))
				s.Seed(testPath, valueA)
				if a.fault != nil {
					f := *a.fault
					f.Method = http.MethodPut
					s.Inject(f)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				w, err := c.Put(ctx, testPath, valueB, nil)
				if a.name != "rate limited" {
					require.Equal(t, 1, s.RequestCount(http.MethodPut, "/v1/secrets/**"))
				}
				if a.want == "ok" {
					require.NoError(t, err)
					require.Equal(t, 2, w.Version)
				} else {
					require.Equal(t, a.want, kindOf(err), "%v", err)
				}
				require.Equal(t, a.done, s.SecretVersion(testPath) == 2)
			})
		})
	}
}

// TestClientRepeats what may be repeated, and how often.
func TestClientRepeats(t *testing.T) {
	t.Parallel()
	refused := breaks(errors.New("no connection hooks were called"))
	for name, c := range map[string]struct {
		answers    []func(*http.Request) (*http.Response, error)
		get, put   int64 // requests
		getOK      bool
		putOK      bool
		atLeastGet time.Duration
	}{
		"503":                   {answers: says2(says(503, refusal("service_unavailable")), says(200, oneSecret)), get: 2, getOK: true, put: 1},
		"429 with seconds":      {answers: says2(says(429, refusal("rate_limited"), "Retry-After", "3"), says(200, oneSecret)), get: 2, getOK: true, put: 2, putOK: true, atLeastGet: 3 * time.Second},
		"internal error, once":  {answers: says2(says(500, refusal("internal_error")), says(500, refusal("internal_error"))), get: 2, put: 1},
		"denied":                {answers: says2(says(403, refusal("access_denied"))), get: 1, put: 1},
		"not found":             {answers: says2(says(404, refusal("secret_not_found"))), get: 1, put: 1},
		"a transport's failure": {answers: says2(refused, refused, refused, says(200, oneSecret)), get: 4, getOK: true, put: 1},
		"wait beyond the end":   {answers: says2(says(429, refusal("rate_limited"), "Retry-After", "3600")), get: 1, put: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := &script{answers: c.answers}
				client := newTestClient(t, "https://s.test", through(rt), retries(3))
				start := time.Now()
				_, err := client.Get(t.Context(), testPath)
				require.Equal(t, c.getOK, err == nil, "%v", err)
				require.Equal(t, c.get, rt.requests.Load())
				require.GreaterOrEqual(t, time.Since(start), c.atLeastGet)
				require.Less(t, time.Since(start), 20*time.Second)
			})
			synctest.Test(t, func(t *testing.T) {
				var puts int64
				rt := &script{answers: c.answers, seen: func(r *http.Request, _ []byte) {
					if r.Method == http.MethodPut {
						puts++
					}
				}}
				_, err := newTestClient(t, "https://s.test", through(rt), retries(3)).Put(t.Context(), testPath, map[string]any{}, nil)
				require.Equal(t, c.putOK, err == nil, "%v", err)
				require.Equal(t, c.put, puts)
			})
		})
	}
}

func says2(answers ...func(*http.Request) (*http.Response, error)) []func(*http.Request) (*http.Response, error) {
	return answers
}

// TestClientGoesOnToTheNextAddress: a read always, a write only while nothing
// was sent.
func TestClientGoesOnToTheNextAddress(t *testing.T) {
	t.Parallel()
	s := scaivaulttest.NewServer(t)
	s.Seed(testPath, valueA)
	token := scaivault.StaticToken(s.IssueToken("sa:x"))
	broken := scaivaulttest.NewServer(t)
	broken.Inject(scaivaulttest.Fault{Status: 502, Body: balancerPage})
	with := func(first string) *scaivault.Client {
		return newTestClient(t, first, func(cfg *scaivault.ClientConfig) { cfg.URLs, cfg.Token = append(cfg.URLs, s.URL()), token })
	}
	for _, first := range []string{refusedURL(t), broken.URL()} {
		secret, err := with(first).Get(t.Context(), testPath)
		require.NoError(t, err)
		require.Equal(t, 1, secret.Version())
	}
	_, err := with(refusedURL(t)).Put(t.Context(), testPath, valueB, nil)
	require.NoError(t, err)
	before := s.SecretVersion(testPath)
	_, err = with(broken.URL()).Put(t.Context(), testPath, valueA, nil)
	requireMatches(t, err, scaivault.ErrUncertain)
	require.Equal(t, before, s.SecretVersion(testPath))
}

// TestClientConditions are a look before the write.
func TestClientConditions(t *testing.T) {
	t.Parallel()
	s, c := service(t, nil)
	zero, one, two := 0, 1, 2
	_, err := c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfVersion: &two})
	requireMatches(t, err, scaivault.ErrConflict)
	_, err = c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfVersion: &zero, IfAbsent: true})
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueB, &scaivault.PutOptions{IfAbsent: true})
	requireMatches(t, err, scaivault.ErrConflict)
	read, err := c.Get(t.Context(), testPath)
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueB, &scaivault.PutOptions{IfVersion: &one, IfUnchanged: read})
	require.NoError(t, err)
	_, err = c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfUnchanged: read})
	requireMatches(t, err, scaivault.ErrConflict)
	require.Equal(t, 2, s.SecretVersion(testPath))
}

// TestClientDurations are whole units on the wire.
func TestClientDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{720 * time.Hour: "30d", 12 * time.Hour: "12h", 90 * time.Minute: "90m", 45 * time.Second: "45s"} {
		var sent string
		rt := &script{answers: says2(says(200, oneSecret)), seen: func(_ *http.Request, body []byte) { sent = string(body) }}
		_, err := newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), testPath, map[string]any{}, &scaivault.PutOptions{ExpiresIn: d, RotationPolicyID: "rot_1"})
		require.NoError(t, err)
		require.JSONEq(t, `{"data":{},"secret_type":"json","options":{"expires_in":"`+want+`","rotation_policy_id":"rot_1"}}`, sent)
	}
}

// TestClientDeleteLooksWhetherItIsGone when the answer is lost.
func TestClientDeleteLooksWhetherItIsGone(t *testing.T) {
	t.Parallel()
	for done, want := range map[bool]string{true: "", false: "uc"} {
		s, c := service(t, nil)
		s.Seed(testPath, valueA)
		s.Inject(scaivaulttest.Fault{Method: http.MethodDelete, After: done, Cut: scaivaulttest.CutBeforeAnswer})
		err := c.Delete(t.Context(), testPath, nil)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, want, kindOf(err))
	}
}

// TestClientAsksForANewTokenOnce after a 401, and repeats the call if there is
// one.
func TestClientAsksForANewTokenOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens   []string
		requests int64
		want     error
	}{
		"renewed":          {[]string{"old", "new"}, 2, nil},
		"the same":         {[]string{"old", "old"}, 1, scaivault.ErrUnauthenticated},
		"still not good":   {[]string{"old", "other"}, 2, scaivault.ErrUnauthenticated},
		"no new one":       {[]string{"old", ""}, 1, scaivault.ErrUnauthenticated},
		"newline in a new": {[]string{"old", "a\nb"}, 1, scaivault.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, call := range []func(context.Context, *scaivault.Client) error{getOf("a"), putOf(map[string]any{}, nil)} {
				rt := &script{answers: []func(*http.Request) (*http.Response, error){func(r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") == "Bearer new" {
						return says(200, oneSecret)(r)
					}
					return says(401, refusal("token_expired"))(r)
				}}}
				asked := 0
				source := scaivault.TokenFunc(func(context.Context) (string, error) {
					asked++
					return c.tokens[min(asked, len(c.tokens))-1], nil
				})
				err := call(t.Context(), newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = source }))
				require.Equal(t, c.requests, rt.requests.Load())
				if c.want == nil {
					require.NoError(t, err)
					continue
				}
				requireMatches(t, err, c.want)
			}
		})
	}
}

// TestClientWithoutAToken says so before any request.
func TestClientWithoutAToken(t *testing.T) {
	t.Setenv("NO_SUCH_TOKEN", "")
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt), func(cfg *scaivault.ClientConfig) { cfg.Token = scaivault.EnvToken("NO_SUCH_TOKEN") })
	_, err := c.Get(t.Context(), testPath)
	require.Error(t, err)
	require.ErrorContains(t, err, "NO_SUCH_TOKEN")
	require.Zero(t, rt.requests.Load())
	t.Setenv("NO_SUCH_TOKEN", testToken)
	rt.answers = append(rt.answers, says(200, oneSecret))
	_, err = c.Get(t.Context(), testPath)
	require.NoError(t, err)
}

// TestServersWordsDoNotQuoteTheRequest: what a server says of a refused write is
// kept, but for the token and the values.
func TestServersWordsDoNotQuoteTheRequest(t *testing.T) {
	t.Parallel()
	const value = "canary-value"
	body := `{"error":{"code":"validation_error","message":"password: ` + value + ` is weak; token ` + testToken + `","details":{"fields":["` + value + `"]}}}`
	_, err := serve(t, answer(422, body)).Put(t.Context(), testPath, map[string]any{"password": value}, nil)
	e := requireError(t, err)
	require.Equal(t, "password: REDACTED is weak; token REDACTED", e.Message)
	require.JSONEq(t, `{"fields":["REDACTED"]}`, string(e.Details))
	holder := struct{ err error }{err}
	for _, verb := range []string{"%s", "%q", "%v", "%+v", "%#v", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, holder), value)
		require.NotContains(t, fmt.Sprintf(verb, holder), testToken)
	}
}

// TestNoTokenComesBackInAnError, wherever in its answer a server puts it.
func TestNoTokenComesBackInAnError(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"request id":             answer(404, refusal("secret_not_found"), "X-Request-ID", testToken),
		"request id of a page":   answer(404, balancerPage, "X-Request-ID", "of:"+testToken),
		"request id of an error": answer(404, `{"error":{"code":"secret_not_found","request_id":"`+testToken+`"}}`),
		"request id of garbage":  answer(200, "{", "X-Request-ID", testToken),
		"code":                   answer(404, refusal(testToken)),
		"code of a batch entry":  answer(200, `{"errors":{"`+testPath+`":{"code":"`+testToken+`"}}}`, "X-Request-ID", testToken),
		"content type":           answer(404, "x", "Content-Type", testToken),
	} {
		c := serve(t, h)
		_, err := c.GetBatch(t.Context(), []string{testPath})
		for _, err := range []error{err, getOf(testPath)(t.Context(), c), putOf(map[string]any{"k": "v"}, nil)(t.Context(), c)} {
			if err != nil {
				require.NotContains(t, err.Error(), testToken, name)
				e := requireError(t, err)
				require.NotContains(t, e.Code+e.RequestID+e.Reason+e.Message, testToken, name)
			}
		}
	}
}

// TestSameDataFromBeforeIsNotOurWrite: the look for a lost write is not taken in
// by an older version with the same data.
func TestSameDataFromBeforeIsNotOurWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := service(t, nil)
		s.Seed(testPath, valueA)
		time.Sleep(time.Hour)
		s.Inject(scaivaulttest.Fault{Method: http.MethodPut, Cut: scaivaulttest.CutBeforeAnswer})
		_, err := c.Put(t.Context(), testPath, valueA, nil)
		requireMatches(t, err, scaivault.ErrUncertain)
	})
}
