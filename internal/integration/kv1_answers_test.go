// SPDX-License-Identifier: Apache-2.0

package integration_test

// kv1Stories tells what KV version 1 answers.
func kv1Stories() []story {
	return []story{
		{name: "kv v1 reads and writes", mounts: map[string]int{"secret": 1}, steps: kv1ReadWrite()},
		{name: "kv v1 lists", mounts: map[string]int{"secret": 1}, steps: kv1Lists()},
		{name: "kv v1 keeps values exactly", mounts: map[string]int{"secret": 1}, steps: kv1Values()},
		{name: "kv v1 refuses", mounts: map[string]int{"secret": 1}, steps: kv1Refusals()},
	}
}

// secret1 is the whole answer to a read of KV version 1.
func secret1(data string) string {
	return `{"request_id":"<uuid>","lease_id":"","renewable":false,"lease_duration":2764800,"data":` + data +
		`,"wrap_info":null,"warnings":null,"auth":null,"mount_type":"kv"}`
}

func kv1ReadWrite() []step {
	return []step{
		{do: "GET secret/a", status: 404, want: notFound},
		{do: "POST secret/a", body: `{"user":"u","password":"p"}`, status: 204},
		{do: "GET secret/a", status: 200, want: secret1(`{"user":"u","password":"p"}`)},
		{do: "PUT secret/a", body: `{"password":"q"}`, status: 204},
		{do: "GET secret/a", status: 200, want: secret1(`{"password":"q"}`)},
		{do: "DELETE secret/a", status: 204},
		{do: "DELETE secret/a", status: 204},
		{do: "GET secret/a", status: 404, want: notFound},

		// A folder named data means nothing here.
		{do: "GET secret/data/x", status: 404, want: notFound},
		{do: "POST secret/data/x", body: `{"data":{"a":"b"}}`, status: 204},
		{do: "GET secret/data/x", status: 200, want: secret1(`{"data":{"a":"b"}}`)},
		{do: "GET secret/data", status: 404, want: notFound},
		{do: "GET secret/data/", status: 404, want: notFound},
		{do: "GET secret", status: 404, want: notFound},

		// The key ttl is a value and a hint.
		{do: "POST secret/ttl", body: `{"ttl":"1h","a":"b"}`, status: 204},
		{do: "GET secret/ttl", status: 200, want: `{"lease_duration":3600,"data":{"a":"b","ttl":"1h"}}`},
		{do: "POST secret/ttl", body: `{"ttl":90}`, status: 204},
		{do: "GET secret/ttl", status: 200, want: `{"lease_duration":90,"data":{"ttl":90}}`},

		{do: "POST secret/%C3%BC%20x%2Fy", body: `{"a":"b"}`, status: 204},
		{do: "GET secret/%C3%BC%20x/y", status: 200, want: secret1(`{"a":"b"}`)},
		{do: "LIST secret", status: 200, want: `{"data":{"keys":["data/","ttl","ü x/"]}}`},
	}
}

func kv1Lists() []step {
	all := `{"lease_duration":0,"data":{"keys":["a","dir/","dir2"]},"warnings":null,"mount_type":"kv"}`
	return []step{
		{do: "LIST secret", status: 404, want: notFound},
		{do: "POST secret/a", body: `{"x":"y"}`, status: 204},
		{do: "POST secret/dir2", body: `{"x":"y"}`, status: 204},
		{do: "POST secret/dir/b", body: `{"x":"y"}`, status: 204},
		{do: "POST secret/dir/b/c", body: `{"x":"y"}`, status: 204},
		{do: "LIST secret", status: 200, want: all},
		{do: "LIST secret/", status: 200, want: all},
		{do: "GET secret?list=true", status: 200, want: all},
		{do: "GET secret/?list=true", status: 200, want: all},
		{do: "LIST secret/dir", status: 200, want: `{"data":{"keys":["b","b/"]}}`},
		{do: "LIST secret/dir/", status: 200, want: `{"data":{"keys":["b","b/"]}}`},
		{do: "LIST secret/dir/b", status: 200, want: `{"data":{"keys":["c"]}}`},
		{do: "GET secret/dir", status: 404, want: notFound},
		{do: "GET secret/dir/", status: 404, want: notFound},
		{do: "LIST secret/a", status: 404, want: notFound},
		{do: "LIST secret/di", status: 404, want: notFound},
		{do: "DELETE secret/dir/b", status: 204},
		{do: "LIST secret/dir", status: 200, want: `{"data":{"keys":["b/"]}}`},
		{do: "DELETE secret/dir/b/c", status: 204},
		{do: "LIST secret/dir", status: 404, want: notFound},
		{do: "LIST secret", status: 200, want: `{"data":{"keys":["a","dir2"]}}`},
	}
}

func kv1Values() []step {
	values := []string{
		`{"n":9007199254740993,"f":1.10,"big":123456789012345678901234567890,"small":-0.000000000000000000012345678901}`,
		`{"e":1e5,"E":1.5E+3,"zero":0,"minus":-0.0}`,
		`{"null":null,"empty":"","list":[],"object":{},"true":true,"false":false}`,
		`{"nested":{"b":1.10,"a":[1.0,{"x":null},"y"]}}`,
		`{"unicode":"ü \u00e9 e\u0301 \ud83d\ude00","html":"<a href=\"x\">&</a>","nul":"a\u0000b","lines":"a\nb\t\\ \u2028"}`,
		`{"":"the empty key","a.b":"c","ü":"key"}`,
	}
	var steps []step
	for _, value := range values {
		steps = append(steps,
			step{do: "POST secret/v", body: value, status: 204},
			step{do: "GET secret/v", status: 200, want: secret1(value)})
	}
	return append(steps,
		step{do: "POST secret/v", body: `{"a":"1","a":"2"}`, status: 500, want: `{"errors":["duplicate key 'a' in object"]}`},
		step{do: "GET secret/v", status: 200, want: secret1(values[len(values)-1])},
	)
}

func kv1Refusals() []step {
	return []step{
		{do: "POST secret/a", body: `{}`, status: 400, want: `{"errors":["missing data fields"]}`},
		{do: "POST secret/a", status: 400, want: `{"errors":["missing data fields"]}`},
		{do: "POST secret/a", body: `[1]`, status: 400, want: somethingBad},
		{do: "POST secret/a", body: `{"a":`, status: 500, want: somethingBad},
		{do: "POST secret/a", body: `{"a":1e400}`, status: 500, want: somethingBad},
		{do: "POST secret/a/", body: `{"a":"b"}`, status: 400, want: `{"errors":["cannot write to a path ending in '/'"]}`},
		{do: "PATCH secret/a", header: "Content-Type: application/merge-patch+json", body: `{"a":1}`, status: 405, want: unsupported},
		{do: "OPTIONS secret/a", status: 405, want: unsupported},
		{do: "GET secret/a", status: 404, want: notFound},
		{as: nobody, do: "GET secret/a", status: 403, want: noToken},
		{as: "hvs.bad", do: "GET secret/a", status: 403, want: badToken},
	}
}
