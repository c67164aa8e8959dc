// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"iter"
	"sync"
)

// batchSize is how many jobs are looked at together: what ScaiVault allows in
// one batch.
const batchSize = 100

// stream sends what walk finds through look to the workers, and yields the
// results in the order of completion. At most a few batches are in memory at a
// time: who is slow slows down the others. All goroutines are gone when the
// loop ends, however it ends.
//
// If ctx ends, what is under way is finished and yielded, and nothing new is
// begun.
func stream(ctx context.Context, workers int, walk walkFunc, look lookFunc, work workFunc) iter.Seq[result] {
	return func(yield func(result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		batches := make(chan []job)
		jobs := make(chan job)
		results := make(chan result)
		var all, working sync.WaitGroup
		all.Go(func() {
			defer close(batches)
			gather(ctx, look != nil, walk, batches)
		})
		all.Go(func() {
			defer close(jobs)
			distribute(ctx, batches, look, jobs)
		})
		for range workers {
			working.Go(func() {
				for j := range jobs {
					results <- work(ctx, j)
				}
			})
		}
		all.Go(func() {
			working.Wait()
			close(results)
		})
		defer all.Wait()
		defer func() {
			cancel()
			for range results { // let the workers end
			}
		}()
		for r := range results {
			if !yield(r) {
				return
			}
		}
	}
}

// gather collects what walk finds into batches.
func gather(ctx context.Context, batched bool, walk walkFunc, batches chan<- []job) {
	size := 1
	if batched {
		size = batchSize
	}
	var batch []job
	send := func() bool {
		select {
		case batches <- batch:
			batch = nil
			return true
		case <-ctx.Done():
			return false
		}
	}
	walk(ctx, func(j job) bool {
		batch = append(batch, j)
		return ctx.Err() == nil && (len(batch) < size || send())
	})
	if len(batch) > 0 {
		send()
	}
}

// distribute looks at each batch and hands its jobs to the workers.
func distribute(ctx context.Context, batches <-chan []job, look lookFunc, jobs chan<- job) {
	for batch := range batches {
		if look != nil {
			look(ctx, batch)
		}
		for _, j := range batch {
			select {
			case jobs <- j:
			case <-ctx.Done():
				return
			}
		}
	}
}
