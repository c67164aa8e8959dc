// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// maxSeed bounds a seed file.
const maxSeed = 64 << 20

// A seed is what the server holds at first, in the order of its file. The data sit
// behind funcs, as everywhere: whoever prints a seed shows no secret.
type seed []planting

type planting struct {
	path string
	data func() map[string]any
}

// readSeed reads {"path": {"key": value}, …}. Its errors name the line and the path,
// and never a value.
func readSeed(r io.Reader) (seed, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSeed+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSeed {
		return nil, fmt.Errorf("longer than %d bytes", maxSeed)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	line := func() int { return 1 + bytes.Count(text[:dec.InputOffset()], []byte("\n")) }
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("line %d: want an object of paths: {\"path\": {\"key\": \"value\"}}", line())
	}
	var all seed
	seen := map[string]int{}
	for dec.More() {
		name, err := dec.Token()
		path, ok := name.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("line %d: not JSON where a path should be", line())
		}
		at := line()
		if before, twice := seen[path]; twice {
			return nil, fmt.Errorf("line %d: %s stands in line %d already", at, path, before)
		}
		seen[path] = at
		if err := scaivault.ValidatePath(path); err != nil {
			return nil, fmt.Errorf("line %d: %w", at, err)
		}
		var data map[string]any
		if err := dec.Decode(&data); err != nil || data == nil {
			return nil, fmt.Errorf("line %d: %s: want an object of keys and values", max(at, line()), path)
		}
		all = append(all, planting{path, func() map[string]any { return data }})
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("line %d: the object does not end", line())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something follows the object", line())
	}
	return all, nil
}

// plant writes the seed.
func (s seed) plant(srv *scaivaulttest.Server) error {
	for _, p := range s {
		if srv.Seed(p.path, p.data()) == 0 {
			return fmt.Errorf("-seed: %s cannot be kept", p.path)
		}
	}
	return nil
}
