// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/integration/realvault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A server is a Vault, real or small, as the tests of both see it.
type server struct {
	url       string
	rootToken string
	client    *http.Client
	mount     func(path string, version int)
	auditLog  func() string
	seal      func()
	unseal    func()
	setDown   func(down bool)
}

// A vaultKind is one of the two servers, by name.
type vaultKind struct {
	name  string
	start func(*testing.T) *server
}

func vaults() []vaultKind { return []vaultKind{{"real", startReal}, {"small", startSmall}} }

// forEachVault runs a test against a server of each kind.
func forEachVault(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	for _, kind := range vaults() {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			test(t, kind.start(t))
		})
	}
}

func startReal(t *testing.T) *server {
	t.Helper()
	s := realvault.New(t)
	return &server{
		url:       s.Address(),
		rootToken: s.RootToken(),
		client:    newHTTPClient(t),
		mount:     func(path string, version int) { require.NoError(t, s.MountKV(t.Context(), path, version)) },
		auditLog: func() string {
			raw, err := os.ReadFile(s.AuditLogPath())
			require.NoError(t, err)
			return string(raw)
		},
		seal:    func() { require.NoError(t, s.Seal(t.Context())) },
		unseal:  func() { require.NoError(t, s.Unseal(t.Context())) },
		setDown: func(down bool) { require.NoError(t, s.SetDown(down)) },
	}
}

func startSmall(t *testing.T) *server {
	t.Helper()
	log := &logBuffer{}
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{AuditLog: log})
	return &server{
		url:       v.URL(),
		rootToken: v.RootToken(),
		client:    newHTTPClient(t),
		mount:     v.Mount,
		auditLog:  log.String,
		seal:      v.Seal,
		unseal:    v.Unseal,
		setDown:   v.SetDown,
	}
}

// newHTTPClient returns a client that follows no redirect: the table is about
// what a Vault answers.
func newHTTPClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// A logBuffer is an audit log in memory.
type logBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// outermostKeys returns the sorted keys of a JSON object, or what else it is.
func outermostKeys(body string) string {
	if body == "" {
		return "nothing"
	}
	value, err := decode(body)
	if err != nil {
		return errors.Join(errors.New("no JSON"), err).Error()
	}
	object, ok := value.(map[string]any)
	if !ok {
		return show(value)
	}
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}
