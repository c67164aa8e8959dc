// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// serveArg is the argument by which a program of this module is the server.
const serveArg = "-serve-for-parent"

// A Server is the server of all peers, in a process of its own: what it
// allocates is not counted as a client's. It comes from StartServer.
type Server struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// StartServer starts this very program once more, as the server. So its main,
// or its TestMain, must call [ServeIfAsked] first. The server ends with Close,
// with ctx, and with this process, however that ends.
func StartServer(ctx context.Context) (*Server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, serveArg)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	s := &Server{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the server's address: %w", err), s.Close())
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

// URL returns the address, such as http://127.0.0.1:40123.
func (s *Server) URL() string { return s.url }

// Close ends the server and waits for it. Call it once.
func (s *Server) Close() error {
	err := s.stdin.Close()
	return errors.Join(err, s.cmd.Wait())
}

// ServeIfAsked reports false, unless [StartServer] started this process. Then
// it serves until the parent is gone, and reports true: there is nothing else
// to do in this process.
func ServeIfAsked() (bool, error) {
	if len(os.Args) != 2 || os.Args[1] != serveArg {
		return false, nil
	}
	return true, serve(os.Stdin, os.Stdout)
}

// serve tells its address and serves until in ends: nobody writes to it, and
// the kernel closes it with the process that holds its other end.
func serve(in io.Reader, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: newHandler()}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	if _, err := fmt.Fprintf(out, "http://%s\n", listener.Addr()); err != nil {
		return errors.Join(fmt.Errorf("tell the address: %w", err), server.Close(), listener.Close())
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
