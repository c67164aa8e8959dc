// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// webhookWindow is how far a webhook's time may be from ours, in either
// direction. Documented.
const webhookWindow = 300 * time.Second

// signaturePrefix names the algorithm of a webhook's signature. Documented.
const signaturePrefix = "sha256="

// VerifyWebhook checks that a webhook's request comes from the service and is
// no older than 5 minutes. header is the request's, body its whole body as it
// came, byte by byte. secrets are the webhook's: give the new and the old one
// while it is being changed. It does no I/O.
//
// A signature that none of the secrets makes, and a time more than 300 seconds
// away in either direction, are [ErrUnauthenticated]. A header that is missing,
// malformed or there more than once, no secret, and an empty one, are
// [ErrInvalid]. A request can still come twice, within the 5 minutes on
// purpose: where that matters, remember each [Event.ID]. The service's headers
// for the id and the type of the event are not signed; read the body.
func VerifyWebhook(header http.Header, body []byte, secrets ...string) error {
	fail := func(kind error, reason string) error {
		return &Error{Kind: kind, Op: "verify webhook", Reason: reason}
	}
	if len(secrets) == 0 {
		return fail(ErrInvalid, "give the webhook's secret")
	}
	for _, secret := range secrets {
		if secret == "" {
			return fail(ErrInvalid, "a secret is empty, by which anybody could sign")
		}
	}
	timestamp, reason := soleHeader(header, headerWebhookTimestamp)
	if reason != "" {
		return fail(ErrInvalid, reason)
	}
	signature, reason := soleHeader(header, headerWebhookSignature)
	if reason != "" {
		return fail(ErrInvalid, reason)
	}
	sent, ok := unixTime(timestamp)
	if !ok {
		return fail(ErrInvalid, headerWebhookTimestamp+" is not a time in Unix seconds")
	}
	digest, ok := parseSignature(signature)
	if !ok {
		return fail(ErrInvalid, headerWebhookSignature+" is not "+signaturePrefix+" and 64 hexadecimal digits")
	}
	if !signedByAny(secrets, timestamp, body, digest) {
		return fail(ErrUnauthenticated, "none of the secrets makes this signature")
	}
	if now := time.Now().Unix(); max(now-sent, sent-now) > int64(webhookWindow/time.Second) {
		return fail(ErrUnauthenticated, fmt.Sprintf("the request was signed more than %v from now; check both clocks", webhookWindow))
	}
	return nil
}

// soleHeader reads a header that must be there once, however its name is
// spelled: not every gateway writes names as net/http does.
func soleHeader(header http.Header, name string) (value, wrong string) {
	count := 0
	for key, values := range header {
		if strings.EqualFold(key, name) && len(values) > 0 {
			value = values[0]
			count += len(values)
		}
	}
	switch count {
	case 0:
		return "", "header " + name + " is missing"
	case 1:
		return value, ""
	default:
		return "", "header " + name + " is there more than once"
	}
}

// maxUnixDigits keeps sums of times within int64.
const maxUnixDigits = 12

func unixTime(text string) (int64, bool) {
	if text == "" || len(text) > maxUnixDigits || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	return seconds, err == nil
}

func parseSignature(text string) ([]byte, bool) {
	digits, ok := strings.CutPrefix(text, signaturePrefix)
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	digest, err := hex.DecodeString(digits)
	return digest, err == nil
}

// signedByAny tries every secret, so that the time tells nothing of which one
// it was.
func signedByAny(secrets []string, timestamp string, body, digest []byte) bool {
	found := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp + "."))
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), digest) {
			found = true
		}
	}
	return found
}
