// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// A verdict is what an outcome is in the words of JUnit.
type verdict string

const (
	junitPassed  verdict = ""
	junitFailure verdict = "failure"
	junitError   verdict = "error"
	junitSkipped verdict = "skipped"
)

func verdictOf(o Outcome) verdict {
	switch {
	case o == Failed || o == Unreadable:
		return junitError
	case o.Bad():
		return junitFailure
	case o == Skipped || o == NotRepresentable:
		return junitSkipped
	default:
		return junitPassed
	}
}

// WriteJUnit writes the report as JUnit XML, as CI systems read it: a test case
// for each item, named by the secret, that fails if the item needs attention.
// If the run was cut short or found nothing, that is a further case, so the
// result is green only if Err is nil. If items is nil, the cases are the
// problems that the report keeps. The error is w's, or that of items; what was
// written then is cut off.
func (r *Report) WriteJUnit(w io.Writer, items iter.Seq2[Item, error]) error {
	return writing(w, "JUnit XML", func(b *bufio.Writer) error {
		counts := map[verdict]int{}
		total := 0
		for item, err := range r.itemsOr(items) {
			if err != nil {
				return err
			}
			counts[verdictOf(item.Outcome)]++
			total++
		}
		// What is wrong without a case for it.
		err := r.Err()
		whole := err != nil && counts[junitFailure]+counts[junitError] == 0
		if whole {
			counts[junitError]++
			total++
		}
		sums := fmt.Sprintf(`tests="%d" failures="%d" errors="%d" skipped="%d" time="%.3f"`,
			total, counts[junitFailure], counts[junitError], counts[junitSkipped], r.Finished.Sub(r.Started).Seconds())
		name := attribute(fmt.Sprintf("%s %s → %s", r.Op, r.From, r.To))
		fmt.Fprintf(b, "%s<testsuites name=%s %s>\n<testsuite name=%s %s timestamp=%s>\n", xml.Header, name, sums, name, sums, attribute(r.Started.UTC().Format(time.RFC3339)))
		if whole {
			writeCase(b, r.Op, "the run", junitError, "incomplete", err.Error())
		}
		for item, err := range r.itemsOr(items) {
			if err != nil {
				return err
			}
			writeItemCase(b, item)
		}
		_, err = b.WriteString("</testsuite>\n</testsuites>\n")
		return err
	})
}

// writeItemCase writes one item. An error stays in the buffer until the end.
func writeItemCase(b *bufio.Writer, item Item) {
	name := item.From
	if name == "" {
		name = item.To
	}
	folder, base := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		folder, base = name[:i], name[i+1:]
	}
	message := item.Outcome.String()
	if why := item.why(); why != "" {
		message += ": " + why
	}
	if item.From != "" && item.To != "" {
		message += " (" + item.names() + ")"
	}
	writeCase(b, folder, base, verdictOf(item.Outcome), item.Outcome.String(), message)
}

func writeCase(b *bufio.Writer, class, name string, v verdict, kind, message string) {
	fmt.Fprintf(b, "<testcase classname=%s name=%s", attribute(class), attribute(name))
	switch v {
	case junitPassed:
		_, _ = b.WriteString("/>\n")
	case junitSkipped:
		fmt.Fprintf(b, "><skipped message=%s/></testcase>\n", attribute(message))
	default:
		fmt.Fprintf(b, "><%s type=%s message=%s/></testcase>\n", v, attribute(kind), attribute(message))
	}
}

// attribute quotes a text for XML. What XML can't hold becomes U+FFFD.
func attribute(text string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	_ = xml.EscapeText(&b, []byte(text)) // a bytes.Buffer takes every write
	b.WriteByte('"')
	return b.String()
}
