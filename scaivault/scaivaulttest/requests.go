// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"sync"
	"time"
)

// A Request is one entry in a server's log of requests. It never holds a body, a
// header or a token.
type Request struct {
	Time     time.Time     // when the request arrived
	Duration time.Duration // until the answer was complete; zero while it is under way
	Method   string
	Path     string // as decoded from the URL
	Query    string // as it stood in the URL, without the question mark
	Status   int    // of the answer; zero while there is none, or when the connection was cut before it
	Faulted  bool   // an injected Fault hit it
}

// loggedRequests bounds the log, so that a server under load for hours keeps its size.
const loggedRequests = 1 << 20

// A requestLog holds the latest requests, entered as they arrive.
type requestLog struct {
	mu      sync.Mutex // guards all below
	entries ring[Request]
}

func newRequestLog() *requestLog {
	return &requestLog{entries: ring[Request]{most: loggedRequests}}
}

// begin enters r and returns its number for end.
func (l *requestLog) begin(r *http.Request, faulted bool) int {
	entry := Request{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Faulted: faulted}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries.add(entry)
}

// end completes the entry of a number, unless newer ones have pushed it out.
func (l *requestLog) end(number, status int) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if number < l.entries.oldest() {
		return
	}
	entry := l.entries.at(number)
	entry.Status = status
	entry.Duration = now.Sub(entry.Time)
}

// snapshot copies the log, oldest first.
func (l *requestLog) snapshot() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := l.entries.oldest()
	all := make([]Request, 0, l.entries.count-oldest)
	for number := oldest; number < l.entries.count; number++ {
		all = append(all, *l.entries.at(number))
	}
	return all
}

func (l *requestLog) count(method string, paths glob) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for number := l.entries.oldest(); number < l.entries.count; number++ {
		entry := l.entries.at(number)
		if (method == "" || entry.Method == method) && paths.match(entry.Path) {
			n++
		}
	}
	return n
}

// Requests returns the requests that reached the server, in the order of arrival,
// also those under way and those that a fault hit. It keeps the latest 1,048,576.
func (h *host) Requests() []Request { return h.log.snapshot() }

// RequestCount returns how many of Requests have the method and a path that matches
// pathGlob; empty ones match all. The glob is that of [Fault].Path.
func (h *host) RequestCount(method, pathGlob string) int {
	return h.log.count(method, parseGlob(pathGlob))
}

// A statusWriter notes the status of the answer that passes through it.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
