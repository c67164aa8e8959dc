// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const goneHost = "localhost:8199"

// behindGone is a Source whose first address can't be reached and whose second
// works. dial is what becomes of each dial to the first.
func behindGone(t *testing.T, dial func(context.Context) error) (*nodes, *vault.Source, *atomic.Int64) {
	t.Helper()
	c := newNodes(t, 1)
	var dials atomic.Int64
	c.hosts[goneHost] = dialling(func(ctx context.Context) error {
		dials.Add(1)
		return dial(ctx)
	})
	c.addresses = append([]string{"http://" + goneHost}, c.addresses...)
	return c, c.source(t, func(cfg *vault.Config) { cfg.Mounts = map[string]int{"kv": 2} }), &dials
}

// dialling is a transport of net/http that gets no connection.
func dialling(dial func(context.Context) error) http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, dial(ctx) }}
}

func refused(context.Context) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
}

func untrusted(context.Context) error {
	return &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
}

// unanswered ends with the test: the transport goes on with a dial that nobody
// waits for any longer.
func unanswered(t *testing.T) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
		case <-t.Context().Done():
		}
		return &net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled}
	}
}

// An address that refuses a connection is skipped at once, not after some
// failures as one that answers with an error.
func TestAddressThatRefusesAConnectionIsSkippedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, dials := behindGone(t, refused)
		for range 5 {
			require.NoError(t, read(t, s))
		}
		written, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
		require.NoError(t, err)
		require.Equal(t, 2, written.Version)
		require.EqualValues(t, 1, dials.Load())
		require.Equal(t, 1, c.nodes[0].RequestCount(http.MethodPut, "/v1/kv/**"))
	})
}

// A write waits for a connection no longer than leaves the other addresses
// their part of the caller's time: nothing was sent.
func TestWriteGivesUpDiallingForTheNextAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s, dials := behindGone(t, unanswered(t))
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			written, err := s.Put(ctx, kvPath, map[string]any{"n": i}, nil)
			require.NoError(t, err)
			require.Equal(t, i+2, written.Version)
			require.NoError(t, ctx.Err())
			cancel()
		}
		require.EqualValues(t, 1, dials.Load(), "then it is skipped")
		require.Equal(t, 3, c.nodes[0].RequestCount(http.MethodPut, "/v1/kv/**"))

		c.hosts["localhost:8200"] = c.hosts[goneHost]
		_, err := s.Put(t.Context(), kvPath, map[string]any{"n": 4}, nil)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.NotErrorIs(t, err, scaivault.ErrUncertain, "nothing was sent")
		require.ErrorContains(t, err, "no connection within")
	})
}

// A certificate that is not trusted is a mistake that somebody has to mend, so
// it does not hide behind what was wrong with the last address.
func TestUntrustedCertificateIsToldWhereAllAddressesFail(t *testing.T) {
	t.Parallel()
	sealed := func(v *scaivaulttest.Vault) http.RoundTripper { v.Seal(); return v.RoundTripper() }
	page := func(status int) func(v *scaivaulttest.Vault) http.RoundTripper {
		return func(v *scaivaulttest.Vault) http.RoundTripper {
			v.Inject(scaivaulttest.Fault{Status: status, Body: "<html>"})
			return v.RoundTripper()
		}
	}
	for name, last := range map[string]struct {
		of   func(*scaivaulttest.Vault) http.RoundTripper
		says string
	}{
		"refuses":    {func(*scaivaulttest.Vault) http.RoundTripper { return dialling(refused) }, "connection refused"},
		"sealed":     {sealed, "Vault is sealed"},
		"a page":     {page(502), "load balancer"},
		"a 200 page": {page(200), "load balancer"},
		"hangs": {func(v *scaivaulttest.Vault) http.RoundTripper {
			v.Inject(scaivaulttest.Fault{Hang: true})
			return v.RoundTripper()
		}, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newNodes(t, 1)
				c.hosts["localhost:8200"] = last.of(c.nodes[0])
				c.hosts[goneHost] = dialling(untrusted)
				c.addresses = []string{"http://" + goneHost, "http://localhost:8200"}
				s := c.source(t, once, func(cfg *vault.Config) { cfg.Mounts = map[string]int{"kv": 2} })
				err := read(t, s)
				require.ErrorIs(t, err, scaivault.ErrUnavailable)
				require.ErrorContains(t, err, goneHost+": the certificate is not trusted; give Config.Client the authority")
				require.ErrorContains(t, err, last.says)
				_, err = s.Put(t.Context(), kvPath, map[string]any{"n": 1}, nil)
				require.ErrorContains(t, err, goneHost+": the certificate is not trusted")
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 1)
		c.hosts[goneHost] = dialling(untrusted)
		c.addresses = append([]string{"http://" + goneHost}, c.addresses...)
		s := c.source(t)
		_, err := s.Get(t.Context(), "kv/data/none")
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		require.NotContains(t, err.Error(), "certificate", "an answer is one, wherever it is from")
	})
}
