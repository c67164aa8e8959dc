// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"time"
)

// health answers GET /v1/health.
func (c *serverCall) health() *refusal {
	c.replyJSON(http.StatusOK, map[string]any{"status": "healthy", "timestamp": timestamp(time.Now())})
	return nil
}

// checks are the parts that readiness speaks of.
func (s *Server) checks() map[string]string {
	database := "ok"
	if s.notReady.Load() {
		database = "failed"
	}
	return map[string]string{"database": database, "redis": "ok", "encryption": "ok"}
}

// ready answers GET /v1/health/ready, which has no error envelope.
func (c *serverCall) ready() *refusal {
	if !c.server.notReady.Load() {
		c.replyJSON(http.StatusOK, map[string]any{"status": "ready", "checks": c.server.checks()})
		return nil
	}
	c.replyJSON(http.StatusServiceUnavailable, map[string]any{
		"status": "not_ready",
		"checks": c.server.checks(),
		"errors": map[string]string{"database": "connection refused"},
	})
	return nil
}

// healthDetailed answers GET /v1/health/detailed.
func (c *serverCall) healthDetailed() *refusal {
	c.replyJSON(http.StatusOK, map[string]any{
		"status":         "healthy",
		"version":        c.server.opts.Version,
		"uptime_seconds": int64(time.Since(c.server.started) / time.Second),
		"checks":         c.server.checks(),
	})
	return nil
}

// version answers GET /v1/version.
func (c *serverCall) version() *refusal {
	c.replyJSON(http.StatusOK, map[string]any{"version": c.server.opts.Version})
	return nil
}
