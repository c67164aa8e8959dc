// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"os"
)

// A Flag decides at which stage a ScaiVault path is. A [Store] asks it at every
// Get and Put, so it must be fast, safe for concurrent use, and the same in
// every instance of a service. [StageUnknown] means that it cannot say: the
// last known stage of the path stays. A panic counts as StageUnknown, and so does
// a number that is no stage.
//
// A Flag whose answers depend on the path alone, and not on ctx, may also have a
// method Epoch() uint64, a number that moves whenever an answer may have changed
// and never comes back: while it stands still, a cached Get does not ask the flag
// again. The answers must change first and the Epoch then, or both at once: who
// has seen an Epoch must get no answer from before it. [PathFlags] and [Rollout]
// stand still while all of their parts do, if each has an Epoch or is a [Stage];
// a [FlagFunc] has none, and is asked at each call. Flags must not be changed by
// hand once a Store has them.
type Flag interface {
	Stage(ctx context.Context, path string) Stage
}

// A FlagFunc is a function as a [Flag].
type FlagFunc func(ctx context.Context, path string) Stage

// Stage calls f.
func (f FlagFunc) Stage(ctx context.Context, path string) Stage { return f(ctx, path) }

// EnvFlag reads one stage for all paths from an environment variable, once,
// now: it can't be flipped in a running process. An unset variable and an
// unknown stage are [ErrInvalid].
func EnvFlag(name string) (Flag, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return nil, &Error{
			Kind: ErrInvalid, Op: opReadFlag,
			Reason: fmt.Sprintf("environment variable %s is not set; set it to a stage such as vault", name),
		}
	}
	stage, err := ParseStage(text)
	if err != nil {
		return nil, fmt.Errorf("environment variable %s: %w", name, err)
	}
	return stage, nil
}

// A Rollout moves a part of the paths from one stage to the next. Which paths
// these are depends on the path and Seed alone, so every instance of a service
// decides alike, and raising Percent never takes a path back.
//
// Do not roll out from a stage at which Vault is the authority to one at which
// ScaiVault is, or back, in one step: while the instances hear of it one by one,
// they would write to both, and writes would be lost. Roll out to StageFreeze
// first, and from there. Only services that never write may do without; a [Store]
// cannot know, so it warns in its log. It refuses a Percent that is none.
type Rollout struct {
	// From holds for the paths that are not in the part. If nil, StageUnknown.
	From Flag
	// To holds for the paths that are. If nil, StageUnknown.
	To Flag
	// Percent is the size of the part, from 0 to 100. A fraction is allowed.
	// If zero, no path is in the part.
	Percent float64
	// Seed makes the parts of two rollouts independent. May be empty.
	Seed string
}

// Stage returns what From or To says; StageUnknown where that one is nil.
func (r Rollout) Stage(ctx context.Context, path string) Stage {
	flag := r.From
	if r.share(path) < r.Percent {
		flag = r.To
	}
	if flag == nil {
		return StageUnknown
	}
	return flag.Stage(ctx, path)
}

// share places a path in [0, 100).
func (r Rollout) share(path string) float64 {
	h := fnv.New64a()
	// A hash takes every write.
	_, _ = h.Write([]byte(r.Seed))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(path))
	x := scramble(h.Sum64()) // FNV leaves the high bits of short inputs uneven
	return float64(x>>11) / math.Exp2(53) * 100
}

// PathFlags chooses a flag by the path: the first pattern that matches
// decides, and StageUnknown is the answer where none does, or where its Flag is
// nil. A nil PathFlags answers StageUnknown.
type PathFlags []PathFlag

// A PathFlag is one line of [PathFlags].
type PathFlag struct {
	// Pattern is a ScaiVault path, or one that ends in "/**" for everything
	// below it, or "**" for everything.
	Pattern string
	// Flag answers for the paths that match. If nil, StageUnknown.
	Flag Flag
}

// Stage returns what the first matching flag says.
func (p PathFlags) Stage(ctx context.Context, path string) Stage {
	for _, f := range p {
		if prefix, tail := splitPattern(f.Pattern); !matches(prefix, tail, path) {
			continue
		}
		if f.Flag == nil {
			return StageUnknown
		}
		return f.Flag.Stage(ctx, path)
	}
	return StageUnknown
}
