// SPDX-License-Identifier: Apache-2.0

// Command vault-dev starts a real HashiCorp Vault server, in memory, for
// trying the library by hand. It prints what to export and runs until Ctrl-C:
//
//	go run -C internal/integration ./cmd/vault-dev
//
// Vault is licensed under BUSL-1.1: this command is for development, it is not
// to be distributed.
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

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "vault-dev:", err)
		os.Exit(1)
	}
}

// run starts the server, says how to reach it, and stops it when ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("vault-dev", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8200", "listen on this `address`; port 0 takes a free one")
	auditLog := flags.String("audit", "", "write the audit log to this `file` and keep it (default: a temporary file, removed at the end)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	}
	server, err := realvault.Start(ctx, &realvault.Options{Addr: *addr, AuditLog: *auditLog})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	_, err = fmt.Fprintf(stdout, "export VAULT_ADDR=%s\nexport VAULT_TOKEN=%s\n# Ctrl-C stops it and forgets everything; the audit log is %s\n",
		server.Address(), server.RootToken(), server.AuditLogPath())
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
