// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/federation"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// credentialsPath is where the Vault's credentials are kept, as in the migration guide.
const credentialsPath = "infra/hashicorp/approle"

// A backend is a Vault to read from.
type backend struct {
	endpoint    string
	namespace   string
	insecure    bool
	paths       map[string]string
	method      federation.AuthMethod
	credentials func() map[string]any
}

// addPath takes "external/hashicorp/**=kv/data/**".
func (b *backend) addPath(rule string) error {
	local, remote, ok := strings.Cut(rule, "=")
	if !ok || local == "" || remote == "" {
		return errors.New("want two names with = between, such as external/hashicorp/**=kv/data/**")
	}
	if b.paths == nil {
		b.paths = map[string]string{}
	}
	b.paths[local] = remote
	return nil
}

// credentialsFrom takes what to log in with from the environment, which other users
// of the machine cannot read as they can read flags.
func (b *backend) credentialsFrom(getenv func(string) string) error {
	if u, err := url.Parse(b.endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return errors.New("want an address such as https://vault.internal:8200")
	}
	if b.paths == nil {
		b.paths = map[string]string{"external/hashicorp/**": "kv/data/**"}
	}
	roleID, secretID, token := getenv("VAULT_ROLE_ID"), getenv("VAULT_SECRET_ID"), getenv("VAULT_TOKEN")
	switch {
	case roleID != "" && secretID != "":
		b.method = federation.AuthAppRole
		b.credentials = func() map[string]any { return federation.AppRoleCredentials(roleID, secretID) }
	case roleID != "" || secretID != "":
		return errors.New("set both VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_TOKEN")
	case token != "":
		b.method = federation.AuthToken
		b.credentials = func() map[string]any { return map[string]any{"token": token} }
	default:
		return errors.New("set VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_TOKEN, to log in with")
	}
	return nil
}

// federate makes the backend by the API, as an operator would.
func (b *backend) federate(ctx context.Context, srv *scaivaulttest.Server) error {
	client, err := scaivault.NewClient(scaivault.ClientConfig{
		URLs:       []string{"http://127.0.0.1"}, // in memory, whatever the address
		HTTPClient: &http.Client{Transport: srv.RoundTripper()},
		Token:      scaivault.StaticToken(srv.IssueToken("system:devserver")),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Put(ctx, credentialsPath, b.credentials(), nil); err != nil {
		return err
	}
	made, err := federation.New(client).Create(ctx, federation.Backend{
		Name: "vault",
		Config: &federation.HashiCorpVault{
			Endpoint: b.endpoint, AuthMethod: b.method, AuthConfigPath: credentialsPath,
			Namespace: b.namespace, SkipTLSVerify: b.insecure,
		},
		PathMapping: b.paths,
		Mode:        federation.ModeProxy,
	})
	if err != nil {
		return withMessage(err)
	}
	if made.Status != federation.StateHealthy {
		return fmt.Errorf("%s is %s: is it there, unsealed, with a certificate that this machine trusts, and are the credentials right?", b.endpoint, made.Status)
	}
	return nil
}

// tell says what is read from where, a line for each rule.
func (b *backend) tell(w io.Writer) {
	for _, path := range slices.Sorted(maps.Keys(b.paths)) {
		fmt.Fprintf(w, "devserver: %s is read from %s at %s\n", path, b.paths[path], b.endpoint)
	}
}

// withMessage adds what the server wrote for people. It holds no secret: the server
// is this program.
func withMessage(err error) error {
	var e *scaivault.Error
	if errors.As(err, &e) && e.Message != "" {
		return fmt.Errorf("%w: %s", err, e.Message)
	}
	return err
}
