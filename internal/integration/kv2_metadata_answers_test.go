// SPDX-License-Identifier: Apache-2.0

package integration_test

import "fmt"

// kv2MetadataStories tells what the metadata of KV version 2 answers.
func kv2MetadataStories() []story {
	kv := map[string]int{"kv": 2}
	return []story{
		{name: "kv v2 metadata", mounts: kv, steps: kv2Metadata()},
		{name: "kv v2 metadata without data", mounts: kv, steps: kv2MetadataAlone()},
		{name: "kv v2 max versions", mounts: kv, steps: kv2MaxVersions()},
		{name: "kv v2 delete version after", mounts: kv, steps: kv2DeleteVersionAfter()},
		{name: "kv v2 config", mounts: kv, steps: kv2Config()},
		{name: "kv v2 lists", mounts: kv, steps: kv2Lists()},
	}
}

// inMetadata is a version as the metadata of its secret tells it.
func inMetadata(deletionTime string, destroyed bool) string {
	return fmt.Sprintf(`{"created_time":"<time>","deletion_time":"%s","destroyed":%t,"...":0}`, deletionTime, destroyed)
}

// metadata2 is the data of an answer about a secret's metadata.
func metadata2(current, oldest int, custom, settings, versions string) string {
	return fmt.Sprintf(`{"created_time":"<time>","updated_time":"<time>","current_version":%d,"oldest_version":%d,"custom_metadata":%s,%s,"versions":%s,"...":0}`,
		current, oldest, custom, settings, versions)
}

const defaultSettings = `"cas_required":false,"delete_version_after":"0s","max_versions":0`

func kv2Metadata() []step {
	write := `{"data":{"v":"1"}}`
	custom := `{"owner":"ops","stage":"prod"}`
	withCustom := func(version int) string {
		return fmt.Sprintf(`{"created_time":"<time>","custom_metadata":%s,"deletion_time":"","destroyed":false,"version":%d}`, custom, version)
	}
	return []step{
		{do: "GET kv/metadata/a", status: 404, want: notFound},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(1)},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(2)},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(3)},
		{do: "POST kv/delete/a", body: `{"versions":[1]}`, status: 204},
		{do: "POST kv/destroy/a", body: `{"versions":[2]}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: envelope2(metadata2(3, 0, "null", defaultSettings,
			`{"1":`+inMetadata("<time>", false)+`,"2":`+inMetadata("", true)+`,"3":`+inMetadata("", false)+`}`), "kv")},

		{do: "POST kv/metadata/a", body: `{"custom_metadata":` + custom + `}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: `{"data":{"current_version":3,"custom_metadata":` + custom + `,"...":0}}`},
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, withCustom(3))},
		{do: "POST kv/data/a", body: write, status: 200, want: envelope2(withCustom(4), "kv")},

		// What a write of metadata leaves out it leaves as it is.
		{do: "PUT kv/metadata/a", body: `{"max_versions":7}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: `{"data":{"max_versions":7,"custom_metadata":` + custom + `,"...":0}}`},
		{do: "POST kv/metadata/a", body: `{"custom_metadata":{"count":1}}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: `{"data":{"max_versions":7,"custom_metadata":{"count":"1"},"...":0}}`},
		{do: "POST kv/metadata/a", body: `{"custom_metadata":{"owner":{}}}`, status: 400, want: somethingBad},
		{do: "POST kv/metadata/a", body: `{"max_versions":"x"}`, status: 400, want: somethingBad},

		{do: "DELETE kv/metadata/a", status: 204},
		{do: "DELETE kv/metadata/a", status: 204},
		{do: "GET kv/metadata/a", status: 404, want: notFound},
		{do: "GET kv/data/a", status: 404, want: notFound},
		{do: "LIST kv/metadata", status: 404, want: notFound},
	}
}

func kv2MetadataAlone() []step {
	return []step{
		{do: "POST kv/metadata/a", body: `{"custom_metadata":{"owner":"ops"}}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: envelope2(metadata2(0, 0, `{"owner":"ops"}`, defaultSettings, `{}`), "kv")},
		{do: "GET kv/data/a", status: 404, want: notFound},
		{do: "LIST kv/metadata", status: 200, want: `{"data":{"keys":["a"]}}`},
		{do: "POST kv/data/a", body: `{"data":{"v":"1"},"options":{"cas":0}}`, status: 200, want: envelope2(
			`{"created_time":"<time>","custom_metadata":{"owner":"ops"},"deletion_time":"","destroyed":false,"version":1}`, "kv")},
	}
}

func kv2MaxVersions() []step {
	write := `{"data":{"v":"1"}}`
	return []step{
		{do: "POST kv/metadata/a", body: `{"max_versions":2}`, status: 204},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(1)},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(2)},
		{do: "POST kv/data/a", body: write, status: 200, want: written2(3)},
		{do: "GET kv/data/a?version=1", status: 404, want: notFound},
		{do: "GET kv/data/a?version=2", status: 200, want: secret2(`{"v":"1"}`, live(2))},
		{do: "GET kv/metadata/a", status: 200, want: `{"data":` + metadata2(3, 2, "null",
			`"cas_required":false,"delete_version_after":"0s","max_versions":2`,
			`{"2":`+inMetadata("", false)+`,"3":`+inMetadata("", false)+`}`) + `}`},

		// The engine's limit is 10 where nobody says otherwise.
		{do: "POST kv/data/b", body: write, status: 200, want: written2(1)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(2)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(3)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(4)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(5)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(6)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(7)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(8)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(9)},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(10)},
		{do: "GET kv/data/b?version=1", status: 200, want: secret2(`{"v":"1"}`, live(1))},
		{do: "POST kv/data/b", body: write, status: 200, want: written2(11)},
		{do: "GET kv/data/b?version=1", status: 404, want: notFound},
		{do: "GET kv/data/b?version=2", status: 200, want: secret2(`{"v":"1"}`, live(2))},
	}
}

func kv2DeleteVersionAfter() []step {
	ending := func(version int) string {
		return fmt.Sprintf(`{"created_time":"<time>","custom_metadata":null,"deletion_time":"<time>","destroyed":false,"version":%d}`, version)
	}
	return []step{
		{do: "POST kv/metadata/a", body: `{"delete_version_after":"3h"}`, status: 204},
		{do: "GET kv/metadata/a", status: 200, want: `{"data":{"delete_version_after":"3h0m0s","...":0}}`},
		{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 200, want: envelope2(ending(1), "kv")},
		// A deletion time to come is not a deletion.
		{do: "GET kv/data/a", status: 200, want: secret2(`{"v":"1"}`, ending(1))},
		{do: "DELETE kv/data/a", status: 204},
		{do: "GET kv/data/a", status: 404, want: noSecret2(gone(1, false))},
	}
}

func kv2Config() []step {
	return []step{
		{do: "GET kv/config", status: 200, want: envelope2(`{"cas_required":false,"delete_version_after":"0s","max_versions":0}`, "kv")},
		{do: "POST kv/config", body: `{"max_versions":1}`, status: 204},
		{do: "GET kv/config", status: 200, want: `{"data":{"cas_required":false,"delete_version_after":"0s","max_versions":1}}`},
		{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`, status: 200, want: written2(1)},
		{do: "POST kv/data/a", body: `{"data":{"v":"2"}}`, status: 200, want: written2(2)},
		{do: "GET kv/data/a?version=1", status: 404, want: notFound},
	}
}

func kv2Lists() []step {
	all := envelope2(`{"keys":["a","dir/","dir2"]}`, "kv")
	return []step{
		{do: "LIST kv/metadata", status: 404, want: notFound},
		{do: "POST kv/data/a", body: `{"data":{}}`, status: 200, want: written2(1)},
		{do: "POST kv/data/dir2", body: `{"data":{}}`, status: 200, want: written2(1)},
		{do: "POST kv/data/dir/b", body: `{"data":{}}`, status: 200, want: written2(1)},
		{do: "POST kv/data/dir/b/c", body: `{"data":{}}`, status: 200, want: written2(1)},
		{do: "LIST kv/metadata", status: 200, want: all},
		{do: "LIST kv/metadata/", status: 200, want: all},
		{do: "GET kv/metadata?list=true", status: 200, want: all},
		{do: "GET kv/metadata/?list=true", status: 200, want: all},
		{do: "LIST kv/metadata/dir", status: 200, want: `{"data":{"keys":["b","b/"]}}`},
		{do: "LIST kv/metadata/dir/", status: 200, want: `{"data":{"keys":["b","b/"]}}`},
		{do: "GET kv/metadata/dir/b?list=true", status: 200, want: `{"data":{"keys":["c"]}}`},
		{do: "LIST kv/metadata/a", status: 404, want: notFound},
		{do: "LIST kv/metadata/missing", status: 404, want: notFound},
		{do: "GET kv/metadata/dir", status: 404, want: notFound},
		// A secret whose last version is deleted is listed, a removed one is not.
		{do: "DELETE kv/data/dir/b/c", status: 204},
		{do: "LIST kv/metadata/dir/b", status: 200, want: `{"data":{"keys":["c"]}}`},
		{do: "DELETE kv/metadata/dir/b/c", status: 204},
		{do: "LIST kv/metadata/dir/b", status: 404, want: notFound},
		{do: "LIST kv/metadata/dir", status: 200, want: `{"data":{"keys":["b"]}}`},
	}
}
