// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestVersionExpiresToTheMoment on a clock of its own; vaultchecks waits for one
// on a real clock.
func TestVersionExpiresToTheMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t)
		client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
		_, err := client.Logical().WriteWithContext(t.Context(), "kv/metadata/apps/db", map[string]any{"delete_version_after": "90m"})
		require.NoError(t, err)
		for version := 1; version <= 2; version++ {
			_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, nil)
			require.NoError(t, err)
			time.Sleep(time.Hour)
		}
		gone := func() (gone []bool) {
			versions, err := s.Versions(t.Context(), kvPath)
			require.NoError(t, err)
			for _, version := range versions {
				require.Equal(t, version.Deleted, version.ExpiresAt.IsZero())
				require.Equal(t, version.Deleted, !version.DeletedAt.IsZero())
				gone = append(gone, version.Deleted)
			}
			return gone
		}
		require.Equal(t, []bool{true, false}, gone(), "after two hours")
		_, err = s.GetVersion(t.Context(), kvPath, 1)
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		secret, err := s.Get(t.Context(), kvPath)
		require.NoError(t, err)
		require.Equal(t, 30*time.Minute, time.Until(secret.Info().ExpiresAt))

		time.Sleep(30*time.Minute - time.Nanosecond)
		require.NoError(t, read(t, s), "a nanosecond before")
		require.Equal(t, []bool{true, false}, gone())
		time.Sleep(time.Nanosecond)
		err = read(t, s)
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		require.ErrorContains(t, err, "version 2 was deleted")
		var e *scaivault.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, http.StatusNotFound, e.Status)
		require.JSONEq(t, `{"version":2}`, string(e.Details))
		require.Equal(t, []bool{true, true}, gone())
		_, err = s.Metadata(t.Context(), kvPath)
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		written, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, &scaivault.PutOptions{IfAbsent: true})
		require.NoError(t, err, "what has expired counts as absent")
		require.Equal(t, 3, written.Version)
	})
}
