// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"net/http"
)

// Restore brings back a secret that was deleted, but not permanently, by POST
// /v1/secrets/{path}/restore, and returns what is known of it then, or the path
// alone where that can't be read. A secret that is not deleted stays as it is.
// Where there is nothing to restore, or no longer, the error matches
// [ErrNotFound].
//
// That URL is not documented. If the service says that it does not have it, the
// error matches [ErrInvalid] and [errors.ErrUnsupported].
//
// Restore is never repeated once it was sent. If no answer comes, it looks
// whether the secret is there; if not, or if that can't be known, the error
// matches [ErrUncertain].
func (c *Client) Restore(ctx context.Context, path string) (*SecretInfo, error) {
	const op = "restore"
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid(op, path, rule)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	r := request{op: op, path: path, method: http.MethodPost, apiPath: c.apiPart(path, partRestore), category: CategoryWrite}
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return c.lookForRestore(ctx, r, sent.cause)
	case notOffered(err):
		return nil, unsupported(op, path, "restoring a secret; use its own tools, or wait until the path is free and Put it anew", err)
	case err != nil:
		return nil, c.notRestored(ctx, r, err)
	}
	info, ok := c.changed(ctx, r, ans)
	if !ok {
		return c.lookForRestore(ctx, r, ans.malformed(r, ""))
	}
	return info, nil
}

// notRestored is the error of a restore that was refused. A secret that is
// there, and is said to be missing, was taken for another one.
func (c *Client) notRestored(ctx context.Context, r request, err error) error {
	var e *Error
	if !errors.Is(err, ErrNotFound) || !errors.As(err, &e) {
		return err
	}
	if there, lookErr := c.exists(ctx, r.op, r.path); lookErr == nil && there {
		return unsupported(r.op, r.path, "restoring a secret; this one is there", err)
	}
	own := *e
	own.Reason = "there is nothing to restore, or the service does not offer to"
	return &own
}

// lookForRestore finds out whether a secret is there whose restore got no
// answer that counts.
func (c *Client) lookForRestore(ctx context.Context, r request, cause *Error) (*SecretInfo, error) {
	look, cancel := c.lookUp(ctx)
	defer cancel()
	info, err := c.describe(look, r.op, r.path)
	if err == nil {
		return info, nil
	}
	there, err := c.exists(look, r.op, r.path)
	switch {
	case there:
		return &SecretInfo{Path: r.path, Source: sourceScaiVault}, nil
	case err != nil:
		return nil, uncertain(cause, "and looking for the secret failed too ("+categoryOf(err)+")")
	default:
		return nil, uncertain(cause, "and the secret is not there so far; it may be restored later")
	}
}
