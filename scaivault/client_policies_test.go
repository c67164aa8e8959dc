// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
)

// onePolicy is a policy that can be sent.
func onePolicy(id string) *scaivault.Policy {
	return &scaivault.Policy{ID: id, Name: "readers", Rules: []scaivault.PolicyRule{
		{PathPattern: "a/**", Permissions: []scaivault.Permission{scaivault.PermissionRead}},
	}}
}

var oneBinding = scaivault.PolicyBinding{IdentityType: "service_account", IdentityID: "sa:billing"}

func policiesOf(ctx context.Context, c *scaivault.Client, query *scaivault.PolicyQuery) (all []scaivault.Policy, last error) {
	for p, err := range c.Policies(ctx, query) {
		if err != nil {
			return all, err
		}
		all = append(all, p)
	}
	return all, nil
}

// wholePolicy has everything that a policy can have, known or not.
const wholePolicy = `{"id":"pol_1","name":"readers","description":"d","scope":"tenant","is_active":false,"priority":1.50,` +
	`"rules":[{"path_pattern":"a/**","permissions":["read","future"],"note":"x","conditions":{"ip_ranges":[],"require_mfa":true,"time_window":{"from":"08:00","n":1e2}}},` +
	`{"path_pattern":"b","permissions":["list"],"conditions":{"ip_ranges":"10.0.0.0/8","require_mfa":"always"}},` +
	`{"path_pattern":"c","permissions":[],"conditions":["all"]},{"path_pattern":"d","permissions":["read"],"conditions":null}],` +
	`"bindings":[{"id":"bnd_1","identity_type":"user","identity_id":"u1","expires_at":"2030-01-01T00:00:00Z"}],` +
	`"created_at":"2030-01-01T00:00:00Z","updated_at":"2030-01-02T00:00:00Z","created_by":"u2"}`

// TestPolicyKeepsWhatIsNotKnown when it is read, changed and written.
func TestPolicyKeepsWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	var sent string
	rt := &script{answers: says2(says(200, wholePolicy)), seen: func(r *http.Request, body []byte) {
		if r.Method == http.MethodPut {
			sent = string(body)
		}
	}}
	c := newTestClient(t, "https://s.test", through(rt))
	p, err := c.GetPolicy(t.Context(), "pol_1")
	require.NoError(t, err)
	require.True(t, p.Inactive)
	require.Equal(t, []string{}, p.Rules[0].Conditions.IPRanges)
	require.True(t, p.Rules[0].Conditions.RequireMFA)
	require.Equal(t, []scaivault.Permission{"read", "future"}, p.Rules[0].Permissions)
	require.JSONEq(t, `"10.0.0.0/8"`, string(p.Rules[1].Conditions.Other["ip_ranges"]), "a condition of another form is not lost")
	require.Nil(t, p.Rules[3].Conditions)
	require.Equal(t, []scaivault.PolicyBinding{{ID: "bnd_1", IdentityType: "user", IdentityID: "u1", ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}}, p.Bindings)
	require.Equal(t, 4, p.RuleCount)
	require.Equal(t, 1, p.BindingCount)

	p.Rules[2].Permissions = []scaivault.Permission{scaivault.PermissionRead}
	p.Description = "new"
	_, err = c.UpdatePolicy(t.Context(), p)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"readers","description":"new","scope":"tenant","is_active":false,"priority":1.50,`+
		`"rules":[{"path_pattern":"a/**","permissions":["read","future"],"note":"x","conditions":{"ip_ranges":[],"require_mfa":true,"time_window":{"from":"08:00","n":1e2}}},`+
		`{"path_pattern":"b","permissions":["list"],"conditions":{"ip_ranges":"10.0.0.0/8","require_mfa":"always"}},`+
		`{"path_pattern":"c","permissions":["read"],"conditions":["all"]},{"path_pattern":"d","permissions":["read"]}]}`, sent)
	require.Contains(t, sent, "1.50", "also to the digit")
	require.Contains(t, sent, "1e2")
}

// TestPolicyTakesFieldsByTheirExactNames, so that none stands in for another.
func TestPolicyTakesFieldsByTheirExactNames(t *testing.T) {
	t.Parallel()
	var rule scaivault.PolicyRule
	text := `{"path_pattern":"a","PATH_PATTERN":"**","permissions":["read"],"Permissions":["admin"],"conditions":{"require_mfa":true,"Require_MFA":false},"CONDITIONS":{}}`
	require.NoError(t, json.Unmarshal([]byte(text), &rule))
	require.Equal(t, "a", rule.PathPattern)
	require.Equal(t, []scaivault.Permission{"read"}, rule.Permissions)
	require.True(t, rule.Conditions.RequireMFA)
	again, err := json.Marshal(rule)
	require.NoError(t, err)
	require.JSONEq(t, text, string(again))
}

func TestPoliciesListsPages(t *testing.T) {
	t.Parallel()
	rt := &script{answers: says2(
		says(200, `{"policies":[{"id":"p1","name":"a","rule_count":2,"binding_count":3,"is_active":true}],"cursor":"c1","has_more":true}`),
		says(200, `{"data":[{"id":"p2","name":"b","is_active":false}],"cursor":null,"has_more":false}`),
	)}
	var urls []string
	rt.seen = func(r *http.Request, _ []byte) { urls = append(urls, r.URL.RawQuery) }
	all, err := policiesOf(t.Context(), newTestClient(t, "https://s.test", through(rt)), &scaivault.PolicyQuery{Scope: "partner", IncludeInactive: true, PageSize: 1})
	require.NoError(t, err)
	require.Equal(t, []scaivault.Policy{{ID: "p1", Name: "a", RuleCount: 2, BindingCount: 3}, {ID: "p2", Name: "b", Inactive: true}}, all)
	require.Equal(t, []string{"include_inactive=true&limit=1&scope=partner", "cursor=c1&include_inactive=true&limit=1&scope=partner"}, urls)

	_, err = policiesOf(t.Context(), newTestClient(t, "https://s.test"), &scaivault.PolicyQuery{PageSize: -1})
	requireMatches(t, err, scaivault.ErrInvalid)
	for _, body := range []string{`{}`, `{"policies":{}}`, `{"policies":[7]}`, `{"policies":[{"name":"x"}]}`, `{"policies":[],"has_more":true}`, `{"policies":[],"cursor":{},"has_more":true}`, `{"policies":[{"id":"x","rules":7}]}`, balancerPage} {
		_, err := policiesOf(t.Context(), serve(t, answer(200, body)), nil)
		requireMatches(t, err, scaivault.ErrUnavailable)
	}
}

func TestPoliciesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	rt := &script{}
	c := newTestClient(t, "https://s.test", through(rt))
	broken := map[string]func(*scaivault.Policy){
		"name":        func(p *scaivault.Policy) { p.Name = " " },
		"rules":       func(p *scaivault.Policy) { p.Rules = nil },
		"pattern":     func(p *scaivault.Policy) { p.Rules[0].PathPattern = "" },
		"slash":       func(p *scaivault.Policy) { p.Rules[0].PathPattern = "/a" },
		"permissions": func(p *scaivault.Policy) { p.Rules[0].Permissions = nil },
		"own":         func(p *scaivault.Policy) { p.Other = map[string]json.RawMessage{"id": nil} },
		"other":       func(p *scaivault.Policy) { p.Other = map[string]json.RawMessage{"x": json.RawMessage("{")} },
		"condition": func(p *scaivault.Policy) {
			p.Rules[0].Conditions = &scaivault.PolicyConditions{Other: map[string]json.RawMessage{"x": json.RawMessage("}")}}
		},
	}
	for _, change := range broken {
		p := onePolicy("pol_1")
		change(p)
		_, err := c.CreatePolicy(t.Context(), p)
		requireMatches(t, err, scaivault.ErrInvalid)
		_, err = c.UpdatePolicy(t.Context(), p)
		requireMatches(t, err, scaivault.ErrInvalid)
	}
	_, err := c.CreatePolicy(t.Context(), nil)
	requireMatches(t, err, scaivault.ErrInvalid)
	_, err = c.UpdatePolicy(t.Context(), nil)
	requireMatches(t, err, scaivault.ErrInvalid)
	for _, b := range []scaivault.PolicyBinding{{}, {IdentityType: "user"}, {IdentityID: "x"}, {ID: "b", IdentityType: "user", IdentityID: "x"}} {
		_, err := c.BindPolicy(t.Context(), "pol_1", b)
		requireMatches(t, err, scaivault.ErrInvalid)
	}
	for _, q := range [][3]string{{"", "a", "read"}, {"x", "", "read"}, {"x", "/a", "read"}, {"x", "a", ""}} {
		_, err := c.TestPolicy(t.Context(), q[0], q[1], scaivault.Permission(q[2]))
		requireMatches(t, err, scaivault.ErrInvalid)
	}
	require.Zero(t, rt.requests.Load())
}

// TestCreatePolicyIsSentOnce: a lost answer is ErrUncertain.
func TestCreatePolicyIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, a := range says2(breaks(errors.New("reset")), says(500, refusal("internal_error")), says(201, `{}`), says(201, ""), says(200, balancerPage)) {
		rt := &script{answers: says2(a)}
		_, err := newTestClient(t, "https://s.test", through(rt), retries(5)).CreatePolicy(t.Context(), onePolicy(""))
		requireMatches(t, err, scaivault.ErrUncertain)
		require.EqualValues(t, 1, rt.requests.Load())
	}
	for _, body := range []string{`{"id":"pol_1"}`, `{"policy":{"id":"pol_1","is_active":true}}`} {
		p, err := serve(t, answer(201, body)).CreatePolicy(t.Context(), onePolicy(""))
		require.NoError(t, err)
		want := onePolicy("pol_1")
		want.RuleCount = 1
		require.Equal(t, want, p)
	}
}

// TestUpdatePolicyLooksWhenTheAnswerIsLost.
func TestUpdatePolicyLooksWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	same := says(200, `{"id":"pol_1","name":"readers","rules":[{"permissions":["read"],"path_pattern":"a/**"}],"updated_at":"2030-01-01T00:00:00Z","bindings":[]}`)
	other := says(200, `{"id":"pol_1","name":"readers","rules":[{"permissions":["read","write"],"path_pattern":"a/**"}]}`)
	for _, c := range []struct {
		name        string
		first, look func(*http.Request) (*http.Response, error)
		asked       int64
		result      error
	}{
		{"whole", same, other, 1, nil},
		{"nothing", says(204, ""), same, 2, nil},
		{"id alone", says(200, `{"id":"pol_1"}`), same, 2, nil},
		{"accepted, changed by the service", says(204, ""), other, 2, nil},
		{"accepted, no look", says(204, ""), breaks(errors.New("reset")), 2, nil},
		{"cut, there", breaks(errors.New("reset")), same, 2, nil},
		{"cut, not there", breaks(errors.New("reset")), other, 2, scaivault.ErrUncertain},
		{"of another policy", says(200, `{"id":"pol_2","name":"readers","rules":[{"permissions":["read"],"path_pattern":"a/**"}]}`), same, 2, nil},
		{"cut, cut", breaks(errors.New("reset")), breaks(errors.New("reset")), 2, scaivault.ErrUncertain},
		{"page, not there", says(200, balancerPage), other, 2, scaivault.ErrUncertain},
		{"refused", says(400, refusal("invalid_policy")), same, 1, scaivault.ErrInvalid},
		{"missing", says(404, refusal("policy_not_found")), same, 1, scaivault.ErrNotFound},
	} {
		rt := &script{answers: says2(c.first, c.look)}
		p, err := newTestClient(t, "https://s.test", through(rt), retries(-1)).UpdatePolicy(t.Context(), onePolicy("pol_1"))
		require.Equal(t, c.asked, rt.requests.Load(), c.name)
		if c.result != nil {
			requireMatches(t, err, c.result)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, "pol_1", p.ID)
		require.NotEmpty(t, p.Rules)
	}
}

// TestBindPolicyLooksWhenTheAnswerIsLost.
func TestBindPolicyLooksWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	wanted := `{"id":"b1","identity_type":"user","identity_id":"u1","expires_at":"2031-01-02T03:04:05Z"}`
	there := says(200, `{"bindings":[{"id":"b0","identity_type":"user","identity_id":"u1"},`+wanted+`]}`)
	others := says(200, `{"bindings":[{"id":"b0","identity_type":"user","identity_id":"u1"}]}`)
	for _, c := range []struct {
		name        string
		first, look func(*http.Request) (*http.Response, error)
		asked       int64
		id          string
		result      error
	}{
		{"whole", says(201, wanted), there, 1, "b1", nil},
		{"wrapped", says(201, `{"binding":`+wanted+`}`), there, 1, "b1", nil},
		{"nothing", says(204, ""), there, 2, "b1", nil},
		{"nothing, no look", says(201, "{}"), breaks(errors.New("reset")), 2, "", nil},
		{"cut, there", breaks(errors.New("reset")), there, 2, "b1", nil},
		{"cut, not there", breaks(errors.New("reset")), others, 2, "", scaivault.ErrUncertain},
		{"cut, cut", breaks(errors.New("reset")), breaks(errors.New("reset")), 2, "", scaivault.ErrUncertain},
		{"refused", says(422, refusal("validation_error")), there, 1, "", scaivault.ErrInvalid},
	} {
		rt := &script{answers: says2(c.first, c.look), seen: func(r *http.Request, body []byte) {
			if r.Method == http.MethodPost {
				assert.JSONEq(t, `{"identity_type":"user","identity_id":"u1","expires_at":"2031-01-02T03:04:05Z"}`, string(body))
			}
			assert.Equal(t, "/v1/policies/pol_1/bindings", r.URL.Path)
		}}
		b := scaivault.PolicyBinding{IdentityType: "user", IdentityID: "u1", ExpiresAt: at.In(time.FixedZone("x", 3600))}
		bound, err := newTestClient(t, "https://s.test", through(rt)).BindPolicy(t.Context(), "pol_1", b)
		require.Equal(t, c.asked, rt.requests.Load(), c.name)
		if c.result != nil {
			requireMatches(t, err, c.result)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.id, bound.ID, c.name)
		require.True(t, at.Equal(bound.ExpiresAt))
	}
}

// TestTestPolicyNeverGuesses: an answer that does not say yes or no is none.
func TestTestPolicyNeverGuesses(t *testing.T) {
	t.Parallel()
	for body, allowed := range map[string]bool{
		`{"allowed":true,"evaluated":[]}`: true, `{"allowed":false}`: false, `{"decision":"allow"}`: true, `{"decision":"DENY","reason":"why"}`: false,
		`{"result":"denied"}`: false, `{"effect":"permit","allowed":true}`: true, `{"allow":true}`: true,
	} {
		d, err := serve(t, answer(200, body)).TestPolicy(t.Context(), "sa:x", "a/b", scaivault.PermissionRead)
		require.NoError(t, err, body)
		require.Equal(t, allowed, d.Allowed, body)
		require.Equal(t, body, string(d.Explanation))
		if strings.Contains(body, "why") {
			require.Equal(t, "why", d.Reason)
		}
	}
	for _, body := range []string{`{}`, `null`, `[]`, `true`, `{"allowed":"maybe"}`, `{"allowed":null}`, `{"allowed":1}`, `{"allowed":true,"decision":"deny"}`, `{"allow":false,"effect":"allow"}`, "", balancerPage} {
		_, err := serve(t, answer(200, body)).TestPolicy(t.Context(), "sa:x", "a/b", scaivault.PermissionRead)
		requireMatches(t, err, scaivault.ErrUnavailable)
	}
}

// FuzzPolicy: a policy that is read is written with all that was in it.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(wholePolicy))
	f.Fuzz(func(t *testing.T, body []byte) {
		var sent []byte
		rt := &script{answers: says2(says(200, string(body))), seen: func(r *http.Request, b []byte) {
			if r.Method == http.MethodPut {
				sent = b
			}
		}}
		c := newTestClient(t, "https://s.test", through(rt))
		p, err := c.GetPolicy(t.Context(), "x")
		if err != nil {
			require.NotEqual(t, "??", kindOf(err))
			return
		}
		if p.ID != "x" {
			return
		}
		_, err = c.UpdatePolicy(t.Context(), p)
		if sent == nil {
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			return
		}
		var was, now struct {
			Rules []struct {
				Conditions json.RawMessage `json:"conditions"`
			} `json:"rules"`
		}
		require.NoError(t, json.Unmarshal(sent, &now))
		if json.Unmarshal(body, &was) == nil && len(was.Rules) == len(now.Rules) {
			for i := range was.Rules {
				if c := string(was.Rules[i].Conditions); c != "" && c != "null" {
					require.NotEmpty(t, now.Rules[i].Conditions, "the conditions are lost")
				}
			}
		}
	})
}
