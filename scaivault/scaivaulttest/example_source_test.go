// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A write whose answer is lost: it is done, and the caller cannot know.
func ExampleSource_SetAround() {
	src := scaivaulttest.NewSource("scaivault")
	src.SetAround(func(_ context.Context, op, path string, do func() error) error {
		if err := do(); err != nil || op == "get" {
			return err
		}
		return &scaivault.Error{Kind: scaivault.ErrUncertain, Op: op, Source: src.Name(), Path: path}
	})
	ctx := context.Background()
	_, err := src.Put(ctx, "billing/db", map[string]any{"user": "billing"}, nil)
	fmt.Println(errors.Is(err, scaivault.ErrUncertain))
	secret, err := src.Get(ctx, "billing/db")
	fmt.Println(secret.Version(), err)
	// Output:
	// true
	// 1 <nil>
}
