// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
)

// askForGzip has the server see a request that takes gzip, as net/http's transport
// does when the caller does not say what it takes. It reports whether it did.
func askForGzip(incoming *http.Request) bool {
	if incoming.Header.Get("Accept-Encoding") != "" || incoming.Header.Get("Range") != "" || incoming.Method == http.MethodHead {
		return false
	}
	incoming.Header.Set("Accept-Encoding", "gzip")
	return true
}

// unzip gives the caller, who did not ask for gzip, the plain body.
func unzip(res *http.Response) {
	if !strings.EqualFold(res.Header.Get("Content-Encoding"), "gzip") {
		return
	}
	res.Header.Del("Content-Encoding")
	res.Header.Del("Content-Length")
	res.ContentLength, res.Uncompressed = -1, true
	res.Body = &unzippedBody{zipped: res.Body}
}

// An unzippedBody reads a body that came compressed.
type unzippedBody struct {
	zipped io.ReadCloser
	plain  *gzip.Reader // made by the first Read, which may have to wait
	err    error        // what that said
}

// Read implements io.Reader.
func (b *unzippedBody) Read(p []byte) (int, error) {
	if b.plain == nil && b.err == nil {
		b.plain, b.err = gzip.NewReader(b.zipped)
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.plain.Read(p)
}

// Close implements io.Closer.
func (b *unzippedBody) Close() error { return b.zipped.Close() }
