// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// nodes are the nodes of a cluster, in memory, at http://localhost:8200 and the
// ports that follow.
type nodes struct {
	nodes     []*scaivaulttest.Vault
	addresses []string
	hosts     map[string]http.RoundTripper
}

func newNodes(t *testing.T, size int) *nodes {
	t.Helper()
	first := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	first.Mount("kv", 2)
	first.Mount("secret", 1)
	first.Seed(kvPath, map[string]any{"p": "q"})
	c := &nodes{hosts: map[string]http.RoundTripper{}}
	for i := range size {
		node := first
		if i > 0 {
			node = first.AddStandby()
		}
		host := fmt.Sprintf("localhost:%d", 8200+i)
		c.nodes = append(c.nodes, node)
		c.addresses = append(c.addresses, "http://"+host)
		c.hosts[host] = node.RoundTripper()
	}
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.hosts[r.URL.Host].RoundTrip(r)
}

func (c *nodes) source(t *testing.T, change ...func(*vault.Config)) *vault.Source {
	t.Helper()
	client := clientOf(t, "https://elsewhere.invalid", c)
	return sourceOf(t, client, append([]func(*vault.Config){func(cfg *vault.Config) { cfg.Addresses = c.addresses }}, change...)...)
}

func TestReadGoesOnToTheNextAddress(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*scaivaulttest.Vault){
		"stopped":           func(v *scaivaulttest.Vault) { v.SetDown(true) },
		"sealed":            (*scaivaulttest.Vault).Seal,
		"stepped down":      (*scaivaulttest.Vault).StepDown,
		"hangs":             func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Hang: true}) },
		"cuts":              func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Cut: scaivaulttest.CutInBody}) },
		"a page":            func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Status: 502, Body: "<html>"}) },
		"no leader":         func(v *scaivaulttest.Vault) { v.Inject(noLeader) },
		"a DR secondary":    func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Status: 472, Code: "x", Message: "x"}) },
		"standby":           func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Status: 473, Code: "x", Message: "x"}) },
		"lags":              func(v *scaivaulttest.Vault) { v.Inject(scaivaulttest.Fault{Status: 412, Code: "x", Message: "x"}) },
		"redirects nowhere": func(v *scaivaulttest.Vault) { v.Inject(redirect("https://elsewhere.invalid/v1/x")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newNodes(t, 3)
				s := c.source(t)
				require.NoError(t, read(t, s))
				lose(c.nodes[0])
				for range 20 {
					require.NoError(t, read(t, s))
				}
				if name != "stepped down" {
					assert.LessOrEqual(t, c.nodes[0].RequestCount("", "/v1/kv/**"), 1+3, "then it is left alone")
				}
			})
		})
	}
}

// A caller who gives up says nothing of the node that was asked.
func TestNodeIsNotSkippedForACallerWhoGaveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 2)
		s := c.source(t)
		require.NoError(t, read(t, s))
		remove := c.nodes[0].Inject(scaivaulttest.Fault{Hang: true})
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Millisecond, cancel)
			_, err := s.Get(ctx, kvPath)
			require.ErrorIs(t, err, context.Canceled)
		}
		remove()
		before := c.nodes[0].RequestCount("", "/v1/kv/**")
		require.NoError(t, read(t, s))
		require.Equal(t, before+1, c.nodes[0].RequestCount("", "/v1/kv/**"))
		require.Zero(t, c.nodes[1].RequestCount("", "/v1/kv/**"))
	})
}

var noLeader = scaivaulttest.Fault{Status: 500, Code: "x", Message: "local node not active but active cluster node not found"}

func redirect(to string) scaivaulttest.Fault {
	return scaivaulttest.Fault{Status: 307, Header: http.Header{"Location": {to}}}
}

func TestCallWaitsForALeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 3)
		s := c.source(t)
		require.NoError(t, read(t, s))
		var removes []func()
		for _, node := range c.nodes {
			removes = append(removes, node.Inject(noLeader))
		}
		time.AfterFunc(8*time.Second, func() {
			for _, remove := range removes {
				remove()
			}
		})
		var all sync.WaitGroup
		all.Go(func() { assert.NoError(t, read(t, s)) })
		all.Go(func() {
			written, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
			assert.NoError(t, err)
			assert.Equal(t, 2, written.Version)
		})
		all.Wait()

		for _, node := range c.nodes {
			node.Inject(noLeader)
		}
		start := time.Now()
		err := read(t, s)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "no leader")
		require.InDelta(t, 10*time.Second, time.Since(start), float64(time.Second))
		_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "newer"}, nil)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.NotErrorIs(t, err, scaivault.ErrUncertain)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = s.Get(ctx, kvPath)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestCallWaitsForAMountThatIsBeingUpgraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t)
		v.Seed(kvPath, map[string]any{"p": "q"})
		upgrading := scaivaulttest.Fault{
			Path: "/v1/kv/**", Status: 400, Code: "x", Count: 5,
			Message: "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.",
		}
		v.Inject(upgrading)
		require.NoError(t, read(t, s))
		v.Inject(upgrading)
		_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
		require.NoError(t, err)
		upgrading.Count = 0
		v.Inject(upgrading)
		err = read(t, s)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.ErrorContains(t, err, "being upgraded from KV v1 to KV v2")
		require.ErrorContains(t, err, "raise", "it names a way out")
		require.ErrorContains(t, err, "Config.LeaderWait")
	})
}

// A standby is told not to pass writes on: where it would have to, and its
// leader goes, nobody could know what has become of them.
func TestWritesGoToTheLeaderThatStandbysName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 3)
		c.nodes[0].StepDown()
		for i := range 3 {
			if i != 1 {
				f := redirect(c.addresses[1] + "/v1/kv/data/apps/db")
				f.Method = http.MethodPut
				c.nodes[i].Inject(f)
			}
		}
		s := c.source(t)
		for i := range 10 {
			written, err := s.Put(t.Context(), kvPath, map[string]any{"n": i}, nil)
			require.NoError(t, err)
			require.Equal(t, i+2, written.Version)
		}
		require.Equal(t, 1, c.nodes[0].RequestCount(http.MethodPut, "/v1/kv/**"), "the leader is remembered")
		require.Equal(t, 10, c.nodes[1].RequestCount(http.MethodPut, "/v1/kv/**"))
	})
}

func TestStandbyPassesAWriteOnIfTheLeaderHasNoAddressOfOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 3)
		c.nodes[0].StepDown()
		f := redirect("https://10.0.0.2:8200/v1/kv/data/apps/db")
		f.Method, f.Count = http.MethodPut, 1
		c.nodes[0].Inject(f)
		written, err := c.source(t).Put(t.Context(), kvPath, map[string]any{"n": 1}, nil)
		require.NoError(t, err)
		require.Equal(t, 2, written.Version)
		require.Equal(t, 2, c.nodes[0].RequestCount(http.MethodPut, "/v1/kv/**"), "once to learn that the leader is out of reach")
		require.Zero(t, c.nodes[1].RequestCount(http.MethodPut, "/v1/kv/**"))
	})
}

func TestWriteIsNotSentToTwoNodes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scaivaulttest.Fault
		want  error
		sent  int // to the other nodes
	}{
		"cut before the answer": {scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer}, scaivault.ErrUncertain, 0},
		"500":                   {scaivaulttest.Fault{Status: 500, Code: "x", Message: "internal error"}, scaivault.ErrUncertain, 0},
		"a page":                {scaivaulttest.Fault{Status: 502, Body: "<html>"}, scaivault.ErrUncertain, 0},
		"hangs":                 {scaivaulttest.Fault{Hang: true}, scaivault.ErrUncertain, 0},
		"sealed":                {scaivaulttest.Fault{Status: 503, Code: "x", Message: "Vault is sealed"}, nil, 1},
		"no leader":             {noLeader, nil, 1},
		"lags":                  {scaivaulttest.Fault{Status: 412, Code: "x", Message: "x"}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNodes(t, 3)
				c.fault.Method = http.MethodPut
				n.nodes[0].Inject(c.fault)
				// Standbys of the small Vault name a leader by a socket only.
				n.nodes[1].StepDown()
				_, err := n.source(t).Put(t.Context(), v1Path, map[string]any{"n": 1}, nil)
				sent := n.nodes[1].RequestCount(http.MethodPut, "/v1/secret/**") + n.nodes[2].RequestCount(http.MethodPut, "/v1/secret/**")
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
					require.Zero(t, sent)
					return
				}
				require.GreaterOrEqual(t, sent, c.sent)
			})
		})
	}
}

// TestClusterIsMovedUnderLoad: nodes come and go, one at a time, and no read
// fails; each write that is acknowledged is there once.
func TestClusterIsMovedUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, 3)
		s := c.source(t)
		stop := make(chan struct{})
		var all sync.WaitGroup
		var reads atomic.Int64
		for range 8 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					assert.NoError(t, read(t, s))
					reads.Add(1)
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		for i := range 30 {
			node := c.nodes[i%3]
			switch i % 3 {
			case 0:
				node.SetDown(true)
			case 1:
				node.Seal()
			default:
				node.StepDown()
			}
			time.Sleep(200 * time.Millisecond)
			node.SetDown(false)
			node.Unseal()
			time.Sleep(200 * time.Millisecond)
		}
		close(stop)
		all.Wait()
		require.Greater(t, reads.Load(), int64(5_000))
	})
}
