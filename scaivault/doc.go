// SPDX-License-Identifier: Apache-2.0

// Package scaivault reads and writes secrets while they move from HashiCorp
// Vault to ScaiVault.
//
// An application makes one [Store] and calls [Store.Get] and [Store.Put] with
// ScaiVault paths, from the first day. A [Flag] decides path by path, and at
// every call, which of the two services answers, which one is the authority,
// and what happens when one of them is down. While at least one service that
// the stage allows can answer, Get answers. A write goes to the authority or
// fails; it is never sent elsewhere because the authority was slow.
//
// [Client] speaks ScaiVault's HTTP API. The Vault side is in package
// scaivault/vault; a program that does not import that one links no HashiCorp
// code. Package migrate copies and compares, package federation manages
// ScaiVault's federation of Vault, and package scaivault/scaivaulttest has both
// services in memory for tests.
//
// # Stages
//
// A [Stage] says how far the move of one path has come:
//
//	stage      authority  reads go to            and then to                    writes go to  mirrored to
//	vault      Vault      Vault                  –                              Vault         –
//	shadow     Vault      Vault                  –                              Vault         ScaiVault, if asked
//	canary     Vault      ScaiVault while the    Vault, for any answer of       Vault         ScaiVault
//	                      path is clean, else    ScaiVault that is not a value
//	                      Vault
//	freeze     Vault      as canary              as canary                      nobody: Put   –
//	                                                                            waits
//	cutover    ScaiVault  ScaiVault              Vault, only when ScaiVault is  ScaiVault     Vault
//	                                             unavailable
//	scaivault  ScaiVault  ScaiVault              –                              ScaiVault     –
//
// One principle gives the whole table: the authority's answer is final,
// including its no; the other source's answer counts only when it is a value.
// So a secret that was deleted in ScaiVault does not come back from Vault's old
// copy at cutover, and at canary a path that was not copied yet, or was rotated
// in Vault since, keeps being right.
//
// A "no" is an answer that says so: not found, permission denied, an invalid
// request. Anything else is no answer, and the source is unavailable: a
// transport error, a time-out, 5xx, 429, a 401 that stays after the token was
// asked for again, or a 403 or 404 that is not the service's own.
//
// A path is clean at canary when both sides were compared equal within
// [CompareConfig.MaxAge]. The first read of a path compares before it answers;
// later comparisons run in the background. A difference, a no of one side, a
// write that could not be mirrored, or age end it: Vault first until the sides
// are equal again. With Vault unavailable, ScaiVault's value of a path that is
// not clean is served, and [Secret.Failover] says so.
//
// At shadow and cutover a sample of the reads is compared in the background.
//
// # Cache
//
// With [CacheConfig.TTL] a Store answers from memory, without asking and without
// waiting: what is asked for often is renewed in the background before its TTL
// ends. A value belongs to the stage and the source it was read at, so the first
// Get after a flip of the flag asks, and so does the first Get after a Put,
// [Store.Invalidate], or an event that [Store.Follow] was told. Callers that ask
// for one path at one time share one read; each keeps its own deadline.
//
// The authority's last value stands apart from what the other source answered in
// its place, which lives [CacheConfig.FailoverTTL]. The authority's no ends both.
// While nobody answers, a value may be served for [CacheConfig.StaleFor] past its
// TTL; [Secret.Stale] tells. When a service says 429, its last value is served
// for as long as it asks for, within reason.
//
// # Failover
//
// Each read of a source has [FailoverConfig.AttemptTimeout]. When the first source
// has not answered after [FailoverConfig.After], the other one, where the stage
// allows it, is asked as well. At canary, for a clean path, the first answer that
// counts is taken. Where the first source is the authority, the other's value is
// released only when the authority has failed, its time is over, or the caller
// has used half of what its ctx leaves: a slow no stays a no. A source that fails
// several times in a row is left alone for a while ([BreakerConfig]), and tried
// again by one read that nobody waits for. A source that nobody reads is never
// asked for its health.
//
// # Moving the authority
//
// The authority moves only through freeze: set freeze, wait until the flag has
// reached every instance and for the longest Put, copy (migrate.Copy), see a
// clean diff (migrate.Diff), set cutover. Backwards it is the same with the copy
// reversed. A Put that waits at freeze goes on by itself with the next stage, or
// ends with its ctx as [ErrFrozen]. Services that never write may skip freeze.
//
// A flag that cannot say keeps the last known stage of the path; nothing ever
// falls back to a zero value. [FileFlag] is a flag that is turned while services
// run, by writing to a file.
//
// Before each step, [Store.Verdict] says whether what this process has compared so
// far speaks for it, and what is missing. A [Gate] around the flag holds paths
// back while it does not.
//
// A path of a rule with [Rule.Proxied] is federated: ScaiVault passes reads of it
// on to Vault, so the two are no independent sources. Such a path is never
// compared or mirrored, is no evidence for a [Store.Verdict], and is read from Vault
// where the stage allows it and ScaiVault is gone. A Put goes to Vault while Vault
// is the authority, and is refused afterwards. [Stats] counts its reads apart.
//
// # Writes
//
// A write whose fate is unknown is looked up, not repeated; if it still cannot
// be known, the error matches [ErrUncertain]. A mirror is a loop: read the
// authority, write the mirror, read the authority again, repeat if it moved. So
// of two writers' mirrors the newest value stays. A mirrored copy carries a mark
// in its metadata, as a copied one does, so that a later copy knows it as ours.
// One that fails does not fail the write: [Written.Mirror] says so, and it is tried
// again in the background with what the authority has by then, for
// [MirrorConfig.RepairFor]. [Stats] and [Trace] tell what waits, and what was given
// up; Close tries once more.
//
// # The client
//
// A [Client] is all that a program needs that uses ScaiVault alone: secrets with
// their versions and metadata, batches, the audit log, policies, subscriptions
// and [Client.Watch], the health of the service, and [Client.Do] for the rest.
// Where a method rests on what is inferred, its comment says so; everything else
// the service documents.
//
// It repeats what may be repeated. A read is repeated by the service's own table
// of codes, with full jitter and Retry-After, and within a budget, so that an
// outage is not made worse. A write is repeated only when it is certain that it
// was not done. [RetryConfig] has the numbers.
//
// Several [ClientConfig.URLs] are addresses of one service, in order of
// preference. One that can't be reached, hangs, or answers 502, 503 or 504 is
// left for the next within the same read, and skipped for a while; then one
// request tries it again. A write goes on to the next address only while nothing
// was sent.
//
// A [TokenSource] gives the token: [StaticToken], [EnvToken], [FileToken],
// [ClientCredentials], [TokenExchange], or any func as a [TokenFunc]. Tokens that
// expire are renewed before, in the background; a 401 renews once and repeats the
// call once.
//
// [ClientConfig.TenantID] chooses a tenant, and [Client.PartnerSecrets] the
// secrets that all tenants of a partner share. [ClientConfig.TLSConfig] has a
// certificate authority or a client certificate of your own.
//
// [Client.Watch] tells of what happens to secrets, so that a cache or a pool of
// connections can follow. Where the service is to call instead, make a
// subscription with a [WebhookSpec], and give each request to [VerifyWebhook]
// and then to [ParseEvent].
//
// [PaceConfig] keeps a Client below the service's rate limits, and
// [Client.Stats] shows what is left of them.
//
// # Errors
//
// Every error matches one of the sentinels, such as [ErrNotFound], by
// [errors.Is]; but for a context that the caller cancelled, which shows as
// [context.Canceled]. [*Error] has the details, among them the service's code
// and the id of the request. When more than one source was asked, the error is a
// [*FailoverError] that names every attempt and unwraps to the authority's error
// alone. [Client.GetBatch] returns what it could read, and a [*BatchError] with
// an error for each of the others.
//
// [ErrUncertain] is the one error after which a write may have been done: look
// at what stands there before you write again. After any other error of a Put
// nothing was written. Where the service does not offer what is not
// documented, the error also matches [errors.ErrUnsupported].
//
// # Redaction
//
// A [Secret] keeps its data behind a func, so no fmt verb, encoder, logger or
// dumper shows it, also not from an unexported field of another struct. No text
// of an error holds a value, a token, a query or a response body; the service's
// own words stand apart, in fields of [Error]. [Secret.Field], [Secret.Data],
// [Secret.JSON] and [Secret.Decode] reveal.
//
// # Concurrency
//
// Everything in this package is safe for concurrent use, but for configuration
// structs while they are being filled. The Store owns its goroutines, and
// [Store.Close] waits for them.
package scaivault
