// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// prepared answers from memory, at next to no cost.
type prepared struct {
	header      http.Header
	mount, body string
}

// RoundTrip implements http.RoundTripper.
func (p *prepared) RoundTrip(r *http.Request) (*http.Response, error) {
	body := p.body
	if strings.HasPrefix(r.URL.Path, "/v1/sys/") {
		body = p.mount
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: p.header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func prepare(data string, kv int) *prepared {
	envelope := func(data string) string {
		return `{"request_id":"0f7a1c6e-6a4c-2f4b-9f3c-0b1d2e3f4a5b","lease_id":"","renewable":false,"lease_duration":0,"data":` + data +
			`,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}` + "\n"
	}
	return &prepared{
		header: http.Header{"Content-Type": {"application/json"}},
		mount:  envelope(fmt.Sprintf(`{"path":"kv/","type":"kv","options":{"version":"%d"}}`, kv)),
		body:   envelope(data),
	}
}

const (
	benchAddress = "https://vault.internal:8200"

	benchFields = `{"host":"db.internal.example","password":"correct horse battery staple","port":5432,"tls":true,"user":"billing"}`
	benchCustom = `{"description":"the billing database","owner":"billing","team":"payments"}`
)

func benchVersion(custom string) string {
	return `{"data":` + benchFields + `,"metadata":{"created_time":"2026-03-01T09:30:00.123456789Z","custom_metadata":` + custom +
		`,"deletion_time":"","destroyed":false,"version":3}}`
}

// benchHistory is the metadata of a secret with ten versions, as many as KV v2
// keeps by itself.
func benchHistory() string {
	var versions []string
	for i := range 10 {
		versions = append(versions, fmt.Sprintf(`"%d":{"created_time":"2026-03-%02dT09:30:00.123456789Z","deletion_time":"","destroyed":false}`, i+1, i+1))
	}
	return `{"cas_required":false,"created_time":"2026-03-01T09:30:00.123456789Z","current_version":10,"custom_metadata":` + benchCustom +
		`,"delete_version_after":"0s","max_versions":0,"oldest_version":1,"updated_time":"2026-03-10T09:30:00.123456789Z","versions":{` +
		strings.Join(versions, ",") + `}}`
}

// BenchmarkRead is what a Source costs, beside what net/http takes for the same
// request in http/. A caller's deadline is nearer than that of an attempt.
func BenchmarkRead(b *testing.B) {
	get := func(ctx context.Context, s *vault.Source) error { _, err := s.Get(ctx, kvPath); return err }
	metadata := func(ctx context.Context, s *vault.Source) error { _, err := s.Metadata(ctx, kvPath); return err }
	large := strings.Replace(benchVersion("null"), "correct horse", strings.Repeat("correct horse ", 2000), 1)
	for _, c := range []struct {
		name, data string
		kv         int
		read       func(context.Context, *vault.Source) error
	}{
		{"Get/KVv2", benchVersion("null"), 2, get},
		{"Get/KVv2/custom", benchVersion(benchCustom), 2, get},
		{"Get/KVv2/large", large, 2, get},
		{"Get/KVv1", benchFields, 1, get},
		{"Metadata", benchHistory(), 2, metadata},
	} {
		b.Run(c.name, func(b *testing.B) { benchRead(b, prepare(c.data, c.kv), c.read) })
	}
}

func benchRead(b *testing.B, p *prepared, read func(context.Context, *vault.Source) error) {
	client := clientOf(b, benchAddress, p)
	client.SetClientTimeout(2 * time.Hour)
	s := sourceOf(b, client, func(c *vault.Config) { c.AttemptTimeout = 2 * time.Hour })
	bounded, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	for _, c := range []struct {
		name string
		call func() error
	}{
		{"http", func() error { return bare(b.Context(), p, benchAddress) }},
		{"no-deadline", func() error { return read(b.Context(), s) }},
		{"deadline", func() error { return read(bounded, s) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			require.NoError(b, c.call())
			for b.Loop() {
				if err := c.call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// bare is the same request without a Source.
func bare(ctx context.Context, p *prepared, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/v1/"+kvPath, nil)
	if err != nil {
		return err
	}
	r.Header["X-Vault-Token"], r.Header["X-Vault-Request"] = []string{rootToken}, []string{"true"}
	resp, err := (&http.Client{Transport: p}).Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body := make([]byte, resp.ContentLength)
	_, err = io.ReadFull(resp.Body, body)
	return err
}

// TestReadAllocatesLittleBesideItsRequest: a call and its request share what
// ends them, and an answer is gone through once.
func TestReadAllocatesLittleBesideItsRequest(t *testing.T) {
	p := prepare(benchVersion("null"), 2)
	s := sourceOf(t, clientOf(t, benchAddress, p))
	request := testing.AllocsPerRun(100, func() { require.NoError(t, bare(t.Context(), p, benchAddress)) })
	get := testing.AllocsPerRun(100, func() {
		_, err := s.Get(t.Context(), kvPath)
		require.NoError(t, err)
	})
	require.LessOrEqual(t, get-request, 20.0)
}
