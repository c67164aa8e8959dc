// SPDX-License-Identifier: Apache-2.0

package migrate_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/migrate"
	"github.com/scailabs/scaivault-go/scaivault"
)

func TestSanitizeProposesWhatScaiVaultAllows(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Db":                          "db",
		"apps/My.Service v2":          "apps/my-service-v2",
		"a--b/_c-":                    "a--b/_c-",
		"/lead//double/trail/":        "lead/double/trail",
		"Ünï/\u212a":                  "-n-/-", // the sign for kelvin becomes k elsewhere
		"...":                         "---",
		"a\x00b\xff":                  "a-b-",
		"1/2/3/4/5/6/7/8/9/10/11/12":  "1/2/3/4/5/6/7/8/9/10-11-12",
		"":                            "",
		"///":                         "",
		"user@example.com/API_KEY(1)": "user-example-com/api_key-1-",
	} {
		assert.Equal(t, want, migrate.Sanitize(name), "%q", name)
	}
	long := strings.Repeat("X", 600)
	a, b := migrate.Sanitize(long+"1"), migrate.Sanitize(long+"2")
	assert.Len(t, a, 512)
	assert.NotEqual(t, a, b, "what was cut off is told apart")
}

func FuzzSanitize(f *testing.F) {
	f.Add("kv/Apps.Billing/db")
	f.Add(strings.Repeat("a/", 300) + "É")
	f.Add(strings.Repeat("é", 300) + "/" + strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, name string) {
		got := migrate.Sanitize(name)
		if strings.Trim(name, "/") == "" {
			require.Empty(t, got)
			return
		}
		require.NoError(t, scaivault.ValidatePath(got), "of %q", name)
		require.Equal(t, got, migrate.Sanitize(got), "twice is once")
		if scaivault.ValidatePath(name) == nil {
			require.Equal(t, name, got, "what is allowed stays")
		}
	})
}
