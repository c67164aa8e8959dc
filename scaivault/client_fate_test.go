// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// putOnly is a service that answers every PUT in one way and has no secret.
func putOnly(puts *atomic.Int64, put http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
			put(w, r)
			return
		}
		answer(404, refusal("secret_not_found"))(w, r)
	}
}

// TestAnswersToAWrite: which of them say that it was done, that it was not, and
// that nobody knows.
func TestAnswersToAWrite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		put     http.HandlerFunc
		want    error // nil: done
		version int
	}{
		"whole object":            {answer(200, oneSecret), nil, 3},
		"path and version":        {answer(201, `{"path":"a","version":9}`), nil, 9},
		"under a key":             {answer(200, `{"secret":{"version":4}}`), nil, 4},
		"a key of another type":   {answer(200, `{"secret":"a","version":5}`), nil, 5},
		"nothing":                 {answer(204, ""), nil, 0},
		"blanks":                  {answer(200, " \n"), nil, 0},
		"other JSON":              {answer(200, `["ok"]`), nil, 0},
		"version in words":        {answer(200, `{"version":"seven"}`), nil, 0},
		"accepted":                {answer(202, `{}`), nil, 0},
		"a page":                  {answer(200, balancerPage), scaivault.ErrUncertain, 0},
		"cut JSON":                {answer(200, `{"version":`), scaivault.ErrUncertain, 0},
		"success that says error": {answer(200, refusal("access_denied")), scaivault.ErrUncertain, 0},
		"cut":                     {hijack(""), scaivault.ErrUncertain, 0},
		"cut in the body":         {hijack("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), scaivault.ErrUncertain, 0},
		"another protocol":        {hijack("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), scaivault.ErrUncertain, 0},
		"cut in a 500":            {hijack("HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n{"), scaivault.ErrUncertain, 0},
		"cut in a 403":            {hijack("HTTP/1.1 403 X\r\nContent-Length: 9\r\n\r\n{"), scaivault.ErrUnavailable, 0},
		"500":                     {answer(500, refusal("internal_error")), scaivault.ErrUncertain, 0},
		"502":                     {answer(502, balancerPage), scaivault.ErrUncertain, 0},
		"503":                     {answer(503, refusal("service_unavailable")), scaivault.ErrUncertain, 0},
		"504":                     {answer(504, ""), scaivault.ErrUncertain, 0},
		"408":                     {answer(408, ""), scaivault.ErrUncertain, 0},
		"see other":               {answer(303, ""), scaivault.ErrUncertain, 0},
		"internal error as 400":   {answer(400, refusal("internal_error")), scaivault.ErrUncertain, 0},
		"denied, as 500":          {answer(500, refusal("access_denied")), scaivault.ErrPermission, 0},
		"conflict":                {answer(409, refusal("version_conflict")), scaivault.ErrConflict, 0},
		"deleted path":            {answer(409, refusal("secret_exists")), scaivault.ErrConflict, 0},
		"a page with 404":         {answer(404, balancerPage), scaivault.ErrUnavailable, 0},
		"a page with 413":         {answer(413, balancerPage), scaivault.ErrUnavailable, 0},
		"too large":               {answer(413, refusal("too_large")), scaivault.ErrInvalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var puts atomic.Int64
			w, err := serve(t, putOnly(&puts, c.put), retries(3)).Put(t.Context(), "a", map[string]any{"k": "v"}, nil)
			require.EqualValues(t, 1, puts.Load(), "sent once")
			if c.want != nil {
				requireMatches(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, &scaivault.Written{Version: c.version, Source: "scaivault"}, w)
		})
	}
}

// TestInterruptedWrite: who leaves while a write is under way is told what
// became of it, if that can be known.
func TestInterruptedWrite(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		for _, deadline := range []bool{true, false} {
			t.Run(fmt.Sprintf("done %t, deadline %t", done, deadline), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s, c := service(t, nil)
					s.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: done, Hang: true})
					ctx, cancel := context.WithCancel(t.Context())
					want := context.Canceled
					if deadline {
						want = context.DeadlineExceeded
						ctx, cancel = context.WithTimeout(t.Context(), time.Second)
					} else {
						time.AfterFunc(time.Second, cancel)
					}
					defer cancel()
					w, err := c.Put(ctx, testPath, valueA, nil)
					if done {
						require.NoError(t, err)
						require.Equal(t, 1, w.Version)
						return
					}
					requireMatches(t, err, scaivault.ErrUncertain, want)
				})
			})
		}
	}
}

// TestLookForALostWriteIsBounded when the service hangs as a whole.
func TestLookForALostWriteIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := service(t, nil)
		s.Inject(scaivaulttest.Fault{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Put(ctx, testPath, valueA, nil)
		requireMatches(t, err, scaivault.ErrUncertain, context.DeadlineExceeded)
		require.Equal(t, 6*time.Second, time.Since(start))
	})
	synctest.Test(t, func(t *testing.T) { // by the Client's own timeout, too
		c := newTestClient(t, "https://s.test", through(&script{answers: says2(hangs)}), func(cfg *scaivault.ClientConfig) { cfg.Timeout = 2 * time.Second })
		start := time.Now()
		requireMatches(t, putOf(valueA, nil)(context.WithoutCancel(t.Context()), c), scaivault.ErrUncertain)
		require.Equal(t, 4*time.Second, time.Since(start))
	})
}

// TestLostWriteOfACopyIsToldByItsMark together with its data, as the mark can be
// an old one.
func TestLostWriteOfACopyIsToldByItsMark(t *testing.T) {
	t.Parallel()
	metadata := func(id string) scaivault.Metadata {
		return scaivault.Metadata{Values: mark.Mark{Source: "kv/data/a", SourceVersion: 1, Version: 2, WriteID: id}.AddTo(nil)}
	}
	for name, c := range map[string]struct {
		id, data string // that stand there
		marked   bool   // the write
		known    bool
	}{
		"ours": {"w", "v", true, true}, "other data": {"w", "x", true, false},
		"another mark": {"u", "v", true, false}, "no mark of ours": {"w", "v", false, false},
	} {
		there, err := json.Marshal(map[string]any{"data": map[string]any{"k": c.data}, "version": 2, "metadata": metadata(c.id)})
		require.NoError(t, err)
		rt := &script{answers: says2(says(503, refusal("service_unavailable"), "Retry-After", "7"), says(200, string(there)))}
		opts := &scaivault.PutOptions{}
		if c.marked {
			opts.Metadata = metadata("w")
		}
		err = putOf(map[string]any{"k": "v"}, opts)(t.Context(), newTestClient(t, "https://s.test", through(rt)))
		if c.known {
			require.NoError(t, err, name)
			continue
		}
		requireMatches(t, err, scaivault.ErrUncertain)
		require.Zero(t, requireError(t, err).RetryAfter, "nobody should write it again")
	}
}

// TestLostWriteIsToldByTime where the service's clock proves it, and only there.
func TestLostWriteIsToldByTime(t *testing.T) {
	t.Parallel()
	const instant = 300 * time.Millisecond // of the second, when the write begins
	for name, c := range map[string]struct {
		updated time.Duration // after the write began
		skew    time.Duration // of the service's clock
		takes   time.Duration // from the write to its failure
		layout  string
		known   bool
	}{
		"just now":                           {updated: time.Millisecond, layout: time.RFC3339Nano, known: true},
		"just before":                        {updated: -time.Millisecond, layout: time.RFC3339Nano},
		"later":                              {updated: 2 * time.Second, takes: 3 * time.Second, layout: time.RFC3339Nano, known: true},
		"whole seconds, within the first":    {updated: time.Millisecond, layout: time.RFC3339},
		"whole seconds, later":               {updated: 2 * time.Second, takes: 3 * time.Second, layout: time.RFC3339, known: true},
		"another clock, at once":             {updated: time.Millisecond, skew: time.Hour, layout: time.RFC3339Nano},
		"another clock, later":               {updated: 2 * time.Second, takes: 3 * time.Second, skew: time.Hour, layout: time.RFC3339Nano, known: true},
		"a clock behind, later":              {updated: 2 * time.Second, takes: 3 * time.Second, skew: -time.Hour, layout: time.RFC3339Nano, known: true},
		"another clock, before":              {updated: -time.Second, takes: 3 * time.Second, skew: -time.Hour, layout: time.RFC3339Nano},
		"an hour ahead of the service's own": {updated: time.Hour, layout: time.RFC3339Nano},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(instant)
				began := time.Now()
				rt := &script{answers: says2(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPut {
						time.Sleep(c.takes)
						return nil, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
					}
					time.Sleep(10 * time.Millisecond)
					return says(200, `{"data":{"k":"v"},"version":2,"updated_at":"`+began.Add(c.updated+c.skew).UTC().Format(c.layout)+`"}`,
						"Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))(r)
				})}
				w, err := newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), "a", map[string]any{"k": "v"}, nil)
				if !c.known {
					requireMatches(t, err, scaivault.ErrUncertain)
					return
				}
				require.NoError(t, err)
				require.Equal(t, 2, w.Version)
			})
		})
	}
}

// TestLostWriteUnderAConditionIsToldByItsVersion.
func TestLostWriteUnderAConditionIsToldByItsVersion(t *testing.T) {
	t.Parallel()
	for after, want := range map[bool]error{true: nil, false: scaivault.ErrUncertain} {
		s, c := service(t, nil)
		s.Seed(testPath, valueA)
		s.Inject(scaivaulttest.Fault{Method: http.MethodPut, After: after, Cut: scaivaulttest.CutBeforeAnswer})
		one := 1
		w, err := c.Put(t.Context(), testPath, valueA, &scaivault.PutOptions{IfVersion: &one}) // the same data
		if want != nil {
			requireMatches(t, err, want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 2, w.Version)
	}
}

// refusesDial is what a transport does that asks for a connection in vain.
func refusesDial(r *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GetConn(r.URL.Host)
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// TestRefusedDialOfAWriteIsRepeated: nothing was sent.
func TestRefusedDialOfAWriteIsRepeated(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(refusesDial, refusesDial, says(201, `{"version":1}`))}
	w, err := newTestClient(t, "https://s.test", through(rt), retries(2)).Put(t.Context(), "a", map[string]any{}, nil)
	require.NoError(t, err)
	require.Equal(t, 1, w.Version)
	require.EqualValues(t, 3, rt.requests.Load())

	rt = &script{answers: says2(refusesDial)}
	_, err = newTestClient(t, "https://s.test", through(rt), retries(2)).Put(t.Context(), "a", map[string]any{}, nil)
	requireMatches(t, err, scaivault.ErrUnavailable)
	require.EqualValues(t, 3, rt.requests.Load())

	// A transport that fires no hooks may have dialled twice, and sent at first.
	silent := breaks(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	rt = &script{answers: says2(silent)}
	_, err = newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), "a", map[string]any{}, nil)
	requireMatches(t, err, scaivault.ErrUncertain)
	require.EqualValues(t, 2, rt.requests.Load(), "one PUT and one look")
}

// TestConditionOnAVersionThatIsNotTold is not taken for "there is none".
func TestConditionOnAVersionThatIsNotTold(t *testing.T) {
	t.Parallel()
	zero := 0
	var puts atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts.Add(1)
		}
		answer(200, `{"data":{}}`)(w, r)
	})
	_, err := c.Put(t.Context(), "a", map[string]any{}, &scaivault.PutOptions{IfVersion: &zero})
	requireMatches(t, err, scaivault.ErrConflict)
	require.Zero(t, puts.Load())
}

// TestConditionThatCannotBeLookedAt writes nothing.
func TestConditionThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404, 503} {
		rt := &script{answers: says2(says(status, balancerPage))}
		_, err := newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), "a", map[string]any{}, &scaivault.PutOptions{IfAbsent: true})
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.EqualValues(t, 1, rt.requests.Load())
	}
}

// TestPutOnTheWire is byte for byte what the service documents.
func TestPutOnTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data map[string]any
		opts *scaivault.PutOptions
		want string
	}{
		"nothing more": {map[string]any{}, nil, `{"data":{},"secret_type":"json"}`},
		"numbers": {
			map[string]any{"a": json.Number("12345678901234567890"), "b": json.RawMessage("1e400"), "c": json.Number("0.1000")},
			nil,
			`{"data":{"a":12345678901234567890,"b":1e400,"c":0.1000},"secret_type":"json"}`,
		},
		"text": {map[string]any{"t": "<a>&\u2028é", "n": nil, "e": ""}, nil, `{"data":{"e":"","n":null,"t":"<a>&\u2028é"},"secret_type":"json"}`},
		"options": {
			map[string]any{},
			&scaivault.PutOptions{
				Type: scaivault.TypeAPIKey, MaxVersions: 5, ExpiresIn: 36 * time.Hour, RotationPolicyID: "rot_1",
				Metadata: scaivault.Metadata{Description: "d", Tags: []string{"t"}, Owner: "o", Values: map[string]any{"k": json.Number("1.0")}},
			},
			`{"data":{},"secret_type":"api_key","metadata":{"description":"d","k":1.0,"owner":"o","scaivault_write_id":"id","tags":["t"]},` +
				`"options":{"expires_in":"36h","max_versions":5,"rotation_policy_id":"rot_1"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent, kind string
			rt := &script{answers: says2(says(204, "")), seen: func(r *http.Request, body []byte) {
				sent, kind = string(body), r.Header.Get("Content-Type")
			}}
			_, err := newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), "a", c.data, c.opts)
			require.NoError(t, err)
			require.Equal(t, "application/json", kind)
			require.Equal(t, c.want, regexp.MustCompile(`"[0-9a-f]{32}"`).ReplaceAllString(sent, `"id"`))
		})
	}
}

// TestWriteLeftInTheMiddleOfItsAnswer: whoever goes while the body is on its way
// does not turn a status that leaves it open into one that says no.
func TestWriteLeftInTheMiddleOfItsAnswer(t *testing.T) {
	t.Parallel()
	for status, open := range map[int]bool{200: true, 303: true, 408: true, 500: true, 502: true, 503: true, 504: true, 401: false, 403: false, 429: false} {
		synctest.Test(t, func(t *testing.T) {
			rt := &script{answers: says2(func(r *http.Request) (*http.Response, error) {
				resp, err := says(status, "")(r)
				resp.ContentLength, resp.Body = -1, io.NopCloser(readerFunc(func([]byte) (int, error) {
					<-r.Context().Done()
					return 0, r.Context().Err()
				}))
				return resp, err
			}, says(404, refusal("secret_not_found")))}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			err := putOf(map[string]any{"k": "v"}, nil)(ctx, newTestClient(t, "https://s.test", through(rt)))
			if open {
				requireMatches(t, err, scaivault.ErrUncertain, context.Canceled)
			} else {
				requireMatches(t, err, context.Canceled)
			}
			require.Equal(t, status, requireError(t, err).Status)
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestVersionThatWasNotToldProvesNothing about a write under a condition.
func TestVersionThatWasNotToldProvesNothing(t *testing.T) {
	t.Parallel()
	same := map[string]any{"k": "v"}
	rt := &script{answers: says2(says(200, `{"data":{"k":"v"}}`), breaks(syscall.ECONNRESET), says(200, `{"data":{"k":"v"},"version":1}`))}
	unchanged, err := scaivault.NewSecret(scaivault.SecretInfo{}, json.RawMessage(`{"k":"v"}`))
	require.NoError(t, err)
	_, err = newTestClient(t, "https://s.test", through(rt)).Put(t.Context(), "a", same, &scaivault.PutOptions{IfUnchanged: unchanged})
	requireMatches(t, err, scaivault.ErrUncertain)
}
