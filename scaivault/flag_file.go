// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// flagInterval is how long after one look at a flag's file the next one comes.
const flagInterval = 500 * time.Millisecond

// FileFlag reads stages from a file, and again when the file changes: a flag
// that is turned while services run. The file holds the one stage of all paths,
//
//	canary
//
// or a table in YAML or JSON, in which the first pattern that matches decides.
// Patterns are those of [PathFlag]. The last one is ** for all other paths, so
// that there is a stage for every path, and so that a file of which the end is
// missing does not count. Instead of a stage may stand a [Rollout] from one to
// another:
//
//	environments/production/billing/database: cutover
//	environments/production/**: {from: shadow, to: canary, percent: 10, seed: october}
//	environments/test/**: scaivault
//	**: vault
//
// A file that is missing, unreadable, larger than 1 MiB, or in which anything
// else stands, a pattern twice or behind one that matches all of it included, is
// [ErrInvalid]. The error names the file and the line, and never what the file
// holds.
func FileFlag(path string) (*WatchedFlag, error) {
	if path == "" {
		return nil, &Error{Kind: ErrInvalid, Op: opReadFlag, Reason: "FileFlag: name the file"}
	}
	w := &flagWatch{path: path}
	if abs, err := filepath.Abs(path); err == nil {
		w.path = abs // whatever folder the process goes to
	}
	w.looking.Lock()
	defer w.looking.Unlock()
	w.look()
	if problem := w.problem.Load(); problem != nil {
		return nil, problem
	}
	w.timer = time.AfterFunc(flagInterval, w.tick)
	f := &WatchedFlag{w}
	// The next tick is then the last. A timer is not stopped from a cleanup, as
	// it may be one of a bubble of testing/synctest.
	runtime.AddCleanup(f, func(w *flagWatch) { w.closed.Store(true) }, w)
	return f, nil
}

const opReadFlag = "read flag"

// A WatchedFlag is a [Flag] in a file that is looked at twice a second, until
// Close or until nobody holds the flag any more. Make one with [FileFlag]. It
// looks at what the file holds rather than at its time: so it follows edits in
// place, files that are renamed over it, and the ConfigMaps of Kubernetes.
//
// While the file is broken or not there, its last good content holds; Err tells,
// and a [Store] with this flag logs it and counts it in [Stats]. It never answers
// StageUnknown. It is safe for concurrent use.
type WatchedFlag struct{ w *flagWatch }

// Stage returns what the file says for a path. It takes no lock, allocates
// nothing, and does not wait for the file.
func (f *WatchedFlag) Stage(ctx context.Context, path string) Stage {
	return f.w.table.Load().stage(ctx, path)
}

// Epoch moves when the stages in the file change, and at no other time; see
// [Flag]. A type that embeds a WatchedFlag and has a Stage of its own must have
// an Epoch of its own too.
func (f *WatchedFlag) Epoch() uint64 { return f.w.table.Load().epoch }

// Err returns what was wrong with the file at the last look, or nil. It matches
// [ErrInvalid], and names the file and the line.
func (f *WatchedFlag) Err() error {
	if problem := f.w.problem.Load(); problem != nil {
		return problem
	}
	return nil
}

// Close ends the watching, and waits for a look that is under way. The last
// stages stay. It is idempotent and returns nil.
func (f *WatchedFlag) Close() error {
	f.w.closed.Store(true)
	f.w.looking.Lock()
	defer f.w.looking.Unlock()
	f.w.timer.Stop()
	return nil
}

// A flagWatch looks at a flag's file. It does not know the WatchedFlag, so that
// its timer does not keep that one alive.
type flagWatch struct {
	path string
	// table holds the stages and their epoch. That they are published by one
	// store is what Flag asks of an epoch: no answer that comes after a look at
	// the epoch is older than that.
	table   atomic.Pointer[stageTable]
	problem atomic.Pointer[Error] // nil: the file is good
	closed  atomic.Bool

	looking sync.Mutex  // held by who looks at the file
	timer   *time.Timer // guarded by looking
	last    []byte      // what was in the file; guarded by looking

	mu      sync.Mutex
	loggers []*slog.Logger // of the Stores; guarded by mu
}

func (w *flagWatch) tick() {
	w.looking.Lock()
	defer w.looking.Unlock()
	if w.closed.Load() {
		return
	}
	w.look()
	w.timer.Reset(flagInterval)
}

// look reads the file. Callers hold looking.
func (w *flagWatch) look() {
	text, err := readSmallFile(w.path)
	if err != nil {
		w.last = nil
		w.fail(fmt.Errorf("%w; write a stage such as vault to this file, and let this process read it", err))
		return
	}
	if w.last != nil && bytes.Equal(text, w.last) {
		return
	}
	w.last = text
	lines, err := parseStages(text)
	if err != nil {
		w.fail(err)
		return
	}
	w.turn(lines)
}

// turn takes what the file says, and tells when that is new.
func (w *flagWatch) turn(lines PathFlags) {
	old := w.table.Load()
	mended := w.problem.Swap(nil) != nil
	switch {
	case old == nil:
		w.table.Store(newStageTable(lines, 0))
	case !slices.Equal(old.lines, lines):
		w.table.Store(newStageTable(lines, old.epoch+1))
		w.tell(func(log *slog.Logger) {
			log.Info("the flag was turned", slog.String("file", w.path))
			warnOfSkippedFreeze(log, lines)
		})
	case mended:
		w.tell(func(log *slog.Logger) { log.Info("the file of the flag is good again", slog.String("file", w.path)) })
	}
}

// fail remembers what is wrong, and tells when that is new.
func (w *flagWatch) fail(err error) {
	problem := &Error{Kind: ErrInvalid, Op: opReadFlag, Reason: "file " + wire.Printable(w.path), Err: err}
	old := w.problem.Swap(problem)
	if old == nil || old.Error() != problem.Error() {
		w.tell(func(log *slog.Logger) { logBrokenFlag(log, problem) })
	}
}

func logBrokenFlag(log *slog.Logger, problem error) {
	log.Error("the file of the flag cannot be used; its last good content holds", slog.Any("error", problem))
}

// warnOfSkippedFreeze tells of rollouts that are only for services that never
// write.
func warnOfSkippedFreeze(log *slog.Logger, f Flag) {
	eachFlag(f, func(f Flag) {
		if r, ok := f.(Rollout); ok && r.skipsFreeze() {
			log.Warn("a rollout moves the authority without a freeze, so writes can be lost; roll out to freeze first",
				slog.Any("from", r.From), slog.Any("to", r.To))
		}
	})
}

func (w *flagWatch) tell(what func(*slog.Logger)) {
	w.mu.Lock()
	loggers := slices.Clone(w.loggers)
	w.mu.Unlock()
	for _, log := range loggers {
		what(log)
	}
}

// join makes a Store's logger hear of the file. It does not keep the Store.
func (w *flagWatch) join(log *slog.Logger) {
	w.mu.Lock()
	w.loggers = append(w.loggers, log)
	w.mu.Unlock()
	if problem := w.problem.Load(); problem != nil {
		logBrokenFlag(log, problem)
	}
	warnOfSkippedFreeze(log, w.table.Load().lines)
}

// leave ends what join began.
func (w *flagWatch) leave(log *slog.Logger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.loggers, log); i >= 0 {
		w.loggers = slices.Delete(w.loggers, i, i+1)
	}
}

// A stageTable is what a flag's file says. It never changes.
type stageTable struct {
	epoch uint64
	lines PathFlags // of Stages and Rollouts between Stages; the last is for all paths
	index index
}

func newStageTable(lines PathFlags, epoch uint64) *stageTable {
	t := &stageTable{epoch: epoch, lines: lines, index: newIndex()}
	for i, line := range lines {
		t.index.add(line.Pattern, i, false)
	}
	return t
}

func (t *stageTable) stage(ctx context.Context, path string) Stage {
	last := len(t.lines) - 1
	if last == 0 {
		return t.lines[0].Flag.Stage(ctx, path)
	}
	i, ok := t.index.first(path)
	if !ok {
		i = last
	}
	return t.lines[i].Flag.Stage(ctx, path)
}
