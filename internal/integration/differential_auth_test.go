// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What differs in answers about tokens, beside what differs in all of them.
var (
	tokenIDs   = regexp.MustCompile(`hv[sb]\.[A-Za-z0-9_-]+`)
	unixTimes  = regexp.MustCompile(`"(creation_time|last_renewal_time)":\d+`)
	secondsOf  = regexp.MustCompile(`"(ttl|lease_duration)":(\d+)`)
	durationOf = regexp.MustCompile(`\\"((?:\d+h)?(?:\d+m)?(?:\d+s)?)\\"`)
)

// untimed takes away what two servers that are asked one after the other tell
// differently: seconds that are left are rounded to tens, and what is drawn
// here lies far enough from fives.
func untimed(answer string) string {
	tens := func(d time.Duration) time.Duration { return d.Round(10 * time.Second) }
	answer = tokenIDs.ReplaceAllString(answer, "<token>")
	answer = unixTimes.ReplaceAllString(answer, `"$1":<unix>`)
	answer = secondsOf.ReplaceAllStringFunc(answer, func(field string) string {
		part := secondsOf.FindStringSubmatch(field)
		n, err := strconv.Atoi(part[2])
		if err != nil {
			return field
		}
		return fmt.Sprintf("%q:%v", part[1], tens(time.Duration(n)*time.Second))
	})
	return durationOf.ReplaceAllStringFunc(answer, func(quoted string) string {
		d, err := time.ParseDuration(durationOf.FindStringSubmatch(quoted)[1])
		if err != nil {
			return quoted
		}
		return fmt.Sprintf("%q", tens(d).String())
	})
}

// issued are the tokens that both servers gave in one check, by name.
type issued struct {
	twins *twins
	names []string
	kept  [2]map[string]string
}

func newIssued(w *twins) *issued {
	none := map[string]string{"none": "hvs.nosuch"}
	return &issued{twins: w, kept: [2]map[string]string{none, maps.Clone(none)}}
}

// ask sends a step to both, wants the same answer, and keeps what they gave
// under the field of the answer's auth or data that is named.
func (s *issued) ask(t *testing.T, rt *rapid.T, step step, part, field string) {
	t.Helper()
	name := fmt.Sprintf("%s%d", field, len(s.names))
	said2, complete := [2]string{}, true
	for i, server := range []*server{s.twins.real, s.twins.small} {
		status, _, body := server.send(t, step, s.kept[i])
		said2[i] = untimed(said(status, body))
		var answer map[string]json.RawMessage
		var fields map[string]any
		if json.Unmarshal([]byte(body), &answer) != nil || json.Unmarshal(answer[part], &fields) != nil {
			complete = false
			continue
		}
		text, ok := fields[field].(string)
		s.kept[i][name] = text
		complete = complete && ok && text != ""
	}
	rt.Logf("%s %s %s -> %s", step.as, step.do, step.body, said2[0])
	if said2[0] != said2[1] {
		rt.Fatalf("as %q: %s %s\nreal:  %s\nsmall: %s", step.as, step.do, step.body, said2[0], said2[1])
	}
	if complete {
		s.names = append(s.names, name)
	}
}

// awaitSame asks both until they answer the same: the real one ends tokens in
// the background.
func (s *issued) awaitSame(t *testing.T, rt *rapid.T, step step) {
	t.Helper()
	var answers [2]string
	for range 1000 {
		for i, server := range []*server{s.twins.real, s.twins.small} {
			status, _, body := server.send(t, step, s.kept[i])
			answers[i] = untimed(said(status, body))
		}
		if answers[0] == answers[1] {
			return
		}
	}
	rt.Fatalf("%s %s\nreal:  %s\nsmall: %s", step.do, step.body, answers[0], answers[1])
}

// draw chooses one of what was kept of a field, or something that is none.
func (s *issued) draw(rt *rapid.T, field string) string {
	names := []string{""}
	for _, name := range s.names {
		if strings.HasPrefix(name, field) {
			names = append(names, name)
		}
	}
	if len(names) > 1 {
		names = names[1:]
	}
	if name := rapid.SampledFrom(names).Draw(rt, field); name != "" {
		return name
	}
	return "none"
}

// drawFields draws an object with some of the fields, each with one of its values.
func drawFields(rt *rapid.T, values map[string][]string, order ...string) string {
	body := "{"
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(order), 0, 4, rapid.ID[string]).Draw(rt, "fields") {
		if body != "{" {
			body += ","
		}
		body += show(name) + ":" + rapid.SampledFrom(values[name]).Draw(rt, name)
	}
	return body + "}"
}

func times(more ...string) []string {
	return append([]string{`"10m"`, `3600`, `"2h"`, `"900h"`, `"0"`, `""`}, more...)
}

func drawToken(rt *rapid.T) string {
	return drawFields(rt, map[string][]string{
		"ttl": times(), "explicit_max_ttl": times(`"30m"`), "period": times(),
		"renewable": {"false", "true"}, "num_uses": {"0", "1", "2", "-1"}, "no_parent": {"true"},
		"policies": {`["default"]`, `["p1","p2"]`, `["root"]`, `[]`, `"p1,p1"`}, "display_name": {`"me"`, `"A b/c"`},
		"meta": {`{"a":"b"}`}, "type": {`"service"`, `"batch"`, `"other"`}, "no_default_policy": {"true"},
	}, "ttl", "explicit_max_ttl", "period", "renewable", "num_uses", "no_parent", "policies", "display_name", "meta", "type", "no_default_policy")
}

func TestSmallVaultKeepsTokensLikeTheRealOne(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		tokens := newIssued(w)
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			tokens.ask(t, rt, tokens.drawStep(rt), "auth", "client_token")
		}
		for _, name := range tokens.names { // some ended with those that made them
			tokens.awaitSame(t, rt, step{do: "POST auth/token/lookup", body: `{"token":"{{` + name + `}}"}`})
		}
	})
}

func (s *issued) drawStep(rt *rapid.T) step {
	who := rapid.SampledFrom([]string{"", s.draw(rt, "client_token")}).Draw(rt, "who")
	subject := `{"token":"{{` + s.draw(rt, "client_token") + `}}"}`
	increment := rapid.SampledFrom([]string{``, `{}`, `{"increment":"20m"}`, `{"increment":7200}`, `{"increment":"1000h"}`, `{"increment":-5}`}).Draw(rt, "increment")
	switch rapid.SampledFrom([]string{"create", "create", "create", "orphan", "self", "look", "renew", "renew", "end", "end self", "wrong"}).Draw(rt, "what") {
	case "create":
		return step{as: who, do: "POST auth/token/create", body: drawToken(rt)}
	case "orphan":
		return step{as: who, do: "POST auth/token/create-orphan", body: drawToken(rt)}
	case "self":
		return step{as: s.draw(rt, "client_token"), do: "GET auth/token/lookup-self"}
	case "look":
		return step{as: who, do: "POST auth/token/lookup", body: subject}
	case "renew":
		return step{as: s.draw(rt, "client_token"), do: "POST auth/token/renew-self", body: increment}
	case "end":
		return step{as: who, do: "POST auth/token/revoke", body: subject}
	case "end self":
		return step{as: s.draw(rt, "client_token"), do: "POST auth/token/revoke-self"}
	}
	path := rapid.SampledFrom([]string{"lookup", "renew", "revoke", "lookup-accessor", "revoke-accessor", "nosuch", "lookup-self", "create"}).Draw(rt, "path")
	method := rapid.SampledFrom([]string{"GET", "POST", "DELETE", "LIST"}).Draw(rt, "method")
	if path == "create" || path == "revoke" {
		method = "GET"
	}
	body := `{"token":"nosuch"}`
	if strings.HasSuffix(path, "accessor") {
		body = `{"accessor":"nosuch"}`
	}
	return step{as: who, do: method + " auth/token/" + path, body: body}
}

func TestSmallVaultLogsInLikeTheRealOne(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		path := w.newPath("approle")
		kept := newIssued(w)
		kept.ask(t, rt, step{do: "POST sys/auth/" + path, body: drawMount(rt)}, "", "")
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			s, part, field := kept.drawAppRole(rt, "auth/"+path)
			kept.ask(t, rt, s, part, field)
		}
	})
}

// drawMount enables AppRole with times of its own, or the system's.
func drawMount(rt *rapid.T) string {
	return `{"type":"approle","config":` + rapid.SampledFrom([]string{
		`{}`, `{}`, `{"default_lease_ttl":"1h","max_lease_ttl":"2h"}`, `{"default_lease_ttl":"20m"}`, `{"max_lease_ttl":"30m"}`,
	}).Draw(rt, "config") + `}`
}

// drawAppRole draws a step, and what of its answer is to be kept.
func (s *issued) drawAppRole(rt *rapid.T, path string) (drawn step, part, field string) {
	role := path + "/role/" + rapid.SampledFrom([]string{"a", "a", "a", "B"}).Draw(rt, "role")
	switch rapid.SampledFrom([]string{"role", "id", "secret", "secret", "login", "login", "login", "token", "renew", "read", "end", "list"}).Draw(rt, "what") {
	case "role":
		return step{do: "POST " + role, body: drawRole(rt)}, "data", "none"
	case "id":
		return step{do: "GET " + role + "/role-id"}, "data", "role_id"
	case "secret":
		body := rapid.SampledFrom([]string{``, `{}`, `{"ttl":"1h"}`, `{"num_uses":1}`, `{"metadata":"{\"a\":\"b\"}"}`}).Draw(rt, "secret id")
		return step{do: "POST " + role + "/secret-id", body: body}, "data", "secret_id"
	case "login":
		body := fmt.Sprintf(`{"role_id":"{{%s}}","secret_id":"{{%s}}"}`, s.draw(rt, "role_id"), s.draw(rt, "secret_id"))
		return step{as: nobody, do: "POST " + path + "/login", body: body}, "auth", "client_token"
	case "token":
		return step{as: s.draw(rt, "client_token"), do: "GET auth/token/lookup-self"}, "", ""
	case "renew":
		body := rapid.SampledFrom([]string{``, `{"increment":"20m"}`, `{"increment":"1000h"}`}).Draw(rt, "increment")
		return step{as: s.draw(rt, "client_token"), do: "POST auth/token/renew-self", body: body}, "", ""
	case "end":
		what := rapid.SampledFrom([]string{"/secret-id/destroy", "/secret-id/lookup"}).Draw(rt, "end")
		return step{do: "POST " + role + what, body: `{"secret_id":"{{` + s.draw(rt, "secret_id") + `}}"}`}, "", ""
	case "list":
		return step{do: "LIST " + path + "/role"}, "", ""
	}
	return step{do: rapid.SampledFrom([]string{"GET", "GET", "GET", "DELETE"}).Draw(rt, "verb") + " " + role}, "", ""
}

func drawRole(rt *rapid.T) string {
	return drawFields(rt, map[string][]string{
		"token_ttl": times(), "token_max_ttl": times(`"30m"`), "token_period": times(), "token_explicit_max_ttl": times(),
		"token_num_uses": {"0", "2", "-1"}, "token_policies": {`["p1"]`, `"p1,p2"`, `[]`, `["default"]`}, "policies": {`["old"]`},
		"token_no_default_policy": {"true"}, "token_type": {`"batch"`, `"service"`, `"default"`, `"other"`}, "secret_id_num_uses": {"1", "3", "-1"},
		"secret_id_ttl": times(), "bind_secret_id": {"true", "false"},
	}, "token_ttl", "token_max_ttl", "token_period", "token_explicit_max_ttl", "token_num_uses", "token_policies", "policies",
		"token_no_default_policy", "token_type", "secret_id_num_uses", "secret_id_ttl", "bind_secret_id")
}
