// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

const canary = "canary-Zx81!Qw/value"

// forms are the ways in which a value could be printed.
func forms() []string {
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	return []string{
		canary, strings.Trim(fmt.Sprintf("%q", canary), `"`), hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary)), decimal,
	}
}

// shown is everything that a printer or encoder makes of v.
func shown(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	if _, isErr := v.(error); !isErr {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		b.Write(text)
	}
	return b.String()
}

func TestNothingShowsAValue(t *testing.T) {
	t.Parallel()
	vault, scai := newVaultSide(), newScaiVaultSide()
	data := func(extra string) string { return fmt.Sprintf(`{"password":%q,%s}`, canary, extra) }
	vault.seed("kv/data/apps/new", data(`"n":1`))
	vault.seed("kv/data/apps/conflict", data(`"n":1`))
	vault.seed("kv/data/apps/altered", data(`"n":1`))
	vault.seed("kv/data/apps/lost", data(`"n":1`))
	vault.seed("kv/data/apps/Upper", data(`"n":1`))
	scai.seed("environments/production/conflict", data(`"n":2`))
	scai.seed("environments/production/extra", data(`"n":9007199254740993`))
	scai.putErr = func(path string) error {
		switch path {
		case "environments/production/altered":
			scai.secrets[path].data = data(`"n":3`)
		case "environments/production/lost":
			return &scaivault.Error{Kind: scaivault.ErrUncertain, Op: "put", Path: path, Message: canary, Details: json.RawMessage(`"` + canary + `"`)}
		}
		return nil
	}
	m := mustMapping(t, scaivault.Rule{Vault: "kv/data/apps/**", ScaiVault: "environments/production/**"})

	var all []any
	each := func(i migrate.Item) error {
		all = append(all, i, &i, i.String(), i.Err)
		return nil
	}
	var reports []*migrate.Report
	report, err := migrate.Copy(t.Context(), vault, scai, m, &migrate.CopyOptions{Each: each})
	require.NoError(t, err)
	require.Equal(t, 3, report.Count(migrate.Conflict, migrate.Failed), report.String())
	reports = append(reports, report)
	report, err = migrate.Diff(t.Context(), vault, scai, m, &migrate.DiffOptions{Each: each})
	require.NoError(t, err)
	reports = append(reports, report)
	report, err = migrate.Copy(t.Context(), scai, vault, m, &migrate.CopyOptions{Each: each})
	require.NoError(t, err)
	require.Equal(t, 1, report.Count(migrate.Failed), "the rounded number")
	reports = append(reports, report)
	report, err = migrate.Retire(t.Context(), vault, scai, m, migrate.Evidence{Flag: scaivault.StageScaiVault}, &migrate.RetireOptions{WaiveReaders: true, Each: each})
	require.NoError(t, err)
	reports = append(reports, report)
	for _, r := range reports {
		all = append(all, r, *r, r.String())
		if err := r.Err(); err != nil {
			all = append(all, err)
		}
	}
	for _, v := range all {
		if v == nil {
			continue
		}
		text := shown(t, v)
		for i, form := range forms() {
			require.False(t, strings.Contains(text, form), "a %T shows a value, in form %d", v, i)
		}
	}
}
