// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/wire"

	"github.com/scailabs/scaivault-go/scaivault"
)

// CodeMountNotFound is the [scaivault.Error.Code] of an error that says that
// no secrets engine is mounted where the path points, which is
// [scaivault.ErrInvalid] and not [scaivault.ErrNotFound].
const CodeMountNotFound = "mount_not_found"

func (s *Source) failure(t target, kind error, reason string) *scaivault.Error {
	return &scaivault.Error{Kind: kind, Op: t.op, Source: s.name, Path: wire.Printable(t.path), Reason: reason}
}

func (s *Source) invalid(t target, reason string) *scaivault.Error {
	return s.failure(t, scaivault.ErrInvalid, reason)
}

// ended is the error of a ctx that has ended, or nil. It keeps the ctx's own
// error, so that a caller finds its cancellation or deadline again.
func (s *Source) ended(ctx context.Context, t target) *scaivault.Error {
	err := ctx.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), scaivault.ErrClosed):
		return s.failure(t, scaivault.ErrClosed, "")
	case errors.Is(err, context.Canceled):
		e := s.failure(t, nil, "")
		e.Err = err
		return e
	default:
		e := s.failure(t, scaivault.ErrUnavailable, "no answer in time")
		e.Err = err
		return e
	}
}

// sharedError makes the error of work that was shared the caller's own.
func (s *Source) sharedError(ctx context.Context, t target, err error) error {
	if ended := s.ended(ctx, t); ended != nil {
		return ended
	}
	var e *scaivault.Error
	switch {
	case errors.As(err, &e):
		own := *e
		own.Op, own.Path = t.op, wire.Printable(t.path)
		return &own
	case errors.Is(err, scaivault.ErrClosed):
		return s.failure(t, scaivault.ErrClosed, "")
	default:
		return s.failure(t, scaivault.ErrUnavailable, "what it waited for "+errNoResult.Error())
	}
}

// refusal turns an answer that is not a success into an error.
func (s *Source) refusal(t target, a *answer) *scaivault.Error {
	e := s.failure(t, nil, "")
	e.Status = a.status
	env, wellFormed := a.envelope()
	if wellFormed {
		e.RequestID = wire.Identifier(jsonvalue.String(env.requestID))
		e.Message = strings.Join(env.errors, "; ")
	}
	e.RetryAfter = wire.RetryAfter(a.header, time.Now())
	if meaning, ok := meaningOf(a.status, env); ok && wellFormed {
		e.Kind, e.Code, e.Reason = meaning.kind, meaning.code, joinReasons(meaning.reason, a.besides)
		return e
	}
	e.Kind = kindOf(a.status, wellFormed)
	if !wellFormed {
		e.Reason = "the answer is not one of Vault's; " + describe(a)
	}
	e.Reason = joinReasons(e.Reason, a.besides)
	return e
}

// kindOf classifies a status. Without Vault's envelope the answer may come from
// something in between, so it is never a no.
func kindOf(status int, wellFormed bool) error {
	switch {
	case status == http.StatusUnauthorized:
		return scaivault.ErrUnauthenticated
	case status == http.StatusTooManyRequests:
		return scaivault.ErrRateLimited
	case !wellFormed || status < 400 || status > 499:
		return scaivault.ErrUnavailable
	}
	switch status {
	case http.StatusForbidden:
		return scaivault.ErrPermission
	case http.StatusNotFound:
		return scaivault.ErrNotFound
	case http.StatusRequestTimeout, http.StatusPreconditionFailed, 472, 473:
		return scaivault.ErrUnavailable // not here, or not yet: standbys and replicas
	default:
		return scaivault.ErrInvalid
	}
}

// A meaning is what one of Vault's texts says.
type meaning struct {
	kind         error
	code, reason string
}

// Texts of Vault that alter what a status means.
const (
	textCASMismatch = "check-and-set parameter did not match"
	textCASRequired = "check-and-set parameter required"
	textNoRoute     = "no handler for route"
	textNoData      = "no data provided"
	textSealed      = "Vault is sealed"
	textMalformed   = "malformed JSON"
	textRelative    = "relative paths not supported"
	textUpgrading   = "from non-versioned to versioned data"
	textNoLeader    = "local node not active but active cluster node not found"
	textNoActive    = "no active Vault instance found"
	textNotActive   = "node is not active"
	textSecondary   = "disabled in replication DR secondary"
)

// reasonUpgrading is told when the upgrade has taken longer than the wait for it:
// that of a large mount takes minutes.
const reasonUpgrading = "the mount is being upgraded from KV v1 to KV v2 and serves nothing until that is done, for which a call waits " +
	"as long as Config.LeaderWait says; call again later, or raise that; if it does not end, the log of Vault's active node says why"

// meaningOf knows the texts by which alone Vault tells some cases apart.
func meaningOf(status int, env *envelope) (meaning, bool) {
	switch {
	case status == http.StatusForbidden && env.refusesToken():
		return meaning{scaivault.ErrUnauthenticated, "", "Vault does not know the token; it has expired or was revoked"}, true
	case (status == http.StatusForbidden || status == http.StatusBadRequest) && env.says("missing client token"):
		return meaning{scaivault.ErrUnauthenticated, "", "Vault saw no token"}, true
	case status == http.StatusForbidden:
		return meaning{scaivault.ErrPermission, "", "no policy of the token allows this"}, true
	case status == http.StatusNotFound && env.says(textNoRoute):
		return meaning{scaivault.ErrInvalid, CodeMountNotFound, "no secrets engine is mounted there; check the path, which begins with the mount, and the namespace of Config.Client"}, true
	case status == http.StatusNotFound && env.wrongKVVersion():
		return meaning{scaivault.ErrInvalid, "", "the mount is KV v2: its paths have data/ behind the mount, as in kv/data/apps/db"}, true
	case status == http.StatusNotFound && env.says("unsupported path"), status == http.StatusMethodNotAllowed:
		return meaning{scaivault.ErrInvalid, "", "the secrets engine there is not KV, or too old for this"}, true
	case status == http.StatusBadRequest && env.says(textCASMismatch):
		return meaning{scaivault.ErrConflict, "", "somebody else has written; read the secret again"}, true
	case status == http.StatusBadRequest && env.says(textCASRequired):
		return meaning{scaivault.ErrInvalid, "", "the secret takes writes with a version only"}, true
	case status == http.StatusBadRequest && env.says(textUpgrading):
		return meaning{scaivault.ErrUnavailable, "", reasonUpgrading}, true
	case status == http.StatusServiceUnavailable && env.says(textSealed):
		return meaning{scaivault.ErrUnavailable, "", "Vault is sealed"}, true
	case env.says(textNoLeader), env.says(textNoActive), env.says(textNotActive):
		return meaning{scaivault.ErrUnavailable, "", "the cluster has no leader for the moment"}, true
	case status == http.StatusPreconditionFailed:
		return meaning{scaivault.ErrUnavailable, "", "the node has not got as far as the last write"}, true
	case status == 472, env.says(textSecondary):
		return meaning{scaivault.ErrUnavailable, "", "the node is a disaster recovery secondary, which serves nothing"}, true
	case status == 473:
		return meaning{scaivault.ErrUnavailable, "", "the node is a standby that does not serve this"}, true
	case status == http.StatusInternalServerError && env.says(textMalformed):
		return meaning{scaivault.ErrInvalid, "", "Vault cannot read the data; is a number too large for it?"}, true
	case env.says(textRelative):
		return meaning{scaivault.ErrInvalid, "", "KV v1 holds no name with two dots in a row"}, true
	default:
		return meaning{}, false
	}
}

// provesNothingDone tells whether an answer is certain to mean that a write was
// not carried out, and not that nobody knows. A redirect or the lack of a leader
// can be what is left of a request that was passed on and whose answer was lost,
// unless the node was told not to pass it on.
func (a *answer) provesNothingDone() bool {
	env, ok := a.envelope()
	switch {
	case a.status >= 400 && a.status <= 499:
		return true
	case a.status == http.StatusTemporaryRedirect:
		return a.unsent
	case a.status/100 == 3:
		return true
	case env.says(textNoActive), env.says(textNotActive):
		return a.unsent
	default:
		return ok && (env.says(textSealed) || env.says(textMalformed) || env.says(textRelative) || env.says(textNoLeader))
	}
}

// describe says what a strange answer looks like, without quoting it.
func describe(a *answer) string {
	switch {
	case a.status >= 300 && a.status < 400:
		return "a redirect, which is not followed with the token; list the address that it leads to in Config.Addresses"
	case len(a.body) == 0:
		return "it is empty"
	case strings.HasPrefix(strings.TrimSpace(string(a.body[:min(len(a.body), 512)])), "<"):
		return "it looks like the page of a load balancer or proxy"
	case !json.Valid(a.body):
		return "it is not JSON, or not whole"
	default:
		return "it is JSON of another shape"
	}
}

// quieten returns a cause whose text may be shown. The texts of most errors of
// a transport or a login may quote what a server sent, or a credential; of
// those only the type is shown, and the error itself stays within reach of
// errors.As.
func quieten(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errGivenUp // by somebody else than the caller, who must not find his own cancellation
	case errors.As(err, &op):
		return op
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &file):
		return file
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	default:
		return &quietError{err}
	}
}

var errGivenUp = errors.New("given up by the transport")

// A quietError shows an error's type in place of its text.
type quietError struct{ cause error }

func (e *quietError) Error() string { return fmt.Sprintf("%T", e.cause) }
func (e *quietError) Unwrap() error { return e.cause }

// Format prints Error under every verb, so that %#v shows no field either.
func (e *quietError) Format(f fmt.State, _ rune) {
	// A printer that cannot print has nobody to tell.
	_, _ = io.WriteString(f, e.Error())
}
