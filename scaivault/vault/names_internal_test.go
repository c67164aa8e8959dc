// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// taken reads a listing as an answer of Vault, and returns its names.
func taken(body string, length int64) (listing bool, all []string, err error) {
	a := &answer{status: http.StatusOK}
	resp := &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ContentLength: length,
		Body: io.NopCloser(iotest.HalfReader(strings.NewReader(body))),
	}
	if err := a.readBody(resp, true, 1<<20); err != nil {
		return false, nil, err
	}
	if _, ok := a.envelope(); !ok {
		return false, nil, nil
	}
	n, e := new(Source).keys(target{"list", "kv/data"}, a)
	if e != nil {
		return false, nil, nil
	}
	defer n.discard()
	for name, err := range n.all() {
		if err != nil {
			return false, nil, err
		}
		all = append(all, name)
	}
	return true, all, nil
}

func TestNamesAreTakenOutOfAListing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		`{"request_id":"r","data":{"keys":["a","b/"]}}`:                              {"a", "b/"},
		"\n{ \"data\" : { \"keys\" : [ \"a\" ,\n\"b\" ] } , \"request_id\":\"r\" } ": {"a", "b"},
		`{"request_id":"r","data":{"keys":[]}}`:                                      nil,
		`{"d\u0061ta":{"k\u0065ys":["\u00e4\"]}\\"]},"request_id":"r"}`:              {`ä"]}\`},
		`{"request_id":"r","data":{"keys":["a"],"keys":["b"]}}`:                      {"b"},
		`{"request_id":"r","data":{"x":["keys",{"keys":["no"]}],"keys":["a"]}}`:      {"a"},
		`{"request_id":"r","keys":["no"],"data":{"key_info":{},"keys":["a"]}}`:       {"a"},
		"{\"request_id\":\"r\",\"data\":{\"keys\":[\"\xff\"]}}":                      {"\uFFFD"},
	} {
		listing, all, err := taken(body, -1)
		require.NoError(t, err, body)
		require.True(t, listing, body)
		require.Equal(t, want, all, body)
		listing, all, err = taken(body, int64(len(body)))
		require.NoError(t, err, body)
		require.True(t, listing, body)
		require.Equal(t, want, all, body)
	}
}

// Nothing may be taken for the end of the list but the end of the list.
func TestWhatIsNoListingHasNoNames(t *testing.T) {
	t.Parallel()
	const whole = `{"request_id":"r","data":{"keys":["first","second","third/"]}}`
	for end := 1; end < len(whole); end++ {
		listing, _, _ := taken(whole[:end], -1)
		require.False(t, listing, "cut off at %d", end)
		listing, _, _ = taken(whole[:end], int64(end)) // a length that is too small
		require.False(t, listing, "promised to end at %d", end)
	}
	for _, list := range []string{
		`["a",1]`, `["a",null,"b"]`, `[["a"]]`, `[{"a":"b"}]`, `null`, `{}`, `"a"`, `["a""b"]`, `["a" "b"]`, `["a",]`, `[,"a"]`, `["a",,"b"]`,
		`["a"}`, `["\x"]`, "[\"a\nb\"]", `["a"]]`, `["a"]}`, `[tru]`,
	} {
		listing, _, _ := taken(`{"request_id":"r","data":{"keys":`+list+`}}`, -1)
		require.False(t, listing, list)
	}
	for _, body := range []string{``, `}}}[["a"`, `]`, `<html>`, `["a"]`, `{"request_id":"r","data":["keys",["a"]]}`, whole + `x`, whole + whole, `{"request_id":"r","data":{"keys":["a"]},"data":{}}`} {
		listing, _, _ := taken(body, -1)
		require.False(t, listing, body)
	}
}

func TestListingLargerThanTheLimit(t *testing.T) {
	t.Parallel()
	body := `{"request_id":"r","data":{"keys":["` + strings.Repeat("a", 1<<20) + `"]}}`
	_, _, err := taken(body, -1)
	require.ErrorIs(t, err, wire.ErrTooLarge)
}

// A long listing comes out of its file as it went in, and the file is gone.
func TestManyNamesAreNotInMemory(t *testing.T) {
	t.Parallel()
	var want []string
	for i := range 30_000 {
		want = append(want, fmt.Sprintf("secret-number-%07d", i))
	}
	list, err := json.Marshal(map[string]any{"request_id": "r", "data": map[string]any{"keys": want}})
	require.NoError(t, err)
	var r namesReader
	r.names.spool.Dir = t.TempDir()
	_, err = r.Write(list)
	require.NoError(t, err)
	require.Less(t, len(r.Bytes()), 100, "of the answer, only the envelope is kept")
	var got []string
	for name, err := range r.names.all() {
		require.NoError(t, err)
		got = append(got, name)
	}
	require.True(t, slices.Equal(want, got))
	r.names.discard()
	left, err := os.ReadDir(r.names.spool.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func FuzzNamesReader(f *testing.F) {
	f.Add([]byte(`{"request_id":"r","data":{"keys":["a","\u0062/"]}}`), byte(3))
	f.Add([]byte(`{"request_id":"r","data":{"keys":["a",1,"b"]}} `), byte(0))
	f.Add([]byte(`}}}}[{"data":{"keys":["a",]`), byte(1))
	f.Fuzz(func(t *testing.T, body []byte, cut byte) {
		var r namesReader
		first := min(int(cut), len(body))
		_, _ = r.Write(body[:first])
		_, _ = r.Write(body[first:])
		a := &answer{status: http.StatusOK, body: r.Bytes(), names: &r.names}
		if _, ok := a.envelope(); !ok {
			return
		}
		n, err := new(Source).keys(target{"list", "kv/data"}, a)
		if err != nil {
			return
		}
		var w struct {
			Data struct {
				Keys []string `json:"keys"`
			} `json:"data"`
		}
		require.True(t, json.Valid(body), "what is no JSON is no listing")
		if strings.Count(string(body), `{`) > 2 || strings.Contains(strings.ToLower(string(body)), `\u`) || json.Unmarshal(body, &w) != nil {
			return // names that stand twice, or in other letters, are read otherwise there
		}
		var got []string
		for name := range n.all() {
			got = append(got, name)
		}
		require.Len(t, got, len(w.Data.Keys))
	})
}
