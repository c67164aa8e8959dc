// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hosted sends one request to a handler through memory.
func hosted(t *testing.T, method string, handler http.HandlerFunc) (*http.Response, error) {
	t.Helper()
	h := newHost(handler, nil)
	t.Cleanup(h.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, "https://user:word@host.test/path?q=1", strings.NewReader("body"))
	require.NoError(t, err)
	res, err := h.RoundTripper().RoundTrip(req)
	if err == nil {
		t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

func TestMemoryRequestLooksLikeOneFromTheWire(t *testing.T) {
	t.Parallel()
	res, err := hosted(t, http.MethodPost, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		assert.Equal(t, "user word", user+" "+password)
		assert.Equal(t, "/path?q=1", r.RequestURI)
		assert.Equal(t, "host.test", r.Host)
		assert.Empty(t, r.URL.Host)
		assert.Empty(t, r.URL.Scheme)
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "body", string(body))
		w.WriteHeader(http.StatusNoContent)
		_, err = w.Write([]byte("x"))
		assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, res.StatusCode)
	assert.Zero(t, res.ContentLength)
	assert.Empty(t, res.Header.Get("Content-Length"))
}

func TestMemoryAnswerStreams(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	res, err := hosted(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(*statusWriter).Unwrap().(http.Flusher).Flush()
		<-read // only a client that has seen the first part gets here
		_, _ = io.WriteString(w, "second")
	})
	require.NoError(t, err)
	assert.EqualValues(t, -1, res.ContentLength, "not known yet")
	part := make([]byte, 5)
	_, err = io.ReadFull(res.Body, part)
	require.NoError(t, err)
	close(read)
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "first second", string(part)+" "+string(rest))
}

func TestMemoryAnswerCloseEndsTheHandler(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	res, err := hosted(t, http.MethodGet, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		_, err := io.WriteString(w, "too late")
		ended <- err
	})
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.ErrorIs(t, <-ended, io.ErrClosedPipe)
}

func TestMemoryAnswerKeepsToItsContentLength(t *testing.T) {
	t.Parallel()
	res, err := hosted(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "short")
	})
	require.NoError(t, err)
	assert.EqualValues(t, 10, res.ContentLength)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)

	_, err = hosted(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1")
		_, err := io.WriteString(w, "long")
		assert.ErrorIs(t, err, http.ErrContentLength)
	})
	require.NoError(t, err)

	res, err = hosted(t, http.MethodHead, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "not sent")
	})
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Empty(t, body)
}

func TestMemoryAnswerOfAHandlerThatPanics(t *testing.T) {
	t.Parallel()
	_, err := hosted(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "lost")
		panic(http.ErrAbortHandler)
	})
	require.ErrorIs(t, err, io.EOF)

	cause := errors.New("a bug")
	_, err = hosted(t, http.MethodGet, func(http.ResponseWriter, *http.Request) { panic(cause) })
	require.ErrorIs(t, err, errHandlerPanicked)
	require.ErrorIs(t, err, cause)
	_, err = hosted(t, http.MethodGet, func(http.ResponseWriter, *http.Request) { panic("not-a-real-secret") })
	require.ErrorIs(t, err, errHandlerPanicked)
	assert.NotContains(t, err.Error(), "not-a-real-secret")

	res, err := hosted(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestSetDownCutsAnAnswerInMemory(t *testing.T) {
	t.Parallel()
	h := newHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), nil)
	t.Cleanup(h.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://host.test/", nil)
	require.NoError(t, err)
	res, err := h.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	h.SetDown(true)
	_, err = io.ReadAll(res.Body)
	require.Error(t, err)
	h.SetDown(false)
}

func TestRequestLogKeepsTheLatest(t *testing.T) {
	t.Parallel()
	log := newRequestLog()
	first, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/first", nil)
	require.NoError(t, err)
	last, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/last", nil)
	require.NoError(t, err)
	gone := log.begin(first, false)
	for range loggedRequests - 1 {
		log.begin(first, false)
	}
	log.end(log.begin(last, true), 201)
	log.end(gone, 500) // its place belongs to another now
	all := log.snapshot()
	require.Len(t, all, loggedRequests)
	assert.Equal(t, "/first", all[0].Path)
	assert.Zero(t, all[0].Status)
	assert.Equal(t, "/last", all[loggedRequests-1].Path)
	assert.Equal(t, 201, all[loggedRequests-1].Status)
	assert.Equal(t, 1, log.count("", parseGlob("/last")))
}

func TestRequestIDsHaveOneLength(t *testing.T) {
	t.Parallel()
	s := &Server{requestTag: "abcdefgh"}
	assert.Equal(t, "req_abcdefgh00000001", s.nextRequestID())
	s.requestSeq.Store(0xfffffffe)
	assert.Equal(t, "req_abcdefghffffffff", s.nextRequestID())
}
