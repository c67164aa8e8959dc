// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/scailabs/scaivault-go/internal/jsonvalue"
	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/scaivault"
)

// A written is a write that has to be read back.
type written struct {
	src     *scaivault.Secret
	mark    mark.Mark
	version int  // that the service has told; 0 where it has not
	settles bool // it follows a write of somebody else's that came just before ours
}

// write writes one secret. Unless the result is final, what was written has
// still to be read back.
func (c *copier) write(ctx context.Context, item Item, s sides) result {
	data, err := fieldsOf(s.src)
	if err != nil {
		return result{item: failed(item, "", err)}
	}
	m := markOf(item, s)
	w, err := c.put(ctx, item, data, s, m)
	switch {
	case errors.Is(err, scaivault.ErrUncertain):
		return result{item: c.lookAgain(ctx, item, s.src, m, err)}
	case errors.Is(err, scaivault.ErrConflict):
		item.Outcome, item.Reason, item.Err = Conflict, "the destination refused the write, as something is in the way", err
		return result{item: item, raced: c.to.Side() == scaivault.SideVault} // which checks the version
	case err != nil:
		return result{item: failed(item, "", err)}
	}
	return result{item: item, written: &written{src: s.src, mark: m, version: w.Version}}
}

// markOf is the mark of the next write.
func markOf(item Item, s sides) mark.Mark {
	return mark.Mark{
		Source: item.From, SourceVersion: s.src.Version(), SourceTime: s.src.Info().UpdatedAt,
		Version: s.latest + 1, WriteID: mark.NewWriteID(),
	}
}

// fieldsOf returns the data field by field, each as the source wrote it, so
// that no number loses a digit.
func fieldsOf(s *scaivault.Secret) (map[string]any, error) {
	fields := map[string]any{}
	ok := jsonvalue.EachMember(s.JSON(), func(name, value []byte) { fields[string(name)] = json.RawMessage(value) })
	if !ok {
		return nil, invalid("copy", "the source's data is not a JSON object")
	}
	return fields, nil
}

// put writes when it is its turn. A service that says that it is asked too
// often has written nothing, and is asked again.
func (c *copier) put(ctx context.Context, item Item, data map[string]any, s sides, m mark.Mark) (w *scaivault.Written, err error) {
	err = c.writes.do(ctx, func(ctx context.Context) error {
		w, err = c.putNow(ctx, item, data, s, m)
		return err
	})
	return w, err
}

func (c *copier) putNow(ctx context.Context, item Item, data map[string]any, s sides, m mark.Mark) (*scaivault.Written, error) {
	if c.to.Side() == scaivault.SideScaiVault {
		return c.to.Put(ctx, item.To, data, c.toScaiVault(item, s, m))
	}
	if isKV1(s.dst, item.To) {
		return c.to.Put(ctx, item.To, data, toKV1(s.dst))
	}
	w, err := c.to.Put(ctx, item.To, data, toKV2(s, m))
	if s.dst == nil && errors.Is(err, scaivault.ErrInvalid) {
		// KV v1 refuses metadata; its path looked like one of KV v2.
		return c.to.Put(ctx, item.To, data, toKV1(nil))
	}
	return w, err
}

// deletedVersion is the number of a deleted latest version, where the service
// tells it with the secret's absence, or restorable; else 0.
func deletedVersion(err error) int {
	var e *scaivault.Error
	var details struct {
		Version int `json:"version"`
	}
	if errors.As(err, &e) && e.Code == "secret_deleted" {
		return restorable
	}
	if e == nil || json.Unmarshal(e.Details, &details) != nil {
		return 0
	}
	return max(0, details.Version)
}
