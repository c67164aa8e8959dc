// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// killsVariable says at how many moments TestCopyThatIsKilled kills. The full run
// has 200 of them.
const (
	killsVariable = "SCAIVAULT_TEST_KILLS"
	defaultKills  = 20
)

// TestCopyThatIsKilled kills the program with SIGKILL at random moments of its
// work, starts it again as soon as the server has nothing of the dead one under
// way, and compares what comes out with a copy that nobody has disturbed: the
// same data, the same marks, the same number of versions. So nothing is lost and
// nothing is written twice.
func TestCopyThatIsKilled(t *testing.T) {
	t.Parallel()
	kills := defaultKills
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err, killsVariable)
	}
	e := newKilledEstate(t)
	seed := rand.Uint64()
	t.Logf("the random moments are those of seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round, killed := 0, 0; killed < kills; round++ {
		var args []string
		changes := 1
		switch round % 3 {
		case 1:
			args, changes = []string{"-history", "5"}, 1+random.IntN(3)
		case 2:
			args = []string{"-checkpoint", filepath.Join(t.TempDir(), "listing")}
		}
		e.change(t, random, changes)
		e.runUndisturbed(t, args)
		for range 4 { // the last start is left alone
			if !e.runAndKill(t, random, args) {
				break
			}
			killed++
		}
		e.finish(t, args)
		e.compare(t)
	}
}

// A killedEstate is a real Vault, and two ScaiVaults that it is copied to: one by
// programs that are killed, and one by programs that are not.
type killedEstate struct {
	program string
	mapping string
	vault   *realvault.Server
	admin   *api.Client
	killed  *scaivaulttest.Server
	fuse    *fuse // before killed
	calm    *scaivaulttest.Server
	token   map[*scaivaulttest.Server]string
	names   []string
	written int // values so far, none of which is ever written again
}

func newKilledEstate(t *testing.T) *killedEstate {
	t.Helper()
	e := &killedEstate{program: filepath.Join(t.TempDir(), "copy"), vault: realvault.New(t), token: map[*scaivaulttest.Server]string{}}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", e.program, "./examples/kubernetes")
	build.Dir = filepath.Join("..", "..")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, e.vault.MountKV(t.Context(), "kv", 2))
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = e.vault.Address()
	e.admin, err = api.NewClient(cfg)
	require.NoError(t, err)
	e.admin.SetToken(e.vault.RootToken())
	t.Cleanup(cfg.HttpClient.CloseIdleConnections)
	for _, s := range []**scaivaulttest.Server{&e.killed, &e.calm} {
		*s = scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true, MaxVersions: 1000})
		e.token[*s] = (*s).IssueToken("sa:copy")
	}
	e.fuse = newFuse(t, e.killed)
	e.mapping = filepath.Join(t.TempDir(), "mapping.yaml")
	require.NoError(t, os.WriteFile(e.mapping, []byte("rules:\n  - vault: kv/data/apps/**\n    scaivault: production/**\n"), 0o600))
	return e
}

// change writes new values to some secrets, and makes new ones.
func (e *killedEstate) change(t *testing.T, random *rand.Rand, versions int) {
	t.Helper()
	for range 5 {
		e.names = append(e.names, fmt.Sprintf("team-%d/s%04d", random.IntN(6), len(e.names)))
	}
	changed := e.names[len(e.names)-5:]
	for range 20 {
		changed = append(changed[:len(changed):len(changed)], e.names[random.IntN(len(e.names))])
	}
	slices.Sort(changed)
	for _, name := range slices.Compact(changed) {
		for range versions {
			e.written++
			_, err := e.admin.KVv2("kv").Put(t.Context(), "apps/"+name, map[string]any{"v": strconv.Itoa(e.written)})
			require.NoError(t, err)
		}
	}
}

// command is the program, which copies to the server behind url.
func (e *killedEstate) command(t *testing.T, to *scaivaulttest.Server, url string, args []string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), e.program, append([]string{"-mapping", e.mapping}, args...)...)
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "VAULT_") && !strings.HasPrefix(setting, "SCAIVAULT_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "VAULT_ADDR="+e.vault.Address(), "VAULT_TOKEN="+e.vault.RootToken(),
		"SCAIVAULT_URL="+url, "SCAIVAULT_TOKEN="+e.token[to])
	return cmd
}

func (e *killedEstate) runUndisturbed(t *testing.T, args []string) {
	t.Helper()
	out, err := e.command(t, e.calm, e.calm.URL(), slices.DeleteFunc(slices.Clone(args), isCheckpoint)).CombinedOutput()
	require.NoError(t, err, string(out))
}

// isCheckpoint: the undisturbed copy keeps no listing.
func isCheckpoint(arg string) bool { return arg == "-checkpoint" || filepath.IsAbs(arg) }

// finish runs the program to its end.
func (e *killedEstate) finish(t *testing.T, args []string) {
	t.Helper()
	out, err := e.command(t, e.killed, e.fuse.server.URL, args).CombinedOutput()
	require.NoError(t, err, string(out))
	e.fuse.drain(t)
}

// runAndKill kills the program at a random request, before or after the server
// has done it. It reports false where the program was done before.
func (e *killedEstate) runAndKill(t *testing.T, random *rand.Rand, args []string) bool {
	t.Helper()
	burnt := e.fuse.arm(1+random.IntN(40), random.IntN(2) == 0)
	cmd := e.command(t, e.killed, e.fuse.server.URL, args)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the exit code says it
	}()
	select {
	case <-burnt:
		_ = cmd.Process.Kill() // it may have ended at this very moment
	case <-ended:
	}
	<-ended
	e.fuse.drain(t)
	code := cmd.ProcessState.ExitCode()
	require.Contains(t, []int{-1, 0}, code, output.String())
	return code == -1
}

// compare looks whether both ScaiVaults hold the same.
func (e *killedEstate) compare(t *testing.T) {
	t.Helper()
	killed, calm := e.client(t, e.killed), e.client(t, e.calm)
	for _, name := range e.names {
		path := "production/" + name
		got, err := killed.Get(t.Context(), path)
		require.NoError(t, err, "lost")
		want, err := calm.Get(t.Context(), path)
		require.NoError(t, err)
		require.True(t, want.Equal(got), "the data of %s", path)
		require.Equal(t, want.Version(), got.Version(), "%s was written twice, or a version was lost", path)
		require.Equal(t, withoutID(want), withoutID(got), path)
	}
}

func (e *killedEstate) client(t *testing.T, s *scaivaulttest.Server) *scaivault.Client {
	t.Helper()
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{"https://scaivault.example"},
		Token: scaivault.StaticToken(e.token[s]), HTTPClient: &http.Client{Transport: s.RoundTripper()}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

// withoutID is the metadata of a copy without what is random in it.
func withoutID(s *scaivault.Secret) scaivault.Metadata {
	m := s.Info().Metadata
	m.Values = maps.Clone(m.Values)
	delete(m.Values, "migration_write_id")
	return m
}

// A fuse is a socket before a server, for one process at a time. It burns at a
// request, and knows when nothing of the process is under way any more.
type fuse struct {
	server *httptest.Server

	mu    sync.Mutex // guards all below
	some  *sync.Cond // open has changed
	open  map[net.Conn]bool
	left  int // requests until it burns
	after bool
	burnt chan struct{}
}

func newFuse(t *testing.T, next http.Handler) *fuse {
	t.Helper()
	f := &fuse{open: map[net.Conn]bool{}}
	f.some = sync.NewCond(&f.mu)
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before, after := f.burn()
		before()
		next.ServeHTTP(w, r)
		after()
	}))
	f.server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch state {
		case http.StateNew:
			f.open[c] = true
			f.some.Broadcast()
		case http.StateClosed, http.StateHijacked:
			delete(f.open, c)
			f.some.Broadcast()
		}
	}
	f.server.Start()
	t.Cleanup(f.server.Close)
	return f
}

// arm has the fuse burn at a request from now on, before or after the server has
// done it; then the channel is closed.
func (f *fuse) arm(at int, after bool) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.after, f.burnt = at, after, make(chan struct{})
	return f.burnt
}

// burn counts a request, and returns what is to be done before and after it.
func (f *fuse) burn() (before, after func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	nothing := func() {}
	if f.left--; f.left != 0 {
		return nothing, nothing
	}
	burnt := f.burnt
	flame := func() { close(burnt) }
	if f.after {
		return nothing, flame
	}
	return flame, nothing
}

// drain waits until every connection of a process that is dead has ended, and
// with it what the server still did for it. Connections are accepted in their
// order: once one of our own is, none of the dead one is still to come.
func (f *fuse) drain(t *testing.T) {
	t.Helper()
	last, err := net.Dial("tcp", f.server.Listener.Addr().String())
	require.NoError(t, err)
	f.wait(func() bool { return slices.Contains(f.peers(), last.LocalAddr().String()) })
	require.NoError(t, last.Close())
	f.wait(func() bool { return len(f.open) == 0 })
}

func (f *fuse) wait(until func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !until() {
		f.some.Wait()
	}
}

// peers are the other ends of what is open. The caller holds mu.
func (f *fuse) peers() []string {
	var all []string
	for c := range f.open {
		all = append(all, c.RemoteAddr().String())
	}
	return all
}
