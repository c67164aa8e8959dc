// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A checkpoint is a file of JSON lines: a head that says what was listed, a
// line for each name, and an end that counts them. It only ever has its name
// when it is whole.
const (
	checkpointFormat  = "scaivault-migrate listing"
	checkpointVersion = 1
	maxCheckpointLine = 1 << 20
)

// A listingHead says of which estate a listing is, and which part.
type listingHead struct {
	Format   string   `json:"format"`
	Version  int      `json:"version"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Mapping  string   `json:"mapping"` // a hash of the rules
	Cluster  string   `json:"cluster,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
	Include  []string `json:"include,omitempty"`
	Exclude  []string `json:"exclude,omitempty"`
	Shard    Shard    `json:"shard"`
}

// A listingLine is one name, or the end.
type listingLine struct {
	Name  string  `json:"name,omitempty"`
	Found finding `json:"found,omitempty"`
	// End is how many names there are, Elsewhere how many belong to other
	// shards, and Partial says that a part could not be listed.
	End       *int  `json:"end,omitempty"`
	Elsewhere int64 `json:"elsewhere,omitempty"`
	Partial   bool  `json:"partial,omitempty"`
}

func (c *copier) listingHead() listingHead {
	hash := sha256.New()
	enc := json.NewEncoder(hash)
	for _, rule := range c.run.route.rules {
		_ = enc.Encode(rule) // a hash takes every write, and a Rule encodes
	}
	return listingHead{
		Format: checkpointFormat, Version: checkpointVersion,
		From: whereabouts(c.from), To: whereabouts(c.to), Mapping: hex.EncodeToString(hash.Sum(nil)),
		Cluster: c.opts.Cluster, Prefixes: c.run.prefixes, Include: c.opts.Include, Exclude: c.opts.Exclude, Shard: c.opts.Shard,
	}
}

// whereabouts tells one service from another of the same name, where it says
// where it is.
func whereabouts(e endpoint) string {
	switch at := e.(type) {
	case interface{ Address() string }:
		return e.Name() + " at " + at.Address()
	case teller:
		var hosts []string
		for _, endpoint := range at.Stats().Endpoints {
			hosts = append(hosts, endpoint.Host)
		}
		return e.Name() + " at " + strings.Join(hosts, ", ")
	default:
		return e.Name()
	}
}

// listFirst lists everything into the checkpoint, unless it is there already,
// and returns the walk through it. The run knows then how many there are.
func (c *copier) listFirst(ctx context.Context, file string) (walkFunc, error) {
	head := c.listingHead()
	err := isReplaceable(file)
	var end listingLine
	if err == nil {
		end, err = c.readCheckpoint(file, head, func(job) bool { return true })
	}
	var failures []job
	if errors.Is(err, fs.ErrNotExist) || err == nil && end.Partial {
		if failures, err = c.writeCheckpoint(ctx, file, head); err == nil {
			end, err = c.readCheckpoint(file, head, func(job) bool { return true })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: checkpoint: %w", c.run.op, err)
	}
	c.run.total = *end.End + len(failures)
	c.run.elsewhere.Store(end.Elsewhere)
	return func(ctx context.Context, emit func(job) bool) {
		for _, j := range failures {
			if !emit(j) {
				return
			}
		}
		if _, err := c.readCheckpoint(file, head, func(j job) bool { return ctx.Err() == nil && emit(j) }); err != nil {
			emit(failedListing(file, fmt.Errorf("checkpoint: %w", err)))
		}
	}, nil
}

// isReplaceable refuses what is no regular file: a pipe would never be read
// through, and a device would be replaced.
func isReplaceable(file string) error {
	switch info, err := os.Stat(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // it is made
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return invalid("use", fmt.Sprintf("%s is no regular file but %s; name a file, or one that does not exist yet", file, kindOf(info.Mode())))
	}
	return nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	default:
		return mode.Type().String()
	}
}

// writeCheckpoint lists everything into the file. It returns what could not be
// listed, which no file keeps: the next run tries that anew.
func (c *copier) writeCheckpoint(ctx context.Context, file string, head listingHead) (failures []job, err error) {
	temp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.part") // of mode 0600
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, temp.Close(), os.Remove(temp.Name()))
		}
	}()
	if failures, err = c.writeListing(ctx, temp, head); err != nil {
		return nil, err
	}
	for _, step := range []func() error{temp.Sync, temp.Close} {
		if err = step(); err != nil {
			return nil, err
		}
	}
	return failures, os.Rename(temp.Name(), file)
}

// writeListing writes the lines of a checkpoint. Without an error, all of them
// were taken.
func (c *copier) writeListing(ctx context.Context, to io.Writer, head listingHead) (failures []job, err error) {
	w := bufio.NewWriter(to)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	err = enc.Encode(head)
	count := 0
	c.run.walk(ctx, func(j job) bool {
		if j.isPrefix() {
			failures = append(failures, j)
			return len(failures) < maxDeferred
		}
		count++
		if err == nil {
			err = enc.Encode(listingLine{Name: j.from, Found: j.found})
		}
		return err == nil
	})
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = enc.Encode(listingLine{End: &count, Elsewhere: c.run.elsewhere.Load(), Partial: len(failures) > 0})
	}
	if err == nil {
		err = w.Flush()
	}
	return failures, err
}

// readCheckpoint reads the file through, as long as emit wants more, and
// returns its end.
func (c *copier) readCheckpoint(file string, head listingHead, emit func(job) bool) (listingLine, error) {
	f, err := os.Open(file)
	if err != nil {
		return listingLine{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxCheckpointLine)
	var found listingHead
	if !lines.Scan() || strictly(lines.Bytes(), &found) != nil || found.Format != checkpointFormat {
		return listingLine{}, invalid("read", file+" is not a listing of this package; name another file, or remove it")
	}
	if other := head.differs(found); other != "" {
		return listingLine{}, invalid("read", fmt.Sprintf("%s is of another estate or run: %s; name another file, or remove it", file, other))
	}
	for count := 0; lines.Scan(); count++ {
		var line listingLine
		if strictly(lines.Bytes(), &line) != nil || line.Found > empty || (line.Name == "") == (line.End == nil) {
			return listingLine{}, damaged(file)
		}
		if line.End != nil {
			if *line.End != count || lines.Scan() {
				return listingLine{}, damaged(file)
			}
			return line, nil
		}
		j := c.run.newJob(line.Name, line.Found)
		c.run.leaveOut(&j)
		if !emit(j) {
			return line, nil
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return listingLine{}, err
	}
	return listingLine{}, damaged(file)
}

func damaged(file string) error {
	return invalid("read", file+" is cut off, or was changed; remove it, and everything is listed anew")
}

// differs names the first thing that is not the same.
func (h *listingHead) differs(found listingHead) string {
	differ := func(what string, ours, theirs any) string {
		return fmt.Sprintf("its %s is %v, and here it is %v", what, theirs, ours)
	}
	switch {
	case h.Version != found.Version:
		return differ("version", h.Version, found.Version)
	case h.From != found.From:
		return differ("source", h.From, found.From)
	case h.To != found.To:
		return differ("destination", h.To, found.To)
	case h.Mapping != found.Mapping || h.Cluster != found.Cluster:
		return "its mapping is another"
	case !slices.Equal(h.Prefixes, found.Prefixes):
		return differ("list of prefixes", h.Prefixes, found.Prefixes)
	case !slices.Equal(h.Include, found.Include) || !slices.Equal(h.Exclude, found.Exclude):
		return "its patterns of Include and Exclude are others"
	case h.Shard != found.Shard:
		return differ("shard", h.Shard, found.Shard)
	default:
		return ""
	}
}

func removeCheckpoint(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy: all is done, and the checkpoint could not be removed: %w", err)
	}
	return nil
}
