// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A vaultLink reads from a HashiCorp Vault, over its plain HTTP API.
type vaultLink struct {
	config  vaultConfig
	client  *http.Client
	secrets *secretStore // holds the credentials

	login chan struct{} // holds one while somebody logs in

	mu    sync.Mutex // guards token
	token string
}

type vaultConfig struct {
	Endpoint       string `json:"endpoint"`
	AuthMethod     string `json:"auth_method"`
	AuthConfigPath string `json:"auth_config_path"`
	TLSVerify      *bool  `json:"tls_verify"`
	Namespace      string `json:"namespace"`
}

// maxBackendAnswer bounds what is read of a backend's answer.
const maxBackendAnswer = 16 << 20

func unavailable(format string, args ...any) *refusal {
	return refuse(http.StatusServiceUnavailable, "service_unavailable", format, args...)
}

// newVaultLink checks a backend's config. It does not connect.
func (h *federationHub) newVaultLink(config map[string]json.RawMessage) (*vaultLink, *refusal) {
	invalid := func(format string, args ...any) *refusal {
		return refuse(http.StatusBadRequest, "invalid_config", "config: "+format, args...)
	}
	l := &vaultLink{secrets: h.server.secrets, login: make(chan struct{}, 1)}
	raw, err := encodeJSON(config)
	if err == nil {
		err = json.Unmarshal(raw, &l.config)
	}
	if err != nil {
		return nil, invalid("a member has the wrong type")
	}
	endpoint, err := url.Parse(l.config.Endpoint)
	switch {
	case err != nil || endpoint.Host == "" || (endpoint.Scheme != "http" && endpoint.Scheme != "https"):
		return nil, invalid("endpoint must be an http or https URL")
	case checkPath(l.config.AuthConfigPath) != nil:
		return nil, invalid("auth_config_path must be the path of a secret")
	}
	switch l.config.AuthMethod {
	case "approle", "token", "kubernetes", "aws", "gcp":
	default:
		return nil, invalid("auth_method must be approle, token, kubernetes, aws or gcp")
	}
	l.config.Endpoint = strings.TrimSuffix(l.config.Endpoint, "/")
	l.client = &http.Client{
		Transport: h.transport(l.config.TLSVerify == nil || *l.config.TLSVerify),
		// A token must not follow a redirect to another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return l, nil
}

// transport is the caller's, or one whose connections end with the server.
func (h *federationHub) transport(verify bool) http.RoundTripper {
	if own := h.server.opts.BackendTransport; own != nil {
		return own
	}
	t := &http.Transport{
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		// tls_verify is the setting of the one who made the backend.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: !verify, MinVersion: tls.VersionTLS12}, //nolint:gosec // see above
	}
	h.keep(t)
	return t
}

// A vaultReply is an answer of a Vault.
type vaultReply struct {
	status int
	body   struct {
		Data json.RawMessage `json:"data"`
		Auth struct {
			ClientToken string `json:"client_token"`
		} `json:"auth"`
	}
}

// send makes one request.
func (l *vaultLink) send(ctx context.Context, method, path, token string, in any) (*vaultReply, *refusal) {
	var body io.Reader
	if in != nil {
		raw, err := encodeJSON(in)
		if err != nil {
			return nil, unavailable("the credentials for the backend are not JSON")
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, l.config.Endpoint+"/v1/"+path, body)
	if err != nil {
		return nil, unavailable("the backend has no such address")
	}
	req.Header.Set("X-Vault-Request", "true")
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if l.config.Namespace != "" {
		req.Header.Set("X-Vault-Namespace", l.config.Namespace)
	}
	res, err := l.client.Do(req)
	if err != nil {
		return nil, unavailable("the backend cannot be reached")
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxBackendAnswer))
	if err != nil {
		return nil, unavailable("the answer of the backend broke off")
	}
	reply := &vaultReply{status: res.StatusCode}
	if err := json.Unmarshal(raw, &reply.body); err != nil && res.StatusCode == http.StatusOK {
		return nil, unavailable("the answer of the backend is not JSON")
	}
	return reply, nil
}

// get makes a request with the token that is there, and once more with a new one
// when that is denied: it may have expired.
func (l *vaultLink) get(ctx context.Context, path string) (*vaultReply, *refusal) {
	token, refusal := l.renew(ctx, "")
	if refusal != nil {
		return nil, refusal
	}
	reply, refusal := l.send(ctx, http.MethodGet, path, token, nil)
	if refusal != nil || reply.status != http.StatusForbidden {
		return reply, refusal
	}
	if token, refusal = l.renew(ctx, token); refusal != nil {
		return nil, refusal
	}
	return l.send(ctx, http.MethodGet, path, token, nil)
}

// renew returns a token other than the refused one. One caller logs in, the others
// wait for it.
func (l *vaultLink) renew(ctx context.Context, refused string) (string, *refusal) {
	if token := l.current(); token != refused {
		return token, nil
	}
	select {
	case l.login <- struct{}{}:
		defer func() { <-l.login }()
	case <-ctx.Done():
		return "", unavailable("the backend did not answer in time")
	}
	if token := l.current(); token != refused {
		return token, nil
	}
	token, refusal := l.logIn(ctx)
	if refusal == nil {
		l.mu.Lock()
		l.token = token
		l.mu.Unlock()
	}
	return token, refusal
}

func (l *vaultLink) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// logIn gets a token with the credentials as they are now.
func (l *vaultLink) logIn(ctx context.Context) (string, *refusal) {
	view, refusal := l.secrets.read(l.config.AuthConfigPath, 0)
	if refusal != nil {
		return "", unavailable("the credentials for the backend are missing at %s", l.config.AuthConfigPath)
	}
	var credentials struct {
		RoleID   string `json:"role_id"`
		SecretID string `json:"secret_id"`
		Token    string `json:"token"`
	}
	if err := json.Unmarshal(view.data, &credentials); err != nil {
		return "", unavailable("the credentials at %s do not have the form of %s", l.config.AuthConfigPath, l.config.AuthMethod)
	}
	switch l.config.AuthMethod {
	case "token":
		if credentials.Token == "" {
			return "", unavailable("the credentials at %s have no token", l.config.AuthConfigPath)
		}
		return credentials.Token, nil
	case "approle":
	default:
		return "", unavailable("auth_method %s does not work here", l.config.AuthMethod)
	}
	reply, refusal := l.send(ctx, http.MethodPost, "auth/approle/login", "",
		map[string]string{"role_id": credentials.RoleID, "secret_id": credentials.SecretID})
	switch {
	case refusal != nil:
		return "", refusal
	case reply.status != http.StatusOK || reply.body.Auth.ClientToken == "":
		return "", unavailable("the backend refused the login with status %d", reply.status)
	}
	return reply.body.Auth.ClientToken, nil
}

// check finds out whether the backend lets us in.
func (l *vaultLink) check(ctx context.Context) *refusal {
	reply, refusal := l.get(ctx, "auth/token/lookup-self")
	switch {
	case refusal != nil:
		return refusal
	case reply.status == http.StatusForbidden && l.config.AuthMethod == "token":
		return unavailable("the backend refuses the token")
	case reply.status >= http.StatusInternalServerError:
		return unavailable("the backend answered %d", reply.status)
	}
	return nil // denied to look itself up, but just logged in
}

// escapePath escapes what a backend's path may hold and a URL may not.
func escapePath(path string) string {
	return (&url.URL{Path: path}).EscapedPath()
}

// read reads one secret.
func (l *vaultLink) read(ctx context.Context, remote string, version int, form ProxiedData) (secretView, *refusal) {
	path := escapePath(remote)
	kv2 := versioned(remote)
	switch {
	case kv2 && version != 0:
		path += "?version=" + strconv.Itoa(version)
	case version > 1: // a store without versions has one
		return secretView{}, noVersion(remote, version)
	}
	reply, refusal := l.get(ctx, path)
	if refusal != nil {
		return secretView{}, refusal
	}
	switch reply.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return secretView{}, noSecret(remote)
	case http.StatusForbidden:
		return secretView{}, refuse(http.StatusForbidden, "access_denied", "the backend denies ScaiVault this path")
	default:
		return secretView{}, unavailable("the backend answered %d", reply.status)
	}
	return unwrap(reply.body.Data, kv2 && form == ProxiedDataUnwrapped)
}

// unwrap turns the data of a Vault into a secret.
func unwrap(data json.RawMessage, kv2 bool) (secretView, *refusal) {
	view := secretView{secretType: "json", version: 1, data: data, metadata: json.RawMessage("{}")}
	if kv2 {
		var envelope struct {
			Data     json.RawMessage `json:"data"`
			Metadata struct {
				Version int             `json:"version"`
				Created time.Time       `json:"created_time"`
				Custom  json.RawMessage `json:"custom_metadata"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(data, &envelope); err != nil {
			return view, unavailable("the answer of the backend is not that of KV v2")
		}
		// Below a folder "data" of KV v1 there is no version; its secrets are as they are.
		if envelope.Metadata.Version > 0 {
			view.data, view.version = envelope.Data, envelope.Metadata.Version
			view.created, view.updated = envelope.Metadata.Created, envelope.Metadata.Created
			if !absent(envelope.Metadata.Custom) {
				view.metadata = envelope.Metadata.Custom
			}
		}
	}
	if !isObject(view.data) {
		return view, noSecret("")
	}
	return view, nil
}

// list returns the names below a path; folders end in a slash.
func (l *vaultLink) list(ctx context.Context, remote string) ([]string, *refusal) {
	reply, refusal := l.get(ctx, escapePath(remote)+"?list=true")
	if refusal != nil {
		return nil, refusal
	}
	switch reply.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, nil
	default:
		return nil, unavailable("the backend answered %d to a listing", reply.status)
	}
	var body struct {
		Keys []string `json:"keys"`
	}
	if err := json.Unmarshal(reply.body.Data, &body); err != nil {
		return nil, unavailable("the answer of the backend is not a listing")
	}
	return body.Keys, nil
}
