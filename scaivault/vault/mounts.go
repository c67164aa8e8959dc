// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// Mounts returns the secrets engines of Vault, of every type, sorted by path.
// A token that may not read sys/mounts gets those in which it may do anything.
func (s *Source) Mounts(ctx context.Context) ([]scaivault.Mount, error) {
	t := target{op: "list mounts"}
	ctx, call, err := s.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	defer call.end()
	a, err := s.do(ctx, get(t, apiMounts, ""))
	if err != nil {
		return nil, err
	}
	fromUI := a.status == http.StatusForbidden
	if fromUI {
		if a, err = s.do(ctx, get(t, apiUIMounts, "")); err != nil {
			return nil, err
		}
	}
	if !a.success() {
		return nil, s.refusal(t, a)
	}
	env, ok := a.envelope()
	engines, err := readMounts(env.data, fromUI)
	if !ok || err != nil {
		return nil, s.strange(t, a, "the answer is not a list of mounts")
	}
	mounts := make([]scaivault.Mount, 0, len(engines))
	for path, w := range engines {
		mounts = append(mounts, scaivault.Mount{
			Path: strings.TrimSuffix(path, "/"), Type: w.Type,
			Description: w.Description, KVVersion: w.kvVersion(),
		})
	}
	slices.SortFunc(mounts, func(a, b scaivault.Mount) int { return strings.Compare(a.Path, b.Path) })
	return mounts, nil
}

// readMounts reads engines by path; the answer for the user interface has them
// beside the auth methods.
func readMounts(data json.RawMessage, fromUI bool) (map[string]wireMount, error) {
	var engines map[string]wireMount
	if !fromUI {
		err := json.Unmarshal(data, &engines)
		return engines, err
	}
	var both struct {
		Secret map[string]wireMount `json:"secret"`
	}
	err := json.Unmarshal(data, &both)
	return both.Secret, err
}
