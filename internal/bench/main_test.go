// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/scailabs/scaivault-go/internal/bench"
)

// parentArg is the argument by which the test binary is a program that starts a
// server and is then killed.
const parentArg = "-parent-for-test"

func TestMain(m *testing.M) {
	asked, err := bench.ServeIfAsked()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case asked:
	case len(os.Args) == 2 && os.Args[1] == parentArg:
		beParent()
	default:
		goleak.VerifyTestMain(m)
	}
}

// openServer starts a server for one test or benchmark.
func openServer(tb testing.TB) string {
	tb.Helper()
	server, err := bench.StartServer(context.Background()) // tb.Context ends before Cleanup
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return server.URL()
}

// beParent starts a server, tells its address, and waits to be killed.
func beParent() {
	server, err := bench.StartServer(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
