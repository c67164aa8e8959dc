// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestSetDownRefusesAndComesBackAtTheSameAddress(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		address := srv.URL()
		for range 3 {
			assert.Equal(t, 200, c.get("/v1/secrets/a/b").status)
			srv.SetDown(true)
			srv.SetDown(true)
			_, err := c.client.Do(c.request("GET", "/v1/secrets/a/b", ""))
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			var dial *net.OpError
			require.ErrorAs(t, err, &dial)
			assert.Equal(t, "dial", dial.Op)
			srv.SetDown(false)
		}
		assert.Equal(t, address, srv.URL())
		assert.Equal(t, 200, c.get("/v1/secrets/a/b").status, "the data stay")
		assert.Equal(t, 4, srv.RequestCount("GET", "/v1/secrets/**"))
	})
}

func TestSetDownCutsLiveConnections(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	conn, err := net.Dial("tcp", srv.URL()[len("http://"):])
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	srv.SetDown(true)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.Copy(io.Discard, conn)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "closed, not left open")
	srv.SetDown(false)
	assert.Equal(t, 200, c.get("/v1/version").status)
}

func TestURLOfAServerThatIsDown(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	srv.SetDown(true)
	c := &caller{t: t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, base: srv.URL()}
	_, err := c.client.Do(c.request("GET", "/v1/version", ""))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	srv.SetDown(false)
	assert.Equal(t, 200, c.get("/v1/version").status)
}

func TestServeHTTPCanBeMounted(t *testing.T) {
	t.Parallel()
	srv, _ := inMemory(t, nil)
	outer := httptest.NewServer(srv)
	defer outer.Close()
	c := &caller{t: t, client: outer.Client(), base: outer.URL}
	assert.Equal(t, 200, c.get("/v1/version").status)
	srv.SetDown(true)
	_, err := c.client.Do(c.request("GET", "/v1/version", ""))
	require.Error(t, err)
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/version", nil))
	})
}

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	t.Parallel()
	srv, err := scaivaulttest.StartServer(nil)
	require.NoError(t, err)
	address := srv.URL()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(srv.Close)
	}
	wg.Wait()
	srv.SetDown(false)
	assert.Equal(t, address, srv.URL())
	c := as(t, srv, "")
	_, err = c.client.Do(c.request("GET", "/v1/version", ""))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = net.Dial("tcp", address[len("http://"):])
	require.Error(t, err)
}

func TestStartServerTellsThatItCannotListen(t *testing.T) {
	t.Parallel()
	_, err := scaivaulttest.StartServer(&scaivaulttest.ServerOptions{Address: "127.0.0.1:notaport"})
	require.Error(t, err)
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	srv, c := inMemory(t, nil)
	c.get("/v1/secrets?prefix=a%2Fb&limit=3")
	c.put("a/b", `{"data":{"k":"v"}}`)
	log := srv.Requests()
	require.Len(t, log, 2)
	assert.Equal(t, "/v1/secrets", log[0].Path)
	assert.Equal(t, "prefix=a%2Fb&limit=3", log[0].Query)
	assert.Equal(t, "PUT", log[1].Method)
	assert.Equal(t, 200, log[1].Status)
	assert.Equal(t, 1, srv.RequestCount("PUT", "/v1/secrets/**"))
	assert.Equal(t, 2, srv.RequestCount("", ""))
	assert.Zero(t, srv.RequestCount("POST", ""))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, srv *scaivaulttest.Server, c *caller) {
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range 20 {
					path := fmt.Sprintf("load/w%d/s%d", worker, i)
					if res, err := c.client.Do(c.request("PUT", "/v1/secrets/"+path, `{"data":{"k":"v"}}`)); err == nil {
						res.Body.Close()
					}
					remove := srv.Inject(scaivaulttest.Fault{Path: "/v1/secrets/nobody/**", Code: "internal_error"})
					if res, err := c.client.Do(c.request("GET", "/v1/secrets?prefix=load/", "")); err == nil {
						res.Body.Close()
					}
					remove()
				}
			})
		}
		wg.Go(func() {
			for range 5 {
				srv.SetDown(true)
				srv.SetDown(false)
			}
		})
		wg.Wait()
		c.client.CloseIdleConnections()
		assert.Equal(t, 200, c.get("/v1/secrets/a/b").status)
	})
}
