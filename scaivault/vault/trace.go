// SPDX-License-Identifier: Apache-2.0

package vault

import "time"

// A Trace is told how a [Source] keeps the token of [Config.Auth]. Every func
// may be nil. They are called without locks, some of them from goroutines of
// the Source's own; so they should be fast. They get times and errors, never a
// token.
type Trace struct {
	// Login is called at the end of each login.
	Login func(LoginInfo)
	// Renewal is called at the end of each renewal of the token.
	Renewal func(RenewalInfo)
	// Revocation is called when a token was given back to Vault: by Close, or
	// after another has taken its place.
	Revocation func(RevocationInfo)
}

// LoginInfo tells of one login.
type LoginInfo struct {
	Why       string        // such as "there is no token"
	Took      time.Duration // how long it took
	Lease     time.Duration // how long the token is good; zero: for ever, or Err
	Renewable bool          // whether that can be renewed
	Err       error         // why there is no token
}

// RenewalInfo tells of one renewal.
type RenewalInfo struct {
	Took  time.Duration // how long it took
	Lease time.Duration // how long the token is good from now on
	Err   error         // why it was not renewed
}

// RevocationInfo tells of one revocation.
type RevocationInfo struct {
	Err error // why the token lives until its lease ends
}

func (t *Trace) login(i LoginInfo) {
	if t != nil && t.Login != nil {
		t.Login(i)
	}
}

func (t *Trace) renewal(i RenewalInfo) {
	if t != nil && t.Renewal != nil {
		t.Renewal(i)
	}
}

func (t *Trace) revocation(i RevocationInfo) {
	if t != nil && t.Revocation != nil {
		t.Revocation(i)
	}
}
