// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"net/url"
	"strconv"
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
	apiHealthReady    = "/v1/health/ready"    // documented
	apiAuditLogs      = "/v1/audit/logs"      // documented
)

// headerTenant chooses the tenant of a partner-admin token. Documented.
const headerTenant = "X-Tenant-ID"

// apiSecret is documented for GET and PUT, and inferred for DELETE. A valid
// path needs no escaping.
func (c *Client) apiSecret(path string) string { return c.secrets + "/" + path }

// apiBatch is documented for a tenant's secrets and inferred for the partner's.
func (c *Client) apiBatch() string { return c.secrets + "/batch" }

// queryVersion is documented.
func queryVersion(version int) url.Values {
	return url.Values{"version": {strconv.Itoa(version)}}
}

// queryPermanent is inferred from the argument of the same name in the
// official JavaScript and .NET clients.
func queryPermanent() url.Values { return url.Values{"permanent": {"true"}} }

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
