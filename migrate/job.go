// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A finding says how a job came about, which decides what its absence means.
type finding uint8

const (
	listed finding = iota // a listing held it
	named                 // an exact rule names it
	top                   // it has the name of a prefix that was given; it may well not exist
	alone                 // the same, and the listing below it was empty
	empty                 // it is no secret but a rule's subtree, in which there is nothing
)

// A job is one secret on its way through a run.
type job struct {
	from, to string
	found    finding
	// decided is an item for which nothing needs to be read.
	decided  *Item
	unmapped bool
	// refused is why the destination can't have a secret of this name.
	refused error
	// looked is what the destination held when many were looked at together,
	// and lacking says that it held none. Neither stands where it was not
	// looked at, or could not be read.
	looked  *scaivault.Secret
	lacking bool
	// read is what the source held when many were read together; nil where
	// it was not, or could not be.
	read *scaivault.Secret
	// cutOff says of a listing that failed that it can go on at the end of the
	// run; nil for all else.
	cutOff *cutOff
	// planned is what a plan saw of it; nil without a plan. It is asked right
	// before the write.
	planned *planned
	// wrote is what an earlier try of this run has done already.
	wrote Outcome
	// pair is what a Diff saw on both sides when it read many at once; nil
	// where it reads one by one.
	pair *pair
}

// forget drops what is too old for a second try.
func (j *job) forget() { j.looked, j.lacking, j.read, j.pair = nil, false, nil, nil }

// A result is what became of a job.
type result struct {
	job  job
	item Item
	// besides are further items about the same secret, told before item.
	besides []Item
	// written is a write that has still to be read back; nil for none.
	written *written
	// silent says that there is nothing to tell.
	silent bool
	// dropped says that the run ended before the job was done.
	dropped bool
	// raced says that the destination had another version by the time of the write.
	raced bool
}

// walk finds jobs and hands each to emit, until emit returns false.
type walkFunc func(ctx context.Context, emit func(job) bool)

// look prepares up to 100 jobs at once. It may be nil.
type lookFunc func(ctx context.Context, jobs []job)

// work does one job.
type workFunc func(ctx context.Context, j job) result

// check finishes up to 100 results at once. It may be nil.
type checkFunc func(ctx context.Context, results []result)

// steps are what is done with jobs, in this order.
type steps struct {
	look  lookFunc
	work  workFunc
	check checkFunc
}
