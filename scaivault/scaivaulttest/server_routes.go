// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"strings"
)

// routes are the resources of the API. The inferred ones, which no document shows,
// are GET /v1/secrets, DELETE /v1/secrets/{path}, {path}/versions, {path}/metadata
// and /v1/secrets/batch/metadata.
type routes struct {
	fixed    map[string]resource // by the path below /v1/
	secret   resource
	backend  resource
	status   resource
	sync     resource
	conflict resource
}

func newRoutes() *routes {
	secret := resource{
		http.MethodGet:    {resolve: resolveRead},
		http.MethodPut:    {scope: "secrets:write", category: CategoryWrite, action: "write", serve: (*serverCall).putSecret},
		http.MethodDelete: {scope: "secrets:delete", category: CategoryDelete, action: "delete", serve: (*serverCall).deleteSecret},
	}
	list := resource{http.MethodGet: {scope: "secrets:list", category: CategoryList, action: "list", serve: (*serverCall).listSecrets}}
	batch := resource{http.MethodPost: {scope: "secrets:read", category: CategoryBatchRead, serve: (*serverCall).batchRead}}
	metadata := resource{http.MethodPost: {scope: "secrets:list", category: CategoryBatchMetadata, serve: (*serverCall).batchMetadata}}
	federation := func(scope string, serve func(*serverCall) *refusal) *endpoint {
		return &endpoint{scope: scope, category: CategoryFederation, serve: serve}
	}
	const read, write = "federation:read", "federation:write"
	return &routes{
		secret: secret,
		fixed: map[string]resource{
			"secrets": list, "secrets/": list,
			"secrets/batch/metadata": metadata,
			"auth/whoami":            {http.MethodGet: {category: CategoryWhoami, serve: (*serverCall).whoami}},
			"audit/logs":             {http.MethodGet: {scope: "audit:read", category: CategoryAudit, serve: (*serverCall).auditLogs}},
			"health":                 {http.MethodGet: {open: true, serve: (*serverCall).health}},
			"health/ready":           {http.MethodGet: {open: true, serve: (*serverCall).ready}},
			"health/detailed":        {http.MethodGet: {scope: "admin", serve: (*serverCall).healthDetailed}},
			"version":                {http.MethodGet: {open: true, serve: (*serverCall).version}},
			"secrets/batch":          withSecret(batch, secret),
			"secrets/batch/":         batch,
			"federation/backends": {
				http.MethodGet:  federation(read, (*serverCall).listBackends),
				http.MethodPost: federation(write, (*serverCall).createBackend),
			},
		},
		backend: resource{
			http.MethodGet:    federation(read, (*serverCall).getBackend),
			http.MethodPatch:  federation(write, (*serverCall).patchBackend),
			http.MethodDelete: federation(write, (*serverCall).deleteBackend),
		},
		status:   resource{http.MethodGet: federation(read, (*serverCall).backendStatus)},
		sync:     resource{http.MethodPost: federation(write, (*serverCall).syncBackend)},
		conflict: resource{http.MethodGet: federation(read, (*serverCall).backendConflicts)},
	}
}

// withSecret adds the methods of a secret to a resource whose path could be one.
func withSecret(res, secret resource) resource {
	all := resource{}
	for method, ep := range secret {
		all[method] = ep
	}
	for method, ep := range res {
		all[method] = ep
	}
	return all
}

// route finds the resource, and notes tenant and path.
func (c *serverCall) route() (resource, bool) {
	rest, ok := strings.CutPrefix(c.r.URL.Path, "/v1/")
	if !ok {
		return nil, false
	}
	if below, ok := strings.CutPrefix(rest, "t/"); ok {
		if c.tenant, rest, ok = strings.Cut(below, "/"); !ok || c.tenant == "" {
			return nil, false
		}
	}
	table := c.server.routes
	path, isSecret := strings.CutPrefix(rest, "secrets/")
	if isSecret {
		c.path = path
	}
	if res, ok := table.fixed[rest]; ok {
		return res, true
	}
	if isSecret {
		return table.secret, true
	}
	below, ok := strings.CutPrefix(rest, "federation/backends/")
	if !ok {
		return nil, false
	}
	id, part, deeper := strings.Cut(below, "/")
	c.path = id
	switch {
	case id == "":
		return nil, false
	case !deeper:
		return table.backend, true
	case part == "status":
		return table.status, true
	case part == "sync":
		return table.sync, true
	case part == "conflicts":
		return table.conflict, true
	}
	return nil, false
}

// resolveRead tells a read of a secret from one of a sub-resource with the same
// looks. A secret of the whole path comes first, then a sub-resource of a secret
// above. Where neither exists both answer secret_not_found, and it is the one that
// the caller's scopes allow.
func resolveRead(c *serverCall) *endpoint {
	read := &endpoint{scope: "secrets:read", category: CategoryRead, action: "read", serve: (*serverCall).getSecret}
	cut := strings.LastIndexByte(c.path, '/')
	if c.server.quirks.Subresources == SubresourcesAbsent || cut <= 0 {
		return read
	}
	part := &endpoint{scope: "secrets:list", category: CategoryList, action: "list"}
	switch c.path[cut+1:] {
	case "versions":
		part.serve = (*serverCall).secretVersions
	case "metadata":
		part.serve = (*serverCall).secretMetadata
	default:
		return read
	}
	store, above := c.server.secrets, c.path[:cut]
	switch {
	case store.exists(c.path) || c.server.federation.proxied(c.path):
		return read
	case !store.exists(above) && c.grant.allow("secrets:read") == nil:
		return read
	}
	c.path = above
	return part
}
