// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

const clientName = "Client.Get"

// coldTable is what the Store adds to a read that it must ask for.
func coldTable() Table {
	var all []Benchmark
	for _, g := range []coldGroup{
		{name: "by a socket"},
		{name: "by a socket, ctx with a deadline", deadline: true},
		{name: "without a socket", canned: true},
		{name: "without a socket, ctx with a deadline", canned: true, deadline: true},
		{name: "without a socket, each path for the first time", canned: true, anew: true},
	} {
		all = append(all, g.rows()...)
	}
	return Table{
		Name: "cold", Title: "what the Store adds to a read that it must ask for", Benchmarks: all,
		measure: measureCost, shows: []quantity{nanoseconds, working, allocated, allocs},
		goals: []goal{
			moreThan(clientName, clientName, nanoseconds, atMost(5000)),
			moreThan(clientName, clientName, working, bound{}),
			moreThan(clientName, clientName, allocs, atMost(10)),
		},
	}
}

// A coldGroup is one way to ask.
type coldGroup struct {
	name     string
	canned   bool // the answer comes out of the transport
	deadline bool // the caller's ctx has one
	anew     bool // no path is asked for twice
}

func (g coldGroup) rows() []Benchmark {
	row := func(name string, open func(c *scaivault.Client) (coldGet, func(), error)) Benchmark {
		return Benchmark{Group: g.name, Name: name, Judged: name != clientName, Open: g.opener(open)}
	}
	return []Benchmark{
		row(clientName, func(c *scaivault.Client) (coldGet, func(), error) { return c.Get, func() {}, nil }),
		row("Store.Get, one side", storeOver(oneSide(scaivault.CacheConfig{}))),
		row("Store.Get, one side, to be cached", storeOver(oneSide(scaivault.CacheConfig{TTL: time.Hour}))),
		row("Store.Get, both sides, cutover", storeOver(bothSides(scaivault.CacheConfig{}))),
		row("Store.Get, both sides, cutover, to be cached", storeOver(bothSides(scaivault.CacheConfig{TTL: time.Hour}))),
	}
}

type coldGet = func(ctx context.Context, path string) (*scaivault.Secret, error)

func (g coldGroup) opener(open func(c *scaivault.Client) (coldGet, func(), error)) func(url string) (Op, func(), error) {
	return func(url string) (Op, func(), error) {
		cfg := scaivault.ClientConfig{URLs: []string{url}, Token: scaivault.StaticToken(scaiVaultToken)}
		if g.canned {
			cfg.HTTPClient = &http.Client{Transport: canned{scaiVaultBody(1 << 10)}}
		}
		client, err := scaivault.NewClient(cfg)
		if err != nil {
			return nil, nil, err
		}
		get, done, err := open(client)
		if err != nil {
			return nil, nil, err
		}
		cancel := func() {}
		limited := context.Background()
		if g.deadline {
			limited, cancel = context.WithTimeout(limited, time.Hour)
		}
		var asked atomic.Int64
		op := func(ctx context.Context) (any, error) {
			if g.deadline {
				ctx = limited
			}
			path := name(1 << 10)
			if g.anew {
				path += "/" + strconv.FormatInt(asked.Add(1), 10)
			}
			return get(ctx, path)
		}
		return op, func() { cancel(); done(); _ = client.Close() }, nil
	}
}

func oneSide(cache scaivault.CacheConfig) func(c *scaivault.Client) (scaivault.StoreConfig, error) {
	return func(c *scaivault.Client) (scaivault.StoreConfig, error) {
		return scaivault.StoreConfig{ScaiVault: c, Cache: cache}, nil
	}
}

func bothSides(cache scaivault.CacheConfig) func(c *scaivault.Client) (scaivault.StoreConfig, error) {
	return func(c *scaivault.Client) (scaivault.StoreConfig, error) {
		mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: mount + "/data/bench/**", ScaiVault: "bench/**"})
		return scaivault.StoreConfig{
			ScaiVault: c, Vault: memory{payload(1 << 10)}, Mapping: mapping, Flag: scaivault.StageCutover, Cache: cache,
			Compare: scaivault.CompareConfig{SampleRate: -1}, // it is work of its own
		}, err
	}
}

// storeOver makes a Store each of whose reads asks. With a cache that is a
// Refresh, unless no path is asked for twice, where Get would ask as well.
func storeOver(config func(c *scaivault.Client) (scaivault.StoreConfig, error)) func(c *scaivault.Client) (coldGet, func(), error) {
	return func(c *scaivault.Client) (coldGet, func(), error) {
		cfg, err := config(c)
		if err != nil {
			return nil, nil, err
		}
		store, err := scaivault.NewStore(cfg)
		if err != nil {
			return nil, nil, err
		}
		get := store.Get
		if cfg.Cache.TTL > 0 {
			get = store.Refresh
		}
		return get, func() { _ = store.Close() }, nil
	}
}

// canned is a transport that has the answer.
type canned struct{ body []byte }

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: r,
	}, nil
}
