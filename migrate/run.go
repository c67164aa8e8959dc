// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	// defaultWorkers is how many secrets are under way at once.
	defaultWorkers = 32
	// maxWorkers is more than any service answers at once.
	maxWorkers = 10_000
	// maxDeferred is how many secrets are tried once more at the end of a
	// run, because a service was not available for them.
	maxDeferred = 10_000
)

// settings are what the options of all runs have in common.
type settings struct {
	op        string
	prefixes  []string
	workers   int
	perSecond float64
	cluster   string
	dryRun    bool
	failFast  bool
	selection *selection // nil: everything
	each      func(Item) error
	progress  func(Progress)
}

// A run is one Copy, Diff or Retire under way.
type run struct {
	settings
	from   From
	toSide scaivault.Side
	route  *route
	pace   *pacer
	batch  batchGetter // nil: the destination reads one by one
	report *Report
	// relisted is what the walk does with the jobs of a listing that went on
	// after it was cut off; nil for nothing.
	relisted func(emit func(job) bool) func(job) bool

	found     atomic.Int64 // jobs that the walk has found so far
	elsewhere atomic.Int64 // secrets of other shards that it has passed by
	walked    atomic.Bool  // the walk is over
	total     int          // how many jobs there are, where that is known before
	done      int          // jobs that were told; the collector's own
	speed     speedometer
}

func newRun(s settings, from From, to endpoint, m *scaivault.Mapping) (*run, error) {
	if err := checkEndpoints(s.op, from, to, m); err != nil {
		return nil, err
	}
	if err := checkWorkers(s.op, s.workers); err != nil {
		return nil, err
	}
	switch {
	case s.perSecond < 0 || math.IsNaN(s.perSecond) || math.IsInf(s.perSecond, 0):
		return nil, invalid(s.op, "PerSecond is not a number of secrets per second; 0 means no limit")
	case s.workers == 0:
		s.workers = defaultWorkers
	}
	var err error
	if s.prefixes, err = cleanPrefixes(s.op, s.prefixes, from.Side()); err != nil {
		return nil, err
	}
	r := &run{settings: s, from: from, toSide: to.Side(), pace: newPacer(s.perSecond)}
	if r.route, err = newRoute(s.op, m, s.cluster, from.Side()); err != nil {
		return nil, err
	}
	r.batch, _ = to.(batchGetter)
	r.report = &Report{
		Op: s.op, From: from.Name(), To: to.Name(), DryRun: s.dryRun, Started: time.Now(),
		Counts: map[Outcome]int{}, kinds: map[error]error{}, folders: subtrees{},
	}
	return r, nil
}

func checkWorkers(op string, n int) error {
	switch {
	case n < 0:
		return invalid(op, "Workers is negative; 0 means the default")
	case n > maxWorkers:
		return invalid(op, fmt.Sprintf("Workers is %d; give at most %d", n, maxWorkers))
	default:
		return nil
	}
}

// end closes the report of a run that ended with err.
func (r *run) end(err error) (*Report, error) {
	r.report.Incomplete = err != nil
	r.report.Elsewhere = int(r.elsewhere.Load())
	r.report.finish()
	return r.report, err
}

// errFirstProblem ends a run that was to stop at the first problem.
var errFirstProblem = errors.New("stopped at the first problem")

// pass does all jobs of one walk, and those again for which a service was not
// available. Its error is that of ctx, or of each.
func (r *run) pass(ctx context.Context, walk walkFunc, look lookFunc, work workFunc) error {
	return r.passThrough(ctx, walk, steps{look: look, work: r.paced(work)})
}

// passThrough is pass with further steps, whose work paces itself.
func (r *run) passThrough(ctx context.Context, walk walkFunc, s steps) error {
	deferred, err := r.once(ctx, r.counted(walk), s, maxDeferred)
	if err != nil || len(deferred) == 0 {
		return err
	}
	_, err = r.once(ctx, r.replay(deferred), s, 0)
	return err
}

// once does all jobs of one walk. Of those that failed because a service was
// not available, it returns the first ones untold.
func (r *run) once(ctx context.Context, walk walkFunc, s steps, mayDefer int) ([]job, error) {
	var deferred []job
	for res := range stream(ctx, r.workers, walk, s) {
		if res.dropped {
			continue
		}
		if len(deferred) < mayDefer && transient(res) && ctx.Err() == nil {
			res.job.forget()
			deferred = append(deferred, res.job)
			continue
		}
		if err := r.tell(res); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: cut short: %w", r.op, context.Cause(ctx))
	}
	return deferred, nil
}

// tell counts one result and calls the caller's functions.
func (r *run) tell(res result) error {
	r.done++
	if !res.silent {
		for _, item := range append(res.besides, res.item) {
			if item.Err == nil {
				item.Err = item.Outcome.category()
			}
			r.report.add(item, res.job.unmapped)
			if r.each != nil {
				if err := r.each(item); err != nil {
					return err
				}
			}
			if r.failFast && item.Outcome.Bad() {
				return errFirstProblem
			}
		}
	}
	if r.progress != nil {
		p := Progress{Done: r.done, Total: r.total}
		if r.walked.Load() {
			p.Total = int(r.found.Load())
		}
		r.speed.fill(&p, r.report.Started, time.Now())
		r.progress(p)
	}
	return nil
}

// counted counts what a walk finds.
func (r *run) counted(walk walkFunc) walkFunc {
	return func(ctx context.Context, emit func(job) bool) {
		walk(ctx, func(j job) bool {
			r.found.Add(1)
			return emit(j)
		})
	}
}

// paced lets work begin when it is its turn, and again when a service asked
// to be asked later.
func (r *run) paced(work workFunc) workFunc {
	return func(ctx context.Context, j job) result {
		if j.decided != nil {
			return result{job: j, item: *j.decided}
		}
		if r.pace.turn(ctx) != nil {
			return result{job: j, dropped: true}
		}
		for try := 1; ; try++ {
			if r.pace.calm(ctx) != nil {
				return result{job: j, dropped: true}
			}
			res := work(ctx, j)
			if res.item.Err != nil && r.pace.again(ctx, res.item.Err, try) {
				continue
			}
			res.job = j
			res.dropped = ctx.Err() != nil && cutShort(res.item.Err)
			return res
		}
	}
}

// cutShort tells whether a job ended only because the run did. A write of
// unknown fate is told all the same.
func cutShort(err error) bool {
	return (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) && !errors.Is(err, scaivault.ErrUncertain)
}

// transient tells whether a second try at the end of the run can help.
func transient(res result) bool {
	if res.job.cutOff != nil {
		return true
	}
	if res.job.decided != nil || res.item.Outcome != Failed && res.item.Outcome != Unreadable {
		return false
	}
	return passes(res.item.Err)
}

// look reads what the destination holds, many secrets in one request. What it
// can't read is read one by one later, so its errors are not told.
func (r *run) look(ctx context.Context, jobs []job) {
	var found map[string]*scaivault.Secret
	var err error
	paths := pathsOf(jobs)
	for try := 1; len(paths) > 0 && r.pace.calm(ctx) == nil; try++ {
		found, err = r.batch.GetBatch(ctx, paths)
		if err == nil || len(found) > 0 || !r.pace.again(ctx, err, try) {
			break
		}
	}
	noteLooks(jobs, found, err)
}

// pathsOf are the names in the destination that a look is worth.
func pathsOf(jobs []job) []string {
	paths := make([]string, 0, len(jobs))
	for _, j := range jobs {
		if j.decided == nil && j.refused == nil {
			paths = append(paths, j.to)
		}
	}
	return paths
}

// noteLooks notes what many were looked at for.
func noteLooks(jobs []job, found map[string]*scaivault.Secret, err error) {
	lacking := lackingIn(err)
	for i := range jobs {
		jobs[i].looked = found[jobs[i].to]
		jobs[i].lacking = lacking(jobs[i].to)
	}
}

// lackingIn tells by the error of a batch of which paths the service has said
// that there is nothing.
func lackingIn(err error) func(path string) bool {
	var parts *scaivault.BatchError
	if !errors.As(err, &parts) {
		return func(string) bool { return false }
	}
	return func(path string) bool { return errors.Is(parts.Errors[path], scaivault.ErrNotFound) }
}

// looker is look, where the destination can do it.
func (r *run) looker() lookFunc {
	if r.batch == nil {
		return nil
	}
	return r.look
}
