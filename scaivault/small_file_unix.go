// SPDX-License-Identifier: Apache-2.0

//go:build unix

package scaivault

import "syscall"

// openAtOnce keeps the opening of a pipe from waiting for somebody who writes.
const openAtOnce = syscall.O_NONBLOCK
