// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"
)

// transportError is for everything but a complete answer. The caller's own
// context shows through; a timeout of ours is ErrUnavailable alone.
func (c *Client) transportError(ctx context.Context, r request, timeout time.Duration, cause error) *Error {
	e := &Error{Kind: ErrUnavailable, Op: r.op, Source: sourceScaiVault, Path: wire.Printable(r.path)}
	if ctx.Err() != nil {
		return c.interrupted(ctx, e)
	}
	var wrapped *url.Error
	if errors.As(cause, &wrapped) {
		cause = wrapped.Err // the wrapper quotes the whole URL
	}
	var large tooLargeError
	switch {
	case isTimeout(cause):
		e.Reason = fmt.Sprintf("no answer within %v; see ClientConfig.AttemptTimeout", timeout.Round(time.Millisecond))
	case errors.As(cause, &large):
		e.Err = large
	case errors.Is(cause, io.ErrUnexpectedEOF):
		e.Reason = "the answer stopped in the middle"
	case errors.Is(cause, io.EOF):
		e.Reason = "the connection was closed without an answer"
	case errors.Is(cause, context.Canceled): // not by the caller
		e.Reason = "the transport gave up, or the endpoint gave back one connection after the other"
	case endpoint.GivenBack(cause):
		e.Reason = "the endpoint gave the request back unseen"
	case tellsNoContent(cause):
		e.Err = cause
	default:
		e.Err = silentCause(cause)
	}
	return e
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// tellsNoContent tells whether the text of a transport's error speaks of
// connections and certificates only. Others can quote what the server sent:
// net/http shows the line that it could not read.
func tellsNoContent(err error) bool {
	var (
		op      *net.OpError
		dns     *net.DNSError
		errno   syscall.Errno
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
	)
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &errno) ||
		errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &invalid) || errors.As(err, &unknown) || errors.As(err, &host) ||
		errors.Is(err, http.ErrSchemeMismatch)
}

// A silentError keeps a cause whose text must not be shown, behind a func, so
// that no printer reaches it.
type silentError struct{ reveal func() error }

func silentCause(cause error) silentError {
	return silentError{reveal: func() error { return cause }}
}

func (e silentError) Error() string {
	return "the exchange broke off, or its answer is not HTTP"
}

func (e silentError) Unwrap() error { return e.reveal() }

// Format prints Error under every verb: the cause shows nothing there either.
func (e silentError) Format(f fmt.State, _ rune) { printError(f, e) }
