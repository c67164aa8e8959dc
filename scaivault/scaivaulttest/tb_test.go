// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestServersStartInOneLine(t *testing.T) {
	t.Parallel()
	server := scaivaulttest.NewServer(t)
	assert.Equal(t, 1, server.Seed("a/b", map[string]any{"k": "v"}))
	vault := scaivaulttest.NewVault(t)
	vault.Mount("kv", 2)
	assert.Equal(t, 1, vault.Seed("kv/data/a", map[string]any{"k": "v"}))
	assert.NotNil(t, scaivaulttest.NewKey(t, server))
}

func TestServersTakeOneSetOfOptions(t *testing.T) {
	t.Parallel()
	server := scaivaulttest.NewServer(t, nil)
	for name, start := range map[string]func(tb scaivaulttest.TB){
		"NewServer": func(tb scaivaulttest.TB) {
			scaivaulttest.NewServer(tb, &scaivaulttest.ServerOptions{}, &scaivaulttest.ServerOptions{})
		},
		"NewVault": func(tb scaivaulttest.TB) { scaivaulttest.NewVault(tb, nil, nil) },
		"NewKey":   func(tb scaivaulttest.TB) { scaivaulttest.NewKey(tb, server, nil, nil) },
	} {
		failures := try(t, func(t *trial) { start(t) })
		require.Len(t, failures, 1, name)
		assert.Contains(t, failures[0], name+" takes one set of options, and was given 2")
	}
}
