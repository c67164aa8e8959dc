// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// ExchangeForm is the answer to POST /v1/auth/exchange.
type ExchangeForm uint8

// The answers to that request.
const (
	ExchangeAccessToken ExchangeForm = iota // access_token, token_type and expires_in
	ExchangeToken                           // token and expires_at
)
