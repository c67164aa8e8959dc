// SPDX-License-Identifier: Apache-2.0

package copying_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/bench/copying"
)

func TestMain(m *testing.M) {
	asked, err := copying.BeChild(context.Background())
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case !asked:
		os.Exit(m.Run())
	}
}

// TestAllDoTheSame: whoever is compared asks for as much as the others.
func TestAllDoTheSame(t *testing.T) {
	t.Parallel()
	const n = 250
	first := map[string]int{"mount look-up": 1, "listing": 4, "value read": n, "write": n, "batch": 6}
	for _, tc := range []struct {
		name string
		do   func(url string) error
		want map[string]int
	}{
		{"the loop", func(url string) error { return copying.Loop(t.Context(), url, n) }, map[string]int{"listing": 4, "value read": n, "write": n}},
		{"the bare load", func(url string) error { return copying.Load(t.Context(), url, n) }, map[string]int{"listing": 3, "value read": n, "write": n, "batch": 6}},
		{"a copy", func(url string) error { _, err := copying.Copy(t.Context(), url); return err }, first},
		{"a copy in a child", func(url string) error {
			r, err := copying.CopyInAChild(t.Context(), url)
			assert.Equal(t, n, r.Secrets)
			assert.Positive(t, r.PeakBytes)
			return err
		}, first},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			url, stop, err := copying.Start(context.Background(), &copying.Services{Secrets: n})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stop()) })
			require.NoError(t, tc.do(url))
			got, err := copying.Asked(t.Context(), url)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got.Requests)
			assert.Zero(t, got.Refused)
		})
	}
}
