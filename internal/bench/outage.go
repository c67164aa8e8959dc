// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	aloneName   = "Vault alone"
	waitingName = "every read waits"
	breakerName = "the breaker is open"
	outageAfter = 50 * time.Millisecond
	// outageMaxAge is shorter than a round: paths begin clean and then are too long
	// ago compared, so that they are compared again while ScaiVault is gone.
	outageMaxAge = 200 * time.Millisecond
)

// outageTable is what it costs that ScaiVault accepts and never answers, at
// canary, for paths that were clean when it began.
func outageTable() Table {
	var all []Benchmark
	// A single one at a time takes long for all the reads, and so does waiting.
	for _, g := range []struct{ goroutines, rarely, waitingRarely int }{{1, 10, 400}, {16, 1, 20}} {
		row := func(name string, rarely int, open func(string) (Op, func(), error)) Benchmark {
			return Benchmark{
				Group: fmt.Sprintf("%d at a time", g.goroutines), Name: name, Judged: name != aloneName,
				Goroutines: g.goroutines, Rarely: rarely, Open: open,
			}
		}
		all = append(
			all,
			row(waitingName, g.waitingRarely, openOutage(scaivault.BreakerConfig{Failures: -1}, time.Hour, g.goroutines)),
			row(aloneName, g.rarely, openAlone),
			row(breakerName, g.rarely, openOutage(scaivault.BreakerConfig{}, outageMaxAge, g.goroutines)),
		)
	}
	limit := goal{
		of: tailTime, peer: aloneName, rows: waitingName, head: "p99 µs − 1.2 × Vault", cell: "%.0f",
		by:    func(ours, theirs float64) float64 { return ours - 1.2*theirs },
		bound: below(float64(outageAfter.Microseconds())),
	}
	p50 := ratioTo(aloneName, "Vault", middleTime, atMost(1.1))
	p50.rows = breakerName
	aged := itself(notInPlace, atLeast(1))
	aged.head, aged.rows = "reads after MaxAge", breakerName
	return Table{
		Name: "outage", Title: "ScaiVault accepts and never answers, at canary", Benchmarks: all, anew: true,
		measure: measureTimes, shows: []quantity{reads, middleTime, tailTime, longestTime},
		goals: []goal{limit, p50, aged, itself(failures, none())},
	}
}

// eachItsOwn makes an Op of a read, so that each call at a time has a path of its
// own of so many.
func eachItsOwn[T any](paths int, get func(ctx context.Context, path string) (T, error), path func(i int) string) Op {
	free := make(chan string, paths)
	for i := range paths {
		free <- path(i)
	}
	return func(ctx context.Context) (any, error) {
		path := <-free
		defer func() { free <- path }()
		return get(ctx, path)
	}
}

func openAlone(url string) (Op, func(), error) {
	source, done, err := newVaultSource(url)
	if err != nil {
		return nil, nil, err
	}
	return eachItsOwn(16, source.Get, outageVaultPath), done, nil
}

func outagePath(i int) string      { return name(1<<10) + "/" + strconv.Itoa(i) }
func outageVaultPath(i int) string { return mount + "/data/" + outagePath(i) }

// openOutage makes a Store at canary and reads each path until it is clean. Then
// ScaiVault stops to answer.
func openOutage(breaker scaivault.BreakerConfig, maxAge time.Duration, paths int) func(url string) (Op, func(), error) {
	return func(url string) (op Op, done func(), err error) {
		o := &outage{}
		defer func() {
			if err != nil {
				o.close()
			}
		}()
		if err = o.open(url, breaker, maxAge); err != nil {
			return nil, nil, err
		}
		for i := range paths {
			for clean := false; !clean; {
				secret, err := o.store.Get(context.Background(), outagePath(i))
				if err != nil {
					return nil, nil, err
				}
				clean = secret.Source() == "scaivault"
			}
		}
		o.service.mute.Store(true)
		return eachItsOwn(paths, o.store.Get, outagePath), o.close, nil
	}
}

// An outage is a Store and its two sides.
type outage struct {
	store   *scaivault.Store
	service *muteService
	closers []func()
}

func (o *outage) close() {
	for _, c := range o.closers {
		defer c()
	}
}

func (o *outage) open(url string, breaker scaivault.BreakerConfig, maxAge time.Duration) (err error) {
	if o.service, err = startMuteService(); err != nil {
		return err
	}
	o.closers = append(o.closers, o.service.close)
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{o.service.url}, Token: scaivault.StaticToken(scaiVaultToken)})
	if err != nil {
		return err
	}
	o.closers = append(o.closers, func() { _ = client.Close() })
	source, done, err := newVaultSource(url)
	if err != nil {
		return err
	}
	o.closers = append(o.closers, done)
	mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: mount + "/data/bench/**", ScaiVault: "bench/**"})
	if err != nil {
		return err
	}
	o.store, err = scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: client, Vault: source, Mapping: mapping, Flag: scaivault.StageCanary,
		Failover: scaivault.FailoverConfig{After: outageAfter, Breaker: breaker}, Compare: scaivault.CompareConfig{MaxAge: maxAge},
	})
	if err != nil {
		return err
	}
	o.closers = append(o.closers, func() { _ = o.store.Close() })
	return nil
}

// A muteService is a ScaiVault that can stop to answer: it still accepts.
type muteService struct {
	url    string
	mute   atomic.Bool
	server *http.Server
	ended  chan struct{}
}

func startMuteService() (*muteService, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	m := &muteService{url: "http://" + listener.Addr().String(), ended: make(chan struct{})}
	answer := newHandler()
	m.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.mute.Load() {
			<-r.Context().Done() // the client is gone, or the server ends
			return
		}
		answer.ServeHTTP(w, r)
	})}
	go func() {
		defer close(m.ended)
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return m, nil
}

func (m *muteService) close() {
	_ = m.server.Close()
	<-m.ended
}
