// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
	"slices"
)

// watchFlag sees to it that a flag's troubles are told.
func (s *Store) watchFlag() {
	warnOfSkippedFreeze(s.log, s.flag)
	eachFlag(s.flag, func(f Flag) {
		if file, ok := f.(*WatchedFlag); ok && !slices.Contains(s.watched, file) {
			s.watched = append(s.watched, file)
			file.w.join(s.log)
		}
	})
	epoch, ok := epochOf(s.flag)
	switch {
	case !ok:
	case ownFlags(s.flag):
		s.epoch = epoch
	default:
		s.epoch = s.guarded(epoch)
	}
}

// guarded calls the epoch of a flag that is not ours. A panic there is a number
// that no other call gives: so the flag itself is asked.
func (s *Store) guarded(epoch func() uint64) func() uint64 {
	return func() (now uint64) {
		defer func() {
			if p := recover(); p != nil {
				now = scramble(^s.flagPanicked(s.lane.ctx, ""))
			}
		}()
		return epoch()
	}
}

func (s *Store) unwatchFlag() {
	for _, file := range s.watched {
		file.w.leave(s.log)
	}
}

// stage asks the flag. Where it cannot say, the last known stage of the path
// holds, and before the first one InitialStage. The epoch is from before the
// flag was asked, so an answer that is older than the epoch is never kept under it.
func (s *Store) stage(ctx context.Context, path string, st *pathState) (stage Stage, epoch uint64) {
	if s.epoch != nil {
		epoch = s.epoch()
	}
	stage, panicked := s.askFlag(ctx, path)
	if panicked {
		s.flagPanicked(ctx, path)
	}
	if stage.known() {
		stage, held := s.admit(ctx, st, stage)
		st.enter(stage)
		if held {
			epoch = heldEpoch
		}
		return stage, epoch
	}
	s.count.flagUnknown.Add(1)
	if last := st.lastStage(); last != StageUnknown {
		return last, epoch
	}
	return s.cfg.InitialStage, epoch
}

// askFlag calls the flag, which is not ours: a panic is no answer.
func (s *Store) askFlag(ctx context.Context, path string) (stage Stage, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			stage, panicked = StageUnknown, true
		}
	}()
	return s.flag.Stage(ctx, path), false
}

// flagPanicked counts a panic and returns how many there were. It tells of the
// first, and then ever more rarely, as it may be one at each call.
func (s *Store) flagPanicked(ctx context.Context, path string) uint64 {
	n := s.count.flagPanics.Add(1)
	if n&(n-1) == 0 {
		s.log.LogAttrs(ctx, slog.LevelError, "the flag panicked; the last known stage holds", slog.String("path", path), slog.Uint64("panics", n))
	}
	return n
}
