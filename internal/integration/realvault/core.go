// SPDX-License-Identifier: Apache-2.0

package realvault

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/audit"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// newCore makes a core that keeps everything in memory, neither initialized
// nor unsealed.
func newCore(logger hclog.Logger) (*vault.Core, error) {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	storage, err := inmem.NewInmem(nil, logger)
	if err != nil {
		return nil, err
	}
	engines, methods := secretEngines(), authMethods()
	return vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		StorageType:        "inmem",
		Logger:             logger,
		DisableMlock:       true,
		LogicalBackends:    engines,
		CredentialBackends: methods,
		AuditBackends:      map[string]audit.Factory{audit.TypeFile: audit.NewFileBackend},
		BuiltinRegistry: registry{
			consts.PluginTypeSecrets:    engines,
			consts.PluginTypeCredential: methods,
		},
	})
}

func newHandler(core *vault.Core) http.Handler {
	return vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{},
	})
}

func secretEngines() map[string]logical.Factory {
	engines := map[string]logical.Factory{"kv": kv.Factory}
	for _, name := range []string{"pki", "database", "aws", "azure", "gcp", "transit"} {
		engines[name] = inertEngine
	}
	return engines
}

func authMethods() map[string]logical.Factory {
	return map[string]logical.Factory{"approle": approle.Factory, "kubernetes": kubernetes.Factory}
}

// inertEngine makes an engine without any path: it can be mounted and listed,
// and links nothing.
func inertEngine(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
	engine := &framework.Backend{BackendType: logical.TypeLogical}
	if err := engine.Setup(ctx, conf); err != nil {
		return nil, err
	}
	return engine, nil
}

// A registry tells Vault which types of plugin it was built with. Without one
// the first request to mount something panics.
type registry map[consts.PluginType]map[string]logical.Factory

// Contains reports whether there is such a plugin.
func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

// Get returns the maker of a plugin's factory.
func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, ok := r[kind][name]
	if !ok {
		return nil, false
	}
	return func() (any, error) { return factory, nil }, true
}

// Keys returns the names of a kind's plugins, sorted.
func (r registry) Keys(kind consts.PluginType) []string {
	return slices.Sorted(maps.Keys(r[kind]))
}

// DeprecationStatus reports that nothing here is deprecated.
func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

// IsBuiltinEntPlugin reports that nothing here is of the enterprise edition.
func (r registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
