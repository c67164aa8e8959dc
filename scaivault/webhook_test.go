// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	hookSecret = "not-a-real-secret-of-a-webhook"
	hookBody   = `{"event_id":"evt_1","event_type":"secret.updated","path":"a/b","data":{"old_version":1,"new_version":2}}`
)

// sign signs as the service does.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", timestamp, body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// signed are the headers of a request that was signed at a time.
func signed(secret string, at time.Time, body []byte) http.Header {
	timestamp := fmt.Sprint(at.Unix())
	h := http.Header{}
	h.Set("X-ScaiVault-Event-Id", "evt_1")
	h.Set("X-ScaiVault-Timestamp", timestamp)
	h.Set("X-ScaiVault-Signature", sign(secret, timestamp, body))
	return h
}

// TestVerifyWebhookKnowsASignatureOfOpenSSL: testdata/webhook.sh made it.
func TestVerifyWebhookKnowsASignatureOfOpenSSL(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/webhook_body.json")
	require.NoError(t, err)
	signature, err := os.ReadFile("testdata/webhook_signature.txt")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) { // a bubble begins at 946684800
		time.Sleep(100 * time.Second)
		h := http.Header{}
		h.Set("X-ScaiVault-Timestamp", "946684800")
		h.Set("X-ScaiVault-Signature", strings.TrimSpace(string(signature)))
		require.NoError(t, scaivault.VerifyWebhook(h, body, hookSecret))
		requireMatches(t, scaivault.VerifyWebhook(h, append(body, '\n'), hookSecret), scaivault.ErrUnauthenticated)
	})
}

func TestVerifyWebhookTriesEverySecret(t *testing.T) {
	t.Parallel()
	body := []byte(hookBody)
	h := signed(hookSecret, time.Now(), body)
	for _, secrets := range [][]string{{hookSecret}, {hookSecret, "old"}, {"old", hookSecret}, {"a", "b", hookSecret, "c"}} {
		require.NoError(t, scaivault.VerifyWebhook(h, body, secrets...))
	}
	for _, secrets := range [][]string{{"old"}, {"old", "older"}, {hookSecret + " "}, {strings.ToUpper(hookSecret)}} {
		requireMatches(t, scaivault.VerifyWebhook(h, body, secrets...), scaivault.ErrUnauthenticated)
	}
	for _, secrets := range [][]string{nil, {""}, {hookSecret, ""}, {"", hookSecret}} {
		requireMatches(t, scaivault.VerifyWebhook(h, body, secrets...), scaivault.ErrInvalid)
	}
}

// TestVerifyWebhookNoticesEveryChange of what is signed.
func TestVerifyWebhookNoticesEveryChange(t *testing.T) {
	t.Parallel()
	body := []byte(hookBody)
	now := time.Now()
	for i := range body {
		changed := bytes.Clone(body)
		changed[i] ^= 1
		requireMatches(t, scaivault.VerifyWebhook(signed(hookSecret, now, body), changed, hookSecret), scaivault.ErrUnauthenticated)
	}
	for _, changed := range [][]byte{nil, body[1:], body[:len(body)-1], append(bytes.Clone(body), ' ')} {
		requireMatches(t, scaivault.VerifyWebhook(signed(hookSecret, now, body), changed, hookSecret), scaivault.ErrUnauthenticated)
	}
	h := signed(hookSecret, now, body)
	h.Set("X-ScaiVault-Timestamp", fmt.Sprint(now.Unix()+1))
	requireMatches(t, scaivault.VerifyWebhook(h, body, hookSecret), scaivault.ErrUnauthenticated)
	h.Set("X-ScaiVault-Timestamp", "0"+fmt.Sprint(now.Unix()))
	requireMatches(t, scaivault.VerifyWebhook(h, body, hookSecret), scaivault.ErrUnauthenticated)
	require.NoError(t, scaivault.VerifyWebhook(signed(hookSecret, now, nil), nil, hookSecret), "an empty body can be signed")
}

// TestVerifyWebhookTakesFiveMinutes in either direction, and not a second more.
func TestVerifyWebhookTakesFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now, body := time.Now(), []byte(hookBody)
		for off, ok := range map[int]bool{0: true, 299: true, 300: true, 301: false, -299: true, -300: true, -301: false, 1e9: false, -9e8: false} {
			err := scaivault.VerifyWebhook(signed(hookSecret, now.Add(time.Duration(off)*time.Second), body), body, hookSecret)
			if ok {
				require.NoError(t, err, off)
				continue
			}
			requireMatches(t, err, scaivault.ErrUnauthenticated)
		}
	})
}

func TestVerifyWebhookRefusesStrangeHeaders(t *testing.T) {
	t.Parallel()
	body := []byte(hookBody)
	now := fmt.Sprint(time.Now().Unix())
	good := sign(hookSecret, now, body)
	for name, h := range map[string]http.Header{
		"nil": nil, "none": {}, "no timestamp": {"X-Scaivault-Signature": {good}}, "no signature": {"X-Scaivault-Timestamp": {now}},
		"empty lists":        {"X-Scaivault-Signature": {}, "X-Scaivault-Timestamp": {}},
		"empty":              {"X-Scaivault-Signature": {""}, "X-Scaivault-Timestamp": {""}},
		"two signatures":     {"X-Scaivault-Signature": {good, good}, "X-Scaivault-Timestamp": {now}},
		"two timestamps":     {"X-Scaivault-Signature": {good}, "X-Scaivault-Timestamp": {now, now}},
		"two spellings":      {"X-Scaivault-Signature": {good}, "x-scaivault-signature": {good}, "X-Scaivault-Timestamp": {now}},
		"no prefix":          {"X-Scaivault-Signature": {good[7:]}, "X-Scaivault-Timestamp": {now}},
		"other algorithm":    {"X-Scaivault-Signature": {"sha1=" + good[7:]}, "X-Scaivault-Timestamp": {now}},
		"short":              {"X-Scaivault-Signature": {good[:len(good)-2]}, "X-Scaivault-Timestamp": {now}},
		"long":               {"X-Scaivault-Signature": {good + "00"}, "X-Scaivault-Timestamp": {now}},
		"no digits":          {"X-Scaivault-Signature": {"sha256=" + strings.Repeat("g", 64)}, "X-Scaivault-Timestamp": {now}},
		"only the prefix":    {"X-Scaivault-Signature": {"sha256="}, "X-Scaivault-Timestamp": {now}},
		"two in one":         {"X-Scaivault-Signature": {good + "," + good}, "X-Scaivault-Timestamp": {now}},
		"signed time":        {"X-Scaivault-Signature": {sign(hookSecret, "+"+now, body)}, "X-Scaivault-Timestamp": {"+" + now}},
		"negative time":      {"X-Scaivault-Signature": {sign(hookSecret, "-1", body)}, "X-Scaivault-Timestamp": {"-1"}},
		"time with fraction": {"X-Scaivault-Signature": {sign(hookSecret, now+".5", body)}, "X-Scaivault-Timestamp": {now + ".5"}},
		"time with a space":  {"X-Scaivault-Signature": {sign(hookSecret, now+" ", body)}, "X-Scaivault-Timestamp": {now + " "}},
		"milliseconds":       {"X-Scaivault-Signature": {sign(hookSecret, now+"000", body)}, "X-Scaivault-Timestamp": {now + "000"}},
		"date":               {"X-Scaivault-Signature": {good}, "X-Scaivault-Timestamp": {"2030-01-01T00:00:00Z"}},
		"endless time":       {"X-Scaivault-Signature": {good}, "X-Scaivault-Timestamp": {strings.Repeat("9", 1000)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := scaivault.VerifyWebhook(h, body, hookSecret)
			requireMatches(t, err, scaivault.ErrInvalid)
			require.NotContains(t, err.Error(), good[7:20])
		})
	}
	require.NoError(t, scaivault.VerifyWebhook(http.Header{"x-ScaiVault-SIGNATURE": {good}, "x-scaivault-timestamp": {now}}, body, hookSecret),
		"as other gateways write the names")
	upper := "sha256=" + strings.ToUpper(good[7:])
	require.NoError(t, scaivault.VerifyWebhook(http.Header{"X-Scaivault-Signature": {upper}, "X-Scaivault-Timestamp": {now}}, body, hookSecret))
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	e, err := scaivault.ParseEvent([]byte(`{"event_id":"evt_1","event_type":"secret.updated","timestamp":"2030-01-01T00:00:00.5Z","tenant_id":"tnt_1",
		"partner_id":null,"identity_id":"system:rotation","path":"a/b","data":{"old_version":1,"new_version":2},"request_id":"req_1","more":[1]}`))
	require.NoError(t, err)
	require.Equal(t, &scaivault.Event{
		ID: "evt_1", Type: scaivault.EventSecretUpdated, Time: time.Date(2030, 1, 1, 0, 0, 0, 5e8, time.UTC), TenantID: "tnt_1",
		IdentityID: "system:rotation", Path: "a/b", Data: []byte(`{"old_version":1,"new_version":2}`), RequestID: "req_1",
	}, e)
	require.Equal(t, 2, e.Version())
	require.Equal(t, "secret.updated a/b (evt_1)", e.String())
	require.NotContains(t, scaivault.Event{ID: "a\nb", Type: "x\x1b[1m"}.String(), "\n")

	for body, version := range map[string]int{`{"version":7}`: 7, `{"version":7,"new_version":8}`: 8, `{"version":"x"}`: 0, `[1]`: 0, `"x"`: 0, `null`: 0, `{"new_version":-1}`: 0} {
		e, err := scaivault.ParseEvent([]byte(`{"event_id":"e","event_type":"t","timestamp":1,"path":["x"],"data":` + body + `}`))
		require.NoError(t, err, "fields of another type are zero")
		require.Equal(t, version, e.Version(), body)
		require.Empty(t, e.Path)
		if body[0] == '{' {
			require.JSONEq(t, body, string(e.Data))
		} else {
			require.Nil(t, e.Data)
		}
	}
	for _, body := range []string{"", " ", "null", "[]", "{}", `"x"`, "{", hookBody + "x", hookBody + "{}", `{"event_id":"e"}`, `{"event_type":"t"}`, `{"event_id":1,"event_type":"t"}`, balancerPage} {
		_, err := scaivault.ParseEvent([]byte(body))
		requireMatches(t, err, scaivault.ErrInvalid)
	}
}

// FuzzVerifyWebhook: nothing but a good signature passes, and no error shows
// what it was given.
func FuzzVerifyWebhook(f *testing.F) {
	f.Add("1", "sha256="+strings.Repeat("0", 64), []byte(hookBody), hookSecret)
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte, secret string) {
		err := scaivault.VerifyWebhook(http.Header{"X-Scaivault-Timestamp": {timestamp}, "X-Scaivault-Signature": {signature}}, body, secret)
		if err == nil {
			require.Equal(t, sign(secret, timestamp, body), strings.ToLower(signature))
			return
		}
		require.Contains(t, []string{"iv", "ua"}, kindOf(err))
		for _, text := range []string{secret, signature} {
			if len(text) > 12 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz ") != "" {
				require.NotContains(t, err.Error(), text)
			}
		}
		if secret != "" {
			now := time.Now()
			require.NoError(t, scaivault.VerifyWebhook(signed(secret, now, body), body, secret))
		}
	})
}

// FuzzParseEvent: an event that is read has a name and a type, and its text is
// one line.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(hookBody))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := scaivault.ParseEvent(body)
		if err != nil {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.Nil(t, e)
			return
		}
		require.NotEmpty(t, e.ID)
		require.NotEmpty(t, e.Type)
		require.GreaterOrEqual(t, e.Version(), 0)
		require.NotContains(t, e.String(), "\n")
	})
}
