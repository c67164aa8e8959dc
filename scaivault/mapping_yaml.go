// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decodeYAMLMapping reads the tree of nodes rather than into a struct: so no
// alias is expanded but where a rule or a value stands, and no error quotes
// what the file holds.
func decodeYAMLMapping(text []byte) ([]Rule, error) {
	root, err := yamlDocument(text)
	if err != nil || root == nil {
		return nil, err
	}
	var list *yaml.Node
	line, err := yamlObject(root, func(key string, value *yaml.Node) error {
		err := checkFileKey(key, list != nil)
		list = value
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	return yamlRules(list)
}

// yamlDocument returns the root of the one document in text, or nil where
// nothing is in it.
func yamlDocument(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := dec.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil //nolint:nilnil // an empty file
	} else if err != nil {
		return nil, notYAML(err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return nil, fmt.Errorf("line %d: there is a second document; join them to one", more.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, notYAML(err)
	}
	root := pointedAt(&document)
	if isNull(root) {
		return nil, nil //nolint:nilnil // the same, with a comment in it
	}
	return root, nil
}

func yamlRules(list *yaml.Node) ([]Rule, error) {
	if list == nil || isNull(pointedAt(list)) {
		return nil, nil
	}
	list = pointedAt(list)
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: %s is not a list", list.Line, keyRules)
	}
	rules := make([]Rule, 0, len(list.Content))
	for i, item := range list.Content {
		var f ruleReader
		line, err := yamlObject(pointedAt(item), func(key string, value *yaml.Node) error {
			return f.set(key, yamlValue(pointedAt(value)))
		})
		if err != nil {
			return nil, fmt.Errorf("line %d: rule %d: %w", line, i+1, err)
		}
		rules = append(rules, f.rule)
	}
	return rules, nil
}

// yamlObject calls each for every key. It returns the line of an error.
func yamlObject(n *yaml.Node, each func(key string, value *yaml.Node) error) (line int, err error) {
	if n.Kind != yaml.MappingNode {
		return n.Line, errors.New("this is not an object with keys and values")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := pointedAt(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return key.Line, errors.New("a key is not a string")
		}
		if err := each(key.Value, n.Content[i+1]); err != nil {
			return key.Line, err
		}
	}
	return 0, nil
}

// yamlValue is the value of a scalar, as ruleReader wants it. A number is as
// good as a string, for a path may be one.
func yamlValue(n *yaml.Node) any {
	if n.Kind != yaml.ScalarNode {
		return n
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var truth bool
		if err := n.Decode(&truth); err != nil {
			return n
		}
		return truth
	case "!!str", "!!int", "!!float", "!!timestamp":
		return n.Value
	default:
		return n
	}
}

// pointedAt follows an alias, and takes a document for its content.
func pointedAt(n *yaml.Node) *yaml.Node {
	for {
		switch {
		case n.Kind == yaml.AliasNode && n.Alias != nil:
			n = n.Alias
		case n.Kind == yaml.DocumentNode && len(n.Content) == 1:
			n = n.Content[0]
		default:
			return n
		}
	}
}

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// notYAML tells where a file breaks YAML's rules, on one line.
func notYAML(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	// This is the one text that quotes the file, where a value starts with *.
	if before, _, found := strings.Cut(text, "unknown anchor"); found {
		text = before + "an alias names no anchor; put a text that starts with * in quotes"
	}
	return errors.New(text)
}
