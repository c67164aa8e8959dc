// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// write writes one secret and sees that it is there. latest is the number of
// the destination's latest version, deleted or not; 0 where there is none.
func (c *copier) write(ctx context.Context, item Item, src, dst *scaivault.Secret, latest int) Item {
	data, err := fieldsOf(src)
	if err != nil {
		return failed(item, "", err)
	}
	m := mark.Mark{Source: item.From, SourceVersion: src.Version(), Version: latest + 1, WriteID: mark.NewWriteID()}
	written, err := c.put(ctx, item, data, src, dst, m)
	switch {
	case errors.Is(err, scaivault.ErrUncertain):
		return c.lookAgain(ctx, item, src, m, err)
	case errors.Is(err, scaivault.ErrConflict):
		item.Outcome, item.Reason, item.Err = Conflict, "the destination refused the write, as something is in the way", err
		return item
	case err != nil:
		return failed(item, "", err)
	}
	return c.verify(ctx, item, src, m, written)
}

// fieldsOf returns the data field by field, each as the source wrote it, so
// that no number loses a digit.
func fieldsOf(s *scaivault.Secret) (map[string]any, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(s.JSON(), &raw); err != nil {
		return nil, invalid("copy", "the source's data is not a JSON object") // err could quote it
	}
	fields := make(map[string]any, len(raw))
	for name, value := range raw {
		fields[name] = value
	}
	return fields, nil
}

func (c *copier) put(ctx context.Context, item Item, data map[string]any, src, dst *scaivault.Secret, m mark.Mark) (*scaivault.Written, error) {
	if c.to.Side() == scaivault.SideScaiVault {
		return c.to.Put(ctx, item.To, data, c.toScaiVault(item, src, dst, m))
	}
	if isKV1(dst, item.To) {
		return c.to.Put(ctx, item.To, data, toKV1(dst))
	}
	w, err := c.to.Put(ctx, item.To, data, toKV2(dst, m))
	if dst == nil && errors.Is(err, scaivault.ErrInvalid) {
		// KV v1 refuses metadata; its path looked like one of KV v2.
		return c.to.Put(ctx, item.To, data, toKV1(nil))
	}
	return w, err
}

// deletedVersion is the number of a deleted latest version, where the service
// tells it with the secret's absence; else 0.
func deletedVersion(err error) int {
	var e *scaivault.Error
	var details struct {
		Version int `json:"version"`
	}
	if !errors.As(err, &e) || json.Unmarshal(e.Details, &details) != nil {
		return 0
	}
	return max(0, details.Version)
}

// verifyLooks is how often a destination is read that does not show yet what
// it has taken, and verifyWait how long to wait between, for services whose
// reads lag behind.
const (
	verifyLooks = 3
	verifyWait  = 200 * time.Millisecond
)

// verify reads back what was written.
func (c *copier) verify(ctx context.Context, item Item, src *scaivault.Secret, m mark.Mark, w *scaivault.Written) Item {
	for look := 1; ; look++ {
		got, err := c.readBack(ctx, item.To)
		switch {
		case err != nil && !errors.Is(err, scaivault.ErrNotFound):
			if ctx.Err() != nil {
				err = uncertain(item, err)
			}
			return failed(item, "it was written, and could not be read back", err)
		case src.Equal(got):
			item.ToVersion = got.Version()
			return item
		case err == nil && w.Version > 0 && got.Version() > w.Version:
			item.ToVersion = w.Version
			item.Reason = fmt.Sprintf("somebody has written version %d since", got.Version())
			return item
		}
		if look < verifyLooks && sleep(ctx, verifyWait) == nil {
			continue
		}
		reason := "the destination does not hold what was written: it was changed while it was copied, or the service altered it"
		return failed(item, reason, nil)
	}
}

// readBack reads the destination after a write. It waits by itself when it is
// asked to, as doing the whole secret again would hide that it was written.
func (c *copier) readBack(ctx context.Context, path string) (*scaivault.Secret, error) {
	for try := 1; ; try++ {
		s, err := c.to.Get(ctx, path)
		if err == nil || !c.pace.again(ctx, err, try) {
			return s, err
		}
	}
}

// lookAgain finds out whether a write of unknown fate was done.
func (c *copier) lookAgain(ctx context.Context, item Item, src *scaivault.Secret, m mark.Mark, cause error) Item {
	got, err := c.readBack(ctx, item.To)
	if err != nil {
		return failed(item, "the destination could not be read back either", cause)
	}
	found, ok := mark.Parse(got.Info().Metadata.Values)
	switch {
	case ok && found.WriteID == m.WriteID && src.Equal(got):
		item.ToVersion = got.Version()
		return item
	case src.Equal(got):
		item.Outcome, item.ToVersion = Unchanged, got.Version()
		item.Reason = "the write got no answer, and the destination holds the data"
		return item
	default:
		return failed(item, "the destination does not show the write; look before you copy again", cause)
	}
}

// uncertain is the error of a write that the end of the run cut off.
func uncertain(item Item, cause error) error {
	return &scaivault.Error{Kind: scaivault.ErrUncertain, Op: "copy", Path: item.To, Reason: "it may have been written", Err: cause}
}
