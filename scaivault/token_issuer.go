// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

const (
	// issuerTimeout bounds one request for a token.
	issuerTimeout = 10 * time.Second
	// maxIssuerAnswer bounds an issuer's answer.
	maxIssuerAnswer = 1 << 20
)

// An issuer is an address that gives a token for something that proves who one
// is: a client secret, or the token of another issuer.
type issuer struct {
	op      string
	setting string // the name of the address, for advice
	address *url.URL
	client  *http.Client // nil: one of our own for each request
	timeout time.Duration
}

// prove gets a token for a proof. If the issuer refuses the proof, and its
// source has another one by now, that is tried once.
func (i issuer) prove(ctx context.Context, source TokenSource, name string, ask func(proof string) (issuedToken, error)) (issuedToken, error) {
	proof, err := source.Token(ctx)
	if err != nil {
		return issuedToken{}, i.noProof(ctx, name, err)
	}
	if wrong := wrongProof(proof); wrong != "" {
		return issuedToken{}, &Error{Kind: ErrUnauthenticated, Op: i.op, Reason: name + ": " + wrong}
	}
	token, refused := ask(proof)
	renewer, ok := source.(TokenRenewer)
	if !ok || !errors.Is(refused, ErrUnauthenticated) {
		return token, refused
	}
	other, err := renewer.Renew(ctx, proof)
	if err != nil || other == proof || wrongProof(other) != "" {
		return issuedToken{}, refused
	}
	return ask(other)
}

// noProof keeps the category of an error that is one of a token.
func (i issuer) noProof(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return tokenInterrupted(ctx, i.op)
	}
	e := &Error{Kind: ErrUnauthenticated, Op: i.op, Reason: name + " gives nothing", Err: aside(err)}
	var cause *Error
	if errors.As(err, &cause) {
		e.RetryAfter = cause.RetryAfter
		for _, kind := range []error{ErrUnavailable, ErrRateLimited, ErrClosed} {
			if errors.Is(cause.Kind, kind) {
				e.Kind = kind
			}
		}
	}
	return e
}

// wrongProof tells what is wrong with a proof, without showing it. Unlike a
// bearer token it can hold any text.
func wrongProof(proof string) string {
	switch {
	case proof == "":
		return "it is empty"
	case strings.ContainsAny(proof, "\r\n"):
		return "it contains a newline; trim the file or variable that it comes from"
	case strings.ToValidUTF8(proof, "") != proof:
		return "it is not UTF-8"
	}
	return ""
}

// request makes one HTTP request, by send, and reads the token in its answer.
// No error shows any of the secrets.
func (i issuer) request(ctx context.Context, secrets []string, send func(context.Context, *http.Client)) (issuedToken, error) {
	bounded, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	start := time.Now()
	kept := &keptAnswer{client: i.httpClient()}
	send(bounded, &http.Client{Transport: kept, CheckRedirect: neverFollow})
	token, e := i.read(ctx, kept, start)
	if e != nil {
		silence(e, secrets)
		return issuedToken{}, e
	}
	return token, nil
}

// httpClient returns the user's client or one of our own, as a copy that
// follows no redirect. Tokens are asked for so seldom that our own keeps no
// connection.
func (i issuer) httpClient() *http.Client {
	if i.client != nil {
		hc := *i.client
		hc.CheckRedirect = neverFollow
		return &hc
	}
	transport := newTransport(nil)
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport, CheckRedirect: neverFollow}
}

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A keptAnswer makes one request and keeps its answer, so that nobody else's
// reading of it, and nobody else's error, counts.
type keptAnswer struct {
	client *http.Client
	status int // 0: no answer
	header http.Header
	body   []byte
	err    error
}

// RoundTrip has no answer but the whole one.
func (k *keptAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", userAgent(""))
	resp, err := k.client.Do(r)
	if err != nil {
		k.err = err
		return nil, err
	}
	defer resp.Body.Close()
	k.status, k.header = resp.StatusCode, resp.Header
	if k.body, k.err = readBody(resp, maxIssuerAnswer); k.err != nil {
		return nil, k.err
	}
	resp.Body = io.NopCloser(bytes.NewReader(k.body))
	return resp, nil
}

// read makes a token or an error of what was kept.
func (i issuer) read(ctx context.Context, kept *keptAnswer, start time.Time) (issuedToken, *Error) {
	if kept.err != nil || kept.status == 0 {
		return issuedToken{}, i.noAnswer(ctx, kept)
	}
	e := i.refusal(kept)
	if kept.status/100 == 2 && e.Code == "" {
		token, wrong := readIssued(kept.header, kept.body, start)
		if wrong == "" {
			return token, nil
		}
		e.Kind, e.Reason = ErrUnavailable, wrong
	}
	return issuedToken{}, e
}

// noAnswer is for everything but a complete answer.
func (i issuer) noAnswer(ctx context.Context, kept *keptAnswer) *Error {
	if ctx.Err() != nil {
		return tokenInterrupted(ctx, i.op)
	}
	e := &Error{Kind: ErrUnavailable, Op: i.op, Status: kept.status}
	cause := kept.err
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err
	}
	var large tooLargeError
	switch {
	case cause == nil:
		e.Reason = "the request could not be made"
	case isTimeout(cause):
		e.Reason = fmt.Sprintf("no answer in time; Timeout is %v", i.timeout)
	case errors.As(cause, &large):
		e.Reason = fmt.Sprintf("the answer is larger than %d bytes", int64(large))
	case tellsNoContent(cause):
		e.Err = cause
	default:
		e.Err = silentCause(cause)
	}
	if kept.status >= 300 {
		e.Kind, e.RetryAfter = i.kindOf(kept.status, ""), wire.RetryAfter(kept.header, time.Now())
	}
	return e
}

// A refusal in OAuth's form (RFC 6749 section 5.2). That of ScaiKey is not
// documented.
type oauthRefusal struct {
	Code        lenient[string] `json:"error"`
	Description lenient[string] `json:"error_description"`
}

// adviceOfIssuer says for OAuth's codes what to do about them.
var adviceOfIssuer = map[string]string{
	"invalid_client":         "the issuer does not know this client, or not this secret",
	"invalid_grant":          "the issuer does not accept what was presented",
	"invalid_scope":          "the client may not have these scopes",
	"invalid_request":        "the issuer does not understand the request",
	"unauthorized_client":    "the client may not get a token in this way",
	"unsupported_grant_type": "the issuer does not give tokens in this way",
}

// refusal turns an answer that holds no token into an Error.
func (i issuer) refusal(kept *keptAnswer) *Error {
	e := &Error{
		Op: i.op, Status: kept.status,
		RequestID:  wire.RequestID(kept.header),
		RetryAfter: wire.RetryAfter(kept.header, time.Now()),
	}
	var oauth oauthRefusal
	if env, ok := parseEnvelope(kept.body); ok { // as the exchange's own are
		e.Code, e.Message = env.Error.Code, env.Error.Message.value
	} else if json.Unmarshal(kept.body, &oauth) == nil {
		e.Code, e.Message = wire.Identifier(oauth.Code.value), oauth.Description.value
	}
	e.Kind, e.Reason = i.kindOf(kept.status, e.Code), defaultTo(adviceOfIssuer[e.Code], advice[e.Code])
	switch {
	case kept.status/100 == 3:
		e.Reason = "a redirect, which is not followed with a secret; set " + i.setting + " to the final address"
	case e.Code == "":
		e.Reason = "the answer is not one of a token's issuer; " + describe(kept.status, kept.header, kept.body)
	case kept.status == http.StatusNotFound && e.Reason == "":
		e.Reason = "nothing gives tokens at this address; look at " + i.setting
	}
	return e
}

// kindOf has no answer that says no: that a token was refused says nothing of
// the secret that is to be read with it.
func (i issuer) kindOf(status int, code string) error {
	switch code {
	case "temporarily_unavailable", "server_error", "service_unavailable", codeInternalError:
		return ErrUnavailable
	case "slow_down", "rate_limited":
		return ErrRateLimited
	}
	switch {
	case status == http.StatusTooManyRequests:
		return ErrRateLimited
	case status == http.StatusUnauthorized:
		return ErrUnauthenticated
	case code == "" || status >= 500 || status/100 == 3 || status == http.StatusRequestTimeout:
		return ErrUnavailable
	default:
		return ErrUnauthenticated
	}
}

// silence takes the secrets of a request out of everything that the issuer
// may have repeated.
func silence(e *Error, secrets []string) {
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			e.Message = wire.Scrub(e.Message, form, nil)
			for _, text := range []*string{&e.Code, &e.RequestID, &e.Reason} {
				if strings.Contains(*text, form) {
					*text = ""
				}
			}
		}
	}
}
