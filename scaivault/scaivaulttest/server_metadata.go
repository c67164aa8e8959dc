// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// author is who makes this call.
func (c *serverCall) author() author { return author{c.grant.identityID, c.requestID} }

// appendDescription appends the secret object without its data, and with the number
// of its versions.
func appendDescription(b []byte, v *secretView) []byte {
	b = appendSecret(b, v, false)
	b = append(b[:len(b)-1], `,"version_count":`...)
	return append(strconv.AppendInt(b, int64(v.kept), 10), '}')
}

// secretMetadata answers GET /v1/secrets/{path}/metadata.
func (c *serverCall) secretMetadata() *refusal {
	if refusal := c.authorize(c.path); refusal != nil {
		return refusal
	}
	view, refusal := c.secrets().read(c.path, 0)
	if refusal != nil {
		return refusal
	}
	c.reply(http.StatusOK, appendDescriptionAs(nil, &view, c.server.quirks.MetadataForm))
	return nil
}

// appendDescriptionAs appends what a read of the metadata gives.
func appendDescriptionAs(b []byte, v *secretView, form MetadataForm) []byte {
	switch form {
	case MetadataSecret:
		return append(appendDescription(append(b, `{"secret":`...), v), '}')
	case MetadataData:
		return append(appendDescription(append(b, `{"data":`...), v), '}')
	case MetadataAlone:
		return append(append(append(b, `{"metadata":`...), v.metadata...), '}')
	case MetadataFlat:
		return appendFlat(b, v)
	}
	return appendDescription(b, v)
}

// appendFlat appends the description with the members of metadata beside the others.
// Where names are the same the secret's counts.
func appendFlat(b []byte, v *secretView) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(v.metadata, &members) != nil {
		return appendDescription(b, v) // cannot be: it was checked
	}
	plain := *v
	plain.metadata = json.RawMessage("null")
	var own map[string]json.RawMessage
	if json.Unmarshal(appendDescription(nil, &plain), &own) != nil {
		return appendDescription(b, v) // cannot be
	}
	delete(own, "metadata")
	maps.Copy(members, own)
	flat, err := encodeJSON(members)
	if err != nil {
		return appendDescription(b, v) // cannot be: a map of JSON always is JSON
	}
	return append(b, flat...)
}

type metadataBody struct {
	Metadata json.RawMessage `json:"metadata"`
}

// updateMetadata answers PATCH /v1/secrets/{path}/metadata.
func (c *serverCall) updateMetadata() *refusal {
	if refusal := c.authorizeWrite(); refusal != nil {
		return refusal
	}
	var body metadataBody
	if refusal := readBody(c.r, c.server.opts.MaxBodyBytes, &body); refusal != nil {
		return refusal
	}
	switch {
	case absent(body.Metadata):
		return wrongField("metadata", "is required")
	case !isObject(body.Metadata):
		return wrongField("metadata", "must be an object")
	}
	if refusal := c.refuseFederated(); refusal != nil {
		return refusal
	}
	view, refusal := c.secrets().describe(c.path, body.Metadata, c.author())
	if refusal != nil {
		return refusal
	}
	c.reply(http.StatusOK, appendDescription(nil, &view))
	return nil
}

// describe changes the metadata of a secret.
func (s *secretStore) describe(path string, given json.RawMessage, by author) (secretView, *refusal) {
	now := s.lock()
	defer s.mu.Unlock()
	rec := s.records[path]
	if !s.live(rec, now) {
		return secretView{}, s.missing(path, now)
	}
	if s.quirks.MetadataUpdate == MetadataMerged {
		given = mergedMetadata(rec.metadata, given)
	}
	rec.metadata, rec.touched = given, now
	if s.quirks.MetadataVersion == MetadataAppends {
		rec.append(rec.latest().data, by, now)
		s.tellWritten(rec, by)
	}
	return rec.view(rec.latest()), nil
}

// mergedMetadata puts the members of given over those of old; a null takes one away.
// Both are objects.
func mergedMetadata(old, given json.RawMessage) json.RawMessage {
	var all, over map[string]json.RawMessage
	if json.Unmarshal(old, &all) != nil || json.Unmarshal(given, &over) != nil {
		return given // cannot be: both were parsed before
	}
	maps.Copy(all, over)
	maps.DeleteFunc(all, func(_ string, value json.RawMessage) bool { return absent(value) })
	merged, err := encodeJSON(all)
	if err != nil {
		return given // cannot be: a map of JSON always is JSON
	}
	return merged
}

type versionBody struct {
	Version   int     `json:"version"`
	CreatedAt *string `json:"created_at"`
	CreatedBy string  `json:"created_by"`
}

// secretVersions answers GET /v1/secrets/{path}/versions, the newest first.
func (c *serverCall) secretVersions() *refusal {
	if refusal := c.authorize(c.path); refusal != nil {
		return refusal
	}
	kept, refusal := c.secrets().history(c.path)
	if refusal != nil {
		return refusal
	}
	if c.server.quirks.VersionsForm == VersionsNumbers {
		numbers := make([]int, len(kept))
		for i, v := range kept {
			numbers[i] = v.number
		}
		c.replyJSON(http.StatusOK, map[string]any{"versions": numbers})
		return nil
	}
	slices.Reverse(kept)
	versions := make([]versionBody, len(kept))
	for i, v := range kept {
		versions[i] = versionBody{Version: v.number, CreatedAt: timestamp(v.written), CreatedBy: v.by}
	}
	if c.server.quirks.VersionsForm == VersionsData {
		c.replyJSON(http.StatusOK, map[string]any{"data": versions})
		return nil
	}
	c.replyJSON(http.StatusOK, map[string]any{
		"path": c.path, "current_version": kept[0].number, "versions": versions,
	})
	return nil
}
