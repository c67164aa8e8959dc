// SPDX-License-Identifier: Apache-2.0

package mark_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scailabs/scaivault-go/internal/mark"
)

func TestEveryKeyOfAMarkIsKnownAsOne(t *testing.T) {
	t.Parallel()
	for key := range mark.WithPutID(mark.Mark{Source: "kv/data/a", WriteID: mark.NewWriteID()}.AddTo(nil), "id") {
		assert.True(t, mark.IsKey(key), key)
	}
	assert.False(t, mark.IsKey("team"))
	assert.False(t, mark.IsKey("migration"))
}
