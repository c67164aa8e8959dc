// SPDX-License-Identifier: Apache-2.0

// Kubernetes copies an estate from Vault to ScaiVault as an Indexed Job: each
// completion copies one shard, and knows nothing of the others. What is killed,
// evicted or cut short is started again by Kubernetes, and goes on where it was.
//
// The manifest job.yaml and the Containerfile stand beside this file. By hand,
//
//	go run ./examples/kubernetes -mapping mapping.yaml
//
// copies everything, with a progress bar on a terminal and plain lines elsewhere.
// It prints its report as one line of JSON, and ends with
//
//	0  everything is copied
//	1  some secrets need somebody's attention; to start again does not help
//	2  it could not start: the settings are wrong
//	3  it was cut short, or a service was not available; start it again
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// The exit codes, which the podFailurePolicy of job.yaml knows.
const (
	exitDone      = 0
	exitAttention = 1
	exitSettings  = 2
	exitAgain     = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is main without the process. It returns the exit code.
func command(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	s, err := newSettings(args, getenv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		fmt.Fprintln(stderr, "copy:", err)
		return exitSettings
	}
	report, err := run(ctx, s, stderr)
	if report != nil {
		if encodeErr := json.NewEncoder(stdout).Encode(report); encodeErr != nil {
			err = errors.Join(err, encodeErr)
		}
		fmt.Fprint(stderr, report)
	}
	if err != nil {
		fmt.Fprintln(stderr, "copy:", err)
	}
	return exitCode(report, err)
}

// exitCode tells what an operator has to know from what a new start mends.
func exitCode(report *migrate.Report, err error) int {
	switch {
	case err != nil && (report == nil || errors.Is(err, scaivault.ErrInvalid)): // the checkpoint is of something else
		return exitSettings
	case err != nil:
		return exitAgain
	case report.Err() == nil:
		return exitDone
	case passing(report):
		return exitAgain
	default:
		return exitAttention
	}
}

// passing tells whether all that is wrong is that a service was not available.
func passing(report *migrate.Report) bool {
	for _, item := range report.Problems {
		if item.Outcome.Bad() && !errors.Is(item.Err, scaivault.ErrUnavailable) && !errors.Is(item.Err, scaivault.ErrRateLimited) {
			return false
		}
	}
	return len(report.Problems) > 0
}

// run copies one shard. Without a report it could not start.
func run(ctx context.Context, s *settings, stderr io.Writer) (*migrate.Report, error) {
	source, err := newSource(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }() // its token ends with its lease
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{s.scaiVaultURL}, Token: s.scaiVaultToken})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	bar := newProgress(stderr)
	defer bar.end()
	return migrate.Copy(ctx, source, client, s.mapping, &migrate.CopyOptions{
		Shard:      s.shard,
		History:    s.history,
		DryRun:     s.dryRun,
		Checkpoint: s.checkpoint,
		Progress:   bar.show,
	})
}

func newSource(s *settings) (*vault.Source, error) {
	cfg := api.DefaultConfig() // reads VAULT_ADDR, VAULT_CACERT and the like
	if cfg.Error != nil {
		return nil, cfg.Error
	}
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	return vault.NewSource(vault.Config{Client: client, Auth: s.vaultAuth})
}
