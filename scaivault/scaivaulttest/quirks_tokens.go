// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// TenantBoth is the fate of a request that names its tenant twice.
type TenantBoth uint8

// The fates of such a request.
const (
	TenantBothAccepted TenantBoth = iota // both must be its tenant
	TenantBothRefused                    // 400 invalid_request
)

// ExchangeForm is the answer to POST /v1/auth/exchange.
type ExchangeForm uint8

// The answers to that request.
const (
	ExchangeAccessToken ExchangeForm = iota // access_token, token_type and expires_in
	ExchangeToken                           // token and expires_at
)
