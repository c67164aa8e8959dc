// SPDX-License-Identifier: Apache-2.0

// Migration moves an estate of secrets from HashiCorp Vault to ScaiVault while
// services read and write it all the time, and prints each step.
//
//	go run ./examples/migration          # both servers are started in memory
//	go run ./examples/migration -json    # only a JSON object with the result
//
// With VAULT_ADDR and VAULT_TOKEN it uses that Vault, below a mount of its own;
// with SCAIVAULT_URL and SCAIVAULT_TOKEN that ScaiVault, below a path of its own.
// It removes what it made, also after Ctrl-C. The exit code is 0 only if no read
// failed or was wrong, no write was lost and no difference is left.
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
	"time"
)

func main() {
	os.Exit(command(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// command is main without the process: it returns the exit code.
func command(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("migration", flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print only a JSON object with the result")
	count := flags.Int("secrets", 300, "how many secrets to move")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	s, err := newSettings(getenv, *count)
	if err != nil {
		fmt.Fprintln(stderr, "migration:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)

	steps := stdout
	if *asJSON {
		steps = io.Discard
	}
	res, err := run(ctx, s, &printer{w: steps, start: time.Now()})
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(res); err != nil {
			return 1
		}
	} else {
		fmt.Fprintln(stdout, res)
	}
	if err != nil {
		fmt.Fprintln(stderr, "migration:", err)
		return 1
	}
	return 0
}

// run moves the estate from start to end, and cleans up whatever happens.
func run(ctx context.Context, s settings, out *printer) (res *result, err error) {
	start := time.Now()
	res = &result{Vault: s.vaultName(), ScaiVault: s.scaiVaultName()}
	m := &move{settings: s, out: out, res: res}
	defer func() {
		err = errors.Join(err, m.stop(), m.cleanUp(ctx))
		res.Seconds = time.Since(start).Round(10 * time.Millisecond).Seconds()
		if err == nil {
			err = res.check()
		}
		if err != nil {
			res.Error = err.Error()
		}
	}()
	if err := m.open(ctx); err != nil {
		return res, err
	}
	for _, step := range []func(context.Context) error{
		m.inventory, m.appRole, m.storeCredentials, m.federate,
		m.copySubtree, m.findAndHealDifference,
		m.shadow, m.canary, m.cutover, m.wayBack, m.forthAgain,
		m.findReaders, m.finish, m.flipAuthority, m.retire,
	} {
		if err := step(ctx); err != nil {
			return res, err
		}
		if ctx.Err() != nil {
			return res, errors.New("interrupted")
		}
	}
	return res, nil
}

// A printer prints steps as a person wants to read them.
type printer struct {
	w     io.Writer
	start time.Time
}

func (p *printer) step(number int, title string) {
	fmt.Fprintf(p.w, "\n%s  %d. %s\n", p.clock(), number, title)
}

func (p *printer) say(format string, args ...any) {
	fmt.Fprintf(p.w, "%s     %s\n", p.clock(), fmt.Sprintf(format, args...))
}

func (p *printer) clock() string {
	return fmt.Sprintf("%6.2fs", time.Since(p.start).Seconds())
}
