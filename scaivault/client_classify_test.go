// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/stretchr/testify/require"
)

// documentedCodes is the service's catalogue.
var documentedCodes = []struct {
	status int
	code   string
	kind   error
}{
	{401, "authentication_required", scaivault.ErrUnauthenticated},
	{401, "token_expired", scaivault.ErrUnauthenticated},
	{401, "token_invalid", scaivault.ErrUnauthenticated},
	{401, "token_revoked", scaivault.ErrUnauthenticated},
	{403, "access_denied", scaivault.ErrPermission},
	{403, "insufficient_scope", scaivault.ErrPermission},
	{403, "mfa_required", scaivault.ErrPermission},
	{403, "ip_not_allowed", scaivault.ErrPermission},
	{403, "time_window_violation", scaivault.ErrPermission},
	{403, "tenant_access_denied", scaivault.ErrPermission},
	{403, "forbidden", scaivault.ErrPermission},
	{400, "invalid_request", scaivault.ErrInvalid},
	{400, "invalid_path", scaivault.ErrInvalid},
	{400, "invalid_secret_type", scaivault.ErrInvalid},
	{400, "invalid_duration", scaivault.ErrInvalid},
	{400, "invalid_cursor", scaivault.ErrInvalid},
	{400, "invalid_policy", scaivault.ErrInvalid},
	{400, "invalid_glob", scaivault.ErrInvalid},
	{400, "invalid_role", scaivault.ErrInvalid},
	{400, "invalid_config", scaivault.ErrInvalid},
	{422, "validation_error", scaivault.ErrInvalid},
	{404, "secret_not_found", scaivault.ErrNotFound},
	{404, "version_not_found", scaivault.ErrNotFound},
	{404, "policy_not_found", scaivault.ErrNotFound},
	{404, "binding_not_found", scaivault.ErrNotFound},
	{404, "webhook_not_found", scaivault.ErrNotFound},
	{404, "subscription_not_found", scaivault.ErrNotFound},
	{404, "rotation_policy_not_found", scaivault.ErrNotFound},
	{404, "secret_policy_not_found", scaivault.ErrNotFound},
	{404, "ca_not_found", scaivault.ErrNotFound},
	{404, "certificate_not_found", scaivault.ErrNotFound},
	{404, "identity_not_found", scaivault.ErrNotFound},
	{404, "tenant_not_found", scaivault.ErrInvalid},
	{409, "secret_exists", scaivault.ErrConflict},
	{409, "version_conflict", scaivault.ErrConflict},
	{409, "policy_in_use", scaivault.ErrConflict},
	{429, "rate_limited", scaivault.ErrRateLimited},
	{503, "service_unavailable", scaivault.ErrUnavailable},
	{500, "internal_error", scaivault.ErrUnavailable},
}

// getFrom reads testPath from a service with one answer.
func getFrom(t *testing.T, status int, body string, header ...string) (*scaivault.Secret, error) {
	t.Helper()
	rt := &script{answers: []func(*http.Request) (*http.Response, error){says(status, body, header...)}}
	return newTestClient(t, "https://scaivault.test", through(rt)).Get(t.Context(), testPath)
}

func TestEveryDocumentedCodeHasItsKind(t *testing.T) {
	t.Parallel()
	for _, test := range documentedCodes {
		_, err := getFrom(t, test.status, refusal(test.code))
		requireMatches(t, err, test.kind)
		e := requireError(t, err)
		require.Equal(t, test.code, e.Code)
		require.Equal(t, test.status, e.Status)
		require.Equal(t, "req_1", e.RequestID)
		require.Equal(t, "no", e.Message)
		require.Equal(t, "get", e.Op)
		require.Equal(t, "scaivault", e.Source)
		require.Equal(t, testPath, e.Path)
	}
}

func TestCodeDecidesBeforeStatus(t *testing.T) {
	t.Parallel()
	for _, test := range documentedCodes {
		for _, status := range []int{400, 401, 403, 404, 409, 418, 429, 500, 503} {
			_, err := getFrom(t, status, refusal(test.code))
			requireMatches(t, err, test.kind)
		}
	}
}

func TestUnknownCodeIsReadByItsStatus(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]error{
		400: scaivault.ErrInvalid, 401: scaivault.ErrUnauthenticated, 402: scaivault.ErrInvalid, 403: scaivault.ErrPermission,
		404: scaivault.ErrNotFound, 405: scaivault.ErrInvalid, 424: scaivault.ErrUnavailable, 408: scaivault.ErrUnavailable, 409: scaivault.ErrConflict,
		410: scaivault.ErrNotFound, 412: scaivault.ErrConflict, 413: scaivault.ErrInvalid, 422: scaivault.ErrInvalid,
		429: scaivault.ErrRateLimited, 499: scaivault.ErrInvalid, 500: scaivault.ErrUnavailable, 501: scaivault.ErrUnavailable,
		502: scaivault.ErrUnavailable, 503: scaivault.ErrUnavailable, 504: scaivault.ErrUnavailable, 599: scaivault.ErrUnavailable,
		300: scaivault.ErrUnavailable, 304: scaivault.ErrUnavailable, 999: scaivault.ErrUnavailable,
	} {
		_, err := getFrom(t, status, refusal("never_seen_before"))
		requireMatches(t, err, kind)
		require.Equal(t, "never_seen_before", requireError(t, err).Code)
	}
}

func TestAnswerWithoutEnvelopeIsNeverANo(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{
		"html":          "<html><body>404 page of the load balancer</body></html>",
		"empty":         "",
		"blank":         " \n",
		"text":          "Forbidden",
		"other JSON":    `{"message":"no Route matched with those values"}`,
		"error is text": `{"error":"not found"}`,
		"error is null": `{"error":null}`,
		"no code":       `{"error":{"message":"x"}}`,
		"empty code":    `{"error":{"code":""}}`,
		"code is prose": `{"error":{"code":"page not found!"}}`,
		"code is 404":   `{"error":{"code":404}}`,
		"array":         `[{"error":{"code":"secret_not_found"}}]`,
		"cut":           `{"error":{"code":"secret_not_found","mess`,
		"two values":    refusal("secret_not_found") + `{}`,
	}
	for name, body := range bodies {
		for _, status := range []int{400, 403, 404, 405, 409, 410, 422, 500, 502, 503, 504} {
			t.Run(fmt.Sprintf("%s with %d", name, status), func(t *testing.T) {
				t.Parallel()
				_, err := getFrom(t, status, body)
				requireMatches(t, err, scaivault.ErrUnavailable)
				require.Empty(t, requireError(t, err).Code)
			})
		}
		_, err := getFrom(t, 401, body)
		requireMatches(t, err, scaivault.ErrUnauthenticated)
		_, err = getFrom(t, 429, body, "Retry-After", "3")
		requireMatches(t, err, scaivault.ErrRateLimited)
	}
}

func TestEnvelopeIsReadWhateverItsOtherMembersAre(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"error":{"code":"secret_not_found","message":7}}`,
		`{"error":{"code":"secret_not_found","request_id":["x"],"details":"text"}}`,
		`{"error":{"code":"secret_not_found","details":null,"help":{"url":"x"}},"more":1}`,
		"\n\t" + `{"error":{"code":"secret_not_found"}}` + "\n",
	} {
		_, err := getFrom(t, 404, body)
		requireMatches(t, err, scaivault.ErrNotFound)
	}
}

func TestRequestIDComesFromHeaderWhereTheBodyHasNone(t *testing.T) {
	t.Parallel()
	_, err := getFrom(t, 502, "<html>", "X-Request-ID", "req_header")
	require.Equal(t, "req_header", requireError(t, err).RequestID)
	require.Contains(t, err.Error(), "req_header")

	_, err = getFrom(t, 502, "<html>", "X-Request-ID", "req header; with words")
	require.Empty(t, requireError(t, err).RequestID)
}

func TestDescribesStrangeAnswersWithoutQuoting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		header []string
		want   string
	}{
		{502, "<html>secret-word</html>", nil, "page of a load balancer"},
		{502, "", nil, "it is empty"},
		{502, "secret-word", []string{"Content-Type", "text/plain; charset=utf-8"}, "content type is text/plain"},
		{502, "secret-word", []string{"Content-Type", "secret-word: %%"}, "names no content type that is usual"},
		{307, "secret-word", []string{"Location", "https://elsewhere.test/secret-word"}, "redirect"},
	} {
		_, err := getFrom(t, test.status, test.body, test.header...)
		requireMatches(t, err, scaivault.ErrUnavailable)
		require.Contains(t, err.Error(), test.want)
		require.NotContains(t, err.Error(), "secret-word")
	}
}
