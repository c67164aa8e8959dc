// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// inventory is step 1: what is there, and what each kind of mount needs.
func (m *move) inventory(ctx context.Context) error {
	m.out.step(1, "Take inventory of Vault")
	opts := &migrate.InventoryOptions{}
	if !m.settings.ownVault() {
		opts.Mounts = []string{m.estate.mount} // the rest is none of our business
	}
	inv, err := migrate.TakeInventory(ctx, m.vault, opts)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(inv.String()), "\n") {
		m.out.say("%s", line)
	}
	return inv.Err()
}

// appRole is step 2: an identity in Vault that ScaiVault can use.
func (m *move) appRole(ctx context.Context) error {
	m.out.step(2, "Set up AppRole in Vault for ScaiVault")
	m.roleName = m.run
	sys, logical := m.vaultAPI.Sys(), m.vaultAPI.Logical()
	auths, err := sys.ListAuthWithContext(ctx)
	if err != nil {
		return err
	}
	if _, ok := auths["approle/"]; !ok {
		if err := sys.EnableAuthWithOptionsWithContext(ctx, "approle", &api.EnableAuthOptions{Type: "approle"}); err != nil {
			return err
		}
		m.onCleanUp("AppRole in Vault", func(ctx context.Context) error { return sys.DisableAuthWithContext(ctx, "approle") })
	}
	policy := fmt.Sprintf("path %q { capabilities = [\"read\", \"list\"] }\npath %q { capabilities = [\"read\", \"list\"] }\n",
		m.estate.mount+"/data/*", m.estate.mount+"/metadata/*")
	if err := sys.PutPolicyWithContext(ctx, m.roleName, policy); err != nil {
		return err
	}
	m.onCleanUp("the policy in Vault", func(ctx context.Context) error { return sys.DeletePolicyWithContext(ctx, m.roleName) })
	role := "auth/approle/role/" + m.roleName
	if _, err := logical.WriteWithContext(ctx, role, map[string]any{"token_policies": m.roleName, "token_ttl": "1h", "token_max_ttl": "24h"}); err != nil {
		return err
	}
	m.onCleanUp("the role in Vault", func(ctx context.Context) error {
		_, err := logical.DeleteWithContext(ctx, role)
		return err
	})
	m.out.say("role and policy %s may read and list %s", m.roleName, m.estate.mount)
	return nil
}

// storeCredentials is step 3: ScaiVault keeps the credentials as a secret.
func (m *move) storeCredentials(ctx context.Context) error {
	m.out.step(3, "Store the AppRole credentials in ScaiVault")
	role := "auth/approle/role/" + m.roleName
	roleID, err := m.vaultAPI.Logical().ReadWithContext(ctx, role+"/role-id")
	if err != nil {
		return err
	}
	secretID, err := m.vaultAPI.Logical().WriteWithContext(ctx, role+"/secret-id", nil)
	if err != nil {
		return err
	}
	if roleID == nil || secretID == nil {
		return errors.New("no role id or secret id in the answer of Vault")
	}
	id, _ := roleID.Data["role_id"].(string)
	secret, _ := secretID.Data["secret_id"].(string)
	path := m.credentialsPath()
	w, err := m.scaiVault.Put(ctx, path, federation.AppRoleCredentials(id, secret), nil)
	if err != nil {
		return err
	}
	m.onCleanUp("the credentials in ScaiVault", m.deleteInScaiVault(path))
	m.out.say("%s, version %d", path, w.Version)
	return nil
}

func (m *move) credentialsPath() string { return m.estate.newPath("infra/hashicorp/approle") }

func (m *move) deleteInScaiVault(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		err := m.scaiVault.Delete(ctx, path, &scaivault.DeleteOptions{Permanent: true})
		if errors.Is(err, scaivault.ErrNotFound) {
			return nil
		}
		return err
	}
}

// federate is step 4: ScaiVault reads through to Vault.
func (m *move) federate(ctx context.Context) error {
	m.out.step(4, "Configure federation: ScaiVault fronts Vault")
	backend, err := m.federation.Create(ctx, federation.Backend{
		Name: m.run,
		Config: &federation.HashiCorpVault{
			Endpoint:       m.vaultAPI.Address(),
			AuthMethod:     federation.AuthAppRole,
			AuthConfigPath: m.credentialsPath(),
			Namespace:      m.vaultAPI.Namespace(),
		},
		PathMapping: federation.PathMapping(m.estate.mapping, ""),
		Mode:        federation.ModeProxy,
	})
	if err != nil {
		return withMessage(err)
	}
	m.backendID = backend.ID
	m.onCleanUp("the federation backend", func(ctx context.Context) error { return m.federation.Delete(ctx, backend.ID) })
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := m.federation.WaitHealthy(wait, backend.ID); err != nil {
		return err
	}
	m.out.say("backend %s is healthy; %v", backend.ID, backend.PathMapping)
	return m.compareProxied(ctx)
}

// compareProxied reads a secret through the proxy and in Vault.
func (m *move) compareProxied(ctx context.Context) error {
	n := m.estate.names[0]
	proxied := m.estate.newPath("external/hashicorp/" + strings.TrimPrefix(n.vault, m.estate.vaultPath("")))
	through, err := m.scaiVault.Get(ctx, proxied)
	if err != nil {
		return err
	}
	direct, err := m.vault.Get(ctx, n.vault)
	if err != nil {
		return err
	}
	if !through.Equal(direct) {
		return fmt.Errorf("%s through ScaiVault is not what Vault holds at %s", proxied, n.vault)
	}
	m.out.say("read through the proxy: %s equals Vault's %s", proxied, n.vault)
	return nil
}

// withMessage adds the service's own words, which are safe to show for a call
// that carries no secret.
func withMessage(err error) error {
	var e *scaivault.Error
	if errors.As(err, &e) && e.Message != "" {
		return fmt.Errorf("%w: %s", err, e.Message)
	}
	return err
}
