// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

const databasePath = "environments/production/billing/database"

// A billing service is the application under test. It keeps the password of its
// database, and takes a new one when it is told to.
type billing struct {
	secrets interface { // a Store, a Client or any Source
		Get(ctx context.Context, path string) (*scaivault.Secret, error)
	}

	mu     sync.Mutex // guards latest
	latest *scaivault.Secret
}

// load reads the password, at the start and after every change.
func (b *billing) load(ctx context.Context) error {
	secret, err := b.secrets.Get(ctx, databasePath)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.latest = secret
	return nil
}

// follow loads again whenever the password may have changed, until ctx ends.
func (b *billing) follow(ctx context.Context, client *scaivault.Client) {
	for range client.Watch(ctx, "environments/production/billing/**") {
		if err := b.load(ctx); err != nil {
			continue // the old one stays until the next event
		}
	}
}

func (b *billing) password() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	password, _ := b.latest.Field("password")
	return password
}

// newClient is a client of a server in memory.
func newClient(t *testing.T, server *scaivaulttest.Server) *scaivault.Client {
	t.Helper()
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"https://scaivault.test"},
		Token:      scaivault.StaticToken(server.IssueToken("sa:billing-prod")),
		HTTPClient: &http.Client{Transport: server.RoundTripper()},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

func password(value string) map[string]any { return map[string]any{"password": value} }

// In a bubble of synctest every wait, time-out and limit is over at once.
func TestApplicationWithAFailover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, old := scaivaulttest.NewServer(t), scaivaulttest.NewSource("vault")
		server.Seed(databasePath, password("of ScaiVault"))
		old.Seed("kv/data/apps/billing/database", password("of Vault"))
		mapping, err := scaivault.NewMapping(scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		require.NoError(t, err)
		store, err := scaivault.NewStore(scaivault.StoreConfig{
			ScaiVault: newClient(t, server), Vault: old, Mapping: mapping, Flag: scaivault.StageCutover,
		})
		require.NoError(t, err)
		defer store.Close()

		app := &billing{secrets: store}
		require.NoError(t, app.load(t.Context()))
		assert.Equal(t, "of ScaiVault", app.password())
		server.SetDown(true)
		require.NoError(t, app.load(t.Context()))
		assert.Equal(t, "of Vault", app.password())
	})
}

func TestApplicationWithARotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := scaivaulttest.NewServer(t)
		server.Seed(databasePath, password("the first"))
		client := newClient(t, server)
		app := &billing{secrets: client}
		require.NoError(t, app.load(t.Context()))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go app.follow(ctx, client)
		synctest.Wait() // until it listens

		assert.Equal(t, "the first", app.password())
		server.Seed(databasePath, password("the second"))
		time.Sleep(time.Second)
		assert.Equal(t, "the second", app.password())
	})
}

func TestApplicationWithARateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 10
		server := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{
			Limits: map[scaivaulttest.Category]int{scaivaulttest.CategoryRead: limit},
		})
		server.Seed(databasePath, password("an example"))
		app := &billing{secrets: newClient(t, server)}
		for range limit {
			require.NoError(t, app.load(t.Context()))
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, app.load(hurried), scaivault.ErrRateLimited)
		assert.Equal(t, "an example", app.password())

		time.Sleep(time.Minute)
		require.NoError(t, app.load(t.Context()))
	})
}

func TestApplicationWithAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := scaivaulttest.NewServer(t)
		server.Seed(databasePath, password("s3cr3t-example"))
		client := newClient(t, server)
		app := &billing{secrets: client}
		require.NoError(t, app.load(t.Context()))

		hang := server.Inject(scaivaulttest.Fault{Hang: true})
		err := app.load(t.Context())
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		scaivaulttest.AssertNoLeak(t, app.password(), err.Error())
		assert.Equal(t, "s3cr3t-example", app.password())
		hang()

		// A write that was done, and whose answer was lost, is looked up and not repeated.
		server.Inject(scaivaulttest.Fault{Method: http.MethodPut, Count: 1, After: true, Cut: scaivaulttest.CutBeforeAnswer})
		written, err := client.Put(t.Context(), databasePath, password("a new one"), nil)
		require.NoError(t, err)
		assert.Equal(t, 2, written.Version)
		assert.Equal(t, 2, server.SecretVersion(databasePath))
	})
}

// A Store needs no server where only the application is to be tested.
func TestApplicationWithASourceInMemory(t *testing.T) {
	t.Parallel()
	src := scaivaulttest.NewSource("scaivault")
	src.Seed(databasePath, password("an example"))
	app := &billing{secrets: src}
	require.NoError(t, app.load(t.Context()))
	src.SetAround(func(_ context.Context, op, _ string, _ func() error) error {
		return &scaivault.Error{Kind: scaivault.ErrUnavailable, Op: op, Source: "scaivault"}
	})
	require.ErrorIs(t, app.load(t.Context()), scaivault.ErrUnavailable)
	assert.Equal(t, "an example", app.password())
}
