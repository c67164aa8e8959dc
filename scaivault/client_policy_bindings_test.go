// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// TestUnbindPolicyLooksWhenTheAnswerIsLost: it is sent once, and then looked
// up.
func TestUnbindPolicyLooksWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	lost := breaks(errors.New("reset"))
	for name, tt := range map[string]struct {
		listing func(*http.Request) (*http.Response, error)
		want    error
	}{
		"gone":          {says(200, `{"bindings":[{"id":"bnd_2","identity_id":"sa:x"}]}`), nil},
		"policy gone":   {says(404, refusal("policy_not_found")), nil},
		"still there":   {says(200, `{"bindings":[{"id":"bnd_1","identity_id":"sa:x"}]}`), scaivault.ErrUncertain},
		"looking fails": {says(503, refusal("service_unavailable")), scaivault.ErrUncertain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent []string
			rt := &script{answers: says2(lost, tt.listing), seen: func(r *http.Request, _ []byte) { sent = append(sent, r.Method+" "+r.URL.Path) }}
			err := newTestClient(t, "https://s.test", through(rt)).UnbindPolicy(t.Context(), "pol_1", "bnd_1")
			require.Equal(t, []string{"DELETE /v1/policies/pol_1/bindings/bnd_1", "GET /v1/policies/pol_1/bindings"}, sent)
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			requireMatches(t, err, tt.want)
		})
	}
}

func TestUnbindPolicyTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"policy_not_found": scaivault.ErrNotFound, "binding_not_found": scaivault.ErrNotFound, "not_found": scaivault.ErrInvalid} {
		rt := &script{answers: says2(says(404, refusal(code)))}
		err := newTestClient(t, "https://s.test", through(rt)).UnbindPolicy(t.Context(), "pol_1", "bnd_1")
		requireMatches(t, err, want)
		require.Equal(t, code == "not_found", errors.Is(err, errors.ErrUnsupported), code)
		require.EqualValues(t, 1, rt.requests.Load())
	}
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt))
	for _, ids := range [][2]string{{"", "b"}, {"p", ""}, {"p", "."}} {
		requireMatches(t, c.UnbindPolicy(t.Context(), ids[0], ids[1]), scaivault.ErrInvalid)
	}
	require.Zero(t, rt.requests.Load())
}
