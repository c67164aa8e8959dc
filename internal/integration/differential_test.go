// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What differs between two servers that do the same: times, ids, and how a
// client is counted.
var changing = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`), `"<time>"`},
	{regexp.MustCompile(`"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"`), `"<uuid>"`},
	{regexp.MustCompile(`"client_id":"[^"]*"`), `"client_id":"<id>"`},
	{regexp.MustCompile(`"(accessor|uuid|running_plugin_version)":"[^"]*"`), `"$1":"<id>"`},
}

// said is an answer in a form in which equal ones of two servers are equal.
func said(status int, body string) string {
	if body != "" {
		if value, err := decode(body); err == nil {
			body = show(value)
		}
	}
	for _, part := range changing {
		body = part.pattern.ReplaceAllString(body, part.instead)
	}
	return fmt.Sprint(status, " ", body)
}

// twins are a real Vault and a small one that are asked the same.
type twins struct {
	real, small *server
	mounts      atomic.Int64
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	return &twins{real: startReal(t), small: startSmall(t)}
}

// newPath is a path that nothing was mounted at before.
func (w *twins) newPath(kind string) string { return fmt.Sprintf("%s%d", kind, w.mounts.Add(1)) }

// mount mounts a KV engine in both, at a path that was not used before.
func (w *twins) mount(version int) string {
	path := w.newPath("kv")
	w.real.mount(path, version)
	w.small.mount(path, version)
	return path
}

// ask sends a step to both and ends the check when the answers differ.
func (w *twins) ask(t *testing.T, rt *rapid.T, step step, kept ...map[string]string) {
	t.Helper()
	if kept == nil {
		kept = []map[string]string{{}, {}}
	}
	status, _, body := w.real.send(t, step, kept[0])
	status2, _, body2 := w.small.send(t, step, kept[1])
	want, got := said(status, body), said(status2, body2)
	rt.Logf("%s %s %s -> %s", step.as, step.do, step.body, want)
	if want != got {
		rt.Fatalf("%s %s\nreal:  %s\nsmall: %s", step.do, step.body, want, got)
	}
}

func TestSmallVaultDoesLikeTheRealOneOnKV1(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		mount := w.mount(1)
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			w.ask(t, rt, drawKV1(rt, mount))
		}
	})
}

func drawKV1(rt *rapid.T, mount string) step {
	path := mount + "/" + drawPath(rt)
	switch rapid.SampledFrom([]string{"write", "read", "delete", "list"}).Draw(rt, "what") {
	case "write":
		return step{do: "POST " + path, body: drawData(rt)}
	case "read":
		return step{do: "GET " + path}
	case "delete":
		return step{do: "DELETE " + path}
	default:
		return step{do: "LIST " + mount + "/" + drawFolder(rt)}
	}
}

func TestSmallVaultDoesLikeTheRealOneOnKV2(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		mount := w.mount(2)
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			w.ask(t, rt, drawKV2(rt, mount))
		}
	})
}

func drawKV2(rt *rapid.T, mount string) step {
	path := drawPath(rt)
	kind := rapid.SampledFrom([]string{
		"write", "write", "write", "read", "read", "delete", "versions", "versions", "metadata", "settings", "remove", "list", "wrong",
		"patch", "patch", "patch settings", "config",
	}).Draw(rt, "what")
	switch kind {
	case "write":
		return step{do: "POST " + mount + "/data/" + path, body: `{"data":` + drawData(rt) + drawOptions(rt) + `}`}
	case "read":
		query := rapid.SampledFrom([]string{"", "", "?version=1", "?version=2", "?version=3", "?version=0"}).Draw(rt, "query")
		return step{do: "GET " + mount + "/data/" + path + query}
	case "delete":
		return step{do: "DELETE " + mount + "/data/" + path}
	case "versions":
		verb := rapid.SampledFrom([]string{"delete", "undelete", "destroy"}).Draw(rt, "verb")
		versions := rapid.SampledFrom([]string{"[1]", "[2]", "[1,2,3]", "[3]", "[0]", "[]", `["1"]`, "[9]"}).Draw(rt, "versions")
		return step{do: "POST " + mount + "/" + verb + "/" + path, body: `{"versions":` + versions + `}`}
	case "metadata":
		return step{do: "GET " + mount + "/metadata/" + path}
	case "settings":
		return step{do: "POST " + mount + "/metadata/" + path, body: drawSettings(rt)}
	case "patch settings":
		return step{do: "PATCH " + mount + "/metadata/" + path, header: mergePatch, body: drawSettings(rt)}
	case "patch":
		body := `{"data":` + drawPatch(rt) + drawOptions(rt) + `}`
		return step{do: "PATCH " + mount + "/data/" + path, header: drawPatchKind(rt), body: body}
	case "config":
		config := rapid.SampledFrom([]string{
			`{"max_versions":3}`, `{"max_versions":0}`, `{"cas_required":true}`, `{"cas_required":false}`, `{}`,
			`{"delete_version_after":"-1s"}`, `{"delete_version_after":"1h"}`, `{"delete_version_after":0}`, `{"max_versions":"x"}`,
		}).Draw(rt, "config")
		return step{do: rapid.SampledFrom([]string{"GET ", "POST "}).Draw(rt, "verb") + mount + "/config", body: config}
	case "remove":
		return step{do: "DELETE " + mount + "/metadata/" + path}
	case "list":
		return step{do: "LIST " + mount + "/metadata/" + drawFolder(rt)}
	default:
		method := rapid.SampledFrom([]string{"GET", "POST", "DELETE", "LIST"}).Draw(rt, "method")
		return step{do: method + " " + mount + "/" + path, body: `{"data":{}}`}
	}
}

func drawPath(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "a/b", "a/b/c", "data", "A"}).Draw(rt, "path")
}

func drawFolder(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "a/", "a/b", "b", "nosuch"}).Draw(rt, "folder")
}

func drawOptions(rt *rapid.T) string {
	return rapid.SampledFrom([]string{
		"", "", "", `,"options":{}`, `,"options":{"cas":0}`, `,"options":{"cas":1}`, `,"options":{"cas":2}`, `,"options":{"cas":null}`, `,"options":null`,
	}).Draw(rt, "options")
}

// drawData draws an object of one to three keys with values of every kind.
func drawData(rt *rapid.T) string {
	value := rapid.OneOf(
		rapid.SampledFrom([]string{
			`null`, `true`, `""`, `[]`, `{}`, `{"x":[1.50,{"y":null}]}`, `0`, `-0`, `1.10`, `1e21`, `1e-7`, `1E5`, `123456789012345678901`,
			`9007199254740993`, `0.1e1`, `"\u00e9e\u0301"`, `"<&>\u2028"`, `"\ud83d\ude00"`,
		}),
		rapid.Map(rapid.Float64(), func(f float64) string { return show(f) }),
		rapid.Map(rapid.Int64(), func(i int64) string { return show(i) }),
		rapid.Map(rapid.String(), func(s string) string { return show(s) }),
	)
	keys := rapid.SampledFrom([]string{"v", "v,w", "password", "a b,ü,"}).Draw(rt, "keys")
	var fields []string
	for _, key := range strings.Split(keys, ",") {
		fields = append(fields, show(key)+":"+value.Draw(rt, "value"))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func TestSmallVaultAllowsLikeTheRealOne(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	mount := w.mount(1)
	rapid.Check(t, func(rt *rapid.T) {
		name := fmt.Sprintf("p%d", w.mounts.Add(1))
		policy := drawPolicy(rt, mount)
		w.ask(t, rt, step{do: "PUT sys/policies/acl/" + name, body: `{"policy":` + show(policy) + `}`})
		kept := []map[string]string{{}, {}}
		create := step{do: "POST auth/token/create", body: `{"policies":["` + name + `"]}`}
		for i, s := range []*server{w.real, w.small} {
			_, _, body := s.send(t, create, kept[i])
			require.NoError(t, match(`{"auth":{"client_token":"<keep:limited>","...":0}}`, body, kept[i]))
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			method := rapid.SampledFrom([]string{"GET", "POST", "DELETE", "LIST", "PATCH"}).Draw(rt, "method")
			asked := step{as: "limited", do: method + " " + mount + drawRequestPath(rt), body: `{"a":"b"}`, header: mergePatch}
			if method != "POST" && method != "PATCH" {
				asked.body = ""
			}
			w.ask(t, rt, asked, kept...)
			w.ask(t, rt, step{as: "limited", do: "GET sys/internal/ui/mounts/" + mount + drawRequestPath(rt)}, kept...)
		}
	})
}

// drawPolicy draws rules that overlap: exact, with + for a segment and with *
// at the end.
func drawPolicy(rt *rapid.T, mount string) string {
	var rules strings.Builder
	for range rapid.IntRange(1, 5).Draw(rt, "rules") {
		path := rapid.SampledFrom([]string{
			"/a", "/a/*", "/a/b", "/a/b/*", "/+", "/+/b", "/a/+", "/+/b/*", "/a/+/c", "/a*", "/*", "/", "/a/", "/+/+", "/a/b/", "/+/*", "/a/+/",
		}).Draw(rt, "rule")
		all := []string{`"create"`, `"read"`, `"update"`, `"delete"`, `"list"`, `"patch"`, `"sudo"`, `"deny"`}
		capabilities := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 0, 4, rapid.ID[string]).Draw(rt, "capabilities")
		fmt.Fprintf(&rules, "path %q { capabilities = [%s] }\n", mount+path, strings.Join(capabilities, ", "))
	}
	return rules.String()
}

func drawRequestPath(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b", "/b/b", "/x/b/c", "/a/x/c"}).Draw(rt, "path")
}
