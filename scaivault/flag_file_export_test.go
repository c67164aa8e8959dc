// SPDX-License-Identifier: Apache-2.0

package scaivault

// FlagInterval is the time between two looks at a flag's file.
const FlagInterval = flagInterval

// Look looks at the file now.
func (f *WatchedFlag) Look() {
	f.w.looking.Lock()
	defer f.w.looking.Unlock()
	f.w.look()
}

// Unwatched returns what tells whether the next tick is the last. It does not
// hold f.
func (f *WatchedFlag) Unwatched() func() bool { return f.w.closed.Load }
