// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A fleet is a transport in front of several hosts, each with a behaviour of its
// own that a test can change. It counts the requests of each.
type fleet struct {
	mu    sync.Mutex // guards both
	hosts map[string]func(*http.Request) (*http.Response, error)
	asked map[string]int
}

func newFleet(hosts map[string]func(*http.Request) (*http.Response, error)) *fleet {
	return &fleet{hosts: hosts, asked: map[string]int{}}
}

func (f *fleet) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	f.mu.Lock()
	f.asked[r.URL.Host]++
	answer := f.hosts[r.URL.Host]
	f.mu.Unlock()
	return answer(r)
}

func (f *fleet) set(host string, answer func(*http.Request) (*http.Response, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hosts[host] = answer
}

// count returns how often a host was asked, and begins anew.
func (f *fleet) count(host string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.asked[host]
	f.asked[host] = 0
	return n
}

// hosts makes a client prefer one host after the other.
func hosts(names ...string) configure {
	return func(cfg *scaivault.ClientConfig) {
		cfg.URLs = nil
		for _, name := range names {
			cfg.URLs = append(cfg.URLs, "https://"+name)
		}
	}
}

// deadEndpoints are the ways in which an endpoint is not there.
var deadEndpoints = map[string]func(*http.Request) (*http.Response, error){
	"refuses":              refusesDial,
	"hangs":                hangs,
	"503 of the service":   says(503, refusal("service_unavailable")),
	"503 of an own code":   says(503, refusal("backend_sealed")),
	"502 of a balancer":    says(502, balancerPage),
	"504 without body":     says(504, ""),
	"page of a proxy, 403": says(403, balancerPage),
	"page of a proxy, 200": says(200, balancerPage),
	"cut connections":      breaks(&net.OpError{Op: "read", Err: fmt.Errorf("reset")}),
}

// TestDeadEndpointIsLeftAndSkipped: no read fails, and after the first moments
// the dead one is asked once in each pause.
func TestDeadEndpointIsLeftAndSkipped(t *testing.T) {
	t.Parallel()
	for name, dead := range deadEndpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": dead, "b": says(200, oneSecret)})
				c := newTestClient(t, "", hosts("a", "b"), through(rt))
				get := getOf(testPath)
				for range 3 {
					require.NoError(t, get(t.Context(), c))
				}
				require.LessOrEqual(t, rt.count("a"), 3)
				require.Equal(t, "open", c.Stats().Endpoints[0].State)
				for range 1000 {
					require.NoError(t, get(t.Context(), c))
				}
				require.Zero(t, rt.count("a"), "skipped")

				time.Sleep(5*time.Second + 1)
				start := time.Now()
				for range 1000 {
					require.NoError(t, get(t.Context(), c))
				}
				require.Equal(t, 1, rt.count("a"), "one probe")
				require.LessOrEqual(t, time.Since(start), 2*time.Second, "a probe does not hold its caller for long")

				rt.set("a", says(200, oneSecret))
				time.Sleep(5*time.Second + 1)
				rt.count("b")
				for range 10 {
					require.NoError(t, get(t.Context(), c))
				}
				require.Equal(t, 10, rt.count("a"), "preferred again")
				require.Zero(t, rt.count("b"))
			})
		})
	}
}

// TestOneProbeAtATime: of many calls one tries the endpoint again, and the others
// don't wait for that.
func TestOneProbeAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		rt.set("a", hangs)
		rt.count("a")
		time.Sleep(5*time.Second + 1)
		start := time.Now()
		var wg sync.WaitGroup
		var waited atomic.Int64
		for range 100 {
			wg.Go(func() {
				assert.NoError(t, getOf(testPath)(t.Context(), c))
				if time.Since(start) > 0 {
					waited.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, rt.count("a"))
		require.EqualValues(t, 1, waited.Load())
	})
}

// TestEndpointsAreNotLeftForAnAnswer: what ScaiVault itself says is the answer.
func TestEndpointsAreNotLeftForAnAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []func(*http.Request) (*http.Response, error){
		says(200, oneSecret), says(404, refusal("secret_not_found")), says(403, refusal("access_denied")), says(400, refusal("invalid_path")),
		says(429, refusal("rate_limited")), says(401, refusal("token_expired")), says(500, refusal("internal_error")), says(503, refusal("rate_limited")),
		says(200, strings.Repeat("x", 2000)), // too large
	} {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": answer, "b": refusesDial})
		c := newTestClient(t, "", hosts("a", "b"), through(rt), func(cfg *scaivault.ClientConfig) { cfg.MaxResponseBytes = 1000 })
		for range 10 {
			_, _ = c.Get(t.Context(), testPath)
		}
		require.Zero(t, rt.count("b"))
		require.Equal(t, "closed", c.Stats().Endpoints[0].State)
	}
}

// TestHangingEndpointLeavesTimeForTheOther, also where the caller has little.
func TestHangingEndpointLeavesTimeForTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": hangs, "b": hangs, "c": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b", "c"), through(rt))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Get(ctx, testPath)
		require.NoError(t, err)
	})
	synctest.Test(t, func(t *testing.T) { // the last one has all that is left
		slow := func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(1400 * time.Millisecond):
				return says(200, oneSecret)(r)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": hangs, "b": slow})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.NoError(t, getOf(testPath)(ctx, newTestClient(t, "", hosts("a", "b"), through(rt))))

		rt.set("a", slow) // nor is a write cut short, which no other endpoint could take over
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(ctx, newTestClient(t, "", hosts("a", "b"), through(rt))))
	})
}

// TestEveryEndpointDown asks each of them once for each call, and comes back when
// one does.
func TestEveryEndpointDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": says(503, "")})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		for range 3 {
			requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnavailable)
		}
		rt.count("a")
		rt.count("b")
		for range 100 {
			requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnavailable)
		}
		require.Equal(t, 100, rt.count("a"), "no more than one request for each call")
		require.Equal(t, 100, rt.count("b"))
		rt.set("b", says(200, oneSecret))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		require.Zero(t, rt.count("a"), "rather the one that could be reached")
	})
}

// TestWriteGoesOnOnlyWhileNothingWasSent.
func TestWriteGoesOnOnlyWhileNothingWasSent(t *testing.T) {
	t.Parallel()
	put := putOf(map[string]any{"k": "v"}, nil)
	for name, dead := range deadEndpoints {
		synctest.Test(t, func(t *testing.T) {
			putHosts := map[string]int{}
			written := func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPut {
					putHosts["b"]++
				}
				return says(200, `{"version":4,"data":{"other":"data"}}`)(r)
			}
			rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": dead, "b": written})
			err := put(t.Context(), newTestClient(t, "", hosts("a", "b"), through(rt)))
			switch name {
			case "refuses":
				require.NoError(t, err)
				require.Equal(t, 1, putHosts["b"])
			case "page of a proxy, 403": // it was turned away
				requireMatches(t, err, scaivault.ErrUnavailable)
				require.Zero(t, putHosts["b"])
			default:
				requireMatches(t, err, scaivault.ErrUncertain)
				require.Zero(t, putHosts["b"], "%s: sent once", name)
			}
		})
	}
}

// TestWriteLeavesAnEndpointThatGivesNoConnection while the caller has time.
func TestWriteLeavesAnEndpointThatGivesNoConnection(t *testing.T) {
	t.Parallel()
	blackHole := func(r *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(r.Context()).GetConn(r.URL.Host)
		return hangs(r)
	}
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": blackHole, "b": says(201, `{"version":1}`)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(ctx, c))
			cancel()
		}
		require.Equal(t, 1, rt.count("a"), "skipped from then on")
		require.Equal(t, 2, rt.count("b"))

		rt.set("b", blackHole)
		time.Sleep(time.Minute)
		err := putOf(map[string]any{"k": "v"}, nil)(t.Context(), c)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "no connection within")
	})
}

// TestWritePrefersAnEndpointThatWorks to being the probe of another.
func TestWritePrefersAnEndpointThatWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		time.Sleep(5*time.Second + 1)
		rt.count("a")
		require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(t.Context(), c))
		require.Zero(t, rt.count("a"))
		require.Equal(t, "half-open", c.Stats().Endpoints[0].State)
		rt.set("b", refusesDial) // now nobody else is left
		rt.set("a", says(200, oneSecret))
		require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(t.Context(), c))
	})
}

// TestWriteGoesOnToAnEndpointThatWorks, past one that nobody has tried again.
func TestWriteGoesOnToAnEndpointThatWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": refusesDial, "c": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b", "c"), through(rt))
		require.NoError(t, getOf(testPath)(t.Context(), c))
		rt.set("a", says(200, oneSecret))
		time.Sleep(5*time.Second + 1)
		require.NoError(t, getOf(testPath)(t.Context(), c))
		rt.set("a", refusesDial)
		rt.count("b")
		require.NoError(t, putOf(map[string]any{"k": "v"}, nil)(t.Context(), c))
		require.Zero(t, rt.count("b"))
		require.Equal(t, 2, rt.count("c"))
	})
}

// TestCallerWhoLeavesSaysNothingAboutAnEndpoint.
func TestCallerWhoLeavesSaysNothingAboutAnEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": hangs, "b": hangs})
		c := newTestClient(t, "", hosts("a", "b"), through(rt))
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			requireMatches(t, getOf(testPath)(ctx, c), context.Canceled)
		}
		require.Equal(t, "closed", c.Stats().Endpoints[0].State)
		require.Zero(t, c.Stats().Endpoints[0].Failures)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // but one whose time is up does
		defer cancel()
		require.ErrorIs(t, getOf(testPath)(ctx, c), scaivault.ErrUnavailable)
		require.Equal(t, "open", c.Stats().Endpoints[0].State)
		require.EqualValues(t, 1, c.Stats().Endpoints[0].Failures)
		require.EqualValues(t, 1, c.Stats().Endpoints[1].Failures, "the last, too, which had all that was left")
	})
}

// TestMissingTokenSaysNothingAboutAnEndpoint: that none was sent to it does not
// make it one that works.
func TestMissingTokenSaysNothingAboutAnEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token := testToken
		rt := newFleet(map[string]func(*http.Request) (*http.Response, error){"a": refusesDial, "b": says(200, oneSecret)})
		c := newTestClient(t, "", hosts("a", "b"), through(rt), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { return token, nil })
		})
		require.NoError(t, getOf(testPath)(t.Context(), c))
		time.Sleep(5*time.Second + 1)
		token = ""
		requireMatches(t, getOf(testPath)(t.Context(), c), scaivault.ErrUnauthenticated)
		require.Equal(t, "half-open", c.Stats().Endpoints[0].State)
		token = testToken
		require.NoError(t, getOf(testPath)(t.Context(), c))
		require.Equal(t, "open", c.Stats().Endpoints[0].State)
	})
}

// TestRefusedTokenSaysNothingAboutAnEndpoint, also where the refusal was cut.
func TestRefusedTokenSaysNothingAboutAnEndpoint(t *testing.T) {
	t.Parallel()
	refused := func(r *http.Request) (*http.Response, error) {
		resp, err := cutOff(r)
		resp.StatusCode = http.StatusUnauthorized
		return resp, err
	}
	for failures, then := range []func(*http.Request) (*http.Response, error){says(200, oneSecret), refusesDial} {
		n := 0
		rt := &script{answers: says2(refused, then, says(200, oneSecret))}
		c := newTestClient(t, "", hosts("a", "b"), through(rt), func(cfg *scaivault.ClientConfig) {
			cfg.Token = scaivault.TokenFunc(func(context.Context) (string, error) { n++; return "skt_" + strconv.Itoa(n), nil })
		})
		require.NoError(t, getOf(testPath)(t.Context(), c))
		require.EqualValues(t, 2, c.Stats().Endpoints[0].Requests)
		require.EqualValues(t, failures, c.Stats().Endpoints[0].Failures, "but what comes with another token does")
	}
}
