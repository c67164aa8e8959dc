// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// A move is everything that the steps share.
type move struct {
	settings settings
	out      *printer
	res      *result
	estate   *estate
	traffic  *traffic
	store    *scaivault.Store
	stage    atomic.Uint32 // the feature flag

	// The operator's clients.
	vaultAPI   *api.Client
	vault      *vault.Source
	scaiVault  *scaivault.Client
	federation *federation.Client

	// The servers, as the services see them: they can go down.
	vaultServer, scaiVaultServer server

	run       string // tells this run's things from all others
	roleName  string
	backendID string
	legacy    *legacy
	audit     *auditDevice
	undo      []undo // in the order in which things were made
	identity  string // the services' own at ScaiVault, for its audit log
}

// A server can be taken down and brought back.
type server interface{ SetDown(down bool) }

// An undo removes something that the run made.
type undo struct {
	what string
	do   func(context.Context) error
}

func (m *move) onCleanUp(what string, do func(context.Context) error) {
	m.undo = append(m.undo, undo{what, do})
}

// open starts or reaches both servers, fills Vault, and lets the readers run.
func (m *move) open(ctx context.Context) error {
	m.run = "scaivault-migration-" + strings.ToLower(rand.Text()[:8])
	vaultAddr, vaultToken, err := m.openVault()
	if err != nil {
		return fmt.Errorf("open Vault: %w", err)
	}
	opsToken, serviceToken, scaiURL, err := m.openScaiVault()
	if err != nil {
		return fmt.Errorf("open ScaiVault: %w", err)
	}
	mount, prefix := "kv", ""
	if !m.settings.ownVault() {
		mount = m.run
	}
	if !m.settings.ownScaiVault() {
		prefix = m.run + "/"
	}
	if m.estate, err = newEstate(mount, prefix, m.settings.secrets); err != nil {
		return err
	}
	if err := m.connect(vaultAddr, vaultToken, scaiURL, opsToken); err != nil {
		return err
	}
	if err := m.fill(ctx); err != nil {
		return err
	}
	if err := m.openStore(ctx, vaultAddr, vaultToken, scaiURL, serviceToken); err != nil {
		return err
	}
	m.traffic.startReaders(ctx)
	m.out.say("%d services' goroutines read all %d secrets through one Store, from now to the end", readers, len(m.estate.names))
	return nil
}

func (m *move) openVault() (address, token string, _ error) {
	if !m.settings.ownVault() {
		w, err := newWire(m.settings.vaultAddr)
		if err != nil {
			return "", "", err
		}
		m.vaultServer = w
		m.onCleanUp("the wire to Vault", func(context.Context) error { w.Close(); return nil })
		return m.settings.vaultAddr, m.settings.vaultToken, nil
	}
	v, err := scaivaulttest.StartVault(nil)
	if err != nil {
		return "", "", err
	}
	m.vaultServer = v
	m.onCleanUp("the Vault in memory", func(context.Context) error { v.Close(); return nil })
	v.Mount("secret", 1)
	v.Seed("secret/legacy/license", map[string]any{"key": "none"})
	return v.URL(), v.RootToken(), nil
}

func (m *move) openScaiVault() (opsToken, serviceToken, address string, _ error) {
	if !m.settings.ownScaiVault() {
		w, err := newWire(m.settings.scaiVaultURL)
		if err != nil {
			return "", "", "", err
		}
		m.scaiVaultServer = w
		m.onCleanUp("the wire to ScaiVault", func(context.Context) error { w.Close(); return nil })
		return m.settings.scaiToken, m.settings.scaiToken, m.settings.scaiVaultURL, nil
	}
	s, err := scaivaulttest.StartServer(&scaivaulttest.ServerOptions{NoLimits: true})
	if err != nil {
		return "", "", "", err
	}
	m.scaiVaultServer = s
	m.onCleanUp("the ScaiVault in memory", func(context.Context) error { s.Close(); return nil })
	return s.IssueToken("user:operator"), s.IssueToken("sa:billing-prod", "secrets:read", "secrets:write", "secrets:list"), s.URL(), nil
}

// connect makes the operator's clients. They don't go over the wires.
func (m *move) connect(vaultAddr, vaultToken, scaiURL, scaiToken string) (err error) {
	if m.vaultAPI, err = vaultClient(vaultAddr, vaultToken, nil); err != nil {
		return err
	}
	if m.vault, err = vault.NewSource(vault.Config{Client: m.vaultAPI, PlainHTTPHosts: allowed(vaultAddr)}); err != nil {
		return err
	}
	m.onCleanUp("the client of Vault", func(context.Context) error { return m.vault.Close() })
	m.scaiVault, err = scaivault.NewClient(scaivault.ClientConfig{
		URLs: []string{scaiURL}, Token: scaivault.StaticToken(scaiToken), PlainHTTPHosts: allowed(scaiURL), UserAgent: "migration-operator",
	})
	if err != nil {
		return err
	}
	m.onCleanUp("the client of ScaiVault", func(context.Context) error { return m.scaiVault.Close() })
	m.federation = federation.New(m.scaiVault)
	return nil
}

// openStore makes what a service has: two clients, a Store, and a flag.
func (m *move) openStore(ctx context.Context, vaultAddr, vaultToken, scaiURL, scaiToken string) error {
	serviceAPI, err := vaultClient(vaultAddr, vaultToken, m.vaultServer)
	if err != nil {
		return err
	}
	source, err := vault.NewSource(vault.Config{Client: serviceAPI, PlainHTTPHosts: allowed(vaultAddr)})
	if err != nil {
		return err
	}
	m.onCleanUp("the services' client of Vault", func(context.Context) error { return source.Close() })
	config := scaivault.ClientConfig{
		URLs: []string{scaiURL}, Token: scaivault.StaticToken(scaiToken),
		PlainHTTPHosts: allowed(scaiURL), UserAgent: "billing",
	}
	if w, ok := m.scaiVaultServer.(*wire); ok {
		config.HTTPClient = &http.Client{Transport: w.through(http.DefaultTransport.(*http.Transport))}
	}
	client, err := scaivault.NewClient(config)
	if err != nil {
		return err
	}
	m.onCleanUp("the services' client of ScaiVault", func(context.Context) error { return client.Close() })
	who, err := client.WhoAmI(ctx)
	if err != nil {
		return err
	}
	m.identity = who.ID
	m.set(scaivault.StageVault)
	m.store, err = scaivault.NewStore(scaivault.StoreConfig{
		ScaiVault: client,
		Vault:     source,
		Mapping:   m.estate.mapping,
		Flag: scaivault.FlagFunc(func(context.Context, string) scaivault.Stage {
			return scaivault.Stage(m.stage.Load())
		}),
		InitialStage: scaivault.StageVault,
		Compare:      scaivault.CompareConfig{MaxAge: m.settings.maxAge()},
	})
	if err != nil {
		return err
	}
	m.onCleanUp("the Store", func(context.Context) error { return m.store.Close() })
	m.traffic = newTraffic(m.store, m.estate, m.settings)
	return nil
}

// set turns the feature flag.
func (m *move) set(stage scaivault.Stage) { m.stage.Store(uint32(stage)) }

func vaultClient(address, token string, over server) (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = address
	transport := config.HttpClient.Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = 64
	if w, ok := over.(*wire); ok {
		config.HttpClient.Transport = w.through(transport)
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	// NewClient reads the environment, which may be about another Vault.
	if err := client.SetAddress(address); err != nil {
		return nil, err
	}
	client.SetToken(token)
	return client, nil
}

// allowed lets the operator choose plain http by the address that was set.
func allowed(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return []string{u.Hostname()}
}

// fill puts the estate into Vault.
func (m *move) fill(ctx context.Context) error {
	if err := m.makeMounts(ctx); err != nil {
		return fmt.Errorf("make the mount %s: %w", m.estate.mount, err)
	}
	for _, n := range m.estate.names {
		if _, err := m.vault.Put(ctx, n.vault, m.estate.value(n, 0), nil); err != nil {
			return fmt.Errorf("fill Vault: %w", err)
		}
	}
	m.out.say("Vault: %s · ScaiVault: %s · %d secrets below %s", m.res.Vault, m.res.ScaiVault, len(m.estate.names), m.estate.vaultPath("apps/"))
	return nil
}

func (m *move) makeMounts(ctx context.Context) error {
	mounts := map[string]*api.MountInput{m.estate.mount: {Type: "kv", Options: map[string]string{"version": "2"}, Description: "made by the migration example"}}
	if m.settings.ownVault() { // what else a company's Vault has
		for _, kind := range []string{"pki", "database", "transit", "aws"} {
			mounts[kind] = &api.MountInput{Type: kind}
		}
	}
	for path, input := range mounts {
		if err := m.vaultAPI.Sys().MountWithContext(ctx, path, input); err != nil {
			return err
		}
		if !m.settings.ownVault() {
			m.onCleanUp("the mount "+path+" in Vault", func(ctx context.Context) error { return m.vaultAPI.Sys().UnmountWithContext(ctx, path) })
		}
	}
	return m.waitForMount(ctx)
}

// waitForMount waits for a new KV v2 mount, which upgrades itself for a moment.
func (m *move) waitForMount(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		_, err := m.vault.Put(ctx, m.estate.vaultPath("ready"), map[string]any{}, nil)
		if err == nil {
			_, err = m.vaultAPI.Logical().DeleteWithContext(ctx, m.estate.mount+"/metadata/ready")
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// stop ends the traffic, takes the figures and closes the Store.
func (m *move) stop() error {
	if m.legacy != nil {
		m.legacy.stop()
	}
	if m.traffic == nil {
		return nil
	}
	m.traffic.endWriters()
	m.traffic.endReaders()
	stats := m.store.Stats()
	m.res.Reads, m.res.FailedReads, m.res.WrongReads = m.traffic.reads.Load(), m.traffic.failed.Load(), m.traffic.wrong.Load()
	m.res.Writes, m.res.Failovers = m.traffic.writes.Load(), stats.Failovers
	err := m.store.Close() // before anything is removed: it repairs mirrors in the background
	if first := m.traffic.firstError.Load(); first != nil {
		return errors.Join(errors.New(*first), err)
	}
	return err
}

// cleanUp removes all that the run made, the newest first, also after Ctrl-C.
func (m *move) cleanUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.settings.cleanUp())
	defer cancel()
	if m.scaiVaultServer != nil {
		m.scaiVaultServer.SetDown(false)
	}
	if m.vaultServer != nil {
		m.vaultServer.SetDown(false)
	}
	var problems []error
	for i := len(m.undo) - 1; i >= 0; i-- {
		if err := m.undo[i].do(ctx); err != nil && !errors.Is(err, os.ErrNotExist) {
			problems = append(problems, fmt.Errorf("remove %s: %w", m.undo[i].what, err))
		}
	}
	return errors.Join(problems...)
}
