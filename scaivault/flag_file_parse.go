// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// bareWildcard is a pattern such as ** as people write it. YAML wants it in
// quotes, as * begins an alias there.
var bareWildcard = regexp.MustCompile(`(?m)^([ \t]*)(\*[^\s:"]*)([ \t]*:)`)

// parseStages reads what stands in a flag's file. It quotes nothing of it in an
// error but keys, as it may be the wrong file, and hold secrets.
func parseStages(text []byte) (lines PathFlags, err error) {
	defer func() {
		if recover() != nil { // a service must not end because of what is in a file
			lines, err = nil, errors.New("it is no YAML that can be read; write a stage such as vault")
		}
	}()
	text = bytes.TrimPrefix(text, []byte("\uFEFF")) // a byte order mark, as some editors write
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		text = bytes.ReplaceAll(text, []byte(`\/`), []byte("/")) // JSON's, which YAML does not know
	}
	root, err := yamlDocument(bareWildcard.ReplaceAll(text, []byte(`$1"$2"$3`)))
	switch {
	case err != nil:
		return nil, err
	case root == nil:
		return nil, errors.New("the file is empty; write a stage such as vault, or a table of patterns and stages")
	case root.Kind == yaml.MappingNode:
		return stageLines(root, bytes.HasSuffix(text, []byte("\n")))
	}
	stage, err := stageOf(root)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", root.Line, err)
	}
	return PathFlags{{Pattern: "**", Flag: stage}}, nil
}

// stageLines reads the table. ended says that the file's last line is whole.
func stageLines(root *yaml.Node, ended bool) (PathFlags, error) {
	var lines PathFlags
	seen := newIndex()
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := pointedAt(root.Content[i]), pointedAt(root.Content[i+1])
		n := root.Content[i].Line
		if err := checkStagePattern(root, key, seen, i/2); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		flag, err := stageOrRollout(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if i+2 == len(root.Content) && !ended && root.Style&yaml.FlowStyle == 0 && value.Kind == yaml.MappingNode && value.Style&yaml.FlowStyle == 0 {
			return nil, fmt.Errorf("line %d: the file ends within a line, so that a number there may lack digits; end it with a newline", n)
		}
		seen.add(key.Value, i/2, false)
		lines = append(lines, PathFlag{Pattern: key.Value, Flag: flag})
	}
	if len(lines) == 0 || lines[len(lines)-1].Pattern != "**" {
		return nil, errors.New(`the end is missing: add a last line for all other paths, such as "**": vault`)
	}
	return lines, nil
}

// checkStagePattern checks the pattern of line i against itself and those before.
func checkStagePattern(root, key *yaml.Node, seen index, i int) error {
	if key.Kind != yaml.ScalarNode {
		return errors.New("a pattern is not a string")
	}
	if rule := brokenPattern(key.Value); rule != "" {
		return fmt.Errorf("the pattern can match no path: %s; write a path, a path and /**, or **", rule)
	}
	hidden, ok := seen.covering(key.Value)
	switch {
	case !ok:
		return nil
	case pointedAt(root.Content[2*hidden]).Value == key.Value:
		return fmt.Errorf("the pattern stands twice, first in line %d; remove one", root.Content[2*hidden].Line)
	default:
		return fmt.Errorf("the pattern of line %d matches all of this one first; put this line before that one", root.Content[2*hidden].Line)
	}
}

func stageOrRollout(value *yaml.Node) (Flag, error) {
	if value.Kind == yaml.MappingNode {
		return rolloutOf(value)
	}
	return stageOf(value)
}

func stageOf(n *yaml.Node) (Stage, error) {
	if n.Kind == yaml.ScalarNode {
		if stage, err := ParseStage(n.Value); err == nil {
			return stage, nil
		}
	}
	// ParseStage would quote it.
	return StageUnknown, fmt.Errorf("this is not a stage; the stages are %s", strings.Join(stageNames[1:], ", "))
}

func rolloutOf(n *yaml.Node) (Flag, error) {
	var r Rollout
	var seen []string
	_, err := yamlObject(n, func(key string, value *yaml.Node) (err error) {
		if slices.Contains(seen, key) {
			return fmt.Errorf("%s stands twice; remove one", quotedKey(key))
		}
		seen = append(seen, key)
		value = pointedAt(value)
		switch key {
		case "from":
			r.From, err = stageOf(value)
		case "to":
			r.To, err = stageOf(value)
		case "percent":
			if r.Percent, err = strconv.ParseFloat(value.Value, 64); err != nil || !isPercent(r.Percent) {
				err = errors.New("this is not a number from 0 to 100")
			}
		case "seed":
			if r.Seed = value.Value; value.Kind != yaml.ScalarNode {
				err = errors.New("this is not a string")
			}
		default:
			return fmt.Errorf("unknown key %s; a rollout has from, to, percent and seed", quotedKey(key))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"from", "to", "percent"} {
		if !slices.Contains(seen, key) {
			return nil, fmt.Errorf("%s is missing; a rollout has from, to, percent and perhaps seed", key)
		}
	}
	return r, nil
}
