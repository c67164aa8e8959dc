// SPDX-License-Identifier: Apache-2.0

package copying

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

// Diff compares the estate with this library, and returns what it says of it.
func Diff(ctx context.Context, url string) (*migrate.Report, error) {
	return between(url, func(from migrate.From, to migrate.To, m *scaivault.Mapping) (*migrate.Report, error) {
		return migrate.Diff(ctx, from, to, m, nil)
	})
}

// DiffLoop is the guide's own script in Go: one secret after another, read on
// each side, in turn, and compared. All names are known, as the script has them
// in a table. It does the first n.
func DiffLoop(ctx context.Context, url string, n int) error {
	client, done, err := vaultClient(url)
	if err != nil {
		return err
	}
	defer done()
	bare := newBare(url)
	defer bare.CloseIdleConnections()
	estate := &Services{Secrets: n} // for the names
	for i := range n {
		if err := compareOne(ctx, client, bare, estate.name(i)); err != nil {
			return fmt.Errorf("%s: %w", estate.name(i), err)
		}
	}
	return nil
}

func compareOne(ctx context.Context, client *api.Client, bare *bare, path string) error {
	here, err := client.KVv2("kv").Get(ctx, "apps/"+path)
	if err != nil {
		return err
	}
	there, err := bare.get(ctx, "secrets/"+scaiRoot+"/"+path)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(here.Data, there) {
		return errors.New("the sides differ")
	}
	return nil
}

// get reads the data of one secret of ScaiVault.
func (b *bare) get(ctx context.Context, path string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/v1/"+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+scaiToken)
	resp, err := b.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var answer struct {
		Data map[string]any `json:"data"`
	}
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber() // as vault/api does
	err = dec.Decode(&answer)
	return answer.Data, err
}
