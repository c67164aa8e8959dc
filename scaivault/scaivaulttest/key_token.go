// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// pathOfTokens is documented.
const pathOfTokens = "/oauth/token"

// maxForm bounds the form of a request for a token.
const maxForm = 1 << 20

// An oauthRefusal is an error as RFC 6749 has it, section 5.2.
type oauthRefusal struct {
	status      int
	code        string
	description string
}

func badForm(code, description string) *oauthRefusal {
	return &oauthRefusal{http.StatusBadRequest, code, description}
}

func writeOAuthError(w http.ResponseWriter, status int, code, description string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="scaikey"`)
	}
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

// answer is the handler of all requests.
func (k *Key) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case r.URL.Path != pathOfTokens:
		writeOAuthError(w, http.StatusNotFound, "not_found", "no such resource")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		writeOAuthError(w, http.StatusMethodNotAllowed, "invalid_request", "the token endpoint takes POST")
		return
	}
	body, refusal := k.grant(r)
	if refusal != nil {
		writeOAuthError(w, refusal.status, refusal.code, refusal.description)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// grant answers a request for a token.
func (k *Key) grant(r *http.Request) (map[string]any, *oauthRefusal) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, badForm("invalid_request", "the body must be a form")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if r.ParseForm() != nil {
		return nil, badForm("invalid_request", "the form cannot be read")
	}
	id, secret, refusal := k.credentials(r)
	if refusal != nil {
		return nil, refusal
	}
	client, ok := k.client(id, secret)
	if !ok {
		return nil, &oauthRefusal{http.StatusUnauthorized, "invalid_client", "no client with that id and secret"}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		return nil, badForm("unsupported_grant_type", "grant_type must be client_credentials")
	}
	scopes := client.scopes
	if wanted := strings.Fields(r.PostForm.Get("scope")); len(wanted) > 0 {
		if slices.ContainsFunc(wanted, func(scope string) bool { return !slices.Contains(scopes, scope) }) {
			return nil, badForm("invalid_scope", "the client has no such scope")
		}
		scopes = wanted
	}
	body := map[string]any{"access_token": k.server.tokens.issue("eyJ", client.identityID, scopes, k.opts.TokenTTL)}
	if k.opts.Answer == KeyAnswerWhole {
		body["token_type"], body["scope"] = "Bearer", strings.Join(scopes, " ")
		body["expires_in"] = int64(k.opts.TokenTTL / time.Second)
	}
	return body, nil
}

// credentials reads the client's id and secret from where it may send them.
func (k *Key) credentials(r *http.Request) (id, secret string, _ *oauthRefusal) {
	invalid := &oauthRefusal{http.StatusUnauthorized, "invalid_client", "the client does not say who it is in the way that is asked for"}
	user, password, basic := r.BasicAuth()
	form := r.PostForm.Has("client_secret")
	switch {
	case basic && form:
		return "", "", badForm("invalid_request", "more than one way to say who the client is")
	case basic && k.opts.Auth != KeyAuthForm:
		// RFC 6749, section 2.3.1: both were encoded like a form.
		id, errID := url.QueryUnescape(user)
		secret, errSecret := url.QueryUnescape(password)
		if errID != nil || errSecret != nil {
			return "", "", invalid
		}
		return id, secret, nil
	case form && k.opts.Auth != KeyAuthBasic:
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), nil
	}
	return "", "", invalid
}
