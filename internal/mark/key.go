// SPDX-License-Identifier: Apache-2.0

package mark

import "strings"

// keyPrefix stands before every key of a mark.
const keyPrefix = "migration_"

// IsKey tells whether a metadata key belongs to a mark or to the id of a write,
// and so to nobody's own metadata.
func IsKey(key string) bool { return key == keyPutID || strings.HasPrefix(key, keyPrefix) }
