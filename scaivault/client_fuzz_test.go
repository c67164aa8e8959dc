// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// FuzzErrorBody: a body that is no success has a kind whatever it is, and is
// quoted by no error.
func FuzzErrorBody(f *testing.F) {
	const marker = "c4n4ry of the server!"
	f.Add(404, refusal("secret_not_found"), "3")
	f.Add(403, "\xef\xbb\xbf"+refusal("access_denied"), "")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		if status < 300 || status > 999 {
			return
		}
		for _, body := range []string{body, body + marker, marker + body, body + marker + `"}}`} {
			rt := &script{answers: says2(says(status, body, "Retry-After", retryAfter, "X-Request-ID", body))}
			c := newTestClient(t, "https://s.test", through(rt))
			for _, call := range quotingCalls {
				err := call(t.Context(), c)
				if err == nil { // Ready takes what has a status
					continue
				}
				require.NotEqual(t, "??", kindOf(err), "%v", err)
				require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), marker)
				require.NotContains(t, err.Error(), "\n")
			}
		}
	})
}

// FuzzListBody: a listing ends, yields what has a name below the prefix, and
// tells its error last.
func FuzzListBody(f *testing.F) {
	f.Fuzz(func(t *testing.T, body, prefix string) {
		c := newTestClient(t, "https://s.test", through(&script{answers: says2(says(200, body))}))
		var last error
		pairs := 0
		for e, err := range c.List(t.Context(), prefix, nil) {
			require.NoError(t, last)
			if last = err; err != nil {
				require.Equal(t, scaivault.Entry{}, e)
				require.NotEqual(t, "??", kindOf(err))
				continue
			}
			require.NotEmpty(t, e.Path)
			if pairs++; pairs > 10_000 {
				break
			}
		}
	})
}
