// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxBatch is how many paths a batch may have.
const maxBatch = 100

type batchBody struct {
	Paths           []string `json:"paths"`
	ExpandWildcards bool     `json:"expand_wildcards"`
	Options         struct {
		IncludeMetadata bool `json:"include_metadata"`
		FailFast        bool `json:"fail_fast"`
		Version         *int `json:"version"`
		ExpandWildcards bool `json:"expand_wildcards"`
	} `json:"options"`
}

// A batchResult is what one path of a batch gave.
type batchResult struct {
	path    string
	view    secretView
	refusal *refusal
}

// readBatch reads and checks the body.
func (c *serverCall) readBatch() (*batchBody, *refusal) {
	var body batchBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return nil, refusal
	}
	switch {
	case len(body.Paths) == 0:
		return nil, wrongField("paths", "must hold at least one path")
	case len(body.Paths) > maxBatch:
		return nil, wrongField("paths", "must hold at most %d paths", maxBatch)
	case body.Options.Version != nil && *body.Options.Version < 1:
		return nil, wrongField("options.version", "must be a positive integer")
	}
	seen := make(map[string]bool, len(body.Paths))
	unique := body.Paths[:0]
	for _, path := range body.Paths {
		if !seen[path] {
			seen[path] = true
			unique = append(unique, path)
		}
	}
	body.Paths = unique
	return &body, nil
}

// batchRead answers POST /v1/secrets/batch.
func (c *serverCall) batchRead() *refusal {
	body, refusal := c.readBatch()
	if refusal != nil {
		return refusal
	}
	version := 0
	if body.Options.Version != nil {
		version = *body.Options.Version
	}
	// One bound for all: a backend that hangs must not hold the batch once per path.
	ctx, cancel := context.WithTimeout(c.r.Context(), c.server.opts.BackendTimeout)
	defer cancel()
	if c.server.quirks.BatchSize == BatchSize50 {
		body.Paths = body.Paths[:min(50, len(body.Paths))]
	}
	results := make([]batchResult, 0, len(body.Paths))
	for _, path := range body.Paths {
		result := batchResult{path: path}
		if result.refusal = c.authorize(path); result.refusal == nil {
			result.view, result.refusal = c.lookup(ctx, path, version)
		}
		results = append(results, result)
		if result.refusal != nil && body.Options.FailFast {
			break
		}
	}
	if refusal = c.chargeReads(results); refusal != nil {
		return refusal
	}
	c.enterBatch("read", results)
	if last := results[len(results)-1]; body.Options.FailFast && last.refusal != nil && c.server.quirks.FailFast == FailFastRefused {
		return last.refusal
	}
	c.replyBatch("secrets", results, true, body.Options.IncludeMetadata)
	return nil
}

// chargeReads takes a unit of the read limit for every path that is returned.
func (c *serverCall) chargeReads(results []batchResult) *refusal {
	returned := 0
	for i := range results {
		if results[i].refusal == nil {
			returned++
		}
	}
	// The headers tell of the batch limit, unless this one is what refuses.
	q, ok := c.server.limits.take(c.grant.identityID, CategoryRead, c.chargeable(returned))
	if !ok {
		c.tellQuota(q)
		return q.refusal(CategoryRead)
	}
	if c.server.quirks.BatchLimited == BatchLimitedEntries {
		c.limitEntries(results, returned)
	}
	return nil
}

// chargeable is how many units a batch takes at once: none when the limit hits entries.
func (c *serverCall) chargeable(returned int) int {
	if c.server.quirks.BatchLimited == BatchLimitedEntries {
		return 0
	}
	return returned
}

// limitEntries charges the results one by one and refuses those beyond the limit.
func (c *serverCall) limitEntries(results []batchResult, returned int) {
	for i := range results {
		if results[i].refusal != nil {
			continue
		}
		if _, ok := c.server.limits.take(c.grant.identityID, CategoryRead, 1); !ok {
			results[i].refusal = refuse(http.StatusTooManyRequests, "rate_limited", "the read limit allows fewer than %d paths now", returned)
		}
	}
}

// enterBatch makes an entry in the audit log for every path.
func (c *serverCall) enterBatch(action string, results []batchResult) {
	call := c.trailCall(action, map[string]any{"batch": true})
	for i := range results {
		c.enterTrail(call, results[i].path, results[i].refusal == nil)
	}
}

// replyBatch answers with the two maps, the first of them under key.
func (c *serverCall) replyBatch(key string, results []batchResult, withData, withMetadata bool) {
	size := 0
	for i := range results {
		size += results[i].view.size(withData, withMetadata) + 2*len(results[i].path) // an error names it in its message too
	}
	body := slices.Grow([]byte(`{"`+key+`":{`), size)
	var failed []*batchResult
	for i := range results {
		result := &results[i]
		if result.refusal != nil {
			failed = append(failed, result)
			continue
		}
		if body[len(body)-1] != '{' {
			body = append(body, ',')
		}
		body = appendPath(body, result.path)
		body = append(body, `:{`...)
		if withData {
			body = append(body, `"data":`...)
			body = append(body, result.view.data...)
			body = append(body, ',')
		}
		body = append(body, `"version":`...)
		body = strconv.AppendInt(body, int64(result.view.version), 10)
		body = append(body, `,"secret_type":`...)
		body = appendText(body, result.view.secretType)
		if withMetadata {
			body = appendMetadata(body, &result.view)
		}
		body = append(body, '}')
	}
	body = append(body, `},"errors":{`...)
	body = append(appendFailed(body, failed), `}}`...)
	status := http.StatusOK
	if len(failed) > 0 && c.server.quirks.Batch == Batch207 {
		status = http.StatusMultiStatus
	}
	c.reply(status, body)
}

// appendFailed appends the members of errors, in the order of the paths.
func appendFailed(b []byte, failed []*batchResult) []byte {
	slices.SortFunc(failed, func(x, y *batchResult) int { return strings.Compare(x.path, y.path) })
	for i, result := range failed {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, result.path)
		b = append(b, `:{"code":`...)
		b = appendText(b, result.refusal.code)
		b = append(b, `,"message":`...)
		b = append(appendText(b, result.refusal.message), '}')
	}
	return b
}

// batchMetadata answers POST /v1/secrets/batch/metadata.
func (c *serverCall) batchMetadata() *refusal {
	body, refusal := c.readBatch()
	if refusal != nil {
		return refusal
	}
	expand := body.ExpandWildcards || body.Options.ExpandWildcards
	var results []batchResult
	for _, path := range body.Paths {
		if expand && strings.ContainsAny(path, "*?") {
			results = append(results, c.expand(path)...)
			continue
		}
		result := batchResult{path: path}
		if result.refusal = c.authorize(path); result.refusal == nil {
			result.view, result.refusal = c.secrets().read(path, 0)
		}
		results = append(results, result)
	}
	results = withoutDuplicates(results)
	c.enterBatch("list", results)
	key := "secrets"
	if c.server.quirks.BatchMetadataForm == BatchMetadataMetadata {
		key = "metadata"
	}
	c.replyBatch(key, results, false, true)
	return nil
}

// maxExpanded bounds what one pattern of a batch gives.
const maxExpanded = 1000

// expand returns the secrets that a pattern matches and the caller may see.
func (c *serverCall) expand(pattern string) []batchResult {
	paths := parseGlob(pattern)
	start, _, _ := strings.Cut(pattern, "*")
	start, _, _ = strings.Cut(start, "?")
	page, _ := c.secrets().list(&listing{
		prefix: start, strings: true, limit: maxExpanded,
		visible: func(path string) bool {
			return paths.match(path) && !c.server.policies.denied(c.grant.identityID, path)
		},
	})
	results := make([]batchResult, len(page))
	for i := range page {
		results[i] = batchResult{path: page[i].path, view: page[i]}
	}
	return results
}

func withoutDuplicates(results []batchResult) []batchResult {
	seen := make(map[string]bool, len(results))
	unique := results[:0]
	for _, result := range results {
		if !seen[result.path] {
			seen[result.path] = true
			unique = append(unique, result)
		}
	}
	return unique
}
