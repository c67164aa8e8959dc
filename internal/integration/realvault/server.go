// SPDX-License-Identifier: Apache-2.0

// Package realvault runs a real HashiCorp Vault server inside the process, for
// tests: KV versions 1 and 2, AppRole, Kubernetes logins, tokens, policies and a file audit
// device, on a loopback listener, with everything kept in memory.
//
// The engines that the library inventories but never reads (pki, database,
// aws, azure, gcp and transit) can be mounted by name and listed. They are
// inert: they keep nothing and every path in them is unsupported.
//
// Vault is licensed under BUSL-1.1. It runs in tests and is never shipped.
package realvault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/vault"
)

// DefaultAddr is where a Server listens unless it is told otherwise: a free
// port of the loopback interface.
const DefaultAddr = "127.0.0.1:0"

// Options says how a Server is started. The zero value is right for tests.
type Options struct {
	// Addr is the TCP address to listen on. If empty, DefaultAddr.
	Addr string
	// AuditLog is the file that the audit device writes. It is made if missing
	// and kept by Close. If empty, a file in a temporary folder that Close
	// removes.
	AuditLog string
	// Logger gets Vault's own log. If nil, Vault is silent.
	Logger hclog.Logger
}

// A Server is a running, initialized and unsealed Vault. It is safe for
// concurrent use.
type Server struct {
	core      *vault.Core
	handler   http.Handler
	door      *door
	keys      [][]byte
	rootToken string
	auditLog  string
	tempDir   string // empty when there is nothing to remove

	closeOnce sync.Once
	closeErr  error
}

// Start starts a Server and returns when it answers requests and writes its
// audit log. The ctx bounds the start alone. A nil opts means the zero value.
func Start(ctx context.Context, opts *Options) (*Server, error) {
	if opts == nil {
		opts = &Options{}
	}
	s := &Server{}
	if err := s.start(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("start vault: %w", err), s.Close())
	}
	return s, nil
}

// New starts a Server for a test and closes it when the test ends. It ends the
// test if the server can't be started or closed.
func New(tb testing.TB) *Server {
	tb.Helper()
	s, err := Start(tb.Context(), nil)
	if err != nil {
		tb.Fatalf("realvault: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("realvault: %v", err)
		}
	})
	return s
}

// start leaves what it has begun in s when it fails, for Close to end.
func (s *Server) start(ctx context.Context, opts *Options) error {
	addr := opts.Addr
	if addr == "" {
		addr = DefaultAddr
	}
	// The port comes first: it is what can be taken by somebody else, and then
	// there is nothing else to undo.
	var err error
	if s.door, err = openDoor(ctx, addr); err != nil {
		return err
	}
	if err := s.chooseAuditLog(opts.AuditLog); err != nil {
		return err
	}
	if s.core, err = newCore(opts.Logger); err != nil {
		return err
	}
	if err := s.initialize(ctx); err != nil {
		return err
	}
	s.handler = newHandler(s.core)
	if err := s.enableAudit(ctx); err != nil {
		return err
	}
	return s.door.serve(s.handler)
}

func (s *Server) chooseAuditLog(file string) error {
	if file != "" {
		abs, err := filepath.Abs(file)
		s.auditLog = abs
		return err
	}
	dir, err := os.MkdirTemp("", "scaivault-realvault-")
	if err != nil {
		return err
	}
	s.tempDir = dir
	s.auditLog = filepath.Join(dir, "audit.log")
	return nil
}

func (s *Server) initialize(ctx context.Context) error {
	result, err := s.core.Initialize(ctx, &vault.InitParams{
		BarrierConfig: &vault.SealConfig{SecretShares: 1, SecretThreshold: 1},
	})
	if err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	s.keys = result.SecretShares
	s.rootToken = result.RootToken
	return s.unsealCore()
}

// Address returns the server's URL, such as http://127.0.0.1:34567, the value
// of VAULT_ADDR. It stays the same through SetDown and Seal.
func (s *Server) Address() string { return "http://" + s.door.addr }

// RootToken returns the token that may do everything.
func (s *Server) RootToken() string { return s.rootToken }

// AuditLogPath returns the absolute path of the file that the audit device
// writes, one JSON object on each line.
func (s *Server) AuditLogPath() string { return s.auditLog }

// SetDown ends, when down is true, every connection to the server and refuses
// new ones, as a stopped server does. With false it takes requests again at
// the same address. What the server keeps is untouched. The error says why the
// address could not be taken again.
func (s *Server) SetDown(down bool) error {
	if down {
		s.door.shut()
		return nil
	}
	return s.door.serve(s.handler)
}

// Close stops the server and removes what it made; what it kept is gone. It is
// idempotent. Of its goroutines four stay, which Vault itself never ends: one
// sleeping, and three that the garbage collector ends.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		var errs []error
		if s.door != nil {
			s.door.close()
		}
		if s.core != nil {
			errs = append(errs, s.core.ShutdownWait())
		}
		if s.tempDir != "" {
			errs = append(errs, os.RemoveAll(s.tempDir))
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}
