// SPDX-License-Identifier: Apache-2.0

// Package tempfile makes files for what does not fit into memory. Nobody else
// may read them, and nothing of them stays behind.
package tempfile

import (
	"errors"
	"os"
)

// Create makes a file of mode 0600 in dir, or in the system's directory for
// such files if dir is empty. Where the system lets an open file be removed, it
// has no name any more, and so is gone even when the process is killed.
func Create(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "scaivault-*.tmp")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // elsewhere Discard does it
	return file, nil
}

// Discard closes the file and removes it, if it has a name still.
func Discard(file *os.File) error {
	err := file.Close()
	if gone := os.Remove(file.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
