// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// asMain has the test's own binary be the program.
const asMain = "KUBERNETES_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// An estate is both services, and a mapping in a file.
type estate struct {
	vault   *scaivaulttest.Vault
	scai    *scaivaulttest.Server
	mapping string
	env     []string
}

func newEstate(t *testing.T, secrets int) *estate {
	t.Helper()
	e := &estate{vault: scaivaulttest.NewVault(t), scai: scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{NoLimits: true})}
	e.vault.Mount("kv", 2)
	for i := range secrets {
		e.vault.Seed(fmt.Sprintf("kv/data/apps/team-%d/s%03d", i%5, i), map[string]any{"v": i})
	}
	e.mapping = filepath.Join(t.TempDir(), "mapping.yaml")
	require.NoError(t, os.WriteFile(e.mapping, []byte("rules:\n  - vault: kv/data/apps/**\n    scaivault: production/**\n"), 0o600))
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "VAULT_") && !strings.HasPrefix(setting, "SCAIVAULT_") {
			e.env = append(e.env, setting)
		}
	}
	e.env = append(e.env, asMain+"=1", "GORACE=atexit_sleep_ms=0", "VAULT_ADDR="+e.vault.URL(), "VAULT_TOKEN="+e.vault.RootToken(),
		"SCAIVAULT_TOKEN="+e.scai.IssueToken("sa:copy"))
	return e
}

// A pod is the program, running as one completion.
type pod struct {
	cmd            *exec.Cmd
	front          *front
	stdout, stderr bytes.Buffer
	ended          chan struct{}
}

func (e *estate) start(t *testing.T, index string, args ...string) *pod {
	t.Helper()
	return e.startBehind(t, newFront(t, e.scai, nil), index, args...)
}

func (e *estate) startBehind(t *testing.T, f *front, index string, args ...string) *pod {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &pod{front: f, ended: make(chan struct{}), cmd: exec.CommandContext(t.Context(), self, append([]string{"-mapping", e.mapping}, args...)...)}
	p.cmd.Env = append(e.env[:len(e.env):len(e.env)], "JOB_COMPLETION_INDEX="+index, "SCAIVAULT_URL="+f.URL)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code says it
	}()
	return p
}

// wait returns the exit code; -1 for one that was killed.
func (p *pod) wait() int {
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}

// TestShardsOfKilledPodsAreCompletedByTheirSuccessors: 4 processes, of which 2
// are killed in the middle and started again.
func TestShardsOfKilledPodsAreCompletedByTheirSuccessors(t *testing.T) {
	t.Parallel()
	const n, shards = 200, 4
	e := newEstate(t, n)
	// Everybody stops at the writes until all four have some under way, so that
	// who is killed is in the middle.
	reached, open := make(chan struct{}), make(chan struct{})
	var shardsThere atomic.Int64
	pods := make([]*pod, shards)
	for i := range pods {
		var writes atomic.Int64
		hold := func() {
			if writes.Add(1) == 4 && shardsThere.Add(1) == shards {
				close(reached)
			}
			<-open
		}
		pods[i] = e.startBehind(t, newFront(t, e.scai, hold), fmt.Sprint(i), "-shards", fmt.Sprint(shards))
	}
	select {
	case <-reached:
	case <-pods[0].ended:
		require.Fail(t, "a shard ended before it could be killed", pods[0].stderr.String())
	}
	for _, i := range []int{1, 2} {
		require.NoError(t, pods[i].cmd.Process.Kill())
		assert.Equal(t, -1, pods[i].wait())
	}
	close(open)
	for _, i := range []int{1, 2} {
		pods[i].front.drain(t)
		pods[i] = e.start(t, fmt.Sprint(i), "-shards", fmt.Sprint(shards))
	}
	elsewhere := 0
	for i, p := range pods {
		assert.Equal(t, exitDone, p.wait(), "shard %d: %s", i, p.stderr.String())
		var report migrate.Report
		require.NoError(t, json.Unmarshal(p.stdout.Bytes(), &report))
		assert.Equal(t, n, report.Total()+report.Elsewhere)
		elsewhere += report.Elsewhere
	}
	assert.Equal(t, (shards-1)*n, elsewhere, "each secret belongs to one shard")
	for i := range n {
		path := fmt.Sprintf("production/team-%d/s%03d", i%5, i)
		raw, ok := e.scai.Value(path)
		require.True(t, ok, path)
		assert.JSONEq(t, fmt.Sprintf(`{"v":%d}`, i), string(raw))
		assert.Equal(t, 1, e.scai.SecretVersion(path), "nothing is written twice")
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	e := newEstate(t, 3)
	t.Run("settings", func(t *testing.T) {
		for args, says := range map[string]string{
			"-shards 2":        `JOB_COMPLETION_INDEX is "2", and with -shards 2 it is 0 to 1`,
			"-shards 0":        "-shards is 0",
			"-mapping missing": "-mapping",
			"extra":            "unexpected argument",
		} {
			p := e.start(t, "2", strings.Fields(args)...)
			assert.Equal(t, exitSettings, p.wait(), args)
			assert.Contains(t, p.stderr.String(), says)
		}
		p := e.start(t, "", "-checkpoint", os.DevNull)
		assert.Equal(t, exitSettings, p.wait(), "to start again does not help")
		assert.Contains(t, p.stderr.String(), "no regular file")
	})
	t.Run("attention", func(t *testing.T) {
		e.vault.Seed("kv/data/apps/Upper", map[string]any{"v": 1})
		p := e.start(t, "")
		assert.Equal(t, exitAttention, p.wait(), p.stderr.String())
		assert.Contains(t, p.stderr.String(), "name not allowed")
		assert.Contains(t, p.stderr.String(), "copy: 4 of 4 secrets", "plain lines, as nobody sits at a terminal")
	})
	t.Run("again", func(t *testing.T) {
		e.vault.Seal()
		defer e.vault.Unseal()
		p := e.start(t, "")
		assert.Equal(t, exitAgain, p.wait(), p.stderr.String())
	})
}

// TestManifestFitsTheProgram: what job.yaml repeats is the same everywhere.
func TestManifestFitsTheProgram(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("job.yaml")
	require.NoError(t, err)
	var job struct {
		Spec struct {
			CompletionMode   string `yaml:"completionMode"`
			Completions      int    `yaml:"completions"`
			PodFailurePolicy struct {
				Rules []struct {
					Action      string `yaml:"action"`
					OnExitCodes struct {
						ContainerName string `yaml:"containerName"`
						Values        []int  `yaml:"values"`
					} `yaml:"onExitCodes"`
				} `yaml:"rules"`
			} `yaml:"podFailurePolicy"`
			Template struct {
				Spec struct {
					RestartPolicy string `yaml:"restartPolicy"`
					Containers    []struct {
						Name string   `yaml:"name"`
						Args []string `yaml:"args"`
						Env  []struct {
							Name string `yaml:"name"`
						} `yaml:"env"`
					} `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	require.NoError(t, yaml.Unmarshal(text, &job))
	assert.Equal(t, "Indexed", job.Spec.CompletionMode)
	assert.Equal(t, "Never", job.Spec.Template.Spec.RestartPolicy, "a podFailurePolicy needs it")
	require.Len(t, job.Spec.Template.Spec.Containers, 1)
	container := job.Spec.Template.Spec.Containers[0]
	codes := map[string][]int{}
	for _, rule := range job.Spec.PodFailurePolicy.Rules {
		codes[rule.Action] = rule.OnExitCodes.Values
		if len(rule.OnExitCodes.Values) > 0 {
			assert.Equal(t, container.Name, rule.OnExitCodes.ContainerName)
		}
	}
	assert.Equal(t, map[string][]int{"FailIndex": {exitAttention}, "FailJob": {exitSettings}, "Ignore": nil}, codes)

	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	require.NoError(t, os.WriteFile(mapping, []byte("rules:\n  - vault: kv/data/**\n    scaivault: production/**\n"), 0o600))
	set := map[string]string{"JOB_COMPLETION_INDEX": fmt.Sprint(job.Spec.Completions - 1)}
	for _, env := range container.Env {
		set[env.Name] = "http://127.0.0.1:1/set"
	}
	args := make([]string, len(container.Args))
	for i, arg := range container.Args {
		args[i] = strings.ReplaceAll(arg, "/etc/copy/mapping.yaml", mapping)
	}
	s, err := newSettings(args, func(name string) string { return set[name] }, &bytes.Buffer{})
	require.NoError(t, err)
	assert.Equal(t, migrate.Shard{Index: job.Spec.Completions - 1, Count: job.Spec.Completions}, s.shard)
}

// A front is a socket of one pod's own before the server, which may hold writes
// back, and knows when nothing of the pod is under way any more.
type front struct {
	*httptest.Server
	mu   sync.Mutex // guards open
	open map[net.Conn]bool
	some *sync.Cond // open has changed
}

func newFront(t *testing.T, next http.Handler, beforePut func()) *front {
	t.Helper()
	f := &front{open: map[net.Conn]bool{}}
	f.some = sync.NewCond(&f.mu)
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && beforePut != nil {
			beforePut()
		}
		next.ServeHTTP(w, r)
	}))
	f.Config.ConnState = func(c net.Conn, state http.ConnState) {
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
	f.Start()
	t.Cleanup(f.Close)
	return f
}

// drain waits until every connection of a pod that is dead has ended, and with it
// what the server still did for it. Connections are accepted in their order: once
// one of our own is, none of the pod's is still to come.
func (f *front) drain(t *testing.T) {
	t.Helper()
	last, err := net.Dial("tcp", f.Listener.Addr().String())
	require.NoError(t, err)
	f.wait(func() bool { return slices.Contains(f.peers(), last.LocalAddr().String()) })
	require.NoError(t, last.Close())
	f.wait(func() bool { return len(f.open) == 0 })
}

func (f *front) wait(until func() bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !until() {
		f.some.Wait()
	}
}

// peers are the other ends of what is open. The caller holds mu.
func (f *front) peers() []string {
	var all []string
	for c := range f.open {
		all = append(all, c.RemoteAddr().String())
	}
	return all
}
