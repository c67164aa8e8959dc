// SPDX-License-Identifier: Apache-2.0

package pathmap

// Groups returns how many groups of slots the map keeps.
func (m *Map[V, P]) Groups() int {
	root := m.root.Load()
	groups := 0
	for i := 0; i < len(root.tables); {
		t := root.tables[i].Load()
		groups += len(t.groups)
		i += root.span(t)
	}
	return groups
}
