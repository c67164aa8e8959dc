// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// secretBody is an answer to a read with a value of this many bytes.
func secretBody(size int) string {
	return strings.Replace(oneSecret, "not-a-real-one", strings.Repeat("x", size), 1)
}

// BenchmarkReadSecret is a read whose answer is there at once, so that what
// remains is the client's own work.
func BenchmarkReadSecret(b *testing.B) {
	for _, size := range []int{16, 1 << 10, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			c := newTestClient(b, "https://s.test", through(&script{answers: says2(says(200, secretBody(size)))}))
			b.ReportAllocs()
			for b.Loop() {
				_, err := c.Get(b.Context(), testPath)
				require.NoError(b, err)
			}
		})
	}
}
