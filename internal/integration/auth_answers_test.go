// SPDX-License-Identifier: Apache-2.0

package integration_test

// policyStories tells who may do what, and how one logs in.
func policyStories() []story {
	both := map[string]int{"kv": 2, "secret": 1}
	return []story{
		{name: "policies", steps: policies()},
		{name: "policy paths", mounts: both, steps: policyPaths()},
		{name: "approle of the guide", mounts: both, steps: guideAppRole()},
		{name: "approle roles", steps: appRoles()},
	}
}

const (
	readerPolicy = `path \"kv/data/*\"     { capabilities = [\"read\", \"list\"] }\npath \"kv/metadata/*\" { capabilities = [\"read\", \"list\"] }\n`
	badLogin     = `{"errors":["invalid role or secret ID"]}`
)

func policies() []step {
	return []step{
		{do: "LIST sys/policies/acl", status: 200, want: `{"data":{"keys":["default","root"]}}`},
		{do: "PUT sys/policies/acl/scaivault-reader", body: `{"policy":"` + readerPolicy + `"}`, status: 204},
		{do: "GET sys/policies/acl/scaivault-reader", status: 200, want: `{"data":{"name":"scaivault-reader","policy":"` + readerPolicy + `"}}`},
		{do: "GET sys/policy/scaivault-reader", status: 200, want: `{"data":{"name":"scaivault-reader","rules":"` + readerPolicy + `"}}`},
		{do: "POST sys/policy/other", body: `{"policy":"path \"a\" { capabilities = [\"read\"] }"}`, status: 204},
		{do: "LIST sys/policies/acl", status: 200, want: `{"data":{"keys":["default","other","scaivault-reader","root"]}}`},
		{do: "PUT sys/policies/acl/broken", body: `{"policy":"path {"}`, status: 400, want: somethingBad},
		{do: "PUT sys/policies/acl/broken", body: `{"policy":"path \"x\" { capabilities = [\"fly\"] }"}`, status: 400, want: somethingBad},
		{do: "PUT sys/policies/acl/root", body: `{"policy":"path \"x\" { capabilities = [\"read\"] }"}`, status: 400, want: `{"errors":["cannot update \"root\" policy"]}`},
		{do: "DELETE sys/policies/acl/other", status: 204},
		{do: "GET sys/policies/acl/other", status: 404, want: notFound},
		{as: nobody, do: "PUT sys/policies/acl/mine", body: `{"policy":""}`, status: 403, want: noToken},
	}
}

func policyPaths() []step {
	steps := []step{
		{do: "POST kv/data/a/b", body: `{"data":{}}`, status: 200, want: written2(1)},
		{do: "POST secret/app/x/db", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/app/x/y/db", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/exact", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/exact/below", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/free/x", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/free/closed", body: `{"a":"b"}`, status: 204},
	}
	steps = append(steps, limitedToken(
		`path \"secret/app/+/db\" { capabilities = [\"read\"] }\npath \"secret/exact\" { capabilities = [\"read\", \"update\"] }\n`+
			`path \"secret/free/*\" { capabilities = [\"create\", \"read\", \"list\"] }\npath \"secret/free/closed\" { capabilities = [\"deny\"] }\n`+
			`path \"kv/metadata/a\" { capabilities = [\"list\"] }\npath \"kv/metadata/a/\" { capabilities = [\"list\"] }`)...)
	for _, step := range []step{
		{do: "GET secret/app/x/db", status: 200, want: secret1(`{"a":"b"}`)},
		{do: "GET secret/app/x/y/db", status: 403, want: denied},
		{do: "GET secret/exact", status: 200, want: secret1(`{"a":"b"}`)},
		{do: "GET secret/exact/below", status: 403, want: denied},
		{do: "POST secret/exact", body: `{"a":"c"}`, status: 204},
		{do: "DELETE secret/exact", status: 403, want: denied},
		{do: "GET secret/free/x", status: 200, want: secret1(`{"a":"b"}`)},
		{do: "GET secret/free/closed", status: 403, want: denied},
		// To write what is there takes update, to write what is not takes create.
		{do: "POST secret/free/new", body: `{"a":"b"}`, status: 204},
		{do: "POST secret/free/new", body: `{"a":"b"}`, status: 403, want: denied},
		{do: "LIST secret/free", status: 200, want: `{"data":{"keys":["closed","new","x"]}}`},
		{do: "LIST secret", status: 403, want: denied},
		{do: "LIST kv/metadata/a", status: 200, want: `{"data":{"keys":["b"]}}`},
		{do: "GET kv/metadata/a", status: 403, want: denied},
		{do: "LIST kv/metadata", status: 403, want: denied},
		{do: "POST sys/capabilities-self", body: `{"paths":["secret/exact","secret/free/closed","kv/data/x"]}`, status: 200, want: `{"data":{` +
			`"secret/exact":["read","update"],"secret/free/closed":["deny"],"kv/data/x":["deny"]}}`},
	} {
		step.as = "limited"
		steps = append(steps, step)
	}
	return steps
}

// guideAppRole is what the migration guide sets up, and what ScaiVault then
// may and may not do with it.
func guideAppRole() []step {
	login := `{"role_id":"{{role}}","secret_id":"{{secret}}"}`
	steps := []step{
		{do: "POST kv/data/apps/billing/db", body: `{"data":{"password":"p"}}`, status: 200, want: written2(1)},
		{do: "POST secret/apps/db", body: `{"password":"p"}`, status: 204},
		{do: "POST sys/auth/approle", body: `{"type":"approle"}`, status: 204},
		{do: "PUT sys/policies/acl/scaivault-reader", body: `{"policy":"` + readerPolicy + `"}`, status: 204},
		{
			do: "PUT auth/approle/role/scaivault-federation", status: 204,
			body: `{"token_policies":"scaivault-reader","token_ttl":"1h","token_max_ttl":"24h"}`,
		},
		{do: "GET auth/approle/role/scaivault-federation/role-id", status: 200, want: `{"data":{"role_id":"<keep:role>"}}`},
		{do: "PUT auth/approle/role/scaivault-federation/secret-id", status: 200, want: `{"data":{"secret_id":"<keep:secret>","secret_id_accessor":"<uuid>","secret_id_num_uses":0,"secret_id_ttl":0}}`},
		{as: nobody, do: "PUT auth/approle/login", body: login, status: 200, want: `{"data":null,"auth":{"client_token":"<keep:app>","accessor":"<string>",` +
			`"policies":["default","scaivault-reader"],"token_policies":["default","scaivault-reader"],"metadata":{"role_name":"scaivault-federation"},` +
			`"lease_duration":3600,"renewable":true,"token_type":"service","orphan":true,"num_uses":0,"...":0}}`},
	}
	for _, step := range []step{
		{do: "GET kv/data/apps/billing/db", status: 200, want: secret2(`{"password":"p"}`, live(1))},
		{do: "GET kv/data/nosuch", status: 404, want: notFound},
		{do: "LIST kv/metadata", status: 200, want: `{"data":{"keys":["apps/"]}}`},
		{do: "LIST kv/metadata/apps/billing", status: 200, want: `{"data":{"keys":["db"]}}`},
		{do: "GET kv/metadata/apps/billing/db", status: 200, want: `{"data":{"current_version":1,"...":0}}`},
		{do: "POST kv/data/apps/billing/db", body: `{"data":{}}`, status: 403, want: denied},
		{do: "DELETE kv/data/apps/billing/db", status: 403, want: denied},
		{do: "DELETE kv/metadata/apps/billing/db", status: 403, want: denied},
		{do: "GET secret/apps/db", status: 403, want: denied},
		{do: "LIST secret", status: 403, want: denied},
		{do: "GET kv/apps/billing/db", status: 403, want: denied},
		{do: "GET nosuch/x", status: 403, want: denied},
		{do: "GET sys/mounts", status: 403, want: denied},
		{do: "GET sys/policies/acl/scaivault-reader", status: 403, want: denied},
		{do: "GET sys/internal/ui/mounts/kv/data/apps/billing/db", status: 200, want: mountOf("kv/", "2")},
		{do: "GET sys/internal/ui/mounts/secret/apps/db", status: 403, want: preflight("secret/apps/db")},
		{do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"display_name":"approle","path":"auth/approle/login","policies":["default","scaivault-reader"],` +
			`"creation_ttl":3600,"ttl":"<int>","renewable":true,"type":"service","orphan":true,"meta":{"role_name":"scaivault-federation"},"...":0}}`},
	} {
		step.as = "app"
		steps = append(steps, step)
	}
	return append(steps,
		step{as: nobody, do: "POST auth/approle/login", body: `{"role_id":"{{role}}","secret_id":"nope"}`, status: 400, want: badLogin},
		step{as: nobody, do: "POST auth/approle/login", body: `{"role_id":"nope","secret_id":"{{secret}}"}`, status: 400, want: badLogin},
		step{as: nobody, do: "POST auth/approle/login", body: `{"role_id":"{{role}}"}`, status: 400, want: `{"errors":["missing secret_id"]}`},
	)
}

func appRoles() []step {
	login := `{"role_id":"{{role}}","secret_id":"{{secret}}"}`
	return []step{
		{as: nobody, do: "POST auth/approle/login", body: `{}`, status: 403, want: noToken},
		{do: "POST sys/auth/approle", body: `{"type":"approle"}`, status: 204},
		{do: "POST sys/auth/approle", body: `{"type":"approle"}`, status: 400, want: `{"errors":["path is already in use at approle/"]}`},
		{do: "GET sys/auth", status: 200, want: `{"data":{"approle/":{"type":"approle","...":0},"token/":{"type":"token","...":0}}}`},
		{do: "LIST auth/approle/role", status: 404, want: notFound},
		{do: "GET auth/approle/role/a", status: 404, want: notFound},
		{do: "GET auth/approle/role/a/role-id", status: 404, want: notFound},
		{do: "POST auth/approle/role/a/secret-id", status: 404, want: `{"errors":["role \"a\" does not exist"]}`},
		{do: "POST auth/approle/role/a", body: `{"token_policies":["p","q"],"secret_id_num_uses":1,"token_num_uses":2,"token_ttl":60,"token_max_ttl":120}`, status: 204},
		{do: "GET auth/approle/role/a", status: 200, want: `{"data":{"token_policies":["p","q"],"secret_id_num_uses":1,"token_num_uses":2,"token_ttl":60,"token_max_ttl":120,"bind_secret_id":true,"...":0}}`},
		{do: "LIST auth/approle/role", status: 200, want: `{"data":{"keys":["a"]}}`},
		{do: "POST auth/approle/role/a/role-id", body: `{"role_id":"chosen"}`, status: 204},
		{do: "GET auth/approle/role/a/role-id", status: 200, want: `{"data":{"role_id":"<keep:role>"}}`},
		{do: "POST auth/approle/role/a/secret-id", status: 200, want: `{"data":{"secret_id":"<keep:secret>","secret_id_num_uses":1,"...":0}}`},
		{as: nobody, do: "POST auth/approle/login", body: login, status: 200, want: `{"auth":{"client_token":"<keep:app>","policies":["default","p","q"],"lease_duration":60,"num_uses":2,"...":0}}`},
		{as: nobody, do: "POST auth/approle/login", body: login, status: 400, want: badLogin},
		{as: "app", do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"num_uses":1,"...":0}}`},
		{as: "app", do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"...":0}}`},
		{as: "app", do: "GET auth/token/lookup-self", status: 403, want: badToken},
		{do: "DELETE auth/approle/role/a", status: 204},
		{do: "GET auth/approle/role/a", status: 404, want: notFound},
	}
}

// tokenStories tells how tokens are made, asked, renewed and revoked.
func tokenStories() []story {
	return []story{
		{name: "tokens", mounts: map[string]int{"kv": 2}, steps: tokens()},
		{name: "tokens renew", mounts: map[string]int{"kv": 2}, steps: tokensRenew()},
	}
}

func tokens() []step {
	create := `{"policies":["scaivault-reader"],"ttl":"1h","display_name":"billing","meta":{"team":"x"}}`
	return []step{
		{do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"display_name":"root","policies":["root"],"path":"auth/token/root","ttl":0,"expire_time":null,"creation_ttl":0,"num_uses":0,"...":0}}`},
		{do: "PUT sys/policies/acl/scaivault-reader", body: `{"policy":"` + readerPolicy + `"}`, status: 204},
		{do: "POST auth/token/create", body: create, status: 200, want: `{"data":null,"auth":{"client_token":"<keep:t>","accessor":"<string>","policies":["default","scaivault-reader"],` +
			`"metadata":{"team":"x"},"lease_duration":3600,"renewable":true,"token_type":"service","orphan":false,"num_uses":0,"...":0}}`},
		{as: "t", do: "GET kv/data/a", status: 404, want: notFound},
		{as: nobody, do: "GET kv/data/a", header: "Authorization: Bearer {{t}}", status: 404, want: notFound},
		{as: "t", do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"display_name":"token-billing","path":"auth/token/create","orphan":false,"renewable":true,"meta":{"team":"x"},"expire_time":"<time>","issue_time":"<time>","creation_time":"<int>","explicit_max_ttl":0,"...":0}}`},
		{do: "POST auth/token/lookup", body: `{"token":"{{t}}"}`, status: 200, want: `{"data":{"display_name":"token-billing","creation_ttl":3600,"ttl":"<int>","...":0}}`},
		{as: "t", do: "POST auth/token/create", body: `{}`, status: 403, want: denied},
		{do: "POST auth/token/revoke", body: `{"token":"{{t}}"}`, status: 204},
		{as: "t", do: "GET kv/data/a", status: 403, want: badToken},
		{do: "POST auth/token/lookup", body: `{"token":"{{t}}"}`, status: 403, want: `{"errors":["bad token"]}`},
		{do: "POST auth/token/revoke", body: `{"token":"{{t}}"}`, status: 204},

		{do: "POST auth/token/create", body: `{"policies":["scaivault-reader"],"no_default_policy":true}`, status: 200, want: `{"auth":{"client_token":"<keep:bare>","policies":["scaivault-reader"],"lease_duration":2764800,"...":0}}`},
		{as: "bare", do: "GET kv/data/a", status: 404, want: notFound},
		{as: "bare", do: "GET auth/token/lookup-self", status: 403, want: denied},
		{as: "bare", do: "POST auth/token/renew-self", status: 403, want: denied},
		{as: "bare", do: "GET sys/internal/ui/mounts/kv/data/a", status: 200, want: mountOf("kv/", "2")},
	}
}

func tokensRenew() []step {
	return []step{
		{do: "POST auth/token/renew-self", status: 400, want: `{"errors":["invalid lease ID"]}`},
		{do: "POST auth/token/create", body: `{"policies":["default"],"ttl":"1h","explicit_max_ttl":"24h"}`, status: 200, want: `{"auth":{"client_token":"<keep:t>","lease_duration":3600,"...":0}}`},
		{as: "t", do: "POST auth/token/renew-self", status: 200, want: `{"data":null,"auth":{"client_token":"<keep:again>","lease_duration":3600,"renewable":true,"...":0}}`},
		{as: "t", do: "PUT auth/token/renew-self", body: `{"increment":"2h"}`, status: 200, want: `{"warnings":null,"auth":{"lease_duration":7200,"...":0}}`},
		{as: "t", do: "POST auth/token/renew-self", body: `{"increment":7200}`, status: 200, want: `{"warnings":null,"auth":{"lease_duration":7200,"...":0}}`},
		{as: "t", do: "POST auth/token/renew-self", body: `{"increment":"100h"}`, status: 200, want: `{"warnings":["<string>"],"auth":{"lease_duration":"<int>","...":0}}`},
		{do: "POST auth/token/renew", body: `{"token":"{{t}}","increment":"1h"}`, status: 200, want: `{"auth":{"lease_duration":3600,"...":0}}`},
		{as: "t", do: "POST auth/token/revoke-self", status: 204},
		{as: "t", do: "GET auth/token/lookup-self", status: 403, want: badToken},
		{as: "t", do: "POST auth/token/renew-self", status: 403, want: badToken},

		{do: "POST auth/token/create", body: `{"policies":["default"],"ttl":"1h","renewable":false}`, status: 200, want: `{"auth":{"client_token":"<keep:fixed>","renewable":false,"...":0}}`},
		{as: "fixed", do: "POST auth/token/renew-self", status: 400, want: `{"errors":["lease is not renewable"]}`},
		{as: "fixed", do: "GET auth/token/lookup-self", status: 200, want: `{"data":{"renewable":false,"...":0}}`},
	}
}
