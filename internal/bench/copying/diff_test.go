// SPDX-License-Identifier: Apache-2.0

package copying_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/bench/copying"
)

// ScaiVault is asked once for each hundred secrets, and lists in pages; whoever
// is compared reads every value of Vault.
func TestDiffsCompareAll(t *testing.T) {
	t.Parallel()
	const n = 300
	diff := map[string]int{"mount look-up": 1, "listing": 4, "value read": n, "listing of ScaiVault": 3, "batch": 3}
	for name, tc := range map[string]struct {
		do   func(url string) error
		want map[string]int
	}{
		"the loop": {func(url string) error { return copying.DiffLoop(t.Context(), url, n) }, map[string]int{"value read": n, "single read": n}},
		"a diff": {func(url string) error {
			report, err := copying.Diff(t.Context(), url)
			assert.Equal(t, n, report.Total())
			return err
		}, diff},
		"a diff in a child": {func(url string) error {
			r, err := copying.DiffInAChild(t.Context(), url)
			assert.Equal(t, n, r.Secrets)
			return err
		}, diff},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, stop, err := copying.Start(context.Background(), &copying.Services{Secrets: n, Filled: true})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stop()) })
			require.NoError(t, tc.do(url))
			got, err := copying.Asked(t.Context(), url)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got.Requests)
		})
	}
}
