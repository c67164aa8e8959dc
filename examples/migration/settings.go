// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"
)

// settings say which servers to use. Empty ones are started in memory.
type settings struct {
	vaultAddr, vaultToken   string
	scaiVaultURL, scaiToken string
	secrets                 int
	unpaced                 bool // for tests, whose servers have no limits
}

// newSettings reads the environment. Half a setting is an error that names the
// half that is missing.
func newSettings(getenv func(string) string, secrets int) (settings, error) {
	s := settings{
		vaultAddr: getenv("VAULT_ADDR"), vaultToken: getenv("VAULT_TOKEN"),
		scaiVaultURL: getenv("SCAIVAULT_URL"), scaiToken: getenv("SCAIVAULT_TOKEN"),
		secrets: secrets,
	}
	for _, pair := range [][4]string{
		{"VAULT_ADDR", s.vaultAddr, "VAULT_TOKEN", s.vaultToken},
		{"SCAIVAULT_URL", s.scaiVaultURL, "SCAIVAULT_TOKEN", s.scaiToken},
	} {
		switch {
		case pair[1] != "" && pair[3] == "":
			return s, fmt.Errorf("%s is set and %s is missing: set both, or neither to start a server in memory", pair[0], pair[2])
		case pair[1] == "" && pair[3] != "":
			return s, fmt.Errorf("%s is set and %s is missing: set both, or neither to start a server in memory", pair[2], pair[0])
		}
	}
	if secrets < secretsPerService || secrets > 100_000 {
		return s, fmt.Errorf("-secrets is %d: give a number from %d to 100000", secrets, secretsPerService)
	}
	return s, nil
}

func (s settings) ownVault() bool     { return s.vaultAddr == "" }
func (s settings) ownScaiVault() bool { return s.scaiVaultURL == "" }

func (s settings) vaultName() string {
	if s.ownVault() {
		return "embedded"
	}
	return s.vaultAddr
}

func (s settings) scaiVaultName() string {
	if s.ownScaiVault() {
		return "embedded"
	}
	return s.scaiVaultURL
}

// The managed service allows 1,000 reads and 100 writes a minute. A real
// server's limits are kept: the readers and writers together, and the copy,
// stay well below them. Servers in memory have none.

// readsPerSecond bounds all readers together; 0 is no limit.
func (s settings) readsPerSecond() float64 {
	switch {
	case s.unpaced:
		return 0
	case !s.ownScaiVault():
		return 5
	case !s.ownVault():
		return 2000 // somebody's Vault, which has other work to do
	default:
		return 0
	}
}

// paced tells whether there are limits to keep.
func (s settings) paced() bool { return !s.ownScaiVault() && !s.unpaced }

// copiesPerSecond bounds a copy that writes; 0 is no limit.
func (s settings) copiesPerSecond() float64 {
	if s.paced() {
		return 1.2
	}
	return 0
}

// looksPerSecond bounds comparisons, and copies that find little to write.
func (s settings) looksPerSecond() float64 {
	if s.paced() {
		return 4
	}
	return 0
}

// writePause is between two writes of one writer.
func (s settings) writePause() time.Duration {
	if s.paced() {
		return 20 * time.Second
	}
	return 20 * time.Millisecond
}

// dwell is how long the services live at a stage: until each secret was read.
func (s settings) dwell() time.Duration {
	if s.paced() {
		return time.Duration(float64(s.secrets)/s.readsPerSecond()*float64(time.Second)) + 10*time.Second
	}
	return 1200 * time.Millisecond
}

// outage is how long a server is down.
func (s settings) outage() time.Duration {
	if s.paced() {
		return 10 * time.Second
	}
	return 1200 * time.Millisecond
}

// maxAge is how long a comparison counts at canary: longer than a round of
// reads takes.
func (s settings) maxAge() time.Duration { return 8 * s.dwell() }

// cleanUp is how long it may take to remove all that was made.
func (s settings) cleanUp() time.Duration {
	if s.paced() {
		return time.Minute + time.Duration(float64(s.secrets)/s.copiesPerSecond()*2*float64(time.Second))
	}
	return time.Minute
}
