// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSmallVaultPatchesLikeTheRealOne works on one secret, so that most patches
// meet something to change.
func TestSmallVaultPatchesLikeTheRealOne(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	rapid.Check(t, func(rt *rapid.T) {
		mount := w.mount(2)
		w.ask(t, rt, step{do: "POST " + mount + "/data/a", body: `{"data":` + drawData(rt) + `}`})
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"patch", "patch", "patch", "write", "settings", "replace", "custom", "custom"}).Draw(rt, "what") {
			case "patch":
				w.ask(t, rt, step{do: "PATCH " + mount + "/data/a", header: drawPatchKind(rt), body: `{"data":` + drawPatch(rt) + `}`})
			case "write":
				w.ask(t, rt, step{do: "POST " + mount + "/data/a", body: `{"data":` + drawPatch(rt) + `}`})
			case "settings":
				w.ask(t, rt, step{do: "PATCH " + mount + "/metadata/a", header: mergePatch, body: drawSettings(rt)})
			case "custom":
				custom := rapid.SampledFrom([]string{`{"a":"b"}`, `{"d":"e"}`, `{"a":null}`, `{"d":null,"f":"g"}`, `{}`}).Draw(rt, "custom")
				w.ask(t, rt, step{do: "PATCH " + mount + "/metadata/a", header: mergePatch, body: `{"custom_metadata":` + custom + `}`})
			default:
				w.ask(t, rt, step{do: "POST " + mount + "/metadata/a", body: drawSettings(rt)})
			}
			w.ask(t, rt, step{do: "GET " + mount + "/data/a"})
			w.ask(t, rt, step{do: "GET " + mount + "/metadata/a"})
		}
	})
}

// drawPatchKind draws the header of a patch, mostly the right one.
func drawPatchKind(rt *rapid.T) string {
	return rapid.SampledFrom([]string{
		mergePatch, mergePatch, mergePatch, mergePatch, mergePatch + "; charset=utf-8", "Content-Type: application/json", "", "Content-Type: ;",
	}).Draw(rt, "kind")
}

const mergePatch = "Content-Type: application/merge-patch+json"

// drawSettings draws what can be set for one secret, and what cannot.
func drawSettings(rt *rapid.T) string {
	return rapid.SampledFrom([]string{
		`{"max_versions":2}`, `{"max_versions":0}`, `{"max_versions":-1}`, `{"max_versions":4294967297}`, `{"max_versions":"3"}`, `{"max_versions":null}`,
		`{"cas_required":true}`, `{"cas_required":false}`, `{"cas_required":null}`, `{"cas_required":"maybe"}`, `{}`, ``, `null`,
		`{"custom_metadata":{"a":"b"}}`, `{"custom_metadata":{"a":"c","d":"e"}}`, `{"custom_metadata":{"a":null}}`, `{"custom_metadata":{}}`,
		`{"custom_metadata":null}`, `{"max_versions":1,"custom_metadata":{"x":""}}`, `{"custom_metadata":{"n":1}}`, `{"custom_metadata":{"n":true}}`,
		`{"custom_metadata":{"n":{}}}`, `{"custom_metadata":{"n":[]}}`, `{"custom_metadata":"text"}`, `{"unknown":1}`,
		`{"delete_version_after":"1h"}`, `{"delete_version_after":0}`, `{"delete_version_after":"90m30s"}`, `{"delete_version_after":-5}`,
		`{"delete_version_after":"soon"}`, `{"delete_version_after":null,"max_versions":4}`,
	}).Draw(rt, "settings")
}

// drawPatch draws a merge patch: nulls and objects at every depth.
func drawPatch(rt *rapid.T) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			`{}`, `null`, `[]`, `"x"`, `{"v":null}`, `{"v":{"x":1}}`, `{"v":{"x":null,"y":{"z":null,"n":1.10}}}`, `{"v":[1,null,{"a":null,"b":1}]}`,
			`{"w":{"x":[{"a":null}]}}`, `{"w":null,"v":"new"}`, `{"v":{}}`, `{"password":{"v":{"w":null}}}`, `{"a b":9007199254740993}`,
		}),
		rapid.Custom(drawData),
	).Draw(rt, "patch")
}
