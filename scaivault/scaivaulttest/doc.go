// SPDX-License-Identifier: Apache-2.0

// Package scaivaulttest runs an in-memory ScaiVault, the ScaiKey that issues its
// tokens, and a small HashiCorp Vault, for tests and demonstrations.
//
// A [Server] speaks ScaiVault's HTTP API: secrets with versions and metadata, listing,
// batch reads, tokens and scopes, policies, subscriptions to events, rate limits, the
// audit log, and federation backends that really log in to a Vault. Policies are kept
// and tested but not enforced: what refuses an identity a path is Deny. A [Key] gives
// services tokens for their client credentials. A [Vault] speaks as much of Vault's API
// as that needs. None of them writes to disk, and all forget everything at Close.
//
//	srv := scaivaulttest.NewServer(t) // closed at the end of the test
//	srv.Seed("environments/production/billing/database", map[string]any{"password": "not-a-real-one"})
//	client, err := scaivault.NewClient(scaivault.ClientConfig{
//		URLs:       []string{"https://scaivault.test"},
//		Token:      scaivault.StaticToken(srv.IssueToken("sa:billing-prod", "secrets:read")),
//		HTTPClient: &http.Client{Transport: srv.RoundTripper()},
//	})
//
// Begin with [NewServer], and with [NewVault] if Vault is part of the test. Most other
// types are answers of [Quirks], which a first test does not need.
//
// # Reaching a server
//
// URL opens a socket on the loopback interface. RoundTripper opens none: it hands
// each request to the server in memory, whatever the host in the request's URL,
// and so it also works inside a testing/synctest bubble, where a socket would keep
// time from moving. Make a server that is used inside a bubble inside that bubble.
//
// # Faults
//
// Inject makes the server misbehave for the requests that a [Fault] names, always, a
// number of times, or by chance with a seed: late, hanging, with another status, with
// JSON that is cut short or none at all, at a trickle, or with a connection that is
// closed, reset or goes silent before, within or after the answer; and also after the
// request was carried out, so that only the answer is lost. SetDown takes the whole
// server away and brings it back, at the same address and with its data.
//
// # Events
//
// What happens to a secret is told to the subscriptions that ask for it, in its order,
// also what Seed and a sync of a backend do. A poll waits for it, and an event comes
// again until it is acknowledged. Emit adds any other event, and DropSubscriptions
// forgets what was subscribed. Webhooks are kept, and never called.
//
// # Tenants
//
// A Server has one tenant, which a request may name in its path or in X-Tenant-ID, and
// beside it the secrets of the tenant's partner, below /v1/partner/secrets. Every token
// reads those; to write them takes [ScopePartnerAdmin].
//
// # Sources
//
// [NewSource] is a scaivault.Source in memory, for a test that needs no wire.
// [TestSource] checks any Source against what that interface promises, as testing/fstest
// does for a file system.
//
// # Secrets in texts
//
// [AssertNoLeak] fails a test whose logs, errors or answers hold a secret, in whatever
// form they write it.
//
// # Open questions
//
// Where ScaiVault's documents are silent the server gives the most natural answer,
// and [Quirks] has a switch for each other answer that a client may meet.
//
// # Concurrency
//
// All methods are safe for concurrent use by multiple goroutines.
package scaivaulttest
