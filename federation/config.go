// SPDX-License-Identifier: Apache-2.0

package federation

import "encoding/json"

// A Type says what kind of secret store a backend is.
type Type string

// The types that ScaiVault documents.
const (
	TypeHashiCorpVault      Type = "hashicorp-vault"
	TypeAWSSecretsManager   Type = "aws-secrets-manager"
	TypeAzureKeyVault       Type = "azure-key-vault"
	TypeGoogleSecretManager Type = "google-secret-manager"
)

// An AuthMethod says how ScaiVault logs in to a HashiCorp Vault. The vocabulary is
// open: one that is not listed here is sent as it is.
type AuthMethod string

// The ways to log in that ScaiVault documents.
const (
	AuthAppRole    AuthMethod = "approle"
	AuthToken      AuthMethod = "token"
	AuthKubernetes AuthMethod = "kubernetes"
	AuthAWS        AuthMethod = "aws"
	AuthGCP        AuthMethod = "gcp"
)

// A Config says where a backend is and how ScaiVault gets in. It is one of
// [*HashiCorpVault], [*AWSSecretsManager], [*AzureKeyVault], [*GoogleSecretManager]
// and [*Unknown].
//
// A config that the service gave can be changed and given back: what this version
// does not know of it goes along in Extra.
type Config interface {
	// Type returns the kind of backend, as the service calls it.
	Type() Type

	settings() any          // the value of "config", for encoding/json
	problems(f *faults)     // what is wrong with it
	credentialPath() string // ScaiVault path of the credentials; empty where it is not known
	clone() Config          // a copy that shares nothing that can change
}

// HashiCorpVault is the config of a HashiCorp Vault.
type HashiCorpVault struct {
	// Endpoint is the Vault's address as ScaiVault reaches it, such as
	// https://vault.internal:8200. Required.
	Endpoint string
	// AuthMethod says how ScaiVault logs in. Required.
	AuthMethod AuthMethod
	// AuthConfigPath is the ScaiVault path of the secret that holds the
	// credentials; see [AppRoleCredentials]. It must not lie below the backend's
	// own path mapping. Required.
	AuthConfigPath string
	// Namespace is the Vault namespace to which reads are confined, such as
	// acme/finance. If empty, none.
	Namespace string
	// SkipTLSVerify lets ScaiVault send the credentials to whoever answers at the
	// endpoint. If false, the certificate is verified, and the service is told so
	// each time.
	SkipTLSVerify bool
	// Extra holds the settings that this version does not know, as one object. If
	// zero, none.
	Extra Opaque
}

// AWSSecretsManager is the config of AWS Secrets Manager in one region.
type AWSSecretsManager struct {
	// Region is the AWS region, such as eu-central-1. Required.
	Region string
	// CredentialsPath is the ScaiVault path of the secret that holds the
	// credentials. It must not lie below the backend's own path mapping. Required.
	CredentialsPath string
	// Extra holds the settings that this version does not know, as one object. If
	// zero, none.
	Extra Opaque
}

// AzureKeyVault is the config of an Azure Key Vault. ScaiVault does not document its
// settings.
type AzureKeyVault struct {
	// Extra holds all settings, as one object. Required.
	Extra Opaque
}

// GoogleSecretManager is the config of a Google Secret Manager. ScaiVault does not
// document its settings.
type GoogleSecretManager struct {
	// Extra holds all settings, as one object. Required.
	Extra Opaque
}

// Unknown is a config that this version does not understand, kept as it is: of
// another type of backend, or with a setting that is not of the documented type.
type Unknown struct {
	// BackendType is the type of the backend. Required.
	BackendType Type
	// Config is the whole config. If zero, an empty object is sent.
	Config Opaque
}

// Type returns [TypeHashiCorpVault].
func (*HashiCorpVault) Type() Type { return TypeHashiCorpVault }

// Type returns [TypeAWSSecretsManager].
func (*AWSSecretsManager) Type() Type { return TypeAWSSecretsManager }

// Type returns [TypeAzureKeyVault].
func (*AzureKeyVault) Type() Type { return TypeAzureKeyVault }

// Type returns [TypeGoogleSecretManager].
func (*GoogleSecretManager) Type() Type { return TypeGoogleSecretManager }

// Type returns BackendType.
func (u *Unknown) Type() Type { return u.BackendType }

// The names of the documented settings.
const (
	keyEndpoint        = "endpoint"
	keyAuthMethod      = "auth_method"
	keyAuthConfigPath  = "auth_config_path"
	keyNamespace       = "namespace"
	keyTLSVerify       = "tls_verify"
	keyRegion          = "region"
	keyCredentialsPath = "credentials_path"
)

func (v *HashiCorpVault) settings() any {
	named := map[string]any{
		keyEndpoint:       v.Endpoint,
		keyAuthMethod:     v.AuthMethod,
		keyAuthConfigPath: v.AuthConfigPath,
		keyTLSVerify:      !v.SkipTLSVerify,
	}
	if v.Namespace != "" {
		named[keyNamespace] = v.Namespace
	}
	return merge(v.Extra, named)
}

func (a *AWSSecretsManager) settings() any {
	return merge(a.Extra, map[string]any{keyRegion: a.Region, keyCredentialsPath: a.CredentialsPath})
}

func (a *AzureKeyVault) settings() any { return a.Extra.raw() }

func (g *GoogleSecretManager) settings() any { return g.Extra.raw() }

func (u *Unknown) settings() any {
	if u.Config.IsZero() {
		return struct{}{}
	}
	return u.Config.raw()
}

func (v *HashiCorpVault) clone() Config      { c := *v; return &c }
func (a *AWSSecretsManager) clone() Config   { c := *a; return &c }
func (a *AzureKeyVault) clone() Config       { c := *a; return &c }
func (g *GoogleSecretManager) clone() Config { c := *g; return &c }
func (u *Unknown) clone() Config             { c := *u; return &c }

func (v *HashiCorpVault) credentialPath() string    { return v.AuthConfigPath }
func (a *AWSSecretsManager) credentialPath() string { return a.CredentialsPath }
func (*AzureKeyVault) credentialPath() string       { return "" }
func (*GoogleSecretManager) credentialPath() string { return "" }
func (*Unknown) credentialPath() string             { return "" }

// parseConfig never fails: what it does not understand becomes an Unknown.
func parseConfig(t Type, raw json.RawMessage) Config {
	unknown := &Unknown{BackendType: t, Config: newOpaque(raw)}
	f, ok := parseFields(raw)
	if !ok {
		return unknown
	}
	var known Config
	switch t {
	case TypeHashiCorpVault:
		known, ok = parseHashiCorpVault(f)
	case TypeAWSSecretsManager:
		known, ok = parseAWSSecretsManager(f)
	case TypeAzureKeyVault:
		known = &AzureKeyVault{Extra: newOpaque(raw)}
	case TypeGoogleSecretManager:
		known = &GoogleSecretManager{Extra: newOpaque(raw)}
	default:
		ok = false
	}
	if !ok {
		return unknown
	}
	return known
}

func parseHashiCorpVault(f fields) (*HashiCorpVault, bool) {
	v, verify := &HashiCorpVault{}, true
	take(f, keyEndpoint, &v.Endpoint)
	take(f, keyAuthMethod, &v.AuthMethod)
	take(f, keyAuthConfigPath, &v.AuthConfigPath)
	take(f, keyNamespace, &v.Namespace)
	take(f, keyTLSVerify, &verify)
	v.SkipTLSVerify = !verify
	if f.anyOf(keyEndpoint, keyAuthMethod, keyAuthConfigPath, keyNamespace, keyTLSVerify) {
		return nil, false
	}
	v.Extra = f.rest()
	return v, true
}

func parseAWSSecretsManager(f fields) (*AWSSecretsManager, bool) {
	a := &AWSSecretsManager{}
	take(f, keyRegion, &a.Region)
	take(f, keyCredentialsPath, &a.CredentialsPath)
	if f.anyOf(keyRegion, keyCredentialsPath) {
		return nil, false
	}
	a.Extra = f.rest()
	return a, true
}

// anyOf tells whether one of the names was not taken: it is of another type than
// documented.
func (f fields) anyOf(names ...string) bool {
	for _, name := range names {
		if _, ok := f[name]; ok {
			return true
		}
	}
	return false
}

// AppRoleCredentials is the data of the secret that a backend with [AuthAppRole]
// finds at its AuthConfigPath; write it with Put of the
// scaivault.Client. It is in clear.
func AppRoleCredentials(roleID, secretID string) map[string]any {
	return map[string]any{"role_id": roleID, "secret_id": secretID}
}
