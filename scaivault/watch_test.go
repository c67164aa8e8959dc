// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestWatchTellsEachEventOnce and acknowledges it, and ends with ctx.
func TestWatchTellsEachEventOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		synctest.Wait()
		for range 20 {
			h.emit(3)
			time.Sleep(7 * time.Second)
		}
		h.emit(500)
		time.Sleep(time.Minute)
		w.requireAll(t, 560)
		require.Empty(t, w.errors())
		h.mu.Lock()
		require.Empty(t, h.subs["sub_1"].pending, "all is acknowledged")
		h.mu.Unlock()
		cancel()
		<-w.ended
		require.Len(t, w.errors(), 1)
		requireMatches(t, w.errors()[0], context.Canceled)
		require.Zero(t, h.alive(), "the subscription is deleted")
		h.requireWithinLimits(t)
	})
}

// TestWatchAcknowledgesOnlyWhatWasProcessed: nothing, while the loop is at work.
func TestWatchAcknowledgesOnlyWhatWasProcessed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithCancel(t.Context())
		var working atomic.Int64
		w := watching(ctx, h.client(t), func(scaivault.Event) bool {
			working.Add(1)
			time.Sleep(10 * time.Minute)
			working.Add(-1)
			return true
		})
		synctest.Wait()
		h.emit(2)
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, working.Load())
		require.Len(t, h.of("poll"), 1, "a slow loop holds nothing but one poll's events")
		require.Empty(t, h.of("ack"))
		time.Sleep(20 * time.Minute)
		require.Len(t, h.of("ack"), 1)
		require.Equal(t, []string{"evt_0001", "evt_0002"}, h.of("ack")[0].acks)
		cancel()
		<-w.ended
	})
}

// TestWatchLosesNothingAndTellsNothingTwice, wherever requests fail.
func TestWatchLosesNothingAndTellsNothingTwice(t *testing.T) {
	t.Parallel()
	some := func(n int) bool { return n%3 == 1 || n%7 == 2 }
	for name, set := range map[string]func(*hub){
		"nothing": func(*hub) {},
		"poll refused": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "poll" && some(q.n) {
					return nil, errors.New("connection refused")
				}
				return nil, nil
			}
		},
		"poll 503": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "poll" && some(q.n) {
					return reply(503, refusal("service_unavailable")), nil
				}
				return nil, nil
			}
		},
		"poll cut": func(h *hub) { h.cut = func(q hubRequest) bool { return q.kind == "poll" && some(q.n) } },
		"poll page": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "poll" && some(q.n) {
					return reply(200, balancerPage), nil
				}
				return nil, nil
			}
		},
		"ack cut": func(h *hub) { h.cut = func(q hubRequest) bool { return q.kind == "ack" && some(q.n) } },
		"ack 500": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "ack" && some(q.n) {
					return reply(500, refusal("internal_error")), nil
				}
				return nil, nil
			}
		},
		"ack page": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "ack" && some(q.n) {
					return reply(200, balancerPage), nil
				}
				return nil, nil
			}
		},
		"ack limited": func(h *hub) {
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "ack" && some(q.n) {
					resp := reply(429, refusal("rate_limited"))
					resp.Header.Set("Retry-After", "20")
					return resp, nil
				}
				return nil, nil
			}
		},
		"everything cut": func(h *hub) { h.cut = func(q hubRequest) bool { return q.kind != "create" && some(q.n) } },
	} {
		for _, again := range []int{-1, 2} {
			t.Run(fmt.Sprint(name, again), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newHub()
					set(h)
					ctx, cancel := context.WithCancel(t.Context())
					w := watching(ctx, h.client(t, retries(again)), nil)
					time.Sleep(time.Second)
					for range 30 {
						h.emit(5)
						time.Sleep(11 * time.Second)
					}
					time.Sleep(5 * time.Minute)
					w.requireAll(t, 150)
					cancel()
					<-w.ended
					require.LessOrEqual(t, len(h.of("create")), 1)
				})
			})
		}
	}
}

// TestWatchMakesALostSubscriptionAnew and says that events may be missing, when
// there is a new one.
func TestWatchMakesALostSubscriptionAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithCancel(t.Context())
		var alive []int
		c := h.client(t)
		ended := make(chan struct{})
		var told []string
		go func() {
			defer close(ended)
			for e, err := range c.Watch(ctx, "**") {
				if err != nil && ctx.Err() == nil {
					assert.ErrorIs(t, err, scaivault.ErrUnavailable)
					assert.NotErrorIs(t, err, scaivault.ErrNotFound)
					alive = append(alive, h.alive())
					continue
				}
				told = append(told, e.ID)
			}
		}()
		synctest.Wait()
		for range 5 {
			h.emit(1)
			time.Sleep(2 * time.Minute)
			h.restart()
			time.Sleep(2 * time.Minute)
		}
		cancel()
		<-ended
		require.Equal(t, []int{1, 1, 1, 1, 1}, alive, "each error comes when there is a subscription again")
		require.Len(t, told, 6)
		require.Zero(t, h.alive())
		h.requireWithinLimits(t)
	})
}

// TestWatchSaysThatEventsMayBeMissing after the time without a subscription.
func TestWatchSaysThatEventsMayBeMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "create" && q.n <= 3 {
				return reply(503, refusal("service_unavailable")), nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		time.Sleep(5 * time.Minute)
		errs := w.errors()
		require.NotEmpty(t, errs)
		require.Contains(t, errs[len(errs)-1].Error(), "events may have been missed until now")
		h.emit(1)
		synctest.Wait()
		w.requireAll(t, 1)
		cancel()
		<-w.ended
		require.Zero(t, h.alive())
	})
}

// TestWatchAdoptsASubscriptionWhoseAnswerWasLost, and deletes it at the end.
func TestWatchAdoptsASubscriptionWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.cut = func(q hubRequest) bool { return q.kind == "create" }
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		time.Sleep(time.Minute)
		require.Len(t, h.of("create"), 1)
		h.emit(2)
		synctest.Wait()
		w.requireAll(t, 2)
		require.ErrorIs(t, w.errors()[0], scaivault.ErrUncertain)
		cancel()
		<-w.ended
		require.Zero(t, h.alive())
	})
}

// TestWatchGoesOnAfterANo, slowly.
func TestWatchGoesOnAfterANo(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{401: "token_revoked", 403: "access_denied", 422: "validation_error"} {
		for _, kind := range []string{"create", "poll", "ack"} {
			t.Run(code+" "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					h := newHub()
					var revoked atomic.Bool
					revoked.Store(true)
					h.fault = func(q hubRequest) (*http.Response, error) {
						if q.kind == kind && revoked.Load() {
							return reply(status, refusal(code)), nil
						}
						return nil, nil
					}
					ctx, cancel := context.WithCancel(t.Context())
					w := watching(ctx, h.client(t), nil)
					time.Sleep(time.Second)
					h.emit(1)
					time.Sleep(time.Hour)
					refused := len(h.of(kind))
					if kind != "ack" || status != 422 { // those ids are given up
						require.Greater(t, refused, 60)
					}
					require.LessOrEqual(t, refused, 250)
					require.GreaterOrEqual(t, len(w.errors()), refused/2, "failures are visible")
					revoked.Store(false)
					time.Sleep(2 * time.Minute)
					h.emit(1)
					time.Sleep(2 * time.Minute)
					require.Contains(t, w.told(), fmt.Sprintf("evt_%04d", 2))
					cancel()
					<-w.ended
					h.requireWithinLimits(t)
					require.Zero(t, h.alive())
				})
			})
		}
	}
}

// TestWatchHonoursRetryAfter of a service that is overloaded, but for ten
// minutes at most.
func TestWatchHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"90": 90 * time.Second, "86400": 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub()
			h.fault = func(q hubRequest) (*http.Response, error) {
				if q.kind == "poll" && q.n == 1 {
					resp := reply(429, refusal("rate_limited"))
					resp.Header.Set("Retry-After", header)
					return resp, nil
				}
				return nil, nil
			}
			ctx, cancel := context.WithCancel(t.Context())
			w := watching(ctx, h.client(t), nil)
			time.Sleep(15 * time.Minute)
			polls := h.of("poll")
			require.GreaterOrEqual(t, len(polls), 2)
			require.GreaterOrEqual(t, polls[1].at.Sub(polls[0].at), want)
			require.Less(t, polls[1].at.Sub(polls[0].at), want+35*time.Second)
			cancel()
			<-w.ended
		})
	}
}

// TestWatchWithoutAcknowledgements tells new events all the same, also when the
// service sends the oldest first and no more than 100.
func TestWatchWithoutAcknowledgements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fault = func(q hubRequest) (*http.Response, error) {
			if q.kind == "ack" {
				return reply(403, refusal("access_denied")), nil
			}
			return nil, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		w := watching(ctx, h.client(t), nil)
		synctest.Wait()
		for range 30 {
			h.emit(20)
			time.Sleep(2 * time.Minute)
		}
		w.requireAll(t, 600)
		cancel()
		<-w.ended
		h.requireWithinLimits(t)
	})
}
