// SPDX-License-Identifier: Apache-2.0

// Devserver runs an in-memory ScaiVault on a port, to try the library and curl by
// hand. It forgets everything when it ends, at Ctrl-C.
//
//	go run ./examples/devserver                          # http://127.0.0.1:8210
//	go run ./examples/devserver -seed secrets.json       # {"environments/dev/db": {"password": "…"}, …}
//	go run ./examples/devserver -federate https://vault.internal:8200
//
// It prints what to paste into a shell: the address, and a token that may do
// everything. That is on purpose, and nothing for a server that keeps real secrets;
// so it listens on the loopback interface alone, unless -allow-remote is given.
//
// With -federate it logs in to a real Vault, with VAULT_ROLE_ID and VAULT_SECRET_ID or
// with VAULT_TOKEN from its environment, and reads external/hashicorp/** from kv/data/**
// there. Without, a backend can be made by its API, as in any ScaiVault.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	code := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is main without the process: it serves until ctx ends, and returns the
// exit code.
func command(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := newSettings(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2 // package flag has said it
	case err != nil:
		fmt.Fprintln(stderr, "devserver:", err)
		return 2
	}
	if err := serve(ctx, s, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "devserver:", err)
		return 1
	}
	return 0
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, s *settings, stdout, stderr io.Writer) error {
	opts := &scaivaulttest.ServerOptions{Address: s.addr, NoLimits: s.noLimits, Version: "dev"}
	if s.certFile != "" {
		config, err := newTLS(s.addr, s.certFile)
		if err != nil {
			return fmt.Errorf("-tls: %w", err)
		}
		opts.TLS = config
	}
	srv, err := scaivaulttest.StartServer(opts)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	defer srv.Close()
	if err := s.seed.plant(srv); err != nil {
		return err
	}
	if s.backend != nil {
		if err := s.backend.federate(ctx, srv); err != nil {
			return fmt.Errorf("-federate: %w", err)
		}
		s.backend.tell(stderr)
	}
	announce(srv, s, stdout)
	fmt.Fprintf(stderr, "devserver: %d secrets, all in memory; Ctrl-C ends it\n", len(s.seed))
	<-ctx.Done()
	fmt.Fprintln(stderr, "devserver: ended")
	return nil
}

// announce prints what to paste into a shell. The tokens are shown on purpose: they
// open this server only, and only while it runs.
func announce(srv *scaivaulttest.Server, s *settings, stdout io.Writer) {
	fmt.Fprintf(stdout, "export SCAIVAULT_URL=%s\n", srv.URL())
	if s.certFile != "" {
		fmt.Fprintf(stdout, "export CURL_CA_BUNDLE='%s' SSL_CERT_FILE='%[1]s' # for curl, and for Go\n", s.certFile)
	}
	for i, identity := range s.identities {
		comment := ""
		if i > 0 {
			comment = "# or "
		}
		fmt.Fprintf(stdout, "%sexport SCAIVAULT_TOKEN=%s # %s, every scope\n", comment, srv.IssueToken(identity), identity)
	}
}
