// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

// LimitHeaders are the names of the rate-limit headers.
type LimitHeaders uint8

// The names of the three headers. The documents show only X-RateLimit-Reset.
const (
	LimitHeadersX      LimitHeaders = iota // X-RateLimit-Limit, -Remaining and -Reset, a Unix time
	LimitHeadersIETF                       // RateLimit-Limit, -Remaining and -Reset, in seconds from now
	LimitHeadersDashed                     // X-Rate-Limit-Limit, -Remaining and -Reset, a Unix time
)

// Compression says whether answers are compressed.
type Compression uint8

// The encodings of a body. Those of injected faults are never compressed.
const (
	CompressionNone Compression = iota // as it is
	CompressionGzip                    // gzip, where the client takes it
)

// Protocol is the version of HTTP that a socket with TLS offers. In memory, and on a
// socket without TLS, it is HTTP/1.1.
type Protocol uint8

// The versions that such a socket offers.
const (
	ProtocolHTTP1 Protocol = iota // HTTP/1.1
	// ProtocolHTTP2 is HTTP/2, and HTTP/1.1 for clients that do not speak it. As
	// requests then share a connection, a Fault that cuts or resets it ends its own
	// request alone, and what goes silent ends when the client leaves.
	ProtocolHTTP2
)
