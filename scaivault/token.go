// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// A TokenSource gives the token for each request. It is asked again after an
// answer 401, and the call is repeated once if the token is another by then.
// It must be fast, must return when ctx ends, and be safe for concurrent use.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// A TokenRenewer is a [TokenSource] that is told when its token was refused, so
// that it need not wait for the end of the token's life. [FileToken] is one;
// write the method for a source of your own that keeps a token.
//
// After an answer 401 a Client calls Renew, with the token that it had sent, in
// place of a second Token. Renew returns another token: the one that it has by
// now if that is not the refused one, else a new one. It returns the refused
// one if there is no other, and an error if it can't say. Many calls can be
// refused at once, so one request to the issuer should serve them all. Like
// Token it must return when ctx ends and be safe for concurrent use.
type TokenRenewer interface {
	TokenSource
	Renew(ctx context.Context, refused string) (string, error)
}

// A TokenFunc is a function as a [TokenSource].
type TokenFunc func(ctx context.Context) (string, error)

// Token calls f.
func (f TokenFunc) Token(ctx context.Context) (string, error) { return f(ctx) }

// StaticToken is a token that does not change, such as a personal access
// token. [NewClient] refuses one that is empty or can't stand in a header.
// Printing the TokenSource does not show the token.
func StaticToken(token string) TokenSource {
	return staticToken{reveal: func() string { return token }}
}

// staticToken keeps the token behind a func, as Secret does.
type staticToken struct{ reveal func() string }

func (t staticToken) Token(context.Context) (string, error) { return t.reveal(), nil }

// EnvToken reads the token from an environment variable at each request.
func EnvToken(name string) TokenSource {
	return TokenFunc(func(context.Context) (string, error) {
		token := os.Getenv(name)
		if token == "" {
			return "", &Error{
				Kind: ErrUnauthenticated, Op: opReadToken,
				Reason: fmt.Sprintf("environment variable %s is empty or not set", name),
			}
		}
		return token, nil
	})
}

// What is being done, in the errors of token sources.
const (
	opGetToken      = "get token"
	opReadToken     = "read token"
	opExchangeToken = "exchange token"
)

// tokenInterrupted is the error of a call whose ctx has ended.
func tokenInterrupted(ctx context.Context, op string) *Error {
	e := &Error{Op: op, Err: ctx.Err()}
	if !errors.Is(ctx.Err(), context.Canceled) {
		e.Kind = ErrUnavailable
	}
	return e
}

// checkToken tells what is wrong with a token, without showing it.
func checkToken(token string) string {
	if token == "" {
		return "the token is empty; set a ScaiVault token such as one that starts with skt_"
	}
	if strings.ContainsAny(token, "\r\n") {
		return "the token contains a newline; trim the file or variable that it comes from"
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return "the token contains a space or an unprintable character"
		}
	}
	return ""
}
