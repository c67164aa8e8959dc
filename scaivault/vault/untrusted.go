// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"crypto/tls"
	"errors"

	"github.com/scailabs/scaivault-go/internal/endpoint"
	"github.com/scailabs/scaivault-go/internal/wire"
	"github.com/scailabs/scaivault-go/scaivault"
)

// note takes note of the first certificate that is not trusted. That is a
// mistake which stays until somebody mends it, so it is told where the call
// fails at the other addresses, too, for whatever reason.
func (x *exchanger) note(at endpoint.Choice, what verdict, err error) {
	x.asked = at.URL.Host
	switch {
	case what == isAnswer:
		x.untrusted = ""
	case x.untrusted == "" && err != nil:
		x.untrusted = untrusted(at.URL.Host, err)
	}
}

// untrusted says what is wrong with a certificate, if that is what is wrong.
func untrusted(host string, err error) string {
	var e *scaivault.Error
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) || !errors.As(err, &e) {
		return ""
	}
	return wire.Printable(host) + ": " + e.Reason
}

// tellUntrusted adds what was noted to the failure of a call, unless the failure
// is that, or the caller's own doing.
func (x *exchanger) tellUntrusted(a *answer, err error) {
	var e *scaivault.Error
	var cert *tls.CertificateVerificationError
	switch {
	case err == nil:
		a.besides = x.untrusted
	case errors.Is(err, scaivault.ErrUnavailable) && !errors.As(err, &cert) && errors.As(err, &e):
		last := wire.Printable(x.asked)
		if e.Reason != "" {
			last += ": " + e.Reason
		}
		e.Reason = joinReasons(x.untrusted, last)
	}
}
