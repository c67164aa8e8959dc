// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// Do makes any call of the API, for what this package has no method for.
// apiPath starts with /v1/ and may have a query. Unless in is nil it is sent
// as JSON; unless out is nil the answer is decoded into it, with numbers in
// interfaces as json.Number. An empty answer leaves out as it is.
//
// GET and HEAD are repeated as [ClientConfig.Retry] says. Other methods are
// sent at most once, but for a rate limit; if it stays open whether they were
// done, the error matches [ErrUncertain].
func (c *Client) Do(ctx context.Context, method, apiPath string, in, out any) error {
	r, err := c.doRequest(method, apiPath, in)
	if err != nil {
		return err
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	ans, err := c.exchange(ctx, r)
	var sent sentError
	if errors.As(err, &sent) {
		return uncertain(sent.cause, "so it may have been done; look before you repeat it")
	}
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(ans.body)) == 0 {
		return nil
	}
	if out == nil {
		out = new(json.RawMessage) // an answer that is no JSON is not the service's
	}
	if err := ans.decode(r, out); err != nil {
		if r.reads {
			return err
		}
		return uncertain(err, "so it may have been done; look before you repeat it")
	}
	return nil
}

func (c *Client) doRequest(method, apiPath string, in any) (request, error) {
	path, rawQuery, _ := strings.Cut(apiPath, "?")
	r := request{
		op: strings.ToLower(method) + " " + wire.Printable(path), method: method, apiPath: path,
		reads: method == http.MethodGet || method == http.MethodHead, category: categoryOfCall(method, path),
	}
	query, err := url.ParseQuery(rawQuery)
	unescaped, pathErr := url.PathUnescape(path)
	switch {
	case method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		r.op = "call"
		return r, c.invalid(r.op, path, "the method is not one of HTTP in capitals, such as GET")
	case !strings.HasPrefix(path, apiPrefix):
		return r, c.invalid(r.op, "", "an API path starts with "+apiPrefix)
	case err != nil || pathErr != nil || strings.ContainsAny(path, "#\\") || strings.Contains("/"+unescaped+"/", "/../"):
		return r, c.invalid(r.op, "", "the API path or its query is malformed")
	}
	r.query = query
	if in == nil {
		return r, nil
	}
	if r.body, err = wire.Marshal(in); err != nil {
		return r, c.invalid(r.op, "", "the body cannot be written as JSON")
	}
	return r, nil
}
