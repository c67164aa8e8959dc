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
// of JSON, and holds no values. The program reads VAULT_ADDR, VAULT_TOKEN,
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
	"path/filepath"
	"syscall"
	"time"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
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

// A task is one run of the program.
type task struct {
	services
	mapping   *scaivault.Mapping // nil for an inventory without one
	out, in   string
	instances int
	ttl       time.Duration
	versions  bool
	stdout    io.Writer
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
	flags.IntVar(&t.instances, "instances", 0, "how many `instances` of services will read the secrets; with -ttl")
	flags.DurationVar(&t.ttl, "ttl", 0, "how `long` each keeps a secret in its cache")
	flags.BoolVar(&t.versions, "versions", false, "inventory: also count versions, by one read of metadata for each secret")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *mapping != "" || args[0] != "inventory" {
		var err error
		if t.mapping, err = readMapping(*mapping); err != nil {
			return err
		}
	}
	if t.out == "" && (args[0] == "names" || args[0] == "make") {
		return errors.New("-out is missing: give the file to write")
	}
	if err := t.connect(getenv); err != nil {
		return err
	}
	return errors.Join(tasks[args[0]](t, ctx), t.close())
}

func (t *task) inventory(ctx context.Context) error {
	inventory, err := migrate.TakeInventory(ctx, t.vault, &migrate.InventoryOptions{Mapping: t.mapping, Versions: t.versions})
	if err != nil {
		return err
	}
	fmt.Fprint(t.stdout, inventory)
	return attention(inventory.Err())
}

func (t *task) names(ctx context.Context) error {
	proposal, err := migrate.ProposeMapping(ctx, t.vault, t.mapping, nil)
	if err != nil {
		return err
	}
	defer func() { _ = proposal.Close() }() // what is wanted of it is written
	fmt.Fprint(t.stdout, proposal)
	if err := proposal.Err(); err != nil {
		return attention(err)
	}
	return replaceFile(t.out, proposal.WriteTo)
}

func (t *task) plan(ctx context.Context) error {
	plan, err := migrate.NewPlan(ctx, t.vault, t.scaiVault, t.mapping, &migrate.PlanOptions{Instances: t.instances, TTL: t.ttl})
	if err != nil {
		return err
	}
	defer func() { _ = plan.Close() }() // what is wanted of it is written
	fmt.Fprint(t.stdout, plan)
	if err := replaceFile(t.out, plan.WriteTo); err != nil {
		return err
	}
	return attention(plan.Err())
}

func (t *task) apply(ctx context.Context) error {
	file, err := os.Open(t.in)
	if err != nil {
		return fmt.Errorf("-in: %w", err)
	}
	plan, err := migrate.ReadPlan(file, t.mapping)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	defer func() { _ = plan.Close() }() // it was only read
	report, err := migrate.CopyPlan(ctx, t.vault, t.scaiVault, plan, nil)
	if report != nil {
		fmt.Fprint(t.stdout, report)
	}
	if err != nil {
		return err
	}
	return attention(report.Err())
}

func attention(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errAttention, err)
}

// replaceFile writes a file beside the old one and puts it in its place when it
// is whole and on the disk.
func replaceFile(name string, write func(io.Writer) (int64, error)) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".plan-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	if _, err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}
