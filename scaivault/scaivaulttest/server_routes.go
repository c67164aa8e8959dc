// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"maps"
	"net/http"
	"strings"
)

// routes are the resources of the API. The inferred ones, which no document shows,
// are GET /v1/secrets, DELETE /v1/secrets/{path}, {path}/versions, {path}/metadata,
// {path}/restore and /v1/secrets/batch/metadata.
type routes struct {
	fixed       map[string]resource   // by the path below /v1/
	collections map[string]collection // by the path below /v1/
	secret      resource
	parts       map[string]resource  // instead of secret, by the last segment of the path
	read        *endpoint            // of a secret
	readParts   map[string]*endpoint // of what stands below a secret, by the last segment
}

// A collection has resources below each of its members, by what follows the member's
// id: nothing, a name, or a name and "/*" for a second id.
type collection map[string]resource

func newRoutes(quirks *Quirks) *routes {
	secret := secretMethods(quirks)
	table := &routes{secret: secret, parts: partRoutes(secret, quirks), fixed: systemRoutes()}
	table.read = &endpoint{scope: "secrets:read", category: CategoryRead, action: "read", serve: (*serverCall).getSecret}
	table.readParts = map[string]*endpoint{
		"versions": {scope: "secrets:list", category: CategoryList, action: "list", serve: (*serverCall).secretVersions},
		"metadata": {scope: "secrets:list", category: CategoryList, action: "list", serve: (*serverCall).secretMetadata},
	}
	maps.Copy(table.fixed, secretRoutes(secret, table.parts))
	maps.Copy(table.fixed, federationRoutes())
	maps.Copy(table.fixed, policyRoutes())
	maps.Copy(table.fixed, subscriptionRoutes())
	table.collections = map[string]collection{
		"federation/backends": backendRoutes(),
		"policies":            policyMembers(),
		"subscriptions":       subscriptionMembers(),
	}
	return table
}

func systemRoutes() map[string]resource {
	return map[string]resource{
		"auth/whoami":     {http.MethodGet: {category: CategoryIdentity, serve: (*serverCall).whoami}},
		"auth/exchange":   {http.MethodPost: {open: true, serve: (*serverCall).exchange}},
		"audit/logs":      {http.MethodGet: {scope: "audit:read", category: CategoryAudit, serve: (*serverCall).auditLogs}},
		"health":          {http.MethodGet: {open: true, serve: (*serverCall).health}},
		"health/ready":    {http.MethodGet: {open: true, serve: (*serverCall).ready}},
		"health/detailed": {http.MethodGet: {scope: "admin", serve: (*serverCall).healthDetailed}},
		"version":         {http.MethodGet: {open: true, serve: (*serverCall).version}},
	}
}

// secretMethods are the methods of a secret's own path.
func secretMethods(quirks *Quirks) resource {
	methods := resource{
		http.MethodGet:    {resolve: resolveRead},
		http.MethodPut:    {scope: "secrets:write", category: CategoryWrite, action: "write", serve: (*serverCall).putSecret},
		http.MethodDelete: {scope: "secrets:delete", category: CategoryDelete, action: "delete", serve: (*serverCall).deleteSecret},
	}
	if quirks.MetadataRoute == MetadataSecretRoute {
		methods[http.MethodPatch] = secretChange((*serverCall).updateMetadata)
	}
	return methods
}

func secretChange(serve func(*serverCall) *refusal) *endpoint {
	return &endpoint{scope: "secrets:write", category: CategoryWrite, action: "write", serve: serve}
}

// partRoutes are the methods of paths that end like a sub-resource: those of the
// sub-resource, which no secret has, and those of a secret of that very path.
func partRoutes(secret resource, quirks *Quirks) map[string]resource {
	parts := map[string]resource{}
	if quirks.Subresources == SubresourcesAbsent {
		return parts
	}
	if quirks.MetadataRoute == MetadataOwnRoute {
		parts["metadata"] = withMethods(resource{http.MethodPatch: above(secretChange((*serverCall).updateMetadata))}, secret)
	}
	restore := above(secretChange((*serverCall).restoreSecret))
	if quirks.Restore == RestoreAbsent {
		restore = &endpoint{open: true, serve: (*serverCall).unknownRoute}
	}
	parts["restore"] = withMethods(resource{http.MethodPost: restore}, secret)
	return parts
}

// above is ep for the secret above the last segment of the path.
func above(ep *endpoint) *endpoint {
	return &endpoint{resolve: func(c *serverCall) *endpoint {
		c.path = c.path[:strings.LastIndexByte(c.path, '/')]
		return ep
	}}
}

func (c *serverCall) unknownRoute() *refusal {
	return refuse(http.StatusNotFound, "not_found", "no such resource")
}

// secretRoutes are the listing and the batches. A batch's path could be a secret's.
func secretRoutes(secret resource, parts map[string]resource) map[string]resource {
	list := resource{http.MethodGet: {scope: "secrets:list", category: CategoryList, action: "list", serve: (*serverCall).listSecrets}}
	batch := resource{http.MethodPost: {scope: "secrets:read", category: CategoryBatchRead, serve: (*serverCall).batchRead}}
	metadata := resource{http.MethodPost: {scope: "secrets:list", category: CategoryBatchMetadata, serve: (*serverCall).batchMetadata}}
	below, ok := parts["metadata"]
	if !ok {
		below = secret
	}
	return map[string]resource{
		"secrets": list, "secrets/": list,
		"secrets/batch":          withMethods(batch, secret),
		"secrets/batch/":         batch,
		"secrets/batch/metadata": withMethods(metadata, below),
	}
}

func federationEndpoint(scope string, serve func(*serverCall) *refusal) *endpoint {
	return &endpoint{scope: scope, category: CategoryFederation, serve: serve}
}

func federationRoutes() map[string]resource {
	return map[string]resource{"federation/backends": {
		http.MethodGet:  federationEndpoint("federation:read", (*serverCall).listBackends),
		http.MethodPost: federationEndpoint("federation:write", (*serverCall).createBackend),
	}}
}

func backendRoutes() collection {
	const read, write = "federation:read", "federation:write"
	return collection{
		"": {
			http.MethodGet:    federationEndpoint(read, (*serverCall).getBackend),
			http.MethodPatch:  federationEndpoint(write, (*serverCall).patchBackend),
			http.MethodDelete: federationEndpoint(write, (*serverCall).deleteBackend),
		},
		"status":    {http.MethodGet: federationEndpoint(read, (*serverCall).backendStatus)},
		"sync":      {http.MethodPost: federationEndpoint(write, (*serverCall).syncBackend)},
		"conflicts": {http.MethodGet: federationEndpoint(read, (*serverCall).backendConflicts)},
	}
}

// withMethods adds the methods of other to those of res, which come first.
func withMethods(res, other resource) resource {
	all := maps.Clone(other)
	maps.Copy(all, res)
	return all
}

// route finds the resource, and notes tenant, path and ids.
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
	rest = c.cutPartner(rest)
	table := c.server.routes
	path, isSecret := strings.CutPrefix(rest, "secrets/")
	if isSecret {
		c.path = path
	}
	if res, ok := table.fixed[rest]; ok {
		return res, true
	}
	if isSecret {
		return table.secretAt(path), true
	}
	for name, members := range table.collections {
		if below, ok := strings.CutPrefix(rest, name+"/"); ok {
			return c.routeMember(members, below)
		}
	}
	return nil, false
}

// secretAt is the resource of a secret's path.
func (t *routes) secretAt(path string) resource {
	if cut := strings.LastIndexByte(path, '/'); cut > 0 {
		if res, ok := t.parts[path[cut+1:]]; ok {
			return res
		}
	}
	return t.secret
}

// routeMember finds a resource of one member of a collection.
func (c *serverCall) routeMember(members collection, below string) (resource, bool) {
	id, part, deeper := strings.Cut(below, "/")
	if id == "" || (deeper && part == "") {
		return nil, false
	}
	c.id = id
	name, second, nested := strings.Cut(part, "/")
	if !nested {
		res, ok := members[name]
		return res, ok
	}
	c.partID = second
	res, ok := members[name+"/*"]
	return res, ok && second != "" && !strings.Contains(second, "/")
}

// resolveRead tells a read of a secret from one of a sub-resource with the same
// looks. A secret of the whole path comes first, then a sub-resource of a secret
// above. Where neither exists both answer secret_not_found, and it is the one that
// the caller's scopes allow.
func resolveRead(c *serverCall) *endpoint {
	read := c.server.routes.read
	cut := strings.LastIndexByte(c.path, '/')
	if c.server.quirks.Subresources == SubresourcesAbsent || cut <= 0 {
		return read
	}
	part := c.server.routes.readParts[c.path[cut+1:]]
	if part == nil {
		return read
	}
	store, above := c.secrets(), c.path[:cut]
	switch {
	case store.exists(c.path) || c.proxied():
		return read
	case !store.exists(above) && c.grant.allow("secrets:read") == nil:
		return read
	}
	c.path = above
	return part
}
