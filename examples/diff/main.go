// SPDX-License-Identifier: Apache-2.0

// Diff compares an estate in Vault with its copy in ScaiVault, and writes reports
// for people and for CI:
//
//	go run ./examples/diff -mapping mapping.yaml -html report.html -junit report.xml
//
// It reads VAULT_ADDR, VAULT_TOKEN, SCAIVAULT_URL and SCAIVAULT_TOKEN. No report
// holds a value. It ends with
//
//	0  both sides are the same
//	1  they differ
//	2  that could not be found out: wrong settings, secrets that could not be
//	   read, a report that could not be written
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

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const (
	exitSame      = 0
	exitDifferent = 1
	exitError     = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command is main without the process. It returns the exit code.
func command(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("diff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	mapping := flags.String("mapping", "", "the `file` with the mapping, JSON or YAML")
	versions := flags.Bool("versions", false, "also compare the numbers of the latest versions")
	metadata := flags.Bool("metadata", false, "also compare metadata")
	var exclude []string
	flags.Func("exclude", "leave out the secrets of this `pattern`, such as kv/data/tmp/**; may be repeated", func(pattern string) error {
		exclude = append(exclude, pattern)
		return nil
	})
	files := reportFiles(flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitSame
	case err != nil:
		return exitError
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "diff: unexpected argument %q; -h lists the flags\n", flags.Arg(0))
		return exitError
	}
	log := &migrate.ItemLog{}
	report, err := diff(ctx, *mapping, getenv, &migrate.DiffOptions{Versions: *versions, Metadata: *metadata, Exclude: exclude, Each: log.Add})
	if report != nil {
		_, printed := fmt.Fprint(stdout, report)
		err = errors.Join(err, printed, files.write(report, log))
	}
	if err = errors.Join(err, log.Close()); err != nil {
		fmt.Fprintln(stderr, "diff:", err)
	}
	return exitCode(report, err)
}

func exitCode(report *migrate.Report, err error) int {
	switch {
	case err != nil || report.Incomplete || report.Count(migrate.Unreadable) > 0:
		return exitError
	case report.Err() == nil:
		return exitSame
	case report.Count(migrate.Different, migrate.OnlyInVault, migrate.OnlyInScaiVault) > 0:
		return exitDifferent
	default: // nothing was found to compare
		return exitError
	}
}

// diff compares. Without a report it could not start.
func diff(ctx context.Context, mappingFile string, getenv func(string) string, opts *migrate.DiffOptions) (*migrate.Report, error) {
	mapping, err := readMapping(mappingFile)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"VAULT_ADDR", "VAULT_TOKEN", "SCAIVAULT_URL", "SCAIVAULT_TOKEN"} {
		if getenv(name) == "" {
			return nil, errors.New(name + " is not set")
		}
	}
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, cfg.Error
	}
	cfg.Address = getenv("VAULT_ADDR")
	apiClient, err := api.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	apiClient.SetToken(getenv("VAULT_TOKEN"))
	source, err := vault.NewSource(vault.Config{Client: apiClient})
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }() // it has only read
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{getenv("SCAIVAULT_URL")}, Token: scaivault.StaticToken(getenv("SCAIVAULT_TOKEN")),
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	return migrate.Diff(ctx, source, client, mapping, opts)
}

func readMapping(file string) (*scaivault.Mapping, error) {
	if file == "" {
		return nil, errors.New("-mapping is missing: give the file with the mapping")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("-mapping: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return scaivault.ParseMapping(f)
}
