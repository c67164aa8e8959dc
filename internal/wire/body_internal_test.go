// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCutOffIsWhatOneByteMoreCannotEnd(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		`{`: false, `{"a":1`: false, `{"a":"b"`: false, `{"a":"\""`: false, `{"a":"\\"`: false, `{"a":"{["`: false, `{"a":{}`: false, `[1`: false,
		`{"a"`: true, `{"a":`: true, `{"a":1,`: true, `{"a":"b`: true, `{"a":"\"`: true, `{"a":"\\\"`: true, `{"a":"\`: true, `{"a":{`: true,
		`{"a":{"b":"}}}`: true, `{"a":"b","c"`: true, `{"a:`: true, `[[1`: true, ``: false, `page`: false,
	} {
		require.Equal(t, want, isCutOff([]byte(body)), body)
	}
}
