// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/scailabs/scaivault-go/scaivault"
)

// An Item says what became of one secret. It holds names and versions, never
// a value.
type Item struct {
	// From is the secret's name where it was read. It is empty for one that
	// is only in the destination and has no name in the source. For a listing
	// that failed it is the prefix that was listed.
	From string
	// To is its name in the destination; empty where the mapping has none.
	To string
	// Outcome says what became of it.
	Outcome Outcome
	// FromVersion and ToVersion are the versions that were seen or written;
	// 0 where there is none, or the service has no versions.
	FromVersion, ToVersion int
	// Fields are the names of the top-level fields that differ, sorted; nil
	// but for [Different].
	Fields []string
	// Rounded says of a [Different] item that the sides differ by nothing but
	// digits that 64-bit floating point, and so KV v2, can't hold.
	Rounded bool
	// Reason says in words what there is to know. May be empty.
	Reason string
	// Err is what went wrong, or nil. Its category is found by errors.Is; a
	// [Conflict], and what is not as a plan saw it, is [scaivault.ErrConflict].
	Err error

	seen    seen // what a dry run saw of both sides, for a plan
	subtree bool // it is about a subtree of the mapping, not a secret

	back bool // the run reads ScaiVault first, so "only in Vault" is "missing in from"
}

// Sign returns the outcome as one character, as [Outcome.Sign] does. Of a Diff
// that reads ScaiVault first, "+" and "-" change places, so that "+" always is
// what is missing in the destination and "-" what is missing in the source.
func (i Item) Sign() string {
	if i.back && i.Outcome == OnlyInVault {
		return OnlyInScaiVault.Sign()
	}
	if i.back && i.Outcome == OnlyInScaiVault {
		return OnlyInVault.Sign()
	}
	return i.Outcome.Sign()
}

// String is one line: the sign, both names, the outcome and why.
func (i Item) String() string {
	line := i.Sign() + " " + i.names() + ": " + i.Outcome.String()
	if why := i.why(); why != "" {
		line += ": " + why
	}
	return line
}

// MarshalJSON writes the item; the error becomes its text.
func (i Item) MarshalJSON() ([]byte, error) {
	w := itemJSON{
		Sign: i.Sign(), From: i.From, To: i.To, Outcome: i.Outcome, FromVersion: i.FromVersion, ToVersion: i.ToVersion,
		Fields: i.Fields, Rounded: i.Rounded, Reason: i.Reason,
	}
	if i.Err != nil {
		w.Error = oneLine(i.Err.Error())
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote; of an error only its text is
// left.
func (i *Item) UnmarshalJSON(b []byte) error {
	var w itemJSON
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*i = Item{
		From: w.From, To: w.To, Outcome: w.Outcome, FromVersion: w.FromVersion, ToVersion: w.ToVersion,
		Fields: w.Fields, Rounded: w.Rounded, Reason: w.Reason, back: w.Sign != "" && w.Sign != w.Outcome.Sign(),
	}
	if w.Error != "" {
		i.Err = errors.New(w.Error)
	}
	return nil
}

type itemJSON struct {
	Sign        string   `json:"sign,omitempty"`
	From        string   `json:"from,omitempty"`
	To          string   `json:"to,omitempty"`
	Outcome     Outcome  `json:"outcome"`
	FromVersion int      `json:"from_version,omitempty"`
	ToVersion   int      `json:"to_version,omitempty"`
	Fields      []string `json:"fields,omitempty"`
	Rounded     bool     `json:"rounded,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	Error       string   `json:"error,omitempty"`
}

func (i Item) names() string {
	switch {
	case i.To == "":
		return printable(i.From)
	case i.From == "":
		return printable(i.To)
	default:
		return printable(i.From) + " → " + printable(i.To)
	}
}

func (i Item) why() string {
	var parts []string
	if i.Reason != "" {
		parts = append(parts, i.Reason)
	}
	if i.Err != nil && (i.Reason == "" || !isBare(i.Err)) {
		parts = append(parts, oneLine(i.Err.Error()))
	}
	if len(i.Fields) > 0 {
		names := make([]string, len(i.Fields))
		for n, field := range i.Fields {
			names[n] = printable(field)
		}
		parts = append(parts, "fields "+strings.Join(names, ", "))
	}
	return strings.Join(parts, ": ")
}

// isBare tells whether an error, which may have been through JSON, says nothing
// but its category, which a reason says better.
func isBare(err error) bool {
	text := err.Error()
	return text == scaivault.ErrInvalid.Error() || text == scaivault.ErrNotFound.Error() || text == scaivault.ErrConflict.Error()
}

func compareItems(a, b Item) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Outcome, b.Outcome))
}

// maxLine bounds one text from outside in one line of a report.
const maxLine = 1000

// oneLine keeps a foreign error's text from breaking a table, or a terminal.
func oneLine(s string) string {
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "…"
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// printable quotes a name from outside that could break a table.
func printable(name string) string {
	odd := func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar || unicode.IsSpace(r) }
	if name == "" || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	if len(name) > maxLine {
		return fmt.Sprintf("%s…", strings.ToValidUTF8(name[:maxLine], ""))
	}
	return name
}
