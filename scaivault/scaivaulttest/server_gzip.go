// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
)

// A gzipAnswer is an answer whose body is compressed on its way out.
type gzipAnswer struct {
	http.ResponseWriter
	body *gzip.Writer // nil: the answer has none, or has not begun
}

// compressed returns the writer that the answer to r goes through, and what ends it.
func (s *Server) compressed(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func()) {
	if s.quirks.Compression != CompressionGzip || !acceptsGzip(r.Header) {
		return w, func() {}
	}
	zipped := &gzipAnswer{ResponseWriter: w}
	return zipped, zipped.end
}

// acceptsGzip reports whether the client takes gzip (RFC 9110, section 12.5.3).
func acceptsGzip(header http.Header) bool {
	for part := range strings.SplitSeq(strings.Join(header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		_, text, weighted := strings.Cut(weight, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return !weighted || (err == nil && q > 0)
	}
	return false
}

// WriteHeader implements http.ResponseWriter.
func (a *gzipAnswer) WriteHeader(status int) {
	if a.body == nil && bodyAllowed(status) {
		header := a.Header()
		header.Set("Content-Encoding", "gzip")
		header.Add("Vary", "Accept-Encoding")
		a.body = gzip.NewWriter(a.ResponseWriter)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *gzipAnswer) Write(p []byte) (int, error) {
	if a.body == nil {
		a.WriteHeader(http.StatusOK)
	}
	return a.body.Write(p)
}

// end completes the body.
func (a *gzipAnswer) end() {
	if a.body != nil {
		_ = a.body.Close() // a client that left needs no answer
	}
}
