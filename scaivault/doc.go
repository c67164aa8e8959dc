// SPDX-License-Identifier: Apache-2.0

// Package scaivault reads and writes secrets while they move from HashiCorp
// Vault to ScaiVault.
package scaivault
