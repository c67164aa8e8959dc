// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"net/http"
	"strings"
)

// A Category is a group of calls that share a rate limit. ScaiVault counts per
// identity, category and minute.
type Category string

// The categories of the calls that this package makes. The names are this
// package's own; the groups are documented, but for those of a secret's
// versions and metadata, which are inferred.
const (
	CategoryRead          Category = "read"           // Get, GetVersion, and each secret of a batch
	CategoryWrite         Category = "write"          // Put, UpdateMetadata, Restore
	CategoryDelete        Category = "delete"         // Delete
	CategoryList          Category = "list"           // List, Versions, Metadata, Exists
	CategoryBatchRead     Category = "batch_read"     // GetBatch
	CategoryBatchMetadata Category = "batch_metadata" // Metadata and Exists, where the service offers no other way
	CategoryAudit         Category = "audit"          // AuditLogs
	CategoryPolicy        Category = "policy"         // policies and bindings
	CategoryPolicyTest    Category = "policy_test"    // TestPolicy
	CategorySubscription  Category = "subscription"   // create, acknowledge and delete a subscription
	CategoryPoll          Category = "poll"           // Poll; one long poll is one unit
	CategoryFederation    Category = "federation"     // package federation
	CategoryIdentity      Category = "identity"       // WhoAmI
)

// documentedLimits are the managed service's, in units per minute and identity.
// A self-hosted one can have others.
var documentedLimits = map[Category]int{
	CategoryRead:          1000,
	CategoryWrite:         100,
	CategoryDelete:        100,
	CategoryList:          100,
	CategoryBatchRead:     100,
	CategoryBatchMetadata: 100,
	CategoryAudit:         50,
	CategoryPolicy:        50,
	CategoryPolicyTest:    200,
	CategorySubscription:  20,
	CategoryPoll:          240,
	CategoryFederation:    20,
	CategoryIdentity:      300,
}

// categoryOfCall tells the category of a call that only its URL is known of; empty
// for one that this package knows no limit of.
func categoryOfCall(method, apiPath string) Category {
	if below, ok := strings.CutPrefix(apiPath, apiTenant); ok {
		if _, rest, ok := strings.Cut(below, "/"); ok {
			apiPath = apiPrefix + rest
		}
	}
	is := func(area string) bool { return apiPath == area || strings.HasPrefix(apiPath, area+"/") }
	switch {
	case is(apiFederation):
		return CategoryFederation
	case is(apiPolicyTest):
		return CategoryPolicyTest
	case is(apiPolicies):
		return CategoryPolicy
	case is(apiSubscriptions) && strings.HasSuffix(apiPath, "/poll"):
		return CategoryPoll
	case is(apiSubscriptions):
		return CategorySubscription
	case is(apiAuditLogs):
		return CategoryAudit
	case is(apiWhoAmI):
		return CategoryIdentity
	case is(apiSecrets) || is(apiPartnerSecrets):
		return categoryOfSecrets(method, apiPath)
	}
	return ""
}

func categoryOfSecrets(method, apiPath string) Category {
	switch {
	case method == http.MethodPost && strings.HasSuffix(apiPath, "/batch"):
		return CategoryBatchRead
	case method == http.MethodPost && strings.HasSuffix(apiPath, "/batch/metadata"):
		return CategoryBatchMetadata
	case method == http.MethodGet && (apiPath == apiSecrets || apiPath == apiPartnerSecrets):
		return CategoryList
	case method == http.MethodGet:
		return CategoryRead
	case method == http.MethodDelete:
		return CategoryDelete
	}
	return CategoryWrite
}
