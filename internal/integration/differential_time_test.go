// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

// A kvPlugin is the real KV version 2 without the server around it. It has no
// goroutines and no sockets, and so lives on the clock of a bubble.
type kvPlugin struct {
	backend logical.Backend
	storage logical.Storage
}

func newKVPlugin(t *testing.T) *kvPlugin {
	t.Helper()
	storage := &logical.InmemStorage{}
	backend, err := kv.Factory(t.Context(), &logical.BackendConfig{
		Logger: hclog.NewNullLogger(), StorageView: storage, BackendUUID: "uuid", Config: map[string]string{"version": "2"},
		System: &logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: time.Hour},
	})
	require.NoError(t, err)
	return &kvPlugin{backend: backend, storage: storage}
}

// ask sends a step, whose path starts with the mount, and returns the data of
// the answer, or none.
func (p *kvPlugin) ask(t *testing.T, asked step) string {
	t.Helper()
	method, path, _ := strings.Cut(asked.do, " ")
	req := &logical.Request{Path: strings.TrimPrefix(path, "kv/"), Storage: p.storage, Operation: map[string]logical.Operation{
		"GET": logical.ReadOperation, "POST": logical.UpdateOperation, "DELETE": logical.DeleteOperation,
	}[method]}
	if asked.body != "" {
		require.NoError(t, json.Unmarshal([]byte(asked.body), &req.Data))
	}
	resp, err := p.backend.HandleRequest(t.Context(), req)
	require.NoError(t, err, asked.do)
	if resp == nil || resp.Data == nil {
		return "null"
	}
	data := any(resp.Data)
	if raw, ok := resp.Data[logical.HTTPRawBody].(string); ok { // what is deleted is answered 404, with a body
		var body struct {
			Data map[string]any `json:"data"`
		}
		require.NoError(t, json.Unmarshal([]byte(raw), &body))
		data = body.Data
	}
	return compact(t, data)
}

// compact writes data in a form in which equal ones are equal, without who did it.
func compact(t *testing.T, data any) string {
	t.Helper()
	raw, err := json.Marshal(data)
	require.NoError(t, err)
	value, err := decode(string(raw))
	require.NoError(t, err)
	dropActors(value)
	return show(value)
}

// dropActors drops who did something: the plugin alone is asked by nobody.
func dropActors(value any) {
	object, _ := value.(map[string]any)
	for _, name := range []string{"created_by", "deleted_by", "last_updated_by"} {
		delete(object, name)
	}
	for _, field := range object {
		dropActors(field)
	}
}

// askSmall sends a step to a small Vault in memory, and returns the data of the answer.
func askSmall(t *testing.T, v *scaivaulttest.Vault, asked step) string {
	t.Helper()
	method, path, _ := strings.Cut(asked.do, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, "http://vault.test/v1/"+path, strings.NewReader(asked.body))
	require.NoError(t, err)
	req.Header.Set("X-Vault-Token", v.RootToken())
	resp, err := v.RoundTripper().RoundTrip(req)
	require.NoError(t, err)
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Less(t, resp.StatusCode, 500, "%s: %s", asked.do, raw)
	var body struct {
		Data json.RawMessage `json:"data"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &body) != nil || body.Data == nil {
		return "null"
	}
	return compact(t, body.Data)
}

// TestSmallVaultForgetsInTimeLikeTheRealOne compares to the nanosecond: both
// live on the clock of the bubble. No step is asked at the very instant at which
// something ends: for the plugin it is still there then, for the small one not,
// so that what was deleted is gone also where time stands still.
func TestSmallVaultForgetsInTimeLikeTheRealOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var steps []timedStep
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			after := rapid.SampledFrom([]time.Duration{0, time.Second, 599 * time.Second, 10 * time.Minute, time.Hour}).Draw(rt, "time")
			steps = append(steps, timedStep{after: after + time.Nanosecond, step: drawTimed(rt)})
		}
		var difference string
		// rapid itself cannot be in a bubble.
		synctest.Test(t, func(t *testing.T) { difference = firstDifference(t, steps) })
		if difference != "" {
			rt.Fatal(difference)
		}
	})
}

// A timedStep is asked some time after the one before it.
type timedStep struct {
	after time.Duration
	step  step
}

// firstDifference sends the steps to both, and tells them up to the first that
// is answered differently; empty when there is none.
func firstDifference(t *testing.T, steps []timedStep) string {
	t.Helper()
	v, err := scaivaulttest.StartVault(nil)
	require.NoError(t, err)
	defer v.Close()
	v.Mount("kv", 2)
	plugin := newKVPlugin(t)
	var told strings.Builder
	for _, timed := range steps {
		time.Sleep(timed.after)
		want, got := plugin.ask(t, timed.step), askSmall(t, v, timed.step)
		fmt.Fprintf(&told, "%s %s %s\nreal:  %s\n", time.Now().UTC().Format(time.RFC3339Nano), timed.step.do, timed.step.body, want)
		if want != got {
			return told.String() + "small: " + got
		}
	}
	return ""
}

func drawTimed(rt *rapid.T) step {
	after := fmt.Sprintf(`{"delete_version_after":%s}`, rapid.SampledFrom([]string{`"10m"`, `"1h"`, `"1s"`, `0`, `"2h30m"`}).Draw(rt, "after"))
	switch rapid.SampledFrom([]string{"write", "write", "read", "read", "old", "metadata", "after", "config", "off", "delete", "undelete", "destroy", "keep"}).Draw(rt, "what") {
	case "write":
		return step{do: "POST kv/data/a", body: `{"data":{"v":"1"}}`}
	case "read":
		return step{do: "GET kv/data/a"}
	case "old":
		return step{do: "POST kv/delete/a", body: `{"versions":[1,2,3]}`}
	case "after":
		return step{do: "POST kv/metadata/a", body: after}
	case "config":
		return step{do: "POST kv/config", body: after}
	case "off":
		return step{do: "POST kv/config", body: `{"delete_version_after":"-1s"}`}
	case "keep":
		return step{do: "POST kv/metadata/a", body: `{"max_versions":2}`}
	case "delete":
		return step{do: "DELETE kv/data/a"}
	case "undelete":
		return step{do: "POST kv/undelete/a", body: `{"versions":[1,2,3]}`}
	case "destroy":
		return step{do: "POST kv/destroy/a", body: `{"versions":[2]}`}
	}
	return step{do: "GET kv/metadata/a"}
}
