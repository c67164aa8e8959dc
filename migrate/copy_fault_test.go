// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/mark"
	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

const (
	webInVault = "kv/data/apps/web"
	webInScai  = "environments/production/web"
)

func TestCopyLooksUpAWriteOfUnknownFate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		prepare func(scai *fakeSide)
		want    migrate.Outcome
		kind    error
	}{
		{"it was done", func(scai *fakeSide) {
			scai.putErr = func(path string) error { return scai.fail(scaivault.ErrUncertain, "put", path, "") }
		}, migrate.Created, nil},
		{"it was not done", func(scai *fakeSide) {
			scai.onPut = func(path string, _ int) error { return scai.fail(scaivault.ErrUncertain, "put", path, "") }
		}, migrate.Failed, scaivault.ErrUncertain},
		{"somebody wrote the same", func(scai *fakeSide) {
			scai.onPut = func(path string, _ int) error {
				scai.seed(path, `{"v":1}`)
				return scai.fail(scaivault.ErrUncertain, "put", path, "")
			}
		}, migrate.Unchanged, nil},
		{"another copy wrote the same", func(scai *fakeSide) {
			scai.onPut = func(path string, _ int) error {
				theirs := mark.Mark{Source: webInVault, SourceVersion: 1, Version: 1, WriteID: "theirs"}
				scai.mu.Lock()
				scai.store(path, `{"v":1}`, scaivault.Metadata{Values: theirs.AddTo(nil)})
				scai.mu.Unlock()
				return scai.fail(scaivault.ErrUncertain, "put", path, "")
			}
		}, migrate.Unchanged, nil},
		{"the service altered it", func(scai *fakeSide) {
			scai.putErr = func(path string) error {
				scai.secrets[path].data = `{"v":"altered"}` // with our mark
				return scai.fail(scaivault.ErrUncertain, "put", path, "")
			}
		}, migrate.Failed, scaivault.ErrUncertain},
		{"somebody wrote something else", func(scai *fakeSide) {
			scai.onPut = func(path string, _ int) error {
				scai.seed(path, `{"v":"theirs"}`)
				return scai.fail(scaivault.ErrUncertain, "put", path, "")
			}
		}, migrate.Failed, scaivault.ErrUncertain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			vault, scai := newVaultSide(), newScaiVaultSide()
			vault.seed(webInVault, `{"v":1}`)
			tc.prepare(scai)
			report := copyAll(t, vault, scai)
			assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
			if tc.kind == nil {
				require.NoError(t, report.Err())
			} else {
				require.ErrorIs(t, report.Err(), tc.kind)
			}
			assert.Equal(t, 1, scai.writes(), "a write is never repeated")
		})
	}
}

func TestCopyVerifiesWhatItWrote(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		then func(scai *fakeSide, path string) error
		want migrate.Outcome
		says string
	}{
		{"the service altered it", func(scai *fakeSide, path string) error {
			scai.secrets[path].data = `{"v":"rounded"}`
			return nil
		}, migrate.Failed, "does not hold what was written"},
		{"it vanished", func(scai *fakeSide, path string) error {
			scai.secrets[path].deleted = true
			return nil
		}, migrate.Failed, "does not hold what was written"},
		{"somebody wrote a newer version", func(scai *fakeSide, path string) error {
			scai.secrets[path].version++
			scai.secrets[path].data = `{"v":"theirs"}`
			return nil
		}, migrate.Created, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				vault, scai := newVaultSide(), newScaiVaultSide()
				vault.seed(webInVault, `{"v":1}`)
				scai.putErr = func(path string) error { // after the version was noted
					go func() {
						scai.mu.Lock()
						defer scai.mu.Unlock()
						_ = tc.then(scai, path)
					}()
					return nil
				}
				first := true
				scai.onGet = func(string) error {
					if first { // before the write
						first = false
					} else {
						synctest.Wait()
					}
					return nil
				}
				report := copyAll(t, vault, scai)
				assert.Equal(t, map[migrate.Outcome]int{tc.want: 1}, report.Counts)
				if tc.says != "" {
					assert.Contains(t, report.String(), tc.says)
					require.ErrorIs(t, report.Err(), scaivault.ErrConflict)
				}
			})
		})
	}
}

func TestCopyTriesOnceMoreAtTheEnd(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	var order []string
	for i := range 20 {
		vault.seed(fmt.Sprintf("kv/data/apps/s%02d", i), `{"v":1}`)
	}
	var mu sync.Mutex
	failedOnce := map[string]bool{}
	vault.onGet = func(path string) error {
		mu.Lock()
		defer mu.Unlock()
		if path == "kv/data/apps/s00" || path == "kv/data/apps/s01" && !failedOnce[path] {
			failedOnce[path] = true
			return vault.fail(scaivault.ErrUnavailable, "get", path, "")
		}
		return nil
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Each: func(i migrate.Item) error {
		order = append(order, i.From)
		return nil
	}})
	require.NoError(t, err)
	assert.Equal(t, 19, report.Count(migrate.Created))
	assert.Equal(t, 1, report.Count(migrate.Failed))
	require.ErrorIs(t, report.Err(), scaivault.ErrUnavailable)
	require.Len(t, order, 20, "each item is told once")
	assert.ElementsMatch(t, []string{"kv/data/apps/s00", "kv/data/apps/s01"}, order[18:])
}

func TestCopyObeysARateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault, scai := newVaultSide(), newScaiVaultSide()
		for i := range 250 {
			vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
		}
		// 100 writes a minute, as ScaiVault allows.
		var mu sync.Mutex
		window, used := time.Now(), 0
		refused := 0
		scai.onPut = func(path string, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if time.Since(window) >= time.Minute {
				window, used = time.Now(), 0
			}
			if used++; used > 100 {
				refused++
				return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", Path: path, RetryAfter: time.Minute - time.Since(window)}
			}
			return nil
		}
		start := time.Now()
		report := copyAll(t, vault, scai)
		require.NoError(t, report.Err())
		assert.Equal(t, 250, report.Count(migrate.Created))
		assert.Equal(t, 2*time.Minute, time.Since(start).Round(time.Second))
		assert.LessOrEqual(t, refused, 2*8, "who is refused makes all workers wait")
	})
}

func TestCopyGivesUpOnALimitThatNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault, scai := newVaultSide(), newScaiVaultSide()
		vault.seed(webInVault, `{"v":1}`)
		scai.onPut = func(path string, _ int) error { return scai.fail(scaivault.ErrRateLimited, "put", path, "") }
		report := copyAll(t, vault, scai)
		require.ErrorIs(t, report.Err(), scaivault.ErrRateLimited)
		assert.Equal(t, 12, scai.writes(), "six tries, and six at the end of the run")
	})
}

func TestCopyWaitsForAListingThatIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault, scai := newVaultSide(), newScaiVaultSide()
		refusals := 2
		vault.onList = func(string) error {
			if refusals--; refusals >= 0 {
				return vault.fail(scaivault.ErrRateLimited, "list", "kv/data/apps", "")
			}
			vault.seed(webInVault, `{"v":1}`)
			return nil
		}
		copyAll(t, vault, scai)
		assert.Equal(t, -1, refusals, "the listing was begun three times")
	})
}

func TestCopyPacesItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault, scai := newVaultSide(), newScaiVaultSide()
		for i := range 31 {
			vault.seed(fmt.Sprintf("kv/data/apps/s%03d", i), `{"v":1}`)
		}
		start := time.Now()
		m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
		report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{PerSecond: 0.5})
		require.NoError(t, err)
		require.NoError(t, report.Err())
		assert.Equal(t, time.Minute, time.Since(start).Round(time.Second))
	})
}

func TestCopyWaitsNoLongerThanItsCtx(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		vault, scai := newVaultSide(), newScaiVaultSide()
		vault.seed(webInVault, `{"v":1}`)
		scai.onPut = func(path string, _ int) error {
			return &scaivault.Error{Kind: scaivault.ErrRateLimited, Op: "put", Path: path, RetryAfter: time.Hour}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		report, err := migrate.Copy(ctx, vault, scai, billing(t), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, report.Incomplete)
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestCopyTellsAWriteThatTheEndOfTheRunCutOff(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	ctx, cancel := context.WithCancel(t.Context())
	scai.putErr = func(string) error { cancel(); return nil }
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})
	report, err := migrate.Copy(ctx, vault, scai, m, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, report.Err(), scaivault.ErrUncertain)
	assert.Equal(t, 1, report.Count(migrate.Failed))
	var problems *migrate.ProblemsError
	require.True(t, errors.As(report.Err(), &problems))
	assert.Same(t, report, problems.Report)
}

func TestCopyTellsAFailureAtTheEndOfTheRun(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	ctx, cancel := context.WithCancel(t.Context())
	vault.onGet = func(path string) error {
		cancel()
		return vault.fail(scaivault.ErrUnavailable, "get", path, "")
	}
	report, err := migrate.Copy(ctx, vault, scai, apps(t), nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, report.Count(migrate.Failed), "there is no second pass to tell it")
	require.ErrorIs(t, report.Err(), scaivault.ErrUnavailable)
}

func TestCopySurvivesABatchThatFails(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	vault.seed(webInVault, `{"v":1}`)
	report := copyAll(t, vault, &brokenBatch{scai})
	require.NoError(t, report.Err())
	assert.Equal(t, 1, report.Count(migrate.Created))
}

type brokenBatch struct{ *fakeSide }

func (b *brokenBatch) GetBatch(context.Context, []string) (map[string]*scaivault.Secret, error) {
	return nil, b.fail(scaivault.ErrUnavailable, "get", "", "")
}
