// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/scailabs/scaivault-go/migrate"
)

// files are where to write which report; empty for not at all.
type files struct{ text, lines, junit, html string }

func reportFiles(flags *flag.FlagSet) *files {
	f := &files{}
	flags.StringVar(&f.text, "text", "", "write every secret to this text `file`")
	flags.StringVar(&f.lines, "lines", "", "write every secret to this `file`, as lines of JSON")
	flags.StringVar(&f.junit, "junit", "", "write every secret to this `file`, as JUnit XML")
	flags.StringVar(&f.html, "html", "", "write a page with a chart and a table to this `file`")
	return f
}

// write writes all reports that were asked for, and says of each that it could
// not.
func (f *files) write(r *migrate.Report, log *migrate.ItemLog) error {
	type render = func(io.Writer, iter.Seq2[migrate.Item, error]) error
	var all error
	for _, one := range []struct {
		file   string
		render render
	}{{f.text, r.WriteText}, {f.lines, r.WriteLines}, {f.junit, r.WriteJUnit}, {f.html, r.WriteHTML}} {
		if one.file == "" {
			continue
		}
		if err := replaceFile(one.file, func(w io.Writer) error { return one.render(w, log.All()) }); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", one.file, err))
		}
	}
	return all
}

// replaceFile writes a file beside the old one and puts it in its place when it
// is whole and on the disk, so that no disk that is full costs an older report.
// What is no file, such as /dev/stdout, is written to.
func replaceFile(name string, write func(io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(buffered(f, write), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".report-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	if err = buffered(f, write); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func buffered(f io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}
