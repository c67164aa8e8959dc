// SPDX-License-Identifier: Apache-2.0

// Package migrate moves secrets between HashiCorp Vault and ScaiVault: it
// takes stock, copies, compares, finds the remaining readers, and retires what
// was moved. A [scaivault.Mapping] says which secret is which.
//
//	inventory, err := migrate.TakeInventory(ctx, source, nil)
//	proposal, err := migrate.ProposeMapping(ctx, source, mapping, nil)
//	plan, err := migrate.NewPlan(ctx, source, client, mapping, nil)
//	report, err := migrate.CopyPlan(ctx, source, client, plan, nil)
//	report, err := migrate.Copy(ctx, source, client, mapping, nil)
//	report, err = migrate.Diff(ctx, source, client, mapping, nil)
//	readers, err := migrate.FindReaders(ctx, auditLog, nil)
//	report, err = migrate.Retire(ctx, source, client, mapping, migrate.Evidence{Flag: flag, Readers: readers}, nil)
//
// Source is package vault's Source and client a *scaivault.Client. Both are a
// [From] and a [To], so the way back is the same call with the two exchanged.
//
// # What is safe to repeat
//
// All of it. Copy keeps no journal: what a secret was copied from stands in the
// mark on the copy, so a run that was interrupted, or killed, is simply started
// again, on any machine. It finds what was done, and goes on with the rest.
//
// # What is never overwritten
//
// A secret in the destination that Copy did not write, or that somebody
// changed since, is a [Conflict]; it stays as it is until
// [CopyOptions.Overwrite] asks otherwise. A copied secret carries a mark in its
// metadata, from which later runs see whose it is: the source's path, version
// and time, the version that the write was to make, and a random id.
//
// # Errors
//
// A run that could not start or was cut short returns an error. What happened
// to single secrets stands in the [Report]: one that fails does not stop the
// others. [Report.Err] is nil only if all is well, so check both.
//
// # Memory
//
// Secrets stream through a bounded number of workers, a few hundred at a time,
// and a Report keeps counts and the first 1,000 problems. Memory does not grow
// with the number of secrets, only with that of the mapping's rules.
//
// # Redaction
//
// Items, plans, reports, errors and everything that this package prints or encodes
// hold names, versions and counts, never a value, and no hash of one but that which
// [PlanOptions.FingerprintKey] asks for, under a key that stays with the operator.
//
// # Concurrency
//
// All functions may be called concurrently. Callbacks of one run are never
// called concurrently, and the run waits for them.
package migrate
