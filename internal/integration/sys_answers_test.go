// SPDX-License-Identifier: Apache-2.0

package integration_test

// mountStories tells what a Vault answers about its engines and itself.
func mountStories() []story {
	both := map[string]int{"kv": 2, "secret": 1, "teams/billing": 2}
	return []story{
		{name: "mounts are made and listed", steps: mountsMade()},
		{name: "mounts of a path", mounts: both, steps: mountsOfPath()},
		{name: "health", steps: health()},
		{name: "no such route", mounts: both, steps: noSuchRoute()},
	}
}

func engine(kind, options string) string {
	return `{"type":"` + kind + `","options":` + options + `,"description":"<any>","accessor":"<string>","uuid":"<uuid>","local":"<any>","...":0}`
}

func mountsMade() []step {
	inUse := `{"errors":["path is already in use at kv/"]}`
	return []step{
		{do: "POST sys/mounts/kv", body: `{"type":"kv","options":{"version":"2"}}`, status: 204},
		{do: "POST sys/mounts/secret", body: `{"type":"kv","options":{"version":"1"}}`, status: 204},
		{do: "POST sys/mounts/plain", body: `{"type":"kv","description":"words"}`, status: 204},
		{do: "POST sys/mounts/alias", body: `{"type":"kv-v2"}`, status: 204},
		{do: "POST sys/mounts/pki", body: `{"type":"pki"}`, status: 204},
		{do: "POST sys/mounts/teams/a/kv", body: `{"type":"kv","options":{"version":"2"}}`, status: 204},
		{do: "POST sys/mounts/kv", body: `{"type":"kv"}`, status: 400, want: inUse},
		{do: "POST sys/mounts/kv/inner", body: `{"type":"kv"}`, status: 400, want: inUse},
		{do: "POST sys/mounts/other", body: `{"type":"nosuch"}`, status: 400, want: `{"errors":["plugin not found in the catalog: nosuch"]}`},
		{do: "GET sys/mounts", status: 200, want: `{"data":{` +
			`"kv/":` + engine("kv", `{"version":"2"}`) + `,"secret/":` + engine("kv", `{"version":"1"}`) +
			`,"plain/":` + engine("kv", `{}`) + `,"alias/":` + engine("kv", `{"version":"2"}`) +
			`,"pki/":` + engine("pki", `{}`) + `,"teams/a/kv/":` + engine("kv", `{"version":"2"}`) +
			`,"sys/":` + engine("system", `null`) + `,"cubbyhole/":` + engine("cubbyhole", `null`) +
			`,"identity/":` + engine("identity", `null`) + `}}`},
		{do: "GET sys/mounts/kv", status: 200, want: `{"type":"kv","options":{"version":"2"},"data":` + engine("kv", `{"version":"2"}`) + `}`},
		{do: "GET sys/mounts/nosuch", status: 400, want: `{"errors":["No secret engine mount at nosuch/"]}`},
		{do: "GET sys/mounts/kv/tune", status: 200, want: `{"data":{"options":{"version":"2"},"description":"","...":0}}`},
		{do: "POST plain/a", body: `{"a":"b"}`, status: 204},
		{do: "POST alias/data/a", body: `{"data":{"a":"b"}}`, status: 200, want: written2(1)},
		{do: "POST teams/a/kv/data/a", body: `{"data":{"a":"b"}}`, status: 200, want: written2(1)},
		{do: "DELETE sys/mounts/kv", status: 204},
		{do: "DELETE sys/mounts/kv", status: 204},
		{do: "GET kv/data/a", status: 404, want: `{"errors":["no handler for route \"kv/data/a\". route entry not found."]}`},
		{as: nobody, do: "GET sys/mounts", status: 403, want: noToken},
	}
}

func mountOf(path, version string) string {
	return `{"data":{"path":"` + path + `","type":"kv","options":{"version":"` + version + `"},"accessor":"<string>","...":0}}`
}

func preflight(path string) string {
	return `{"errors":["preflight capability check returned 403, please ensure client's policies grant access to path \"` + path + `/\""]}`
}

func mountsOfPath() []step {
	steps := []step{
		{do: "GET sys/internal/ui/mounts/kv/data/a", status: 200, want: mountOf("kv/", "2")},
		{do: "GET sys/internal/ui/mounts/kv/a/b/c", status: 200, want: mountOf("kv/", "2")},
		{do: "GET sys/internal/ui/mounts/kv", status: 200, want: mountOf("kv/", "2")},
		{do: "GET sys/internal/ui/mounts/kv/", status: 200, want: mountOf("kv/", "2")},
		{do: "GET sys/internal/ui/mounts/secret/a", status: 200, want: mountOf("secret/", "1")},
		{do: "GET sys/internal/ui/mounts/teams/billing/data/a", status: 200, want: mountOf("teams/billing/", "2")},
		{do: "GET sys/internal/ui/mounts/teams/billing", status: 200, want: mountOf("teams/billing/", "2")},
		{do: "GET sys/internal/ui/mounts/nosuch/a", status: 403, want: preflight("nosuch/a")},
		{do: "GET sys/internal/ui/mounts/teams", status: 403, want: preflight("teams")},
		{do: "GET sys/internal/ui/mounts", status: 200, want: `{"data":{"auth":{"token/":{"type":"token","...":0},"...":0},"secret":{` +
			`"kv/":` + engine("kv", `{"version":"2"}`) + `,"secret/":` + engine("kv", `{"version":"1"}`) + `,"...":0}}}`},
		{as: nobody, do: "GET sys/internal/ui/mounts/kv/data/a", status: 403, want: noToken},
		{as: "hvs.bad", do: "GET sys/internal/ui/mounts/kv/data/a", status: 403, want: badToken},
		{as: "hvs.bad", do: "GET sys/internal/ui/mounts", status: 403, want: badToken},
	}
	steps = append(steps, limitedToken(`path \"kv/data/a/*\" { capabilities = [\"read\"] }`)...)
	return append(steps,
		step{as: "limited", do: "GET sys/internal/ui/mounts/kv/data/a/b", status: 200, want: mountOf("kv/", "2")},
		step{as: "limited", do: "GET sys/internal/ui/mounts/kv", status: 200, want: mountOf("kv/", "2")},
		// Some access to a mount is enough to be told of every path in it.
		step{as: "limited", do: "GET sys/internal/ui/mounts/kv/data/z", status: 200, want: mountOf("kv/", "2")},
		step{as: "limited", do: "GET sys/internal/ui/mounts/secret/a", status: 403, want: preflight("secret/a")},
		step{as: "limited", do: "GET sys/internal/ui/mounts/nosuch/a", status: 403, want: preflight("nosuch/a")},
		step{as: "limited", do: "GET sys/internal/ui/mounts", status: 200, want: `{"data":{"auth":"<any>","secret":{"kv/":` +
			engine("kv", `{"version":"2"}`) + `,"cubbyhole/":{"...":0},"identity/":{"...":0},"sys/":{"...":0}}}}`},
		step{as: "limited", do: "GET sys/mounts", status: 403, want: denied},
	)
}

// limitedToken makes a token, kept as limited, that has one policy alone.
func limitedToken(policy string) []step {
	return []step{
		{do: "PUT sys/policies/acl/limited", body: `{"policy":"` + policy + `"}`, status: 204},
		{do: "POST auth/token/create", body: `{"policies":["limited"],"ttl":"1h"}`, status: 200, want: `{"auth":{"client_token":"<keep:limited>","...":0}}`},
	}
}

func health() []step {
	up := `{"initialized":true,"sealed":false,"standby":false,"performance_standby":false,"server_time_utc":"<int>","version":"<string>"}`
	return []step{
		{as: nobody, do: "GET sys/health", status: 200, want: up},
		{do: "GET sys/health", status: 200, want: up},
		{as: "hvs.bad", do: "GET sys/health", status: 200, want: up},
		{as: nobody, do: "HEAD sys/health", status: 200},
		{as: nobody, do: "GET sys/seal-status", status: 200, want: `{"type":"shamir","initialized":true,"sealed":false,"version":"<string>"}`},
	}
}

func noSuchRoute() []step {
	noRoute := func(path string) string {
		return `{"errors":["no handler for route \"` + path + `\". route entry not found."]}`
	}
	steps := []step{
		{do: "GET nosuch/x", status: 404, want: noRoute("nosuch/x")},
		{do: "LIST nosuch/x", status: 404, want: noRoute("nosuch/x/")},
		{do: "POST nosuch/x", body: `{"a":"b"}`, status: 404, want: noRoute("nosuch/x")},
		{do: "DELETE nosuch/x", status: 404, want: noRoute("nosuch/x")},
		{do: "GET kvx/data/a", status: 404, want: noRoute("kvx/data/a")},
		{do: "GET sys/nosuch", status: 404, want: `{"errors":["1 error occurred:\n\t* unsupported path\n\n"]}`},
		{as: nobody, do: "GET nosuch/x", status: 403, want: noToken},
		{as: "hvs.bad", do: "GET nosuch/x", status: 403, want: badToken},
	}
	steps = append(steps, limitedToken(`path \"kv/*\" { capabilities = [\"read\"] }`)...)
	return append(steps,
		step{as: "limited", do: "GET nosuch/x", status: 403, want: denied},
		step{as: "limited", do: "GET kv/dir/b", status: 404, want: `{"data":null,"warnings":["<string>"]}`},
	)
}
