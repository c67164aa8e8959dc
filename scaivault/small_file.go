// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// maxSmallFile is the size above which a file is taken for another one.
const maxSmallFile = 1 << 20

var errLargeFile = errors.New("it is larger than 1 MiB")

// readSmallFile reads a regular file. The error does not say the file's name.
func readSmallFile(path string) ([]byte, error) {
	if err := regular(os.Stat(path)); err != nil {
		return nil, err
	}
	// What was a file when it was looked at may be a pipe by now, and nobody
	// may ever write there.
	f, err := os.OpenFile(path, os.O_RDONLY|openAtOnce, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	if err := regular(f.Stat()); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(text) > maxSmallFile {
		return nil, errLargeFile
	}
	return text, nil
}

func regular(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return withoutPath(err)
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case info.Size() > maxSmallFile:
		return errLargeFile
	}
	return nil
}

func withoutPath(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
