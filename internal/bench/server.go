// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"net/http"
	"strconv"
	"strings"
)

const (
	scaiVaultToken = "skt_bench"
	vaultToken     = "hvs.bench"
	mount          = "kv"
)

// newHandler serves bytes that are built before the first request, so that the
// server takes the same small time for everyone. A request without its peer's
// token is refused, so that nobody saves the header.
func newHandler() http.Handler {
	bodies := map[string][]byte{}
	for _, size := range sizes {
		bodies["/v1/secrets/"+name(size)] = scaiVaultBody(size)
		bodies["/v1/"+mount+"/data/"+name(size)] = vaultBody(size)
		bodies["/v1/sys/internal/ui/mounts/"+mount+"/data/"+name(size)] = mountBody()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("X-Request-ID", "req_bench")
		body, ok := bodies[withoutTail(r.URL.Path)]
		switch {
		case r.Header.Get("Authorization") != "Bearer "+scaiVaultToken && r.Header.Get("X-Vault-Token") != vaultToken:
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			header.Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body) // a client that is gone wants no error
		}
	})
}

// withoutTail leaves out what comes after the size in a path, so that one secret
// stands under as many paths as somebody wants.
func withoutTail(path string) string {
	i := strings.Index(path, "/bytes-")
	if i < 0 {
		return path
	}
	if end := strings.IndexByte(path[i+1:], '/'); end >= 0 {
		return path[:i+1+end]
	}
	return path
}
