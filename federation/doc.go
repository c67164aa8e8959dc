// SPDX-License-Identifier: Apache-2.0

// Package federation manages ScaiVault's federation backends: the other secret
// stores that ScaiVault reads from. A HashiCorp Vault behind a backend in mode
// proxy is how a move begins, and the same backend in mode sync, with
// ScaiVault's own values winning, is one way in which it ends.
//
//	creds := federation.AppRoleCredentials(roleID, secretID)
//	_, err := client.Put(ctx, "infra/hashicorp/approle", creds, nil)
//	…
//	backend, err := federation.New(client).Create(ctx, federation.Backend{
//		Name: "hashicorp-production",
//		Config: &federation.HashiCorpVault{
//			Endpoint:       "https://vault.example.com:8200",
//			AuthMethod:     federation.AuthAppRole,
//			AuthConfigPath: "infra/hashicorp/approle",
//		},
//		PathMapping: map[string]string{"external/hashicorp/**": "kv/data/**"},
//		Mode:        federation.ModeProxy,
//	})
//
// # Errors
//
// What can be checked without asking the service is checked first: such an error
// matches [scaivault.ErrInvalid], names every field that is wrong, and nothing was
// sent. All other errors come from [scaivault.Client.Do] and match the same
// sentinels. No error quotes a setting or what the service wrote for people; that
// is in the Message of a [scaivault.Error].
//
// A write whose answer was lost is looked up, not repeated. Only when that cannot
// tell either does the error match [scaivault.ErrUncertain].
//
// # What this version does not know
//
// The service is younger than its documents, and they leave much open. Words such as
// [Mode], [State] and [Conflict] resolutions are open vocabularies. A field that has
// no name here, or not the type that is documented, is kept in an [Opaque] beside the
// others. A config of an unknown kind is kept whole, as an [*Unknown].
//
// # Redaction
//
// A backend names the place of its credentials and does not hold them. What an
// [Opaque] holds could still be anything, so no printer, encoder or logger shows it.
//
// # Rate limits
//
// ScaiVault's managed service allows 20 federation operations in a minute. One call
// of a method here is one operation where its comment does not say more.
package federation
