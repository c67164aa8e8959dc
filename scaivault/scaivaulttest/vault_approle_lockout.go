// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"net/http"
	"time"
)

// Vault's defaults: after so many logins with a wrong secret id a role is locked for so long, also for those who know a right one.
const (
	lockoutThreshold = 5
	lockoutTime      = 15 * time.Minute
)

// failedLogins counts the logins with a role id that failed since the last that did not.
type failedLogins struct {
	count int
	last  time.Time
}

func (l failedLogins) locked() bool {
	return l.count >= lockoutThreshold && time.Since(l.last) < lockoutTime
}

// next counts one more. What lies back longer than a lockout does not count.
func (l failedLogins) next() failedLogins {
	now := time.Now()
	if now.Sub(l.last) > lockoutTime {
		l.count = 0
	}
	return failedLogins{count: l.count + 1, last: now}
}

func lockedOut() *vaultRefusal {
	return &vaultRefusal{status: http.StatusForbidden, message: "permission denied", cause: "permission denied"}
}
