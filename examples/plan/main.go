// SPDX-License-Identifier: Apache-2.0

// Plan prepares a move from Vault to ScaiVault, and carries it out once people
// have looked at it:
//
//	go run ./examples/plan inventory                                  # what is there
//	go run ./examples/plan names -mapping rules.yaml -out mapping.json # names that ScaiVault allows
//	go run ./examples/plan make -mapping mapping.json -out plan.jsonl  # what a copy would do
//	go run ./examples/plan apply -mapping mapping.json -in plan.jsonl  # do it
//
// The plan belongs under version control beside the mapping: it is sorted lines
// of JSON, and holds no values. With -fingerprint-key it also notices that a
// secret of KV v1, which has no versions, was changed after the plan was made.
// The program reads VAULT_ADDR and VAULT_TOKEN, for make and apply also
// SCAIVAULT_URL and SCAIVAULT_TOKEN, and ends with
//
//	0  all is well
//	1  something needs attention; it is named
//	2  it could not be done
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
)

const (
	exitDone      = 0
	exitAttention = 1
	exitError     = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errAttention says that the task was done and something needs attention.
var errAttention = errors.New("something needs attention")

// command is main without the process. It returns the exit code.
func command(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	err := run(ctx, args, getenv, stdout, stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errAttention):
		fmt.Fprintln(stderr, "plan:", err)
		return exitAttention
	default:
		fmt.Fprintln(stderr, "plan:", err)
		return exitError
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	tasks := map[string]func(*task, context.Context) error{
		"inventory": (*task).inventory, "names": (*task).names, "make": (*task).plan, "apply": (*task).apply,
	}
	if len(args) == 0 || tasks[args[0]] == nil {
		return errors.New("say what to do: inventory, names, make or apply")
	}
	t := &task{stdout: stdout}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	mapping := flags.String("mapping", "", "the `file` with the mapping, JSON or YAML")
	flags.StringVar(&t.out, "out", "", "the `file` to write")
	flags.StringVar(&t.in, "in", "", "the `file` with the plan")
	key := flags.String("fingerprint-key", "", "a `file` with a random key, as of openssl rand -hex 32, to see at apply that a secret of KV v1 has changed; give it to make and to apply")
	flags.Func("exclude", "names, make: leave out the secrets of this `pattern`, such as kv/data/tmp/**; may be repeated", func(pattern string) error {
		t.exclude = append(t.exclude, pattern)
		return nil
	})
	flags.IntVar(&t.instances, "instances", 0, "how many `instances` of services will read the secrets; with -ttl")
	flags.DurationVar(&t.ttl, "ttl", 0, "how `long` each keeps a secret in its cache")
	flags.BoolVar(&t.versions, "versions", false, "inventory: also count versions, by one read of metadata for each secret")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	}
	if *mapping != "" || args[0] != "inventory" {
		var err error
		if t.mapping, err = readMapping(*mapping); err != nil {
			return err
		}
	}
	if *key != "" {
		var err error
		if t.key, err = os.ReadFile(*key); err != nil {
			return fmt.Errorf("-fingerprint-key: %w", err)
		}
	}
	if t.in == "" && args[0] == "apply" {
		return errors.New("-in is missing: give the file with the plan")
	}
	if t.out == "" && (args[0] == "names" || args[0] == "make") {
		return errors.New("-out is missing: give the file to write")
	}
	if err := t.connect(getenv, args[0] == "inventory" || args[0] == "names"); err != nil {
		return err
	}
	return errors.Join(tasks[args[0]](t, ctx), t.close())
}
