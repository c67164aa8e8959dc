// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	readers     = 8
	writers     = 4
	putDeadline = time.Second // the longest Put of any service
	getDeadline = 10 * time.Second
)

// traffic is what the services do all the time: they read all secrets and
// write some, through one Store.
type traffic struct {
	store  *scaivault.Store
	estate *estate
	ledger []entry // by number of the secret
	limit  *rate.Limiter
	pause  time.Duration

	reads, failed, wrong atomic.Uint64
	writes               atomic.Uint64
	firstError           atomic.Pointer[string]

	stopReaders, stopWriters context.CancelFunc
	reading, writing         sync.WaitGroup
}

// An entry knows what a secret must be: no older than the last write that was
// acknowledged, no newer than the last that was begun.
type entry struct {
	acknowledged, begun atomic.Int64
	writing             sync.Mutex // one writer at a time, so that "last" means something
}

func newTraffic(store *scaivault.Store, e *estate, s settings) *traffic {
	t := &traffic{store: store, estate: e, ledger: make([]entry, len(e.names)), pause: s.writePause()}
	if perSecond := s.readsPerSecond(); perSecond > 0 {
		t.limit = rate.NewLimiter(rate.Limit(perSecond), readers)
	}
	return t
}

// startReaders lets all readers run until stop.
func (t *traffic) startReaders(ctx context.Context) {
	ctx, t.stopReaders = context.WithCancel(ctx)
	for i := range readers {
		t.reading.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if t.limit != nil && t.limit.Wait(ctx) != nil {
					return
				}
				t.read(ctx, n*31%len(t.ledger))
			}
		})
	}
}

// read reads one secret and compares it to what it must be.
func (t *traffic) read(ctx context.Context, i int) {
	n := t.estate.names[i]
	oldest := t.ledger[i].acknowledged.Load()
	call, cancel := context.WithTimeout(ctx, getDeadline)
	defer cancel()
	secret, err := t.store.Get(call, n.scaiVault)
	if ctx.Err() != nil {
		return // it is all over
	}
	t.reads.Add(1)
	if err != nil {
		t.failed.Add(1)
		t.note("a read failed: " + err.Error())
		return
	}
	if !t.right(secret, n, oldest, t.ledger[i].begun.Load()) {
		t.wrong.Add(1)
		t.note("a read was wrong: " + n.scaiVault + " from " + secret.Source())
	}
}

func (t *traffic) right(secret *scaivault.Secret, n name, oldest, newest int64) bool {
	text, _ := secret.Field("sequence")
	sequence, err := strconv.ParseInt(text, 10, 64)
	if err != nil || sequence < oldest || sequence > newest {
		return false
	}
	password, _ := secret.Field("password")
	return password == t.estate.value(n, sequence)["password"]
}

// note keeps the first thing that went wrong. It never holds a value.
func (t *traffic) note(text string) { t.firstError.CompareAndSwap(nil, &text) }

// startWriters lets each writer rotate secrets of its own until stop.
func (t *traffic) startWriters(ctx context.Context) {
	ctx, t.stopWriters = context.WithCancel(ctx)
	for w := range writers {
		t.writing.Go(func() {
			for ctx.Err() == nil {
				// Of every eighth secret, those of this writer.
				own := len(t.ledger) / 8 / writers
				i := (rand.IntN(max(1, own))*writers + w) * 8 % len(t.ledger)
				t.write(ctx, i)
				select {
				case <-time.After(t.pause):
				case <-ctx.Done():
				}
			}
		})
	}
}

// write rotates one secret. A write that is held by a freeze is tried again; one
// that failed or whose fate is unknown was not acknowledged.
func (t *traffic) write(ctx context.Context, i int) {
	n := t.estate.names[i]
	t.ledger[i].writing.Lock()
	defer t.ledger[i].writing.Unlock()
	sequence := t.ledger[i].begun.Add(1)
	for {
		// A write under way is finished, also when all is over.
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), putDeadline)
		_, err := t.store.Put(call, n.scaiVault, t.estate.value(n, sequence), nil)
		cancel()
		if err == nil {
			t.ledger[i].acknowledged.Store(sequence)
			t.writes.Add(1)
			return
		}
		if !errors.Is(err, scaivault.ErrFrozen) || ctx.Err() != nil {
			return
		}
	}
}

// change rotates a secret by hand in Vault, past the Store.
func (t *traffic) change(i int, write func(n name, value map[string]any) error) error {
	sequence := t.ledger[i].begun.Add(1)
	if err := write(t.estate.names[i], t.estate.value(t.estate.names[i], sequence)); err != nil {
		return err
	}
	t.ledger[i].acknowledged.Store(sequence)
	return nil
}

func (t *traffic) endWriters() {
	if t.stopWriters != nil {
		t.stopWriters()
	}
	t.writing.Wait()
}

func (t *traffic) endReaders() {
	if t.stopReaders != nil {
		t.stopReaders()
	}
	t.reading.Wait()
}

// lost counts the secrets whose last acknowledged write is not there.
func (t *traffic) lost(ctx context.Context, get func(context.Context, string) (*scaivault.Secret, error)) (uint64, error) {
	var lost uint64
	for i, n := range t.estate.names {
		begun := t.ledger[i].begun.Load()
		if begun == 0 {
			continue // never written since the start
		}
		secret, err := get(ctx, n.scaiVault)
		if err != nil {
			return lost, err
		}
		if !t.right(secret, n, t.ledger[i].acknowledged.Load(), begun) {
			lost++
		}
	}
	return lost, nil
}
