// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
)

// A result is what -json prints.
type result struct {
	Secrets          int     `json:"secrets"`
	Reads            uint64  `json:"reads"`
	FailedReads      uint64  `json:"failed_reads"`
	WrongReads       uint64  `json:"wrong_reads"`
	Writes           uint64  `json:"writes"`
	LostWrites       uint64  `json:"lost_writes"`
	Failovers        uint64  `json:"failovers"`
	DifferencesFound int     `json:"differences_found"`
	DifferencesLeft  int     `json:"differences_left"`
	Vault            string  `json:"vault"`
	ScaiVault        string  `json:"scaivault"`
	Seconds          float64 `json:"seconds"`
	Error            string  `json:"error,omitempty"`
}

// String is the last line of the output.
func (r *result) String() string {
	word := "done"
	if r.Error != "" {
		word = "failed"
	}
	line := fmt.Sprintf("%s: %d secrets moved, %d reads, %d failed, %d wrong", word, r.Secrets, r.Reads, r.FailedReads, r.WrongReads)
	if r.LostWrites > 0 || r.DifferencesLeft > 0 {
		line += fmt.Sprintf("; %d writes lost, %d differences left", r.LostWrites, r.DifferencesLeft)
	}
	return line
}

// check says whether the move was what it promises to be.
func (r *result) check() error {
	var problems []error
	bad := func(n uint64, what string) {
		if n > 0 {
			problems = append(problems, fmt.Errorf("%d %s", n, what))
		}
	}
	bad(r.FailedReads, "reads failed")
	bad(r.WrongReads, "reads were wrong")
	bad(r.LostWrites, "writes were lost")
	bad(uint64(r.DifferencesLeft), "differences are left")
	if r.Reads == 0 || r.Writes == 0 || r.Failovers == 0 || r.DifferencesFound == 0 {
		problems = append(problems, fmt.Errorf("nothing was shown: %d reads, %d writes, %d failovers, %d differences found",
			r.Reads, r.Writes, r.Failovers, r.DifferencesFound))
	}
	return errors.Join(problems...)
}
