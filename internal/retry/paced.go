// SPDX-License-Identifier: Apache-2.0

package retry

import "context"

type pacedKey struct{}

// Paced marks ctx as that of a caller who keeps below a service's rate limit by
// himself: a request that is refused because of the limit is not repeated for
// him, so that he learns of it.
func Paced(ctx context.Context) context.Context { return context.WithValue(ctx, pacedKey{}, true) }

// IsPaced tells whether ctx comes from Paced.
func IsPaced(ctx context.Context) bool { return ctx.Value(pacedKey{}) != nil }
