// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"iter"
	"sync"
)

const (
	// batchSize is how many jobs are looked at together: what ScaiVault
	// allows in one batch.
	batchSize = 100
	// maxChunk bounds a chunk with the jobs that are decided already, which
	// nobody needs to look at.
	maxChunk = 4 * batchSize
)

// stream sends what walk finds through the steps and yields the results in the
// order of completion. Where there is something to do for many at once, jobs go
// in chunks of a hundred, a few of them at a time: while one is looked at or
// checked, the workers are busy with another. So only a few chunks are in
// memory, and who is slow slows down the others. All goroutines are gone when
// the loop ends, however it ends.
//
// If ctx ends, what is under way is finished and yielded, and nothing new is
// begun.
func stream(ctx context.Context, workers int, walk walkFunc, s steps) iter.Seq[result] {
	return func(yield func(result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		p := newPool(s, workers)
		var all sync.WaitGroup
		all.Go(func() { p.run(ctx, walk, workers) })
		defer all.Wait()
		defer func() {
			cancel()
			for range p.results { // let the others end
			}
		}()
		for done := range p.results {
			for _, r := range done {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// A pool does the jobs of one stream.
type pool struct {
	steps
	size     int // of a chunk
	handlers int // chunks under way at once
	chunks   chan []job
	tasks    chan func()
	results  chan []result // of a chunk
}

func newPool(s steps, workers int) *pool {
	p := &pool{steps: s, size: 1, handlers: workers, chunks: make(chan []job), results: make(chan []result)}
	if s.look != nil || s.check != nil {
		p.size, p.handlers = batchSize, 3+workers/batchSize
	}
	p.tasks = make(chan func(), p.size) // a chunk is handed over without waiting for each worker
	return p
}

// run does everything and closes results when it is done.
func (p *pool) run(ctx context.Context, walk walkFunc, workers int) {
	var gathering, handling, working sync.WaitGroup
	gathering.Go(func() {
		defer close(p.chunks)
		p.gather(ctx, walk)
	})
	for range p.handlers {
		handling.Go(func() {
			for chunk := range p.chunks {
				p.handle(ctx, chunk)
			}
		})
	}
	for range workers {
		working.Go(func() {
			for task := range p.tasks {
				task()
			}
		})
	}
	handling.Wait()
	close(p.tasks)
	working.Wait()
	gathering.Wait()
	close(p.results)
}

// gather collects what walk finds into chunks. A chunk that is full waits for one
// job more, or for the end of the walk: so whoever sees the last job done sees
// that the walk is over.
func (p *pool) gather(ctx context.Context, walk walkFunc) {
	var chunk []job
	undecided := 0
	send := func() bool {
		select {
		case p.chunks <- chunk:
			chunk, undecided = nil, 0
			return true
		case <-ctx.Done():
			return false
		}
	}
	walk(ctx, func(j job) bool {
		full := undecided == p.size || len(chunk) == maxChunk || p.size == 1 && len(chunk) == 1
		if full && !send() {
			return false
		}
		chunk = append(chunk, j)
		if j.decided == nil {
			undecided++
		}
		return ctx.Err() == nil
	})
	if len(chunk) > 0 {
		send()
	}
}

// handle does one chunk.
func (p *pool) handle(ctx context.Context, chunk []job) {
	if ctx.Err() != nil {
		return
	}
	if p.look != nil {
		p.look(ctx, chunk)
	}
	done := make([]result, len(chunk))
	var left sync.WaitGroup
	for i, j := range chunk {
		left.Add(1)
		p.tasks <- func() {
			defer left.Done()
			done[i] = p.work(ctx, j)
		}
	}
	left.Wait()
	if p.check != nil {
		p.check(ctx, done)
	}
	p.results <- done
}
