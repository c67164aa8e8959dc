// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// A tooLargeError says that an answer has more bytes than it is.
type tooLargeError int64

func (e tooLargeError) Error() string {
	return fmt.Sprintf("the answer is larger than %d bytes; raise ClientConfig.MaxResponseBytes if that is right", int64(e))
}

// readBody reads a body up to a limit and tells when it stops too early.
func readBody(resp *http.Response, limit int64) ([]byte, error) {
	body, err := wire.ReadBody(resp, limit)
	if errors.Is(err, wire.ErrTooLarge) {
		return nil, tooLargeError(limit)
	}
	return body, err
}
