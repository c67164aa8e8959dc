// SPDX-License-Identifier: Apache-2.0

// Package integration tests the library against a real HashiCorp Vault server.
//
// It is a module of its own, so that nobody who imports the library ever sees
// the dependencies of that server. Run it from the top of the repository with
//
//	go test -C internal/integration ./...
//
// It needs no network once the modules are downloaded, and no environment: the
// server runs inside the test process, in memory, on a loopback listener. The
// first build takes some minutes, later ones seconds. For trying things by
// hand, start the same server in a terminal:
//
//	go run -C internal/integration ./cmd/vault-dev
//
// # Licence
//
// HashiCorp Vault is licensed under the Business Source License 1.1. It is
// used here to run tests and never shipped: no other module of this repository
// links it, and no binary built from this module is to be distributed.
package integration
