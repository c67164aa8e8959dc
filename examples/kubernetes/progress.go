// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/scailabs/scaivault-go/migrate"
)

// lineEvery is how often a line is written where there is no terminal, as in the
// log of a pod.
const lineEvery = 10 * time.Second

// A progress shows how far the copy has come: a bar on a terminal, and plain lines
// elsewhere.
type progress struct {
	w    io.Writer
	bar  *progressbar.ProgressBar // nil: lines
	next time.Time
	last migrate.Progress
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, next: time.Now().Add(lineEvery)}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions64(-1, // a spinner, until it is known how many there are
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("copying"),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("secrets"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	return p
}

// isTerminal tells whether somebody sits there.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// show is told after every secret.
func (p *progress) show(now migrate.Progress) {
	p.last = now
	if p.bar != nil {
		if now.Total > 0 && p.bar.GetMax() != now.Total {
			p.bar.ChangeMax(now.Total)
		}
		_ = p.bar.Set(now.Done) // a terminal that is gone wants no error
		return
	}
	if at := time.Now(); at.After(p.next) {
		p.next = at.Add(lineEvery)
		p.line()
	}
}

// end leaves the terminal clean, and says in the log how far it came.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.w)
		return
	}
	p.line()
}

func (p *progress) line() {
	of := ""
	if p.last.Total > 0 {
		of = fmt.Sprintf(" of %d", p.last.Total)
	}
	left := ""
	if p.last.TimeLeft > 0 {
		left = fmt.Sprintf(", %s left", p.last.TimeLeft)
	}
	fmt.Fprintf(p.w, "copy: %d%s secrets, %.0f a second%s\n", p.last.Done, of, p.last.Rate, left)
}
