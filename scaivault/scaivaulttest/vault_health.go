// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// serveHealth tells by its status how Vault is; a client may ask for other statuses.
func (n *vaultNode) serveHealth(w http.ResponseWriter, r *http.Request) {
	status, name := http.StatusOK, "activecode"
	sealed, standby := n.sealed.Load(), n.standby()
	switch {
	case sealed:
		status, name = http.StatusServiceUnavailable, "sealedcode"
	case standby && !standbyOK(r.URL.Query()):
		status, name = http.StatusTooManyRequests, "standbycode"
	}
	if text := r.URL.Query().Get(name); text != "" {
		code, err := strconv.Atoi(text)
		if err != nil || code < 200 || code > 599 {
			vaultError(w, http.StatusBadRequest, "", "")
			return
		}
		status = code
	}
	body := map[string]any{
		"initialized": true, "sealed": sealed, "standby": standby, "performance_standby": false,
		"replication_performance_mode": "disabled", "replication_dr_mode": "disabled",
		"server_time_utc": time.Now().Unix(), "version": "1.21.4", "enterprise": false,
		"cluster_name": n.cluster.core.clusterName, "cluster_id": n.cluster.core.clusterID,
		"echo_duration_ms": 0, "clock_skew_ms": 0, "replication_primary_canary_age_ms": 0,
	}
	if sealed {
		delete(body, "cluster_name")
		delete(body, "cluster_id")
		body["replication_performance_mode"], body["replication_dr_mode"] = "unknown", "unknown"
	}
	n.serveOpenly(w, r, status, body)
}

func (n *vaultNode) serveSealStatus(w http.ResponseWriter, r *http.Request) {
	sealed := n.sealed.Load()
	body := map[string]any{
		"type": "shamir", "initialized": true, "sealed": sealed, "t": 1, "n": 1, "progress": 0, "nonce": "",
		"version": "1.21.4", "build_date": "", "migration": false, "recovery_seal": false, "storage_type": "inmem",
	}
	if !sealed {
		body["cluster_name"], body["cluster_id"] = n.cluster.core.clusterName, n.cluster.core.clusterID
	}
	n.serveOpenly(w, r, http.StatusOK, body)
}

func (n *vaultNode) serveInit(w http.ResponseWriter, r *http.Request) {
	n.serveOpenly(w, r, http.StatusOK, map[string]any{"initialized": true})
}

func (n *vaultNode) serveLeader(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{
		"ha_enabled": false, "is_self": false, "active_time": "0001-01-01T00:00:00Z", "leader_address": "", "leader_cluster_address": "",
		"performance_standby": false, "performance_standby_last_remote_wal": 0,
	}
	if !n.cluster.alone() {
		active := n.cluster.activeNode()
		body["ha_enabled"], body["is_self"] = true, active == n
		if active != nil && active.url.Load() != nil {
			body["leader_address"] = *active.url.Load()
		}
	}
	n.serveOpenly(w, r, http.StatusOK, body)
}

// standbyOK tells whether the caller takes a standby for as good as the active node.
func standbyOK(query url.Values) bool {
	ok, err := strconv.ParseBool(query.Get("standbyok"))
	return err == nil && ok
}

// serveOpenly answers a reading that needs no token and is not logged.
func (n *vaultNode) serveOpenly(w http.ResponseWriter, r *http.Request, status int, body map[string]any) {
	switch r.Method {
	case http.MethodGet:
		writeVaultJSON(w, status, body)
	case http.MethodHead:
		writeVaultHeader(w, status)
	default:
		vaultError(w, http.StatusMethodNotAllowed, "", "")
	}
}
