// SPDX-License-Identifier: Apache-2.0

package integration_test

import "fmt"

// kv2Stories tells what the data of KV version 2 answers.
func kv2Stories() []story {
	kv := map[string]int{"kv": 2}
	return []story{
		{name: "kv v2 reads and writes", mounts: kv, steps: kv2ReadWrite()},
		{name: "kv v2 version states", mounts: kv, steps: kv2States()},
		{name: "kv v2 check and set", mounts: kv, steps: kv2CheckAndSet()},
		{name: "kv v2 rounds numbers", mounts: kv, steps: kv2Values()},
		{name: "kv v2 refuses", mounts: kv, steps: kv2Refusals()},
		{name: "kv v2 path without data", mounts: kv, steps: kv2WrongPaths()},
	}
}

// live is the metadata of a version that can be read.
func live(version int) string {
	return fmt.Sprintf(`{"created_time":"<time>","custom_metadata":null,"deletion_time":"","destroyed":false,"version":%d}`, version)
}

// gone is the metadata of a version that was deleted, or destroyed too.
func gone(version int, destroyed bool) string {
	return fmt.Sprintf(`{"created_time":"<time>","custom_metadata":null,"deletion_time":"<time>","destroyed":%t,"version":%d}`, destroyed, version)
}

func envelope2(data, mountType string) string {
	return `{"request_id":"<uuid>","lease_id":"","renewable":false,"lease_duration":0,"data":` + data +
		`,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"` + mountType + `"}`
}

// secret2 is the whole answer to a read of KV version 2.
func secret2(data, metadata string) string {
	return envelope2(`{"data":`+data+`,"metadata":`+metadata+`}`, "kv")
}

// noSecret2 is the whole answer to a read of a version that is gone: a 404
// with a body that says what is gone.
func noSecret2(metadata string) string {
	return envelope2(`{"data":null,"metadata":`+metadata+`}`, "")
}

// written2 is the whole answer to a write of KV version 2.
func written2(version int) string { return envelope2(live(version), "kv") }

func kv2ReadWrite() []step {
	return []step{
		{do: "GET kv/data/a", status: 404, want: notFound},
		{do: "POST kv/data/a", body: `{"data":{"user":"u","password":"p"}}`, status: 200, want: written2(1)},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"user":"u","password":"p"}`, live(1))},
		{do: "PUT kv/data/a", body: `{"data":{"v":"2"}}`, status: 200, want: written2(2)},
		{do: "POST kv/data/a", body: `{"data":{}}`, status: 200, want: written2(3)},
		{do: "GET kv/data/a", status: 200, want: secret2(`{}`, live(3))},
		{do: "POST kv/data/a", body: `{"data":null}`, status: 200, want: written2(4)},
		{do: "GET kv/data/a?version=1", status: 200, want: secret2(`{"user":"u","password":"p"}`, live(1))},
		{do: "GET kv/data/a?version=2", status: 200, want: secret2(`{"v":"2"}`, live(2))},
		{do: "POST kv/data/a", body: `{"data":{"v":"5"},"options":{}}`, status: 200, want: written2(5)},
		{do: "GET kv/data/a?version=0", status: 200, want: secret2(`{"v":"5"}`, live(5))},
		{do: "GET kv/data/a?version=-1", status: 200, want: secret2(`{"v":"5"}`, live(5))},
		{do: "GET kv/data/a?version=", status: 200, want: secret2(`{"v":"5"}`, live(5))},
		{do: "GET kv/data/a?version=6", status: 404, want: notFound},
		{do: "GET kv/data/a?version=x", status: 400, want: somethingBad},
		{do: "POST kv/data/%C3%BC%20x%2Fy", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)},
		{do: "GET kv/data/%C3%BC%20x/y", status: 200, want: secret2(`{"v":"1"}`, live(1))},
		{do: "LIST kv/metadata", status: 200, want: envelope2(`{"keys":["a","ü x/"]}`, "kv")},
	}
}

func kv2States() []step {
	write := func(v string) string { return `{"data":{"v":"` + v + `"}}` }
	return []step{
		{do: "POST kv/data/a", body: write("1"), status: 200, want: written2(1)},
		{do: "POST kv/data/a", body: write("2"), status: 200, want: written2(2)},
		{do: "POST kv/data/a", body: write("3"), status: 200, want: written2(3)},

		{do: "DELETE kv/data/a", status: 204},
		{do: "GET kv/data/a", status: 404, want: noSecret2(gone(3, false))},
		{do: "GET kv/data/a?version=2", status: 200, want: secret2(`{"v":"2"}`, live(2))},
		{do: "DELETE kv/data/a", status: 204},
		{do: "LIST kv/metadata", status: 200, want: `{"data":{"keys":["a"]}}`},

		{do: "POST kv/undelete/a", body: `{"versions":[3]}`, status: 204},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"3"}`, live(3))},

		{do: "POST kv/delete/a", body: `{"versions":[1,"2",99]}`, status: 204},
		{do: "GET kv/data/a?version=1", status: 404, want: noSecret2(gone(1, false))},
		{do: "GET kv/data/a?version=2", status: 404, want: noSecret2(gone(2, false))},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"3"}`, live(3))},

		{do: "PUT kv/destroy/a", body: `{"versions":[1]}`, status: 204},
		{do: "POST kv/undelete/a", body: `{"versions":[1,2]}`, status: 204},
		{do: "GET kv/data/a?version=1", status: 404, want: noSecret2(gone(1, true))},
		{do: "GET kv/data/a?version=2", status: 200, want: secret2(`{"v":"2"}`, live(2))},

		// What is destroyed without being deleted first has no deletion time.
		{do: "POST kv/destroy/a", body: `{"versions":[3]}`, status: 204},
		{do: "GET kv/data/a", status: 404, want: noSecret2(
			`{"created_time":"<time>","custom_metadata":null,"deletion_time":"","destroyed":true,"version":3}`)},
		{do: "POST kv/data/a", body: write("4"), status: 200, want: written2(4)},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"4"}`, live(4))},

		{do: "POST kv/delete/a", body: `{}`, status: 400, want: `{"errors":["No version number provided"]}`},
		{do: "POST kv/undelete/a", body: `{}`, status: 400, want: `{"errors":["No version number provided"]}`},
		{do: "POST kv/destroy/a", body: `{}`, status: 400, want: `{"errors":["no version number provided"]}`},
		{do: "POST kv/delete/nosuch", body: `{"versions":[1]}`, status: 204},
		{do: "POST kv/undelete/nosuch", body: `{"versions":[1]}`, status: 204},
		{do: "POST kv/destroy/nosuch", body: `{"versions":[1]}`, status: 204},
		{do: "DELETE kv/data/nosuch", status: 204},
		{do: "GET kv/metadata/nosuch", status: 404, want: notFound},

		{do: "DELETE kv/metadata/a", status: 204},
		{do: "GET kv/data/a", status: 404, want: notFound},
		{do: "POST kv/data/a", body: write("anew"), status: 200, want: written2(1)},
	}
}

func kv2CheckAndSet() []step {
	write := func(cas string) string { return `{"data":{"v":"x"},"options":{"cas":` + cas + `}}` }
	mismatch := `{"errors":["check-and-set parameter did not match the current version"]}`
	required := `{"errors":["check-and-set parameter required for this call"]}`
	return []step{
		{do: "POST kv/data/a", body: write("1"), status: 400, want: mismatch},
		{do: "POST kv/data/a", body: write("0"), status: 200, want: written2(1)},
		{do: "POST kv/data/a", body: write("0"), status: 400, want: mismatch},
		{do: "POST kv/data/a", body: write("2"), status: 400, want: mismatch},
		{do: "POST kv/data/a", body: write("-1"), status: 400, want: mismatch},
		{do: "POST kv/data/a", body: write("1"), status: 200, want: written2(2)},
		{do: "POST kv/data/a", body: write(`"2"`), status: 200, want: written2(3)},
		{do: "POST kv/data/a", body: write(`"x"`), status: 400, want: `{"errors":["error parsing check-and-set parameter"]}`},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"x"}`, live(3))},

		// A deleted version counts: nothing is written at 0.
		{do: "DELETE kv/data/a", status: 204},
		{do: "POST kv/data/a", body: write("0"), status: 400, want: mismatch},
		{do: "POST kv/data/a", body: write("3"), status: 200, want: written2(4)},

		{do: "POST kv/metadata/a", body: `{"cas_required":true}`, status: 204},
		{do: "POST kv/data/a", body: `{"data":{"v":"x"}}`, status: 400, want: required},
		{do: "POST kv/data/a", body: write("4"), status: 200, want: written2(5)},
		{do: "POST kv/metadata/a", body: `{"cas_required":false}`, status: 204},
		{do: "POST kv/data/a", body: `{"data":{"v":"x"}}`, status: 200, want: written2(6)},
		{do: "POST kv/config", body: `{"cas_required":true}`, status: 204},
		{do: "POST kv/data/a", body: `{"data":{"v":"x"}}`, status: 400, want: required},
		{do: "POST kv/data/b", body: `{"data":{"v":"x"}}`, status: 400, want: required},
		{do: "POST kv/data/b", body: write("0"), status: 200, want: written2(1)},
	}
}

// kv2Values are values that the server changes itself: what it answers is what
// must survive a migration.
func kv2Values() []step {
	values := []struct{ sent, kept string }{
		{`{"n":9007199254740993,"f":1.10}`, `{"n":9007199254740992,"f":1.1}`},
		{`{"n":9007199254740992,"f":1.5,"i":-7}`, `{"n":9007199254740992,"f":1.5,"i":-7}`},
		{`{"big":123456789012345678901234567890}`, `{"big":1.2345678901234568e+29}`},
		{`{"big":100000000000000000000,"bigger":1000000000000000000000}`, `{"big":100000000000000000000,"bigger":1e+21}`},
		{`{"small":0.000001,"smaller":0.0000001}`, `{"small":0.000001,"smaller":1e-7}`},
		{`{"e":1e5,"E":1.5E+3,"one":1.0,"zero":0}`, `{"e":100000,"E":1500,"one":1,"zero":0}`},
		{`{"nested":{"b":1.10,"a":[1.0,{"x":null},"9007199254740993"]}}`, `{"nested":{"b":1.1,"a":[1,{"x":null},"9007199254740993"]}}`},
		{`{"null":null,"empty":"","list":[],"object":{},"true":true}`, `{"null":null,"empty":"","list":[],"object":{},"true":true}`},
		{
			`{"unicode":"ü e\u0301 \ud83d\ude00","html":"<a href=\"x\">&</a>","nul":"a\u0000b","":"the empty key"}`,
			`{"unicode":"ü e\u0301 \ud83d\ude00","html":"<a href=\"x\">&</a>","nul":"a\u0000b","":"the empty key"}`,
		},
	}
	var steps []step
	for i, value := range values {
		steps = append(steps,
			step{do: "POST kv/data/v", body: `{"data":` + value.sent + `}`, status: 200, want: written2(i + 1)},
			step{do: "GET kv/data/v", status: 200, want: secret2(value.kept, live(i+1))})
	}
	return steps
}

func kv2Refusals() []step {
	return []step{
		{do: "POST kv/data/a", body: `{"v":"1"}`, status: 400, want: `{"errors":["no data provided"]}`},
		{do: "POST kv/data/a", status: 400, want: `{"errors":["no data provided"]}`},
		{do: "POST kv/data/a", body: `{"data":"text"}`, status: 400, want: somethingBad},
		{do: "POST kv/data/a", body: `{"data":[1]}`, status: 400, want: somethingBad},
		{do: "POST kv/data/a", body: `{"data":`, status: 500, want: somethingBad},
		{do: "POST kv/data/a", body: `[1]`, status: 400, want: somethingBad},
		{do: "POST kv/data/a/", body: `{"data":{"v":"1"}}`, status: 400, want: `{"errors":["cannot write to a path ending in '/'"]}`},
		{do: "GET kv/data/a", status: 404, want: notFound},
		{as: nobody, do: "GET kv/data/a", status: 403, want: noToken},
		{as: nobody, do: "LIST kv/metadata", status: 403, want: noToken},
		{as: nobody, do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 403, want: noToken},
		{as: "bad", do: "GET kv/data/a", status: 403, want: badToken},
		{as: "hvs.bad", do: "LIST kv/metadata", status: 403, want: badToken},
		{as: "hvs.bad", do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 403, want: badToken},
	}
}

// kv2WrongPaths are what a client of KV version 1 would ask.
func kv2WrongPaths() []step {
	warned := func(warning string) string {
		return `{"request_id":"<uuid>","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,"warnings":["` +
			warning + `"],"auth":null,"mount_type":""}`
	}
	invalid := func(verb string) string {
		return warned("Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. " +
			"If using the Vault CLI, use 'vault kv " + verb + "' for this operation.")
	}
	root := warned("Non-listing operations on the root of a K/V v2 mount are not supported.")
	return []step{
		{do: "POST kv/data/dir/b", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)},
		{do: "GET kv/dir/b", status: 404, want: invalid("get")},
		{do: "POST kv/dir/b", body: `{"data":{"v":"1"}}`, status: 404, want: invalid("put")},
		{do: "DELETE kv/dir/b", status: 404, want: invalid("delete")},
		{do: "LIST kv/dir", status: 404, want: invalid("list")},
		{do: "LIST kv", status: 404, want: invalid("list")},
		{do: "LIST kv/data", status: 404, want: invalid("list")},
		{do: "LIST kv/data/dir", status: 404, want: invalid("list")},
		{do: "GET kv/data/dir", status: 404, want: notFound},
		{do: "GET kv/data/dir/", status: 404, want: invalid("get")},
		{do: "GET kv/data/", status: 404, want: invalid("get")},
		{do: "GET kv/data", status: 404, want: root},
		{do: "POST kv/data", body: `{"data":{"v":"1"}}`, status: 404, want: root},
		{do: "GET kv/metadata", status: 404, want: root},
		{do: "GET kv/metadata/", status: 404, want: notFound},
	}
}
