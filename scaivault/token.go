// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
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

// A TokenRenewer is a [TokenSource] that keeps a token for a while. After an
// answer 401 a [Client] calls Renew with the token that was refused, in place of
// Token. Renew returns another token; or the same, if it has no other. It must
// be safe for concurrent use: many calls can be refused with one token, and all
// want the same new one.
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
				Kind: ErrUnauthenticated, Op: "read token",
				Reason: fmt.Sprintf("environment variable %s is empty or not set", name),
			}
		}
		return token, nil
	})
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
