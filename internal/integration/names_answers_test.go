// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"net/url"
	"slices"
)

// nameStories tells which names a secret may have.
func nameStories() []story {
	return []story{
		{name: "kv v1 odd names", mounts: map[string]int{"secret": 1}, steps: kv1Names()},
		{name: "kv v2 odd names", mounts: map[string]int{"kv": 2}, steps: kv2Names()},
		{name: "kv v1 impossible names", mounts: map[string]int{"secret": 1}, steps: kv1ImpossibleNames()},
		{name: "kv v2 impossible names", mounts: map[string]int{"kv": 2}, steps: kv2ImpossibleNames()},
	}
}

// oddNames are names of one segment that both versions keep as they are.
func oddNames() []string {
	return []string{
		"a b", " a", "a ", "a+b", "a?b", "a#b", "a%b", "a%20b", "a*b", "*", "a:b", "a;b", "a@b", "a,b", "a~b", "a=b", "a&b", "'a'", "(a)", "a\"b", "a\\b",
		"<a>", "a|b", ".a", "a.", "A", "a", "-", "data", "metadata", "config", "sys", "ü", "u\u0308", "😀",
	}
}

func sortedKeys(names []string) string {
	raw, err := json.Marshal(slices.Sorted(slices.Values(names)))
	if err != nil {
		return err.Error()
	}
	return `{"data":{"keys":` + string(raw) + `}}`
}

func kv1Names() []step {
	var steps []step
	for _, name := range oddNames() {
		path := "secret/" + url.PathEscape(name)
		steps = append(steps,
			step{do: "POST " + path, body: `{"a":"b"}`, status: 204},
			step{do: "GET " + path, status: 200, want: secret1(`{"a":"b"}`)})
	}
	return append(steps, step{do: "LIST secret", status: 200, want: sortedKeys(oddNames())})
}

func kv2Names() []step {
	names := append(oddNames(), "a..b", "...")
	var steps []step
	for _, name := range names {
		path := "kv/data/" + url.PathEscape(name)
		steps = append(steps,
			step{do: "POST " + path, body: `{"data":{"a":"b"}}`, status: 200, want: written2(1)},
			step{do: "GET " + path, status: 200, want: secret2(`{"a":"b"}`, live(1))})
	}
	return append(steps, step{do: "LIST kv/metadata", status: 200, want: sortedKeys(names)})
}

func kv1ImpossibleNames() []step {
	because := func(reason string) string { return `{"errors":["1 error occurred:\n\t* ` + reason + `\n\n"]}` }
	var steps []step
	for _, path := range []string{"secret/a..b", "secret/...", "secret/%2e%2e", "secret/dir/a..b/x"} {
		steps = append(steps,
			step{do: "POST " + path, body: `{"a":"b"}`, status: 500, want: because("internal error")},
			step{do: "GET " + path, status: 400, want: because("read failed: relative paths not supported")},
			step{do: "LIST " + path, status: 400, want: because("relative paths not supported")},
			step{do: "DELETE " + path, status: 400, want: because("relative paths not supported")})
	}
	return append(steps,
		step{do: "POST secret/a%FF", body: `{"a":"b"}`, status: 500, want: because("failed to write: key contains invalid UTF-8 characters")},
		step{do: "GET secret/a%FF", status: 404, want: notFound},
		step{do: "LIST secret/a%FF", status: 404, want: notFound},
		step{do: "DELETE secret/a%FF", status: 500, want: because("key contains invalid UTF-8 characters")},
		// What Vault cannot print it does not even look at.
		step{do: "GET secret/a%00b", status: 400},
		step{do: "GET secret/a%0Ab", status: 400},
		step{do: "LIST secret", status: 404, want: notFound},
	)
}

func kv2ImpossibleNames() []step {
	return []step{
		{do: "POST kv/data/a%FF", body: `{"data":{"a":"b"}}`, status: 500, want: `{"errors":["1 error occurred:\n\t* string field contains invalid UTF-8\n\n"]}`},
		{do: "GET kv/data/a%FF", status: 404, want: notFound},
		{do: "GET kv/metadata/a%FF", status: 404, want: notFound},
		{do: "GET kv/data/a%00b", status: 400},
		{do: "LIST kv/metadata", status: 404, want: notFound},
	}
}
