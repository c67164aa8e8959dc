// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// TestPermanentDeleteIsPermanent, whatever the service calls it: its path is
// free again.
func TestPermanentDeleteIsPermanent(t *testing.T) {
	t.Parallel()
	for _, hard := range []scaivaulttest.HardDelete{scaivaulttest.HardDeletePermanent, scaivaulttest.HardDeleteHard} {
		for _, form := range []scaivaulttest.DeleteForm{scaivaulttest.DeleteBody, scaivaulttest.DeleteNoContent} {
			s, c := service(t, &scaivaulttest.ServerOptions{Quirks: scaivaulttest.Quirks{HardDelete: hard, Delete: form}})
			s.Seed(testPath, valueA)
			require.NoError(t, c.Delete(t.Context(), testPath, &scaivault.DeleteOptions{Permanent: true}))
			_, err := c.Put(t.Context(), testPath, valueB, nil)
			require.NoError(t, err)
			require.NoError(t, c.Delete(t.Context(), testPath, nil))
			_, err = c.Put(t.Context(), testPath, valueB, nil)
			requireMatches(t, err, scaivault.ErrConflict)
		}
	}
}

// TestDeleteThatIsNotPermanentSaysSo, where permanent was asked for.
func TestDeleteThatIsNotPermanentSaysSo(t *testing.T) {
	t.Parallel()
	for body, soft := range map[string]bool{
		`{"permanent":false}`: true, `{"recoverable_until":"2030-01-02T03:04:05Z"}`: true,
		`{"permanent":false,"recoverable_until":null}`:                  true,
		`{"permanent":true,"recoverable_until":"2030-01-02T03:04:05Z"}`: false,
		`{"permanent":true}`: false, `{"recoverable_until":null}`: false, `{"permanent":"no"}`: false, `{}`: false, ``: false, `["x"]`: false,
	} {
		var query string
		rt := &script{answers: says2(says(200, body)), seen: func(r *http.Request, _ []byte) { query = r.URL.RawQuery }}
		c := newTestClient(t, "https://s.test", through(rt))
		require.NoError(t, c.Delete(t.Context(), "a", nil))
		require.Empty(t, query)
		err := c.Delete(t.Context(), "a", &scaivault.DeleteOptions{Permanent: true})
		require.Equal(t, "hard=true&permanent=true", query)
		if !soft {
			require.NoError(t, err, body)
			continue
		}
		requireMatches(t, err, scaivault.ErrInvalid)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "can still be restored")
	}
}

// TestDeleteIsNotBelievedWithoutAnAnswerThatCounts.
func TestDeleteIsNotBelievedWithoutAnAnswerThatCounts(t *testing.T) {
	t.Parallel()
	gone := says(404, refusal("secret_not_found"))
	restorable := says(404, `{"error":{"code":"secret_not_found","details":{"recoverable_until":"2030-01-02T03:04:05Z"}}}`)
	for name, c := range map[string]struct {
		answer, look func(*http.Request) (*http.Response, error)
		permanent    bool
		want         error
		reason       string
	}{
		"a page, gone":                 {says(200, balancerPage), gone, false, nil, ""},
		"a page, there":                {says(200, balancerPage), says(200, oneSecret), false, scaivault.ErrUncertain, "version 3 stands there"},
		"a page, there as 0":           {says(200, balancerPage), says(200, `{"data":{}}`), false, scaivault.ErrUncertain, "the secret stands there"},
		"a success that says no":       {says(200, refusal("access_denied")), says(200, oneSecret), false, scaivault.ErrUncertain, "version 3"},
		"lost, and the look too":       {says(502, balancerPage), says(502, balancerPage), false, scaivault.ErrUncertain, "failed too (unavailable)"},
		"lost, gone":                   {says(502, balancerPage), gone, true, nil, ""},
		"lost, restorable":             {says(502, balancerPage), restorable, true, scaivault.ErrInvalid, "can still be restored"},
		"lost, restorable as asked":    {says(502, balancerPage), restorable, false, nil, ""},
		"the page of a missing secret": {says(404, balancerPage), gone, false, scaivault.ErrUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt := &script{answers: says2(c.answer, c.look)}
			err := newTestClient(t, "https://s.test", through(rt)).Delete(t.Context(), "a", &scaivault.DeleteOptions{Permanent: c.permanent})
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			requireMatches(t, err, c.want)
			require.ErrorContains(t, err, c.reason)
		})
	}
}
