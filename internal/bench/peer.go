// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// An Op is what is measured, once. It returns what its peer's callers get, and
// is safe for concurrent use.
type Op func(ctx context.Context) (any, error)

// A peer is one way to read a secret of size bytes from the server at url. Its
// second result lets go of the connections.
type peer struct {
	name string
	open func(url string, size int) (Op, func(), error)
}

// Those with whom others are compared.
const (
	bareName     = "net/http and encoding/json"
	vaultAPIName = "vault/api KVv2.Get"
)

var (
	bare      = peer{bareName, openBare}
	vaultAPI  = peer{vaultAPIName, openVaultAPI}
	scaiVault = peer{"scaivault.Client.Get", openClient}
	source    = peer{"vault.Source.Get", openSource}
)

// newTransport has the pool that scaivault.Client makes for itself, so that no
// peer dials more often than another.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
}

// openBare is the least that a program can do which has no library. It reads
// the same answer as scaivault.Client.
func openBare(url string, size int) (Op, func(), error) {
	transport := newTransport()
	client := &http.Client{Transport: transport}
	url += "/v1/secrets/" + name(size)
	op := func(ctx context.Context) (any, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+scaiVaultToken)
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, errors.New(resp.Status)
		}
		var secret map[string]any
		err = json.Unmarshal(body, &secret)
		return secret, err
	}
	return op, transport.CloseIdleConnections, nil
}

func openClient(url string, size int) (Op, func(), error) {
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:  []string{url},
		Token: scaivault.StaticToken(scaiVaultToken),
	})
	if err != nil {
		return nil, nil, err
	}
	path := name(size)
	op := func(ctx context.Context) (any, error) { return client.Get(ctx, path) }
	return op, func() { _ = client.Close() }, nil
}

// newVaultAPI makes a client as most programs do, but for the pool: vault/api's
// own keeps no more than GOMAXPROCS+1 idle connections. What the environment
// says does not count.
func newVaultAPI(url string) (*api.Client, *http.Transport, error) {
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, nil, cfg.Error
	}
	transport := newTransport()
	cfg.HttpClient.Transport = transport
	cfg.Address, cfg.AgentAddress, cfg.Limiter = url, "", nil
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, nil, err
	}
	client.ClearNamespace()
	client.SetToken(vaultToken)
	return client, transport, nil
}

func openVaultAPI(url string, size int) (Op, func(), error) {
	client, transport, err := newVaultAPI(url)
	if err != nil {
		return nil, nil, err
	}
	kv, path := client.KVv2(mount), name(size)
	op := func(ctx context.Context) (any, error) { return kv.Get(ctx, path) }
	return op, transport.CloseIdleConnections, nil
}

func openSource(url string, size int) (Op, func(), error) {
	source, done, err := newVaultSource(url)
	if err != nil {
		return nil, nil, err
	}
	path := mount + "/data/" + name(size)
	op := func(ctx context.Context) (any, error) { return source.Get(ctx, path) }
	return op, done, nil
}

func newVaultSource(url string) (*vault.Source, func(), error) {
	client, transport, err := newVaultAPI(url)
	if err != nil {
		return nil, nil, err
	}
	source, err := vault.NewSource(vault.Config{Client: client})
	if err != nil {
		return nil, nil, err
	}
	return source, func() { _ = source.Close(); transport.CloseIdleConnections() }, nil
}

// thenField makes an Op that also reads one field, as callers go on to do:
// some peers have decoded the data by then, and others have yet to.
func thenField(p peer, field string) peer {
	open := func(url string, size int) (Op, func(), error) {
		op, done, err := p.open(url, size)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context) (any, error) {
			answer, err := op(ctx)
			if err != nil {
				return nil, err
			}
			if value, ok := readField(answer, field); !ok || value == "" {
				return nil, fmt.Errorf("the answer has no field %s", field)
			}
			return answer, nil
		}, done, nil
	}
	return peer{p.name, open}
}

// readField reads a field out of an answer of any peer.
func readField(answer any, field string) (string, bool) {
	switch answer := answer.(type) {
	case *scaivault.Secret:
		return answer.Field(field)
	case *api.KVSecret:
		value, ok := answer.Data[field].(string)
		return value, ok
	case map[string]any:
		data, _ := answer["data"].(map[string]any)
		value, ok := data[field].(string)
		return value, ok
	default:
		return "", false
	}
}
