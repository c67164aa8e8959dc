// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// settings say what to copy, and how to reach both services.
type settings struct {
	mapping        *scaivault.Mapping
	shard          migrate.Shard
	history        int
	dryRun         bool
	checkpoint     string
	vaultAuth      api.AuthMethod // nil: VAULT_TOKEN
	scaiVaultURL   string
	scaiVaultToken scaivault.TokenSource
}

// newSettings reads the flags and the environment, and names all that is wrong.
func newSettings(args []string, getenv func(string) string, stderr io.Writer) (*settings, error) {
	s := &settings{scaiVaultURL: getenv("SCAIVAULT_URL")}
	flags := flag.NewFlagSet("kubernetes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	mapping := flags.String("mapping", "", "the `file` with the mapping, JSON or YAML")
	shards := flags.Int("shards", 1, "how many `completions` the Job has; which of them this is stands in JOB_COMPLETION_INDEX")
	flags.IntVar(&s.history, "history", 1, "how many `versions` of each secret to copy")
	flags.BoolVar(&s.dryRun, "dry-run", false, "write nothing, and report what would be done")
	flags.StringVar(&s.checkpoint, "checkpoint", "", "a `file` that keeps the listing, to save it after a restart of the container")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	var problems []error
	if flags.NArg() > 0 {
		problems = append(problems, fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0)))
	}
	problems = append(problems, s.readMapping(*mapping), s.readShard(*shards, getenv("JOB_COMPLETION_INDEX")), s.readVault(getenv), s.readScaiVault(getenv))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *settings) readMapping(file string) error {
	if file == "" {
		return errors.New("-mapping is missing: give the file with the mapping")
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("-mapping: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if s.mapping, err = scaivault.ParseMapping(f); err != nil {
		return fmt.Errorf("-mapping %s: %w", file, err)
	}
	return nil
}

// readShard: Kubernetes tells the index, and nobody the number of completions.
func (s *settings) readShard(count int, index string) error {
	if count < 1 {
		return fmt.Errorf("-shards is %d: give the number of completions of the Job", count)
	}
	if index == "" {
		if count > 1 {
			return errors.New("-shards is given, and JOB_COMPLETION_INDEX is not set: the Job needs completionMode: Indexed")
		}
		return nil
	}
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n >= count {
		return fmt.Errorf("JOB_COMPLETION_INDEX is %q, and with -shards %d it is 0 to %d: -shards must be the Job's completions", index, count, count-1)
	}
	s.shard = migrate.Shard{Index: n, Count: count}
	return nil
}

func (s *settings) readVault(getenv func(string) string) error {
	role, secret := getenv("VAULT_ROLE_ID"), getenv("VAULT_SECRET_ID")
	switch {
	case getenv("VAULT_ADDR") == "":
		return errors.New("VAULT_ADDR is not set")
	case role == "" && getenv("VAULT_TOKEN") == "":
		return errors.New("set VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_TOKEN")
	case role == "":
		return nil
	case secret == "":
		return errors.New("VAULT_ROLE_ID is set and VAULT_SECRET_ID is missing")
	}
	auth, err := approle.NewAppRoleAuth(role, &approle.SecretID{FromEnv: "VAULT_SECRET_ID"})
	if err != nil {
		return errors.New("VAULT_ROLE_ID and VAULT_SECRET_ID are no credentials of AppRole")
	}
	s.vaultAuth = auth
	return nil
}

func (s *settings) readScaiVault(getenv func(string) string) error {
	if s.scaiVaultURL == "" {
		return errors.New("SCAIVAULT_URL is not set")
	}
	switch file := getenv("SCAIVAULT_TOKEN_FILE"); {
	case file != "":
		s.scaiVaultToken = scaivault.FileToken(file)
	case getenv("SCAIVAULT_TOKEN") != "":
		s.scaiVaultToken = scaivault.StaticToken(getenv("SCAIVAULT_TOKEN"))
	default:
		return errors.New("set SCAIVAULT_TOKEN_FILE, or SCAIVAULT_TOKEN")
	}
	return nil
}
