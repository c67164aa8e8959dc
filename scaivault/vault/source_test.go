// SPDX-License-Identifier: Apache-2.0

package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault"
	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
	"github.com/scailabs/scaivault-go/scaivault/vault"
)

const (
	rootToken = "hvs.not-a-real-token"
	canary    = "canary-9b1e"
	kvPath    = "kv/data/apps/db"
)

// clientOf makes a client as a service has it: with the defaults of its library.
func clientOf(t testing.TB, address string, transport http.RoundTripper) *api.Client {
	t.Helper()
	cfg := api.DefaultConfig()
	require.NoError(t, cfg.Error)
	cfg.Address = address
	if transport != nil {
		cfg.HttpClient = &http.Client{Transport: transport}
	}
	c, err := api.NewClient(cfg)
	require.NoError(t, err)
	c.SetToken(rootToken)
	return c
}

func sourceOf(t testing.TB, c *api.Client, change ...func(*vault.Config)) *vault.Source {
	t.Helper()
	cfg := vault.Config{Client: c}
	for _, f := range change {
		f(&cfg)
	}
	s, err := vault.NewSource(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// once has a Source ask once, whatever the answer.
func once(c *vault.Config) { c.Retry.MaxRetries, c.LeaderWait = -1, -1 }

// small is a Vault in memory with one mount of each version, and a Source.
func small(t testing.TB, change ...func(*vault.Config)) (*scaivaulttest.Vault, *vault.Source) {
	t.Helper()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Mount("secret", 1)
	return v, sourceOf(t, clientOf(t, "http://127.0.0.1:8200", v.RoundTripper()), change...)
}

// mounted is a handler that knows the mount kv and answers the rest by h.
func mounted(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/sys/internal/ui/mounts/") {
			_, _ = io.WriteString(w, `{"request_id":"r","data":{"path":"kv/","type":"kv","options":{"version":"2"}}}`)
			return
		}
		h(w, r)
	}
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestNewSourceRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*api.Client, *vault.Config)
		hint   string
	}{
		"no client":            {func(_ *api.Client, c *vault.Config) { c.Client = nil }, "Client"},
		"no scheme":            {func(a *api.Client, _ *vault.Config) { _ = a.SetAddress("vault.internal") }, "scheme"},
		"plain http":           {func(a *api.Client, _ *vault.Config) { _ = a.SetAddress("http://vault.internal:8200") }, "in clear"},
		"a password":           {func(a *api.Client, _ *vault.Config) { _ = a.SetAddress("https://u:" + canary + "@vault.internal") }, "password"},
		"token with a newline": {func(a *api.Client, _ *vault.Config) { a.SetToken(canary + "\n") }, "token"},
		"negative timeout":     {func(_ *api.Client, c *vault.Config) { c.Timeout = -1 }, "negative"},
		"address no scheme":    {func(_ *api.Client, c *vault.Config) { c.Addresses = []string{"https://a", "vault-2.internal"} }, "Addresses[1]"},
		"no such port":         {func(a *api.Client, _ *vault.Config) { _ = a.SetAddress("https://vault.internal:99999") }, `Client: "vault.internal:99999" has a port`},
		"address no such port": {func(_ *api.Client, c *vault.Config) { c.Addresses = []string{"https://a", "https://b:99999"} }, `Addresses[1]: "b:99999" has a port`},
		"address in clear":     {func(_ *api.Client, c *vault.Config) { c.Addresses = []string{"http://vault-2.internal"} }, "Addresses[0]"},
		"address twice":        {func(_ *api.Client, c *vault.Config) { c.Addresses = []string{"https://a", "https://a/"} }, "twice"},
		"too many addresses":   {func(_ *api.Client, c *vault.Config) { c.Addresses = manyAddresses() }, "16"},
		"no KV version":        {func(_ *api.Client, c *vault.Config) { c.Mounts = map[string]int{"kv": 3} }, "no KV version 3"},
		"mount within a mount": {func(_ *api.Client, c *vault.Config) { c.Mounts = map[string]int{"kv": 1, "kv/a": 2} }, "within"},
		"mount without a name": {func(_ *api.Client, c *vault.Config) { c.Mounts = map[string]int{"": 1} }, "Mounts"},
		"negative pause":       {func(_ *api.Client, c *vault.Config) { c.EndpointPause = -1 }, "EndpointPause"},
		"unprintable name":     {func(_ *api.Client, c *vault.Config) { c.Name = "a\nb" }, "Name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := clientOf(t, "https://vault.internal:8200", nil)
			cfg := vault.Config{Client: client}
			c.change(client, &cfg)
			_, err := vault.NewSource(cfg)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
		})
	}
	allowed := clientOf(t, "http://vault.internal:8200", nil)
	sourceOf(t, allowed, func(c *vault.Config) { c.PlainHTTPHosts = []string{"vault.internal"} })
}

func manyAddresses() []string {
	all := make([]string, 0, 17)
	for i := range 17 {
		all = append(all, fmt.Sprintf("https://vault-%d.internal:8200", i))
	}
	return all
}

// TestEmptyTokenIsAnErrorBeforeAnyRequest, and a token that is set later is
// used at once.
func TestTokenOfTheClientIsAskedAtEachRequest(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Seed(kvPath, map[string]any{"p": "q"})
	client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	client.ClearToken()
	s := sourceOf(t, client)
	_, err := s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnauthenticated)
	require.Empty(t, v.Requests())
	client.SetToken("wrong")
	_, err = s.Get(t.Context(), kvPath)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "wrong")
	client.SetToken(rootToken)
	_, err = s.Get(t.Context(), kvPath)
	require.NoError(t, err)
}

// TestHostileAnswers: what is not Vault's own answer is never a no, and never
// quoted.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"denied":                   {says(403, `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`), scaivault.ErrPermission},
		"bad token":                {says(403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`), scaivault.ErrUnauthenticated},
		"missing":                  {says(404, `{"errors":[]}`), scaivault.ErrNotFound},
		"deleted":                  {says(404, `{"request_id":"r","data":{"data":null,"metadata":{"deletion_time":"2030-01-01T00:00:00Z","version":3}}}`), scaivault.ErrNotFound},
		"no mount":                 {says(404, `{"errors":["no handler for route \"kv/data/apps/db\". route entry not found."]}`), scaivault.ErrInvalid},
		"401":                      {says(401, `{"errors":["no"]}`), scaivault.ErrUnauthenticated},
		"rate limited":             {says(429, `{"errors":["request path kv rate limit exceeded"]}`, "Retry-After", "7"), scaivault.ErrRateLimited},
		"sealed":                   {says(503, `{"errors":["Vault is sealed"]}`), scaivault.ErrUnavailable},
		"500":                      {says(500, `{"errors":["internal error"]}`), scaivault.ErrUnavailable},
		"standby":                  {says(473, `{"errors":[]}`), scaivault.ErrUnavailable},
		"not yet replicated":       {says(412, `{"errors":["required index state not present"]}`), scaivault.ErrUnavailable},
		"a balancer's 403":         {says(403, "<html>"+canary+"</html>"), scaivault.ErrUnavailable},
		"a balancer's 404":         {says(404, "<html>"+canary+"</html>"), scaivault.ErrUnavailable},
		"404 of something else":    {says(404, `{"message":"`+canary+`"}`), scaivault.ErrUnavailable},
		"empty 403":                {says(403, ""), scaivault.ErrUnavailable},
		"HTML":                     {says(200, "<html>"+canary+"</html>"), scaivault.ErrUnavailable},
		"JSON of another shape":    {says(200, `{"data":"`+canary+`"}`), scaivault.ErrUnavailable},
		"cut JSON":                 {says(200, `{"request_id":"r","data":{"data":{"p":"`+canary), scaivault.ErrUnavailable},
		"a body that stops":        {says(200, `{"request_id":"r","data":{"data":{"p":"`+canary, "Content-Length", "500"), scaivault.ErrUnavailable},
		"100 MiB":                  {endless, scaivault.ErrUnavailable},
		"a redirect":               {says(307, "", "Location", "http://127.0.0.1:1/"), scaivault.ErrUnavailable},
		"closed without an answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, scaivault.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			srv := httptest.NewServer(mounted(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				c.answer(w, r)
			}))
			defer srv.Close()
			_, err := sourceOf(t, clientOf(t, srv.URL, nil), once).Get(t.Context(), kvPath)
			require.ErrorIs(t, err, c.want)
			for _, other := range []error{scaivault.ErrNotFound, scaivault.ErrPermission, scaivault.ErrInvalid, scaivault.ErrUnavailable} {
				require.Equal(t, other == c.want, assertIs(err, other), "%v", err)
			}
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), canary)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), rootToken)
			require.LessOrEqual(t, requests.Load(), int64(2), "no retries of the library, or of its transport but one")
		})
	}
}

func assertIs(err, target error) bool { return assert.ErrorIs(new(silent), err, target) }

// A silent T only collects whether an assertion held.
type silent struct{}

func (*silent) Errorf(string, ...any) {}

// endless writes 100 MiB, unless the client leaves before.
func endless(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"request_id":"r","data":{"data":{"p":"`)
	block := strings.Repeat("x", 1<<20)
	for range 100 {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `"}}}`)
}

// TestRedirectToAnotherHostIsNotFollowed with the token.
func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host was asked") }))
	defer other.Close()
	srv := httptest.NewServer(mounted(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	s := sourceOf(t, clientOf(t, srv.URL, nil))
	_, err := s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	_, err = s.Put(t.Context(), kvPath, map[string]any{}, nil)
	require.ErrorIs(t, err, scaivault.ErrUncertain, "a standby answers so, too, when the leader that it passed a write on to is gone")
	require.ErrorContains(t, err, "Config.Addresses")
}

// TestRefusedPortIsAnErrorAtOnce: not after the library's own retries.
func TestRefusedPortIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	var dials atomic.Int64
	client := clientOf(t, "http://"+l.Addr().String(), &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	s := sourceOf(t, client, once)
	_, err = s.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	_, err = s.Put(t.Context(), kvPath, map[string]any{}, nil)
	require.ErrorIs(t, err, scaivault.ErrUnavailable, "nothing was sent, so nothing is uncertain")
	require.EqualValues(t, 2, dials.Load(), "one for each call")
	_, err = sourceOf(t, client).Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrUnavailable)
	require.EqualValues(t, 5, dials.Load(), "and two more by default, within a third of a second")
}

// TestCallersClientIsLeftAlone: two Sources on one client disturb neither it nor
// each other.
func TestCallersClientIsLeftAlone(t *testing.T) {
	t.Parallel()
	v := scaivaulttest.NewVault(t, &scaivaulttest.VaultOptions{RootToken: rootToken})
	v.Mount("kv", 2)
	v.Seed(kvPath, map[string]any{"p": "q"})
	client := clientOf(t, "http://127.0.0.1:8200", v.RoundTripper())
	client.SetMaxRetries(7)
	client.SetClientTimeout(17 * time.Second)
	before := []any{client.Token(), client.MaxRetries(), client.ClientTimeout(), client.Headers(), client.Address(), client.CloneConfig().HttpClient.CheckRedirect == nil}
	a, b := sourceOf(t, client), sourceOf(t, client)
	for _, s := range []*vault.Source{a, b} {
		_, err := s.Get(t.Context(), kvPath)
		require.NoError(t, err)
	}
	require.NoError(t, a.Close())
	_, err := a.Get(t.Context(), kvPath)
	require.ErrorIs(t, err, scaivault.ErrClosed)
	_, err = b.Get(t.Context(), kvPath)
	require.NoError(t, err)
	require.Equal(t, before, []any{client.Token(), client.MaxRetries(), client.ClientTimeout(), client.Headers(), client.Address(), client.CloneConfig().HttpClient.CheckRedirect == nil})
}

// TestWriteHappensOnce: a write that may have arrived is looked up and not
// repeated, on KV v2 and v1.
func TestWriteHappensOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scaivaulttest.Fault
		done  bool
		want  error
	}{
		"done, and 500":              {scaivaulttest.Fault{Status: 500, After: true, Count: 1}, true, nil},
		"done, and cut":              {scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, After: true, Count: 1}, true, nil},
		"done, and cut in the body":  {scaivaulttest.Fault{Cut: scaivaulttest.CutInBody, After: true, Count: 1}, true, nil},
		"not done, and 500":          {scaivaulttest.Fault{Status: 500, Count: 1}, false, scaivault.ErrUncertain},
		"not done, and cut":          {scaivaulttest.Fault{Cut: scaivaulttest.CutBeforeAnswer, Count: 1}, false, scaivault.ErrUncertain},
		"not done, and hangs":        {scaivaulttest.Fault{Hang: true, Count: 1}, false, scaivault.ErrUncertain},
		"denied":                     {scaivaulttest.Fault{Status: 403, Code: "x", Message: "permission denied", Count: 1}, false, scaivault.ErrPermission},
		"a balancer's page":          {scaivaulttest.Fault{Status: 403, Body: "<html>", Count: 1}, false, scaivault.ErrUnavailable},
		"answers HTML, and not done": {scaivaulttest.Fault{Status: 200, Body: "<html>", Count: 1}, false, scaivault.ErrUncertain},
	} {
		for _, path := range []string{kvPath, "secret/apps/db"} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					v, s := small(t, func(c *vault.Config) { c.Timeout = 5 * time.Second })
					v.Seed(path, map[string]any{"p": "old"})
					fault := c.fault
					fault.Method, fault.Path = http.MethodPut, "/v1/"+path
					v.Inject(fault)
					_, err := s.Put(t.Context(), path, map[string]any{"p": "new"}, nil)
					require.Equal(t, 1, v.RequestCount(http.MethodPut, "/v1/"+path))
					if c.want == nil {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, c.want)
					}
					raw, _ := v.Value(path)
					require.Equal(t, c.done, string(raw) == `{"p":"new"}`)
				})
			})
		}
	}
}

// TestWritesOverOneClientDoNotBreakOff: the library under this one cancels the
// context of a write before its answer is read, if it has a timeout of its own.
func TestWritesOverOneClientDoNotBreakOff(t *testing.T) {
	t.Parallel()
	v, s := small(t)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for j := range 20 {
				_, err := s.Put(t.Context(), fmt.Sprintf("kv/data/apps/%d", i), map[string]any{"n": j}, &scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "x"}})
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	require.Equal(t, 320, v.RequestCount(http.MethodPut, "/v1/kv/data/**"))
}

// TestTimeouts: the caller's deadline shows through; ours is ErrUnavailable
// alone.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, s := small(t, func(c *vault.Config) { c.Timeout = time.Second })
		v.Inject(scaivaulttest.Fault{Hang: true})
		start := time.Now()
		_, err := s.Get(t.Context(), kvPath)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.Equal(t, time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = s.Get(ctx, kvPath)
		require.ErrorIs(t, err, scaivault.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		_, err = s.Get(ctx, kvPath)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, scaivault.ErrUnavailable)
	})
}

// TestOneRequestAReadOnceTheMountIsKnown.
func TestOneRequestAReadOnceTheMountIsKnown(t *testing.T) {
	t.Parallel()
	v, s := small(t)
	v.Seed(kvPath, map[string]any{"p": "q"})
	for range 10 {
		_, err := s.Get(t.Context(), kvPath)
		require.NoError(t, err)
	}
	require.Len(t, v.Requests(), 11, "10 reads and one look at the mount")
}

// TestWhatVaultReturnsSurvives byte for byte: KV v1 keeps every digit.
func TestWhatVaultReturnsSurvives(t *testing.T) {
	t.Parallel()
	_, s := small(t)
	data := map[string]any{"big": json.Number("12345678901234567890"), "tiny": json.RawMessage("0.1000"), "e": json.Number("1e300"), "null": nil, "empty": "", "uni": "e\u0301 <&>"}
	_, err := s.Put(t.Context(), "secret/apps/db", data, nil)
	require.NoError(t, err)
	got, err := s.Get(t.Context(), "secret/apps/db")
	require.NoError(t, err)
	for _, want := range []string{`12345678901234567890`, `0.1000`, `1e300`, `"null":null`, `"empty":""`} {
		require.Contains(t, string(got.JSON()), want)
	}
	uni, _ := got.Field("uni")
	require.Equal(t, "e\u0301 <&>", uni)
	_, err = s.Put(t.Context(), kvPath, map[string]any{"p": "q"}, nil)
	require.NoError(t, err)
}

// TestOptionsThatVaultCannotHold are refused before anything is written.
func TestOptionsThatVaultCannotHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path string
		opts scaivault.PutOptions
	}{
		"expiry":             {kvPath, scaivault.PutOptions{ExpiresIn: time.Hour}},
		"rotation policy":    {kvPath, scaivault.PutOptions{RotationPolicyID: "rot_x"}},
		"metadata on KV v1":  {"secret/apps/db", scaivault.PutOptions{Metadata: scaivault.Metadata{Owner: "x"}}},
		"versions on KV v1":  {"secret/apps/db", scaivault.PutOptions{MaxVersions: 3}},
		"metadata too large": {kvPath, scaivault.PutOptions{Metadata: scaivault.Metadata{Description: strings.Repeat("x", 513)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := small(t)
			_, err := s.Put(t.Context(), c.path, map[string]any{"p": "q"}, &c.opts)
			require.ErrorIs(t, err, scaivault.ErrInvalid)
			_, written := v.Value(c.path)
			require.False(t, written)
		})
	}
}
