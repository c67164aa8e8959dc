// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"net/url"
	"strconv"
	"time"
)

// This file is the only place that knows the service's URLs. Those that the
// service documents are marked "documented"; those that are inferred from its
// other collections and its clients are marked "inferred", with what from.
const (
	apiPrefix = "/v1/"   // documented: all API paths start with it
	apiTenant = "/v1/t/" // documented: the tenant's id follows, and then the rest

	apiSecrets        = "/v1/secrets"         // inferred for the listing, from the base path and from other collections
	apiPartnerSecrets = "/v1/partner/secrets" // documented
	apiWhoAmI         = "/v1/auth/whoami"     // documented
	apiExchange       = "/v1/auth/exchange"   // documented
	apiHealth         = "/v1/health"          // documented
	apiHealthReady    = "/v1/health/ready"    // documented
	apiVersion        = "/v1/version"         // documented
	apiAuditLogs      = "/v1/audit/logs"      // documented
	apiSubscriptions  = "/v1/subscriptions"   // documented
	apiPolicies       = "/v1/policies"        // documented
	apiPolicyTest     = "/v1/policies/test"   // documented
	apiFederation     = "/v1/federation"      // documented; package federation has the rest
)

// headerTenant chooses the tenant of a partner-admin token. Documented.
const headerTenant = "X-Tenant-ID"

// The headers of a webhook's request. Documented.
const (
	headerWebhookTimestamp = "X-ScaiVault-Timestamp"
	headerWebhookSignature = "X-ScaiVault-Signature"
)

// apiSecret is documented for GET and PUT, and inferred for DELETE and PATCH. A
// valid path needs no escaping.
func (c *Client) apiSecret(path string) string { return c.secrets + "/" + path }

// apiBatch is documented for a tenant's secrets and inferred for the partner's.
func (c *Client) apiBatch() string { return c.secrets + "/batch" }

// apiBatchMetadata is inferred from the base path of the two batches,
// /v1/secrets/batch/.
func (c *Client) apiBatchMetadata() string { return c.secrets + "/batch/metadata" }

// The resources below a secret, all inferred: the official clients and commands
// know them by these names and show no URL; restoring is known only from a time
// until which it is possible. A service that has them not takes their paths for
// those of secrets.
const (
	partVersions = "versions"
	partMetadata = "metadata"
	partRestore  = "restore"
)

// apiPart is inferred.
func (c *Client) apiPart(path, part string) string { return c.apiSecret(path) + "/" + part }

// queryVersion is documented.
func queryVersion(version int) url.Values {
	return url.Values{"version": {strconv.Itoa(version)}}
}

// queryPermanent is inferred: the first from the argument of that name in the
// official JavaScript and .NET clients, the second from the flag --hard of the
// official command. A service ignores what it does not know.
func queryPermanent() url.Values { return url.Values{"permanent": {"true"}, "hard": {"true"}} }

// queryCursor is inferred from the other collections.
func queryCursor(cursor string) url.Values {
	if cursor == "" {
		return nil
	}
	return url.Values{"cursor": {cursor}}
}

// queryList is known from the official clients (prefix, limit) and inferred
// from the other collections (cursor).
func queryList(prefix, cursor string, limit int) url.Values {
	q := url.Values{}
	if prefix != "" {
		q.Set("prefix", prefix)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// The addresses of one subscription are documented. Its ids, as far as they
// are seen, need no escaping.
func apiSubscription(id string) string     { return apiSubscriptions + "/" + url.PathEscape(id) }
func apiSubscriptionPoll(id string) string { return apiSubscription(id) + "/poll" }
func apiSubscriptionAck(id string) string  { return apiSubscription(id) + "/ack" }

// queryPoll is documented.
func queryPoll(timeout time.Duration, sinceEventID string, maxEvents int) url.Values {
	q := url.Values{"timeout": {strconv.Itoa(int(timeout / time.Second))}}
	if sinceEventID != "" {
		q.Set("since_event_id", sinceEventID)
	}
	if maxEvents > 0 {
		q.Set("max_events", strconv.Itoa(maxEvents))
	}
	return q
}

// The addresses of one policy are documented.
func apiPolicy(id string) string         { return apiPolicies + "/" + url.PathEscape(id) }
func apiPolicyBindings(id string) string { return apiPolicy(id) + "/bindings" }

// apiPolicyBinding is inferred from the address of the bindings.
func apiPolicyBinding(id, bindingID string) string {
	return apiPolicyBindings(id) + "/" + url.PathEscape(bindingID)
}

// queryForce is documented for the deletion of a policy.
func queryForce() url.Values { return url.Values{"force": {"true"}} }

// queryPage is documented for policies, and inferred from them for bindings
// and subscriptions.
func queryPage(cursor string, limit int) url.Values {
	return queryList("", cursor, limit)
}
