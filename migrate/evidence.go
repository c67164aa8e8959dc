// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// Evidence is what [Retire] has to be shown before it deletes anything. That
// ScaiVault holds the same data is the third proof; Retire sees to it itself.
type Evidence struct {
	// Flag is the flag that the services obey. Only what is at
	// [scaivault.StageScaiVault] is deleted. Required.
	Flag scaivault.Flag
	// Readers are what [FindReaders] found in Vault's audit log. Required,
	// unless [RetireOptions.WaiveReaders] is set.
	Readers *Readers
}

// check looks at the evidence as a whole, before any I/O. since is from when
// on nobody may have used what is deleted.
func (e Evidence) check(since, logEnd time.Time, waived bool) error {
	r := e.Readers
	reason := ""
	switch {
	case e.Flag == nil:
		reason = "Evidence.Flag is nil; give the flag that the services obey"
	case waived:
	case r == nil:
		reason = "Evidence.Readers is nil, so nobody knows who still reads Vault; use FindReaders, or set WaiveReaders"
	case r.LogStart.IsZero():
		reason = "the audit log is empty, which proves nothing"
	case r.LogStart.After(since):
		reason = fmt.Sprintf("the audit log begins at %s, and must reach back to %s; add older files, or ask for less with QuietFor", r.LogStart.Format(time.RFC3339), since.Format(time.RFC3339))
	case r.Since.After(since):
		reason = fmt.Sprintf("ReadersOptions.Since left out what was before %s, and must reach back to %s", r.Since.Format(time.RFC3339), since.Format(time.RFC3339))
	case r.LogEnd.Before(logEnd):
		reason = fmt.Sprintf("the audit log ends at %s; read it again up to now, or allow more with MaxLogAge", r.LogEnd.Format(time.RFC3339))
	case r.Broken > 0:
		reason = fmt.Sprintf("%d lines of the audit log could not be read, and could be about anybody", r.Broken)
	case r.Omitted > 0:
		reason = "the audit log has more readers than are kept; look for fewer paths at once"
	}
	if reason != "" {
		return invalid(opRetire, reason)
	}
	return nil
}

// objection says why one secret may not be deleted yet, or "".
func (e Evidence) objection(ctx context.Context, j job, since time.Time, waived bool) string {
	if stage := stageOf(ctx, e.Flag, j.to); stage != scaivault.StageScaiVault {
		return fmt.Sprintf("its stage is %s, and must be %s", stage, scaivault.StageScaiVault)
	}
	if waived {
		return ""
	}
	if !e.Readers.covers(j.from) {
		return "the audit log was not searched for it; add it to ReadersOptions.Paths"
	}
	if last, used := e.Readers.usedSince(j.from, since); used {
		return fmt.Sprintf("it was used in Vault by %s at %s", last.who(), last.Last.Format(time.RFC3339))
	}
	return ""
}

// stageOf asks a flag; one that panics can't say.
func stageOf(ctx context.Context, flag scaivault.Flag, path string) (stage scaivault.Stage) {
	defer func() {
		if recover() != nil {
			stage = scaivault.StageUnknown
		}
	}()
	return flag.Stage(ctx, path)
}
