// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A step is one request, and the answer that every Vault gives to it. In the
// request {{x}} stands for what a pattern kept as x.
type step struct {
	as     string // whose token: empty for root, nobody, the name of a kept one, or a token
	do     string // method and API path
	header string // one more header, "Name: value"
	body   string
	status int
	want   string // a pattern for match; empty when the answer has no body
}

// nobody sends no token.
const nobody = "nobody"

// A story is a list of requests in order, against a server of its own.
type story struct {
	name   string
	mounts map[string]int // KV engines by path, with their version
	steps  []step
}

// Answers that many steps share.
const (
	notFound     = `{"errors":[]}`
	denied       = `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`
	noToken      = `{"errors":["permission denied"]}`
	badToken     = `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`
	unsupported  = `{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}`
	somethingBad = `{"errors":["<string>"]}`
)

// TestSmallVaultAnswersLikeTheRealOne sends the same requests to a real Vault
// and to the one of scaivaulttest. The answers are written out, from the real
// one: where the two differ, the small one is wrong.
func TestSmallVaultAnswersLikeTheRealOne(t *testing.T) {
	t.Parallel()
	var stories []story
	stories = append(stories, kv1Stories()...)
	stories = append(stories, kv2Stories()...)
	stories = append(stories, kv2MetadataStories()...)
	stories = append(stories, nameStories()...)
	stories = append(stories, mountStories()...)
	stories = append(stories, policyStories()...)
	stories = append(stories, tokenStories()...)
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			var envelopes [][]string
			for _, kind := range vaults() {
				t.Run(kind.name, func(t *testing.T) {
					s := kind.start(t)
					for path, version := range story.mounts {
						s.mount(path, version)
					}
					envelopes = append(envelopes, tell(t, s, story.steps))
				})
			}
			assert.Equal(t, envelopes[0], envelopes[1], "the keys of every answer, and its type")
		})
	}
}

// tell sends the requests of a story and checks the answers. It returns for
// each the content type and the keys of its outermost object.
func tell(t *testing.T, s *server, steps []step) []string {
	t.Helper()
	kept := map[string]string{}
	envelopes := make([]string, 0, len(steps))
	for i, step := range steps {
		status, kind, body := s.send(t, step, kept)
		if assert.Equal(t, step.status, status, "step %d: %s %s\n%s", i, step.do, step.body, body) {
			if step.want == "" {
				assert.Empty(t, body, "step %d: %s", i, step.do)
			} else {
				assert.NoError(t, match(step.want, body, kept), "step %d: %s %s", i, step.do, step.body)
			}
		}
		envelopes = append(envelopes, step.do+" "+kind+" "+outermostKeys(body))
	}
	return envelopes
}

// send sends one request and returns the status, type and body of the answer.
func (s *server) send(t *testing.T, step step, kept map[string]string) (status int, kind, body string) {
	t.Helper()
	fill := func(text string) string {
		for name, value := range kept {
			text = strings.ReplaceAll(text, "{{"+name+"}}", value)
		}
		return text
	}
	method, path, _ := strings.Cut(fill(step.do), " ")
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/v1/"+path, strings.NewReader(fill(step.body)))
	require.NoError(t, err)
	if name, value, ok := strings.Cut(fill(step.header), ": "); ok {
		req.Header.Set(name, value)
	}
	if token := s.tokenOf(step.as, kept); token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := s.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), strings.TrimSpace(string(raw))
}

func (s *server) tokenOf(who string, kept map[string]string) string {
	switch who {
	case "":
		return s.rootToken
	case nobody:
		return ""
	}
	if token, ok := kept[who]; ok {
		return token
	}
	return who
}
