// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestClientRefusesBeforeAnyRequest what cannot be right.
func TestClientRefusesBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a/", 9) + strings.Repeat("b", 495)
	require.Len(t, long, 513)
	for name, c := range map[string]struct {
		call func(context.Context, *scaivault.Client) error
		hint string
	}{
		"upper-case letter":    {getOf("a/B"), "upper-case"},
		"11 levels":            {getOf("a/b/c/d/e/f/g/h/i/j/k"), "11 levels"},
		"513 characters":       {getOf(long), "513 characters"},
		"empty":                {getOf(""), "empty"},
		"leading slash":        {getOf("/a"), "leading slash"},
		"trailing slash":       {getOf("a/"), "trailing slash"},
		"empty level":          {getOf("a//b"), "empty level"},
		"dots":                 {getOf("a/../b"), "'.'"},
		"unicode":              {getOf("a/ü"), "'ü'"},
		"newline":              {getOf("a/\nb"), `'\n'`},
		"query":                {getOf("a?version=1"), "'?'"},
		"version":              {func(ctx context.Context, c *scaivault.Client) error { _, err := c.GetVersion(ctx, "a", 0); return err }, "version 0"},
		"delete":               {func(ctx context.Context, c *scaivault.Client) error { return c.Delete(ctx, "A", nil) }, "upper-case"},
		"list":                 {listOf("A", nil), "upper-case"},
		"page size":            {listOf("a", &scaivault.ListOptions{PageSize: -1}), "PageSize"},
		"nil data":             {putOf(nil, nil), "map[string]any{}"},
		"not a number":         {putOf(map[string]any{"field": math.NaN()}, nil), `"field"`},
		"a channel":            {putOf(map[string]any{"field": make(chan int)}, nil), `"field"`},
		"broken raw message":   {putOf(map[string]any{"field": json.RawMessage(`{"canary`)}, nil), `"field"`},
		"negative versions":    {putOf(map[string]any{}, &scaivault.PutOptions{MaxVersions: -1}), "MaxVersions"},
		"half a second":        {putOf(map[string]any{}, &scaivault.PutOptions{ExpiresIn: 500 * time.Millisecond}), "ExpiresIn"},
		"negative expiry":      {putOf(map[string]any{}, &scaivault.PutOptions{ExpiresIn: -time.Hour}), "ExpiresIn"},
		"API path":             {doOf("/secrets"), "/v1/"},
		"API path that climbs": {doOf("/v1/../x"), "malformed"},
		"API path in disguise": {doOf("/v1/%2e%2e/x"), "malformed"},
		"another host":         {doOf("https://evil.example/v1/"), "/v1/"},
		"page of the audit":    {func(ctx context.Context, c *scaivault.Client) error { return lastAudit(ctx, c, 1001) }, "PageSize"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{}
			err := c.call(t.Context(), newTestClient(t, "https://scaivault.test", through(rt)))
			requireMatches(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, err.Error(), "canary")
			require.Zero(t, rt.requests.Load())
		})
	}
}

func getOf(path string) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error { _, err := c.Get(ctx, path); return err }
}

func putOf(data map[string]any, opts *scaivault.PutOptions) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error {
		_, err := c.Put(ctx, "a", data, opts)
		return err
	}
}

func doOf(path string) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) error {
		return c.Do(ctx, http.MethodGet, path, nil, nil)
	}
}

func listOf(prefix string, opts *scaivault.ListOptions) func(context.Context, *scaivault.Client) error {
	return func(ctx context.Context, c *scaivault.Client) (last error) {
		for _, err := range c.List(ctx, prefix, opts) {
			last = err
		}
		return last
	}
}

func lastAudit(ctx context.Context, c *scaivault.Client, size int) (last error) {
	for _, err := range c.AuditLogs(ctx, &scaivault.AuditQuery{PageSize: size}) {
		last = err
	}
	return last
}

// TestNewClientRefuses a configuration that cannot be right, and never shows
// the token or a password.
func TestNewClientRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, c := range map[string]struct {
		change configure
		hint   string
	}{
		"no URL":              {func(s *scaivault.ClientConfig) { s.URLs = nil }, "URLs: set"},
		"empty URL":           {func(s *scaivault.ClientConfig) { s.URLs = []string{""} }, "empty"},
		"no scheme":           {func(s *scaivault.ClientConfig) { s.URLs = []string{"scaivault.example.com"} }, "no scheme"},
		"host and port alone": {func(s *scaivault.ClientConfig) { s.URLs = []string{"scaivault.example.com:8443"} }, "scheme"},
		"another scheme":      {func(s *scaivault.ClientConfig) { s.URLs = []string{"ftp://scaivault.example.com"} }, "scheme"},
		"no host":             {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://"} }, "host"},
		"a password":          {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://me:" + secret + "@h.example"} }, "password"},
		"a broken password":   {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://me:" + secret + "%zz@h"} }, "URL"},
		"a query":             {func(s *scaivault.ClientConfig) { s.URLs = []string{"https://h.example?a=b"} }, "query"},
		"plain http":          {func(s *scaivault.ClientConfig) { s.URLs = []string{"http://h.example"} }, "PlainHTTPHosts"},
		"plain http elsewhere": {func(s *scaivault.ClientConfig) {
			s.URLs, s.PlainHTTPHosts = []string{"http://h.example"}, []string{"g"}
		}, "in clear"},
		"like loopback":         {func(s *scaivault.ClientConfig) { s.URLs = []string{"http://127.0.0.1.example"} }, "in clear"},
		"no token":              {func(s *scaivault.ClientConfig) { s.Token = nil }, "Token: set"},
		"empty token":           {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken("") }, "token is empty"},
		"token with a newline":  {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken(secret + "\n") }, "newline"},
		"token with a space":    {func(s *scaivault.ClientConfig) { s.Token = scaivault.StaticToken(secret + " x") }, "space"},
		"tenant":                {func(s *scaivault.ClientConfig) { s.TenantID = "a\r\nb" }, "TenantID"},
		"negative timeout":      {func(s *scaivault.ClientConfig) { s.Timeout = -1 }, "negative"},
		"a header in the agent": {func(s *scaivault.ClientConfig) { s.UserAgent = "a\r\nX: y" }, "UserAgent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := scaivault.ClientConfig{URLs: []string{"https://scaivault.example"}, Token: scaivault.StaticToken(testToken)}
			c.change(&cfg)
			_, err := scaivault.NewClient(cfg)
			requireMatches(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
		})
	}
	for _, url := range []string{"http://localhost:8200", "http://[::1]:1", "http://127.0.0.7", "https://h.example/base/"} {
		newTestClient(t, url)
	}
	newTestClient(t, "http://h.example", func(cfg *scaivault.ClientConfig) { cfg.PlainHTTPHosts = []string{"h.example"} })
}
