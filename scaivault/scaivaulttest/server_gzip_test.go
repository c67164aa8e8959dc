// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// gzipped returns callers of a server that compresses, in memory and over a socket.
func gzipped(t *testing.T) (*scaivaulttest.Server, map[string]*caller) {
	t.Helper()
	srv, c := quirky(t, scaivaulttest.Quirks{Compression: scaivaulttest.CompressionGzip})
	socket := *c
	socket.client, socket.base = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, srv.URL()
	return srv, map[string]*caller{"memory": c, "socket": &socket}
}

func TestCompressionIsUndone(t *testing.T) {
	t.Parallel()
	_, callers := gzipped(t)
	for name, c := range callers {
		value := strings.Repeat("not-a-real-one ", 5000)
		require.Equal(t, 200, c.put("long", `{"data":{"k":"`+value+`"}}`).status, name)
		res, err := c.client.Do(c.request("GET", "/v1/secrets/long", ""))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Contains(t, string(body), value, name)
		assert.True(t, res.Uncompressed, name)
		assert.EqualValues(t, -1, res.ContentLength, name)
		assert.Empty(t, res.Header.Get("Content-Encoding"), name)
		assert.Equal(t, "Accept-Encoding", res.Header.Get("Vary"), name)
		c.get("/v1/secrets/missing").refused(t, 404, "secret_not_found")
	}
}

func TestCompressionIsForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	_, callers := gzipped(t)
	for name, c := range callers {
		for accept, zipped := range map[string]bool{
			"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "identity": false, "br": false, "gzip;q=x": false,
		} {
			req := c.request("GET", "/v1/secrets/a", "")
			req.Header.Set("Accept-Encoding", accept)
			r := c.send(req)
			assert.Equal(t, zipped, r.header.Get("Content-Encoding") == "gzip", "%s: %s", name, accept)
			if zipped { // whoever asks gets what was asked for
				plain, err := gzip.NewReader(strings.NewReader(r.body))
				require.NoError(t, err)
				var body bytes.Buffer
				_, err = body.ReadFrom(plain)
				require.NoError(t, err)
				r.body = body.String()
			}
			assert.EqualValues(t, 1, r.object(t)["version"])
		}
		req := c.request("GET", "/v1/secrets/a", "")
		req.Header.Set("Range", "bytes=0-") // net/http asks for no gzip then
		res, err := c.client.Do(req)
		require.NoError(t, err)
		assert.False(t, res.Uncompressed, name)
		res.Body.Close()
	}
	_, c := quirky(t, scaivaulttest.Quirks{Put: scaivaulttest.PutNoContent, Compression: scaivaulttest.CompressionGzip})
	r := c.put("a", `{"data":{}}`)
	assert.Equal(t, 204, r.status)
	assert.Empty(t, r.header.Get("Content-Encoding"), "nothing to compress")
	_, c = quirky(t, scaivaulttest.Quirks{})
	req := c.request("GET", "/v1/secrets/a", "")
	req.Header.Set("Accept-Encoding", "gzip")
	assert.Empty(t, c.send(req).header.Get("Content-Encoding"), "off by default")
}

func TestACompressedAnswerMayBeCut(t *testing.T) {
	t.Parallel()
	srv, callers := gzipped(t)
	for name, c := range callers {
		srv.Inject(scaivaulttest.Fault{Count: 1, Cut: scaivaulttest.CutInBody})
		res, err := c.client.Do(c.request("GET", "/v1/secrets/a", ""))
		require.NoError(t, err, name)
		_, err = io.ReadAll(res.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		res.Body.Close()
	}
}
