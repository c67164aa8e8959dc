// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestTheRestOfACutBodyIsInNoLog: package net/http writes what follows an answer
// to the standard logger. It is not parallel, as that is everybody's.
func TestTheRestOfACutBodyIsInNoLog(t *testing.T) { //nolint:paralleltest // it changes the standard logger
	var mu sync.Mutex
	var logged bytes.Buffer
	log.SetOutput(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(b)
	}))
	defer log.SetOutput(io.Discard)

	const whole = `{"path":"a","version":1,"data":{"user":"x\"y","password":"c4n4ry-of-a-secret","list":[1,{"a":"b"}]},"metadata":{}}`
	for length := 2; length <= len(whole)-2; length++ {
		if json.Valid([]byte(whole[:length-1] + "}")) {
			continue // the last byte might end it
		}
		closed := make(chan struct{})
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			go func() {
				defer close(closed)
				defer conn.Close()
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, whole)
				_, _ = io.Copy(io.Discard, conn) // until the client is through with it
			}()
		}))
		err := getOf("a")(t.Context(), newTestClient(t, srv.URL))
		requireMatches(t, err, scaivault.ErrUnavailable)
		<-closed
		srv.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	require.NotContains(t, logged.String(), "c4n4ry", "the standard logger")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestBodiesOfExactLengthKeepTheirConnection, whatever they are.
func TestBodiesOfExactLengthKeepTheirConnection(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		oneSecret, oneSecret + "\n", " " + oneSecret + " \n", `{}`, `{"data":{"k":"{[\"\\"}}`, `[]`, `"text"`, balancerPage, "x", `{"data":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "}",
	} {
		var conns sync.Map
		opened := 0
		srv := httptest.NewUnstartedServer(answer(200, body))
		srv.Config.ConnState = func(c net.Conn, state http.ConnState) {
			if _, known := conns.LoadOrStore(c, true); !known {
				opened++
			}
		}
		srv.Start()
		c := newTestClient(t, srv.URL)
		for range 3 {
			_ = getOf("a")(t.Context(), c)
		}
		srv.Close()
		require.Equal(t, 1, opened, body)
	}
}
