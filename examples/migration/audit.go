// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
)

// An auditDevice is a file to which Vault writes its audit log.
type auditDevice struct {
	path  string
	since time.Time
	self  string // our own display name
}

func (d *auditDevice) open() (*os.File, error) { return os.Open(d.path) }

// openAudit lets Vault write its audit log to a file of ours. It returns nil,
// and says why, where that can't be had.
func (m *move) openAudit(ctx context.Context) *auditDevice {
	sorry := func(why string) *auditDevice {
		m.out.say("Vault's audit log cannot be read from here (%s): look for the readers of %s in it by yourself; the rest goes on without", why, m.estate.vaultPath("apps/**"))
		return nil
	}
	u, err := url.Parse(m.vaultAPI.Address())
	if ip := net.ParseIP(u.Hostname()); err != nil || ip == nil && u.Hostname() != "localhost" || ip != nil && !ip.IsLoopback() {
		return sorry("Vault runs on another machine")
	}
	self, err := m.vaultAPI.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return sorry("the token cannot be looked up")
	}
	dir, err := os.MkdirTemp("", m.run)
	if err != nil {
		return sorry(err.Error())
	}
	m.onCleanUp("the folder of the audit log", func(context.Context) error { return os.RemoveAll(dir) })
	d := &auditDevice{path: filepath.Join(dir, "audit.log"), since: time.Now()}
	d.self, _ = self.Data["display_name"].(string)
	err = m.vaultAPI.Sys().EnableAuditWithOptionsWithContext(ctx, m.run, &api.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": d.path}})
	if err != nil {
		return sorry("Vault does not let this token add an audit device")
	}
	m.onCleanUp("the audit device in Vault", func(ctx context.Context) error { return m.vaultAPI.Sys().DisableAuditWithContext(ctx, m.run) })
	if f, err := d.open(); err != nil {
		return sorry("Vault writes its files elsewhere")
	} else {
		f.Close()
	}
	return d
}

// legacy is a service that still reads Vault by itself, with a token of its own.
type legacy struct {
	name   string
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (m *move) startLegacy(ctx context.Context) (*legacy, error) {
	secret, err := m.vaultAPI.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{
		DisplayName: "nightly-report", Policies: []string{m.roleName}, TTL: "1h",
	})
	if err != nil {
		return nil, fmt.Errorf("make a token for the legacy service: %w", err)
	}
	client, err := vaultClient(m.vaultAPI.Address(), secret.Auth.ClientToken, nil)
	if err != nil {
		return nil, err
	}
	m.onCleanUp("the legacy service's token", func(ctx context.Context) error {
		return m.vaultAPI.Auth().Token().RevokeAccessorWithContext(ctx, secret.Auth.Accessor)
	})
	ctx, cancel := context.WithCancel(ctx)
	l := &legacy{name: "token-nightly-report", cancel: cancel}
	l.done.Go(func() {
		for ctx.Err() == nil {
			// Whether it succeeds is its own affair.
			_, _ = client.Logical().ReadWithContext(ctx, m.estate.names[0].vault)
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return l, nil
}

func (l *legacy) stop() {
	l.cancel()
	l.done.Wait()
}
