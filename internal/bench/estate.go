// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// estate returns the names of n secrets.
func estate(n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("environments/production/billing/svc%07d/db", i)
	}
	return paths
}

// shuffled returns the same names in random order and in other memory, as those
// have them who ask.
func shuffled(paths []string) []string {
	other := make([]string, len(paths))
	for i, j := range rand.Perm(len(paths)) {
		other[i] = strings.Clone(paths[j])
	}
	return other
}

// A memory is a source that has every secret at once.
type memory struct{ data []byte }

func (memory) Name() string { return "scaivault" }

func (m memory) Get(_ context.Context, path string) (*scaivault.Secret, error) {
	return scaivault.NewSecret(scaivault.SecretInfo{Path: path, Version: 1, Source: "scaivault"}, m.data)
}

func (memory) Put(context.Context, string, map[string]any, *scaivault.PutOptions) (*scaivault.Written, error) {
	return nil, errors.ErrUnsupported
}
