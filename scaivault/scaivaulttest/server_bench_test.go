// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func BenchmarkServer(b *testing.B) {
	srv := scaivaulttest.NewServer(b, &scaivaulttest.ServerOptions{NoLimits: true})
	for i := range 100_000 {
		srv.Seed(fmt.Sprintf("estate/team%d/secret%d", i%100, i), map[string]any{"password": "not-a-real-one"})
	}
	memory := as(b, srv, srv.IssueToken("sa:bench"))
	socket := *memory
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	defer transport.CloseIdleConnections()
	socket.client, socket.base = &http.Client{Transport: transport}, srv.URL()
	for _, way := range []struct {
		name string
		c    *caller
	}{{"memory", memory}, {"socket", &socket}} {
		for name, send := range map[string][3]string{
			"get":  {"GET", "/v1/secrets/estate/team7/secret7", ""},
			"put":  {"PUT", "/v1/secrets/estate/team8/secret8", `{"data":{"password":"not-a-real-one"}}`},
			"page": {"GET", "/v1/secrets?prefix=estate/&limit=1000", ""},
		} {
			b.Run(name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					req, err := http.NewRequestWithContext(b.Context(), send[0], way.c.base+send[1], strings.NewReader(send[2]))
					if err != nil {
						b.Fatal(err)
					}
					req.Header.Set("Authorization", "Bearer "+way.c.token)
					res, err := way.c.client.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					if _, err = io.Copy(io.Discard, res.Body); err != nil {
						b.Fatal(err)
					}
					res.Body.Close()
				}
			})
		}
	}
}
