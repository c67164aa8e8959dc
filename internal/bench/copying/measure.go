// SPDX-License-Identifier: Apache-2.0

package copying

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/migrate"
)

// The arguments by which a program that calls BeChild is one of the others.
const (
	serveArg = "-services-for-parent"
	copyArg  = "-copy-for-parent"
	diffArg  = "-diff-for-parent"
)

// BeChild reports false, unless this process was started to be the services, or
// to copy or to compare. Then it is that until it is done, and reports true.
func BeChild(ctx context.Context) (bool, error) {
	if len(os.Args) < 2 {
		return false, nil
	}
	switch os.Args[1] {
	case serveArg:
		return true, beServices()
	case copyArg:
		return true, beRun(ctx, Copy)
	case diffArg:
		return true, beRun(ctx, Diff)
	default:
		return false, nil
	}
}

// beServices serves until the parent is gone.
func beServices() error {
	var s Services
	if err := json.Unmarshal([]byte(os.Args[2]), &s); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/counts", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(Counts{Requests: s.counts, Refused: s.refused})
		s.counts, s.refused = nil, 0
	})
	mux.Handle("/", &s)
	server := &http.Server{Handler: mux} //nolint:gosec // on the loopback interface, for this program
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	fmt.Printf("http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Counts are the requests since they were last asked for.
type Counts struct {
	Requests map[string]int `json:"requests"`
	Refused  int            `json:"refused"`
}

// Total is how many requests there were.
func (c Counts) Total() int {
	n := 0
	for _, count := range c.Requests {
		n += count
	}
	return n
}

// Start starts the services as a process of their own. They end with the func.
func Start(ctx context.Context, s *Services) (url string, stop func() error, err error) {
	settings, err := json.Marshal(struct {
		Secrets, Folder, Limit int
		Filled                 bool
		Delay                  time.Duration
	}{s.Secrets, s.Folder, s.Limit, s.Filled, s.Delay})
	if err != nil {
		return "", nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, program, serveArg, string(settings))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("the services did not start: %w", err), stop())
	}
	return strings.TrimSpace(line), stop, nil
}

// Asked returns the counts of the services at url, and sets them back.
func Asked(ctx context.Context, url string) (Counts, error) {
	var c Counts
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/counts", nil)
	if err != nil {
		return c, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer func() { _ = resp.Body.Close() }()
	return c, json.NewDecoder(resp.Body).Decode(&c)
}

// A Run is one copy, or one comparison, in a process of its own.
type Run struct {
	Took      time.Duration `json:"took"`
	PeakBytes int64         `json:"peak_bytes"`
	Secrets   int           `json:"secrets"`
}

// beRun does one of them once, and tells how it was.
func beRun(ctx context.Context, do func(ctx context.Context, url string) (*migrate.Report, error)) error {
	start := time.Now()
	report, err := do(ctx, os.Args[2])
	if err != nil {
		return err
	}
	peak, err := peakBytes()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(Run{Took: time.Since(start), PeakBytes: peak, Secrets: report.Total()})
}

// CopyInAChild copies the estate at url in a process of its own.
func CopyInAChild(ctx context.Context, url string) (Run, error) { return inAChild(ctx, copyArg, url) }

// DiffInAChild compares the estate at url in a process of its own.
func DiffInAChild(ctx context.Context, url string) (Run, error) { return inAChild(ctx, diffArg, url) }

func inAChild(ctx context.Context, arg, url string) (Run, error) {
	var r Run
	program, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, program, arg, url)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("in a child: %w", err)
	}
	return r, json.Unmarshal(out, &r)
}

// peakBytes is the most memory that this process has had resident, by Linux.
func peakBytes() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/self/status tells no VmHWM")
}
