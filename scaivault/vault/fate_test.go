// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const v1Path = "secret/apps/db"

var (
	lostAfter  = scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, After: true, Count: 1}
	lostBefore = scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, Count: 1}
)

// on aims a fault at one kind of request.
func on(f scaivaulttest.Fault, method, path string) scaivaulttest.Fault {
	f.Method, f.Path = method, "/v1/"+path
	return f
}

func TestLostWriteByCheckAndSetIsFoundByItsVersion(t *testing.T) {
	t.Parallel()
	one := 1
	for name, opts := range map[string]*scaivault.PutOptions{
		"IfVersion":   {IfVersion: &one},
		"IfUnchanged": {IfUnchanged: mustSecret(t, `{"p":"old"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := small(t)
			v.Seed(kvPath, map[string]any{"p": "old"})
			v.Inject(on(lostAfter, http.MethodPut, kvPath))
			written, err := s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, opts)
			require.NoError(t, err)
			assert.Equal(t, 2, written.Version)
			assert.Equal(t, 1, v.RequestCount(http.MethodPut, "/v1/"+kvPath))
		})
	}
}

func TestLostWriteIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	one := 1
	for name, c := range map[string]struct {
		opts  *scaivault.PutOptions
		rival string // written while the write is under way
	}{
		"another value by the version": {&scaivault.PutOptions{IfVersion: &one}, "rival"},
		"another value":                {nil, "rival"},
		"the same value, from before":  {nil, ""},
		"the version is not there":     {&scaivault.PutOptions{IfVersion: &one}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, s := small(t)
				v.Seed(kvPath, map[string]any{"p": "same"})
				time.Sleep(5 * time.Second) // in the bubble: the seed is from before
				fault := on(lostBefore, http.MethodPut, kvPath)
				fault.Delay = time.Second
				v.Inject(fault)
				if c.rival != "" {
					time.AfterFunc(time.Millisecond, func() { v.Seed(kvPath, map[string]any{"p": c.rival}) })
				}
				_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "same"}, c.opts)
				require.ErrorIs(t, err, scaivault.ErrUncertain)
				assert.NotErrorIs(t, err, scaivault.ErrUnavailable, "nobody should take it for not done")
				assert.Equal(t, 1, v.RequestCount(http.MethodPut, "/v1/"+kvPath))
			})
		})
	}
}

// Real and small KV v2 round numbers, so what comes back is not what was sent.
func TestLostWriteIsFoundThoughVaultRoundsNumbers(t *testing.T) {
	t.Parallel()
	v, s := small(t)
	v.Inject(on(lostAfter, http.MethodPut, kvPath))
	data := map[string]any{"n": json.Number("9007199254740993"), "deep": []any{map[string]any{"f": json.Number("1.10")}, true}}
	written, err := s.Put(t.Context(), kvPath, data, nil)
	require.NoError(t, err)
	assert.Equal(t, 1, written.Version)
}

func TestLostWriteThatCannotBeLookedUpIsUncertain(t *testing.T) {
	t.Parallel()
	for _, path := range []string{kvPath, v1Path} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, s := small(t)
				v.Seed(path, map[string]any{"p": "old"})
				_, err := s.Get(t.Context(), path)
				require.NoError(t, err)
				v.Inject(scaivaulttest.Fault{Hang: true})
				for name, c := range map[string]struct {
					end  func(context.Context) (context.Context, context.CancelFunc)
					want error
				}{
					"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
						return context.WithTimeout(ctx, time.Second)
					}, context.DeadlineExceeded},
					"cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
						ctx, cancel := context.WithCancel(ctx)
						time.AfterFunc(time.Second, cancel)
						return ctx, cancel
					}, context.Canceled},
				} {
					ctx, cancel := c.end(t.Context())
					start := time.Now()
					_, err := s.Put(ctx, path, map[string]any{"p": "new"}, nil)
					require.ErrorIs(t, err, scaivault.ErrUncertain, name)
					require.ErrorIs(t, err, c.want, name)
					assert.Equal(t, 3*time.Second, time.Since(start), "a second for the caller, two to look")
					start = time.Now()
					err = s.Delete(ctx, path)
					require.ErrorIs(t, err, c.want, "it had ended before")
					require.NotErrorIs(t, err, scaivault.ErrUncertain)
					assert.Zero(t, time.Since(start))
					cancel()
				}
			})
		})
	}
}

func TestLostDeleteIsLookedUp(t *testing.T) {
	t.Parallel()
	for _, path := range []string{kvPath, v1Path} {
		for name, c := range map[string]struct {
			fault scaivaulttest.Fault
			want  error
		}{
			"done":            {lostAfter, nil},
			"not done":        {lostBefore, scaivault.ErrUncertain},
			"done, 500":       {scaivaulttest.Fault{Status: 500, After: true, Count: 1}, nil},
			"not done, 500":   {scaivaulttest.Fault{Status: 500, Count: 1}, scaivault.ErrUncertain},
			"a page":          {scaivaulttest.Fault{Status: 200, Body: "<html>", Count: 1}, scaivault.ErrUncertain},
			"a balancer's no": {scaivaulttest.Fault{Status: 404, Body: "<html>", Count: 1}, scaivault.ErrUnavailable},
		} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				v, s := small(t)
				v.Seed(path, map[string]any{"p": "old"})
				v.Inject(on(c.fault, http.MethodDelete, path))
				err := s.Delete(t.Context(), path)
				if c.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.want)
				}
				assert.Equal(t, 1, v.RequestCount(http.MethodDelete, "/v1/"+path))
			})
		}
	}
}

func TestLostDeleteThatCannotBeLookedUpIsUncertain(t *testing.T) {
	t.Parallel()
	v, s := small(t)
	v.Seed(kvPath, map[string]any{"p": "old"})
	_, err := s.Get(t.Context(), kvPath)
	require.NoError(t, err)
	v.Inject(scaivaulttest.Fault{Status: 502, Body: "<html>"})
	require.ErrorIs(t, s.Delete(t.Context(), kvPath), scaivault.ErrUncertain)
	require.ErrorIs(t, s.DeleteVersion(t.Context(), kvPath, 1), scaivault.ErrUncertain)
}

func TestNothingIsUncertainWhileVaultIsDown(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Seed(kvPath, map[string]any{"p": "old"})
	s := sourceOf(t, clientOf(t, "http://127.0.0.1:8200", v.RoundTripper()))
	_, err := s.Get(t.Context(), kvPath)
	require.NoError(t, err)
	v.SetDown(true)
	_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, nil)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	require.NotErrorIs(t, err, scaivault.ErrUncertain)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	err = s.Delete(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	require.NotErrorIs(t, err, scaivault.ErrUncertain)
}

// A transport that calls no hooks does not prove that nothing was sent: a dial
// that failed may have been its second.
func TestWriteOverATransportWithoutHooksMayHaveBeenSent(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	broken := &breaking{next: v.RoundTripper()}
	s := sourceOf(t, clientOf(t, "http://127.0.0.1:8200", broken))
	v.Seed(kvPath, map[string]any{"p": "old"})
	_, err := s.Get(t.Context(), kvPath)
	require.NoError(t, err)
	_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "new"}, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
	var cause *strangeError
	require.ErrorAs(t, err, &cause, "it is within reach, on purpose")
}

type strangeError struct{}

func (*strangeError) Error() string { return canary }

// breaking fails all writes, in words that nobody should see.
type breaking struct{ next http.RoundTripper }

func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut {
		return nil, &strangeError{}
	}
	return b.next.RoundTrip(r)
}

func TestMetadataAndDataTellWhichOfThemFailed(t *testing.T) {
	t.Parallel()
	opts := &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "ops"}}
	for name, c := range map[string]struct {
		part   string
		status int
		says   string
	}{
		"metadata denied":      {"metadata", 403, "so the data was not either"},
		"metadata unavailable": {"metadata", 500, "so the data was not either"},
		"data denied":          {"data", 403, "the metadata was written before, the data was not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := small(t)
			v.Inject(scaivaulttest.Fault{Method: http.MethodPut, Path: "/v1/kv/" + c.part + "/**", Status: c.status, Code: "x", Message: canary})
			_, err := s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, opts)
			require.ErrorContains(t, err, c.says)
			require.NotErrorIs(t, err, scaivault.ErrUncertain)
			require.NotContains(t, err.Error(), canary)
			_, written := v.Value(kvPath)
			assert.False(t, written)
		})
	}
}

func mustSecret(t *testing.T, data string) *scaivault.Secret {
	t.Helper()
	s, err := scaivault.NewSecret(scaivault.SecretInfo{}, json.RawMessage(data))
	require.NoError(t, err)
	return s
}

func TestCloseEndsCallsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t, func(c *vault.Config) { c.Name = "old-vault" })
		require.Equal(t, "old-vault", s.Name())
		require.Equal(t, scaivault.SideVault, s.Side())
		v.Inject(scaivaulttest.Fault{Hang: true})
		result := make(chan error)
		go func() {
			_, err := s.Get(t.Context(), kvPath)
			result <- err
		}()
		synctest.Wait()
		go func() { assert.NoError(t, s.Close()) }()
		err := <-result
		require.ErrorIs(t, err, scaivault.ErrClosed)
		require.NotErrorIs(t, err, scaivault.ErrUnavailable)
		for _, err := range s.List(t.Context(), "kv/data", nil) {
			require.ErrorIs(t, err, scaivault.ErrClosed)
		}
		_, err = s.Mounts(t.Context())
		require.ErrorIs(t, err, scaivault.ErrClosed)
		require.ErrorIs(t, s.Delete(t.Context(), kvPath), scaivault.ErrClosed)
		require.NoError(t, s.Close())
	})
}
