// SPDX-License-Identifier: Apache-2.0

package realvault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

const readyEvery = 5 * time.Millisecond

// MountKV mounts a KV engine of version 1 or 2, such as "kv" or "teams/kv",
// and returns when it takes writes: KV version 2 prepares its storage for a
// moment after the mount, and refuses everything meanwhile.
func (s *Server) MountKV(ctx context.Context, path string, version int) error {
	if version != 1 && version != 2 {
		return fmt.Errorf("mount %s: there is no version %d of kv, only 1 and 2", path, version)
	}
	path = strings.Trim(path, "/")
	err := s.admin(ctx, http.MethodPost, "sys/mounts/"+path, map[string]any{
		"type":    "kv",
		"options": map[string]string{"version": strconv.Itoa(version)},
	}, nil)
	if err != nil {
		return err
	}
	return s.awaitWrite(ctx, path, version)
}

// awaitWrite writes a secret until that succeeds, and removes it wholly.
func (s *Server) awaitWrite(ctx context.Context, mount string, version int) error {
	const probe = "realvault-ready"
	write, remove := mount+"/"+probe, mount+"/"+probe
	if version == 2 {
		write, remove = mount+"/data/"+probe, mount+"/metadata/"+probe
	}
	body := map[string]any{"data": map[string]string{}}
	err := poll(ctx, func() error { return s.admin(ctx, http.MethodPost, write, body, nil) })
	if err != nil {
		return err
	}
	return s.admin(ctx, http.MethodDelete, remove, nil, nil)
}

// Seal seals the server: it answers 503 until Unseal.
func (s *Server) Seal(ctx context.Context) error {
	return s.admin(ctx, http.MethodPost, "sys/seal", nil, nil)
}

// Unseal ends what Seal began, and returns when every KV engine answers again.
func (s *Server) Unseal(ctx context.Context) error {
	if err := s.unsealCore(); err != nil {
		return err
	}
	var mounts struct {
		Data map[string]struct {
			Type    string
			Options map[string]string
		}
	}
	if err := s.admin(ctx, http.MethodGet, "sys/mounts", nil, &mounts); err != nil {
		return err
	}
	for path, mount := range mounts.Data {
		if mount.Type != "kv" || mount.Options["version"] != "2" {
			continue
		}
		err := poll(ctx, func() error { return s.admin(ctx, http.MethodGet, path+"config", nil, nil) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) unsealCore() error {
	for _, key := range s.keys {
		// The core wipes the key that it is given.
		if _, err := s.core.Unseal(slices.Clone(key)); err != nil {
			return fmt.Errorf("unseal: %w", err)
		}
	}
	if s.core.Sealed() {
		return fmt.Errorf("unseal: the server stays sealed after %d keys", len(s.keys))
	}
	return nil
}

func (s *Server) enableAudit(ctx context.Context) error {
	return s.admin(ctx, http.MethodPost, "sys/audit/file", map[string]any{
		"type":    "file",
		"options": map[string]string{"file_path": s.auditLog},
	}, nil)
}

// admin sends a request of the root token straight to the handler, so that it
// arrives while the listener is down too.
func (s *Server) admin(ctx context.Context, method, apiPath string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req := httptest.NewRequestWithContext(ctx, method, "/v1/"+apiPath, &body)
	req.Header.Set("X-Vault-Token", s.rootToken)
	answer := httptest.NewRecorder()
	s.handler.ServeHTTP(answer, req)
	if answer.Code >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: status %d: %s", method, apiPath, answer.Code, reasons(answer.Body.Bytes()))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Body.Bytes(), out)
}

// reasons returns the errors of Vault's envelope, on one line.
func reasons(body []byte) string {
	var envelope struct{ Errors []string }
	if err := json.Unmarshal(body, &envelope); err != nil || len(envelope.Errors) == 0 {
		return "no reason given"
	}
	return strings.Join(strings.Fields(strings.Join(envelope.Errors, "; ")), " ")
}

// poll repeats try until it succeeds. When ctx ends it returns what was wrong
// the last time.
func poll(ctx context.Context, try func() error) error {
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-ticker.C:
		}
	}
}
