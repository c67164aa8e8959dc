// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
)

// Put writes a secret as a new version, by PUT /v1/secrets/{path}.
//
// A PUT always appends a version, so it is never repeated blindly: only when
// nothing was sent, or when the service refused it because of its rate limit.
// When it was sent and no answer came, Put reads the secret back; if it can't
// tell that this write is there, the error matches [ErrUncertain], and its
// Reason says what stands there. That look takes at most 5 seconds, also when
// ctx has ended by then.
//
// Metadata that the caller gives takes a random id along, by which a lost write
// is known for certain; reads of this package leave the id out. A write without
// metadata is known by its data, and by the version before it where a condition
// had that looked up; else by the service's clock, if that proves it: a service
// that tells whole seconds can't, within the first.
//
// IfAbsent, IfVersion and IfUnchanged are a look before the write; the service
// documents no such condition, so another writer can come in between. If the
// look says no, the error matches [ErrConflict]; so does a path that still holds
// a deleted secret, see [DeleteOptions] and [Client.Restore].
//
// A path, data or option that cannot be sent is [ErrInvalid], before any I/O.
// json.Number keeps its digits and json.RawMessage its text.
func (c *Client) Put(ctx context.Context, path string, data map[string]any, opts *PutOptions) (*Written, error) {
	if opts == nil {
		opts = &PutOptions{}
	}
	if rule := brokenPathRule(path); rule != "" {
		return nil, c.invalid("put", path, rule)
	}
	id := newPutID(opts.Metadata)
	body, raw, reason := putBody(data, id.addTo(opts))
	if reason != "" {
		return nil, c.invalid("put", path, reason)
	}
	ctx, cancel := c.withDeadline(ctx)
	defer cancel()
	before, err := c.checkConditions(ctx, path, opts)
	if err != nil {
		return nil, err
	}
	r := request{op: "put", path: path, method: http.MethodPut, apiPath: c.apiSecret(path), body: body, secret: raw, category: CategoryWrite}
	start := time.Now()
	ans, err := c.exchange(ctx, r)
	var sent sentError
	switch {
	case errors.As(err, &sent):
		return c.lookForWrite(ctx, path, lostWrite{sent.cause, raw, id, start, before})
	case err != nil:
		return nil, err
	}
	version, ok := writtenVersion(ans.body)
	if !ok {
		e := ans.malformed(r, "")
		return c.lookForWrite(ctx, path, lostWrite{e, raw, id, start, before})
	}
	return &Written{Version: version, Source: sourceScaiVault}, nil
}

// noVersion stands for the version before a write that nobody asked for.
const noVersion = -1

// checkConditions looks at the secret if opts asks for a condition. It returns
// the version before the write, or noVersion.
func (c *Client) checkConditions(ctx context.Context, path string, opts *PutOptions) (int, error) {
	if !opts.IfAbsent && opts.IfVersion == nil && opts.IfUnchanged == nil {
		return noVersion, nil
	}
	now, ans, err := c.read(ctx, path, nil, false)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return noVersion, err
	}
	version := 0
	if now != nil {
		version = now.Version()
	}
	reason := ""
	switch {
	case opts.IfAbsent && now != nil:
		reason = "the secret exists and IfAbsent was asked for"
	case opts.IfVersion != nil && now != nil && version == 0:
		reason = "IfVersion was asked for and the service does not tell the secret's version"
	case opts.IfVersion != nil && *opts.IfVersion != version && now == nil:
		reason = fmt.Sprintf("there is no such secret and IfVersion asked for version %d", *opts.IfVersion)
	case opts.IfVersion != nil && *opts.IfVersion != version:
		reason = fmt.Sprintf("the latest version is %d and IfVersion asked for %d", version, *opts.IfVersion)
	case opts.IfUnchanged != nil && !opts.IfUnchanged.Equal(now):
		reason = "the data is not what IfUnchanged asked for"
	}
	if reason != "" {
		if ans != nil {
			err = ans.malformed(request{}, "") // for the id of the look
		}
		e := answeredBy(err, &Error{Kind: ErrConflict, Op: "put", Source: sourceScaiVault, Path: path, Reason: reason})
		e.Status = 0 // of a look, not of the write
		return noVersion, e
	}
	if now != nil && version == 0 { // there is one, and it is not told
		return noVersion, nil
	}
	return version, nil
}

// A putID tells one write from all others by what it leaves in the metadata.
type putID struct {
	id string // empty: the write has no metadata, and so none
	// marked tells that the id is that of a mark which the metadata came with.
	// A caller who writes back the metadata of a copy brings an old one.
	marked bool
}

func newPutID(m Metadata) putID {
	if m.IsZero() {
		return putID{} // metadata of ours alone could clear the user's
	}
	if found, ok := mark.Parse(m.Values); ok && found.WriteID != "" {
		return putID{found.WriteID, true}
	}
	return putID{mark.NewWriteID(), false}
}

// addTo returns opts with the id in the metadata, where it is not yet.
func (p putID) addTo(opts *PutOptions) *PutOptions {
	if p.id == "" || p.marked {
		return opts
	}
	sent := *opts
	sent.Metadata.Values = mark.WithPutID(opts.Metadata.Values, p.id)
	return &sent
}

// isIn tells whether a secret's metadata holds the id.
func (p putID) isIn(s *Secret) bool {
	var m Metadata
	_ = m.UnmarshalJSON(s.reveal().metadata) // what is no metadata holds none
	if p.marked {
		found, ok := mark.Parse(m.Values)
		return ok && found.WriteID == p.id
	}
	return mark.PutID(m.Values) == p.id
}

// A lostWrite is a write that was sent and got no answer that counts.
type lostWrite struct {
	cause  *Error
	raw    json.RawMessage
	id     putID
	start  time.Time
	before int
}

// lookUpTimeout bounds the look for a write whose answer was lost. The caller's
// own deadline may have ended by then.
const lookUpTimeout = 5 * time.Second

func (c *Client) lookUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(lookUpTimeout, c.cfg.timeout()))
}

// lookForWrite reads the secret back. What is known to be this write is success.
// Anything else stays open: the write may still be on its way.
func (c *Client) lookForWrite(ctx context.Context, path string, w lostWrite) (*Written, error) {
	const advice = "; read the secret before you write again"
	look, cancel := c.lookUp(ctx)
	defer cancel()
	now, ans, err := c.read(look, path, nil, false)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, uncertain(w.cause, "and no secret stands there so far"+advice)
	case err != nil:
		return nil, uncertain(w.cause, "and reading it back failed too ("+categoryOf(err)+")"+advice)
	}
	same := jsonvalue.Equal(now.raw(), w.raw)
	switch {
	case same && w.isOurs(now, ans):
		return &Written{Version: now.Version(), Source: sourceScaiVault}, nil
	case !same && w.id.id != "" && !w.id.marked && w.id.isIn(now):
		// Somebody wrote other data since, and our metadata stayed.
		return &Written{Source: sourceScaiVault}, nil
	case now.Version() > 0:
		return nil, uncertain(w.cause, fmt.Sprintf("and version %d stands there, which is not known to be this write"+advice, now.Version()))
	default:
		return nil, uncertain(w.cause, "and what stands there is not known to be this write"+advice)
	}
}

// categoryOf names the category of a client's error.
func categoryOf(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Kind != nil {
		return e.Kind.Error()
	}
	return "interrupted"
}

// isOurs tells whether the version that holds our data is this very write: by
// the id where there is one, else by version, else by the time of the service's
// own clock. The id of a mark can be an old one, so it must not be older than
// the write either.
func (w *lostWrite) isOurs(now *Secret, ans *answer) bool {
	if w.id.id != "" && !w.id.marked {
		return w.id.isIn(now)
	}
	if w.id.marked && !w.id.isIn(now) {
		return false
	}
	if w.before != noVersion && now.Version() > 0 {
		return now.Version() > w.before
	}
	date, err := http.ParseTime(ans.header.Get("Date"))
	if err != nil || now.info.UpdatedAt.IsZero() {
		return w.id.marked
	}
	return w.since(now.info.UpdatedAt, date)
}

// clockSlack is how much later than the service we may read its date where the
// two clocks agree: the date is cut off to whole seconds, and takes its way.
const clockSlack = 1500 * time.Millisecond

// since tells whether it is certain that an update was made after the write
// began, by the service's clock, which said date a moment ago. If our clock
// reads the same, the two are taken to agree; else the write began, at the
// latest, as long before the end of that second as it takes now. A time of whole
// seconds that lies within the first one proves nothing.
func (w *lostWrite) since(update, date time.Time) bool {
	now := time.Now()
	start := date.Add(time.Second - now.Sub(w.start))
	if lag := now.Sub(date); lag >= 0 && lag < clockSlack {
		start = w.start
	}
	return !update.Before(start) && update.Before(date.Add(time.Second))
}

// uncertain makes a lost answer into ErrUncertain. It keeps the cause, of which
// only a context's error can match anything, and drops the category: nobody
// should take this for "not done".
func uncertain(cause *Error, reason string) *Error {
	e := *cause
	e.Kind = ErrUncertain
	e.Reason = "no answer that counts after the request was sent, " + reason
	e.RetryAfter = 0
	return &e
}
