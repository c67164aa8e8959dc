// SPDX-License-Identifier: Apache-2.0

package copying

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/hashicorp/vault/api"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

// workers is what Copy has by default.
const workers = 32

func vaultClient(url string) (*api.Client, func(), error) {
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, nil, cfg.Error
	}
	cfg.Address, cfg.AgentAddress = url, ""
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, nil, err
	}
	client.ClearNamespace()
	client.SetToken(vaultToken)
	return client, cfg.HttpClient.CloseIdleConnections, nil
}

// Copy copies the estate with this library, and returns what it says of it.
func Copy(ctx context.Context, url string) (*migrate.Report, error) {
	return between(url, func(from migrate.From, to migrate.To, m *scaivault.Mapping) (*migrate.Report, error) {
		return migrate.Copy(ctx, from, to, m, nil)
	})
}

// between does something with both services at url, which must end well.
func between(url string, do func(migrate.From, migrate.To, *scaivault.Mapping) (*migrate.Report, error)) (*migrate.Report, error) {
	vaultAPI, done, err := vaultClient(url)
	if err != nil {
		return nil, err
	}
	defer done()
	source, err := vault.NewSource(vault.Config{Client: vaultAPI})
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	client, err := scaivault.NewClient(scaivault.ClientConfig{URLs: []string{url}, Token: scaivault.StaticToken(scaiToken)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	m, err := scaivault.NewMapping(scaivault.Rule{Vault: vaultRoot + "/**", ScaiVault: scaiRoot + "/**"})
	if err != nil {
		return nil, err
	}
	report, err := do(source, client, m)
	if err == nil {
		err = report.Err()
	}
	return report, err
}

// Loop is what people write: everything listed, and then one secret after
// another. It does the first n.
func Loop(ctx context.Context, url string, n int) error {
	client, done, err := vaultClient(url)
	if err != nil {
		return err
	}
	defer done()
	bare := newBare(url)
	defer bare.CloseIdleConnections()
	folders, err := client.Logical().ListWithContext(ctx, "kv/metadata/apps")
	if err != nil {
		return err
	}
	all, _ := folders.Data["keys"].([]any)
	for _, folder := range all {
		names, err := client.Logical().ListWithContext(ctx, "kv/metadata/apps/"+fmt.Sprint(folder))
		if err != nil {
			return err
		}
		list, _ := names.Data["keys"].([]any)
		for _, secret := range list {
			if n--; n < 0 {
				return nil
			}
			path := fmt.Sprintf("%v%v", folder, secret)
			read, err := client.KVv2("kv").Get(ctx, "apps/"+path)
			if err != nil {
				return err
			}
			if err := bare.put(ctx, path, read.Data, map[string]any{"tags": []string{"migrated-from-vault"}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// A bare client knows net/http and nothing else.
type bare struct {
	http.Client
	url string
}

func newBare(url string) *bare {
	return &bare{Client: http.Client{Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 256}}, url: url}
}

func (b *bare) do(ctx context.Context, method, path string, in any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.url+"/v1/"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+scaiToken)
	req.Header.Set("X-Vault-Token", vaultToken)
	resp, err := b.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

func (b *bare) put(ctx context.Context, path string, data, metadata map[string]any) error {
	return b.do(ctx, http.MethodPut, "secrets/"+scaiRoot+"/"+path, map[string]any{
		"data": data, "secret_type": "json", "metadata": metadata, "options": map[string]any{"max_versions": 10},
	})
}

// marked is metadata of the size that Copy writes.
func marked(path string) map[string]any {
	return map[string]any{
		"description": "Migrated from vault: " + vaultRoot + "/" + path, "tags": []string{"migrated-from-vault"},
		"migration_source": vaultRoot + "/" + path, "migration_source_version": "1", "migration_source_time": written,
		"migration_version": "1", "migration_write_id": "0123456789abcdef0123456789abcdef",
	}
}

// Load makes the requests of a first Copy of n secrets with nothing around them.
func Load(ctx context.Context, url string, n int) error {
	client := newBare(url)
	defer client.CloseIdleConnections()
	estate := &Services{Secrets: n} // for the names
	var data map[string]any
	if err := json.Unmarshal([]byte(value), &data); err != nil {
		return err
	}
	requests := make(chan func() error)
	errs := make(chan error, workers)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			var failed error
			for request := range requests {
				failed = errors.Join(failed, request())
			}
			errs <- failed
		})
	}
	for from := 0; from < n; from += folderSize {
		paths := make([]string, 0, folderSize)
		requests <- func() error {
			return client.do(ctx, http.MethodGet, fmt.Sprintf("kv/metadata/apps/team-%05d?list=true", from/folderSize), nil)
		}
		for i := from; i < min(n, from+folderSize); i++ {
			paths = append(paths, scaiRoot+"/"+estate.name(i))
		}
		batch := func() error {
			return client.do(ctx, http.MethodPost, "secrets/batch", map[string]any{"paths": paths, "options": map[string]any{"include_metadata": true}})
		}
		requests <- batch
		for i := from; i < min(n, from+folderSize); i++ {
			requests <- func() error {
				err := client.do(ctx, http.MethodGet, vaultRoot+"/"+estate.name(i), nil)
				return errors.Join(err, client.put(ctx, estate.name(i), data, marked(estate.name(i))))
			}
		}
		requests <- batch
	}
	close(requests)
	all.Wait()
	close(errs)
	var failed error
	for err := range errs {
		failed = errors.Join(failed, err)
	}
	return failed
}
