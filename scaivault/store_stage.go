// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"log/slog"
)

// stage asks the flag. Where it cannot say, the last known stage of the path
// holds, and before the first one InitialStage. The epoch is from before the
// flag was asked, so an answer that is older than the epoch is never kept under it.
func (s *Store) stage(ctx context.Context, path string, st *pathState) (stage Stage, epoch uint64) {
	if s.epoch != nil {
		epoch = s.epoch()
	}
	stage, panicked := s.askFlag(ctx, path)
	if panicked {
		s.count.flagPanics.Add(1)
		s.log.LogAttrs(ctx, slog.LevelError, "the flag panicked; the last known stage holds", slog.String("path", path))
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
