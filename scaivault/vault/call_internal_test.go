// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// users are ways to find out that a call has ended, each the first thing that
// is asked of it.
func users() map[string]func(*call) error {
	return map[string]func(*call) error{
		"its request": func(c *call) error {
			ctx, cancel := c.attempt(time.Hour)
			defer cancel()
			<-ctx.Done()
			return c.Err()
		},
		"a request after another": func(c *call) error {
			_, cancel := c.attempt(time.Hour)
			cancel()
			ctx, cancel := c.attempt(time.Hour)
			defer cancel()
			<-ctx.Done()
			return c.Err()
		},
		"two requests at once": func(c *call) error {
			first, cancel := c.attempt(time.Hour)
			defer cancel()
			second, cancel := c.attempt(time.Hour)
			defer cancel()
			<-second.Done()
			<-first.Done()
			return c.Err()
		},
		"a request after a pause": func(c *call) error {
			_ = c.Done()
			ctx, cancel := c.attempt(time.Hour)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		},
		"its end": func(c *call) error { <-c.Done(); return c.Err() },
		"a context derived from it": func(c *call) error {
			ctx, cancel := context.WithTimeout(c, time.Hour)
			defer cancel()
			<-ctx.Done()
			return ctx.Err()
		},
		"a value derived from it": func(c *call) error {
			type key struct{}
			ctx := context.WithValue(c, key{}, 1)
			<-ctx.Done()
			return ctx.Err()
		},
	}
}

func TestCallEndsWithTheCallerItsDeadlineAndClose(t *testing.T) {
	t.Parallel()
	errCaller := errors.New("the caller's cause")
	type end struct {
		limit time.Duration
		act   func(cs *calls, cancel context.CancelCauseFunc)
		want  error
		cause error
	}
	ends := map[string]end{
		"caller":   {time.Hour, func(_ *calls, cancel context.CancelCauseFunc) { cancel(errCaller) }, context.Canceled, errCaller},
		"deadline": {time.Minute, func(*calls, context.CancelCauseFunc) {}, context.DeadlineExceeded, context.DeadlineExceeded},
		"close":    {time.Hour, func(cs *calls, _ context.CancelCauseFunc) { cs.close() }, context.Canceled, scaivault.ErrClosed},
	}
	for user, wait := range users() {
		for name, end := range ends {
			t.Run(user+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var cs calls
					ctx, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					c, ok := cs.begin(ctx, end.limit)
					require.True(t, ok)
					at, ok := c.Deadline()
					require.True(t, ok)
					require.Equal(t, time.Now().Add(end.limit), at)
					go func() {
						time.Sleep(time.Minute)
						end.act(&cs, cancel)
					}()
					start := time.Now()
					err := wait(c)
					require.ErrorIs(t, err, end.want)
					require.Equal(t, time.Minute, time.Since(start))
					require.ErrorIs(t, c.Err(), end.want)
					require.ErrorIs(t, context.Cause(c), end.cause)
					c.end()
					require.ErrorIs(t, c.Err(), end.want, "its end changes nothing")
					synctest.Wait()
				})
			})
		}
	}
}

func TestRequestOfACallEndsBeforeTheCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cs calls
		c, ok := cs.begin(t.Context(), time.Minute)
		require.True(t, ok)
		defer c.end()
		for range 2 {
			ctx, cancel := c.attempt(time.Second)
			<-ctx.Done()
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			cancel()
			require.NoError(t, c.Err())
			require.NoError(t, context.Cause(c))
		}
		require.Nil(t, c.own, "nobody has asked for more")
		derived, cancel := context.WithTimeout(c, time.Second)
		<-derived.Done()
		cancel()
		require.NoError(t, c.Err())
	})
}

func TestCallKeepsTheCallersDeadlineAndValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), time.Hour)
		defer cancel()
		var cs calls
		c, ok := cs.begin(ctx, time.Minute)
		require.True(t, ok)
		defer c.end()
		at, ok := c.Deadline()
		require.True(t, ok)
		require.Equal(t, time.Now().Add(time.Hour), at)
		request, cancel := c.attempt(2 * time.Hour)
		defer cancel()
		require.Equal(t, "v", request.Value(key{}))
		require.Equal(t, "v", c.Value(key{}))
		_ = c.Done()
		require.Equal(t, "v", c.Value(key{}))
		<-request.Done()
		require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
	})
}

func TestCallsAreRefusedAfterClose(t *testing.T) {
	t.Parallel()
	var cs calls
	require.True(t, cs.close())
	require.False(t, cs.close())
	_, ok := cs.begin(t.Context(), time.Minute)
	require.False(t, ok)
	require.False(t, cs.spawn(t.Context(), time.Minute, func(context.Context) { t.Error("it was run") }))
}
