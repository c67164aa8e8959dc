// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestSourceInMemoryConforms(t *testing.T) {
	t.Parallel()
	scaivaulttest.TestSource(t, func(*testing.T) scaivault.Source { return scaivaulttest.NewSource("scaivault") })
}

func TestSourceTakesThePathsOfBothSides(t *testing.T) {
	t.Parallel()
	src := scaivaulttest.NewSource("vault")
	for _, path := range []string{"environments/production/billing/database", "kv/data/Apps/Billing DB.v2", "secret/ü"} {
		assert.Equal(t, 1, src.Seed(path, map[string]any{"k": "v"}), path)
		assert.Equal(t, 2, src.Seed(path, map[string]any{"k": "w"}), path)
		s, err := src.Get(t.Context(), path)
		require.NoError(t, err)
		assert.Equal(t, 2, s.Version())
		assert.Equal(t, "vault", s.Source())
		src.Remove(path)
		_, err = src.Get(t.Context(), path)
		require.ErrorIs(t, err, scaivault.ErrNotFound)
	}
	assert.Zero(t, src.Seed("a//b", map[string]any{}))
	assert.Zero(t, src.Seed("a", nil))
}

func TestSourceForgetsWhatHasExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := scaivaulttest.NewSource("scaivault")
		_, err := src.Put(t.Context(), "a", map[string]any{}, &scaivault.PutOptions{ExpiresIn: time.Minute})
		require.NoError(t, err)
		time.Sleep(time.Minute - time.Nanosecond)
		s, err := src.Get(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, time.Now().Add(time.Nanosecond), s.Info().ExpiresAt)
		time.Sleep(time.Nanosecond)
		_, err = src.Get(t.Context(), "a")
		require.ErrorIs(t, err, scaivault.ErrNotFound)
		w, err := src.Put(t.Context(), "a", map[string]any{}, &scaivault.PutOptions{IfAbsent: true})
		require.NoError(t, err)
		assert.Equal(t, 2, w.Version)
	})
}

func TestSourceFailsAsItIsTold(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	src := scaivaulttest.NewSource("scaivault")
	var calls []string
	src.SetAround(func(_ context.Context, op, path string, do func() error) error {
		calls = append(calls, op+" "+path)
		return do()
	})
	_, err := src.Put(ctx, "a", map[string]any{"k": "1"}, nil)
	require.NoError(t, err)
	_, err = src.Get(ctx, "b")
	require.ErrorIs(t, err, scaivault.ErrNotFound)
	_, err = src.Get(ctx, "")
	require.ErrorIs(t, err, scaivault.ErrInvalid)
	assert.Equal(t, []string{"put a", "get b"}, calls)

	src.SetAround(func(_ context.Context, op, _ string, do func() error) error {
		if op == "put" {
			return errors.Join(do(), scaivault.ErrUncertain)
		}
		return scaivault.ErrUnavailable
	})
	_, err = src.Put(ctx, "a", map[string]any{"k": "2"}, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
	_, err = src.Get(ctx, "a")
	require.ErrorIs(t, err, scaivault.ErrUnavailable)

	src.SetAround(func(context.Context, string, string, func() error) error { return nil })
	_, err = src.Get(ctx, "a")
	require.ErrorIs(t, err, scaivault.ErrUnavailable, "an Around that forgets its call")
	_, err = src.Put(ctx, "a", map[string]any{}, nil)
	require.ErrorIs(t, err, scaivault.ErrUnavailable, "an Around that forgets its call")

	src.SetAround(nil)
	s, err := src.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, 2, s.Version(), "the write whose answer was lost")
}

func TestSourcePrintsNoSecret(t *testing.T) {
	t.Parallel()
	src := scaivaulttest.NewSource("scaivault")
	src.Seed("a", map[string]any{"k": "s3cr3t-k4n4ry", "n": json.Number("739139173913")})
	printed := fmt.Sprintf("%v %+v %#v %v", src, src, src, []any{src})
	scaivaulttest.AssertNoLeak(t, "s3cr3t-k4n4ry", printed)
	scaivaulttest.AssertNoLeak(t, "739139173913", printed)
}
