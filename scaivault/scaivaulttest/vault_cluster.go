// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A vaultCluster is the nodes that keep the same secrets. One of them is active.
type vaultCluster struct {
	core *vaultCore

	mu     sync.Mutex // guards all below; a node's host may be asked while it is held
	nodes  []*vaultNode
	active *vaultNode
}

// A vaultNode is one server of a cluster, with its own address and seal.
type vaultNode struct {
	cluster *vaultCluster
	host    *host
	sealed  atomic.Bool
	url     atomic.Pointer[string] // nil until it was asked for
}

// add gives the cluster one more node, with its way to the callers.
func (c *vaultCluster) add() *vaultNode {
	n := &vaultNode{cluster: c}
	mux := http.NewServeMux()
	n.host = newHost(mux, vaultError)
	mux.HandleFunc("/v1/", n.serve)
	mux.HandleFunc("/v1/sys/", n.serve) // so that /v1/sys is redirected, as by Vault
	mux.HandleFunc("/v1/sys/health", n.serveHealth)
	mux.HandleFunc("/v1/sys/seal-status", n.serveSealStatus)
	mux.HandleFunc("/v1/sys/init", n.serveInit)
	mux.HandleFunc("/v1/sys/leader", n.serveLeader)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = append(c.nodes, n)
	return n
}

// AddStandby adds a node to the cluster of v and returns it: a Vault with an address, a
// seal, faults and a request log of its own, and the same secrets, tokens and audit log.
// It is closed with v.
//
// One node is active. When it is sealed, taken down or steps down, the next one that is
// up takes over at once, where a real cluster needs seconds; with none, the answer is
// 500. A standby has the active node carry requests out and passes the answer on. To a
// request with X-Vault-No-Request-Forwarding it answers 307 and the active node's URL, or
// 503 if URL was never called on that; its health is 429. There are no performance
// standbys (473) and no secondaries (472) here: inject a Fault with that status at
// /v1/sys/health. A standby needs no sockets, but a redirect leads to one.
func (v *Vault) AddStandby() *Vault {
	node := v.core.cluster.add()
	v.atClose(node.host.Close)
	v.mu.Lock()
	node.host.tb = v.host.tb
	v.mu.Unlock()
	return &Vault{host: node.host, core: v.core, node: node}
}

// StepDown makes another node of the cluster the active one, if there is one that is up,
// and v was. PUT sys/step-down does the same.
func (v *Vault) StepDown() { v.core.cluster.stepDown(v.node) }

// IsActive tells whether v carries requests out, and does not leave them to another node.
func (v *Vault) IsActive() bool { return v.core.cluster.activeNode() == v.node }

// URL returns the base URL of the server, such as "http://127.0.0.1:40001". The first
// call opens a socket on the loopback interface and starts to serve; later ones return
// the same address, also while the server is down. If no socket can be had the test
// fails. On a closed server that never had a socket it is empty.
func (v *Vault) URL() string {
	address := v.host.URL()
	v.node.url.Store(&address)
	return address
}

func (n *vaultNode) up() bool {
	n.host.mu.Lock()
	defer n.host.mu.Unlock()
	return !n.sealed.Load() && !n.host.down && !n.host.closed
}

// activeNode is the one that was active, while it is up, and else the first that is; nil when none is.
func (c *vaultCluster) activeNode() *vaultNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.active == nil || !c.active.up() {
		c.active = nil
		if i := slices.IndexFunc(c.nodes, (*vaultNode).up); i >= 0 {
			c.active = c.nodes[i]
		}
	}
	return c.active
}

// stepDown lets the next node that is up take over from n. A nil n is whichever is active.
func (c *vaultCluster) stepDown(n *vaultNode) {
	active := c.activeNode()
	c.mu.Lock()
	defer c.mu.Unlock()
	if active == nil || active != c.active || (n != nil && n != active) {
		return
	}
	at := slices.Index(c.nodes, active)
	for _, next := range append(slices.Clone(c.nodes[at+1:]), c.nodes[:at]...) {
		if next.up() {
			c.active = next
			return
		}
	}
}

// alone tells whether this is no cluster at all.
func (c *vaultCluster) alone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.nodes) == 1
}

// standby tells whether the node leaves requests to another; a sealed one is one too.
func (n *vaultNode) standby() bool { return n.cluster.activeNode() != n }

// serve answers everything but the paths that work without a core.
func (n *vaultNode) serve(w http.ResponseWriter, r *http.Request) {
	sealed := n.sealed.Load()
	active := n.cluster.activeNode()
	switch {
	case sealed, active == n, n.cluster.alone():
		n.cluster.core.serve(w, r, sealed)
	case active == nil:
		vaultError(w, http.StatusInternalServerError, "", "local node not active but active cluster node not found")
	case r.URL.Path == "/v1/sys/seal":
		vaultError(w, http.StatusInternalServerError, "", "vault cannot seal when in standby mode; please restart instead")
	case r.Header.Get("X-Vault-No-Request-Forwarding") != "":
		active.redirect(w, r)
	default:
		n.cluster.core.serve(w, r, false)
	}
}

// redirect sends the caller to the node.
func (n *vaultNode) redirect(w http.ResponseWriter, r *http.Request) {
	address := n.url.Load()
	if address == nil {
		vaultError(w, http.StatusServiceUnavailable, "", "no active Vault instance found")
		return
	}
	location := url.URL{Scheme: "http", Host: strings.TrimPrefix(*address, "http://"), Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", location.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}
