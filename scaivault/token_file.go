// SPDX-License-Identifier: Apache-2.0

package scaivault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/scailabs/scaivault-go/internal/wire"
)

// fileTokenAge is how long a token that was read is used without a look at its
// file.
const fileTokenAge = time.Second

// FileToken reads the token from a file, and again when the file changes, as
// the projected tokens of Kubernetes do. It looks at most about once a second,
// and at once when the service has refused the token. White space at the end
// does not count.
//
// While the file is missing, empty, unreadable, larger than 1 MiB, no regular
// file or holds no valid token, the last good token stays. If there was none
// yet, the error matches [ErrUnauthenticated] and names the file, never what it
// holds. It is a [TokenRenewer]. Printing it does not show the token.
func FileToken(path string) TokenSource {
	return &fileToken{path: path, slot: make(chan struct{}, 1)}
}

type fileToken struct {
	path string
	slot chan struct{} // held by the one who looks at the file

	mu     sync.Mutex    // guards what is below
	last   func() string // the last good token; nil: none yet
	looked time.Time     // when the last look began
}

var _ TokenRenewer = (*fileToken)(nil)

// Token does not wait while another call looks at the file, unless there is no
// token yet.
func (t *fileToken) Token(ctx context.Context) (string, error) {
	last, fresh := t.known()
	if fresh {
		return last(), nil
	}
	if last == nil {
		return t.look(ctx, func() bool { _, fresh := t.known(); return fresh })
	}
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
		return t.read()
	default:
		return last(), nil
	}
}

// Renew looks at the file at once, unless there is another token already. One
// look serves all who have waited for it.
func (t *fileToken) Renew(ctx context.Context, refused string) (string, error) {
	asked := time.Now()
	found := func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.last != nil && (t.last() != refused || t.looked.After(asked))
	}
	if found() {
		last, _ := t.known()
		return last(), nil
	}
	return t.look(ctx, found)
}

// known returns the last good token, and whether it was read just now.
func (t *fileToken) known() (last func() string, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last, t.last != nil && time.Since(t.looked) < fileTokenAge
}

// look reads the file when nobody else does, unless what that one found will do.
func (t *fileToken) look(ctx context.Context, found func() bool) (string, error) {
	select {
	case t.slot <- struct{}{}:
		defer func() { <-t.slot }()
	case <-ctx.Done():
		return "", tokenInterrupted(ctx, opReadToken)
	}
	if found() {
		last, _ := t.known()
		return last(), nil
	}
	return t.read()
}

// read reads the file. It needs the slot.
func (t *fileToken) read() (string, error) {
	began := time.Now()
	token, wrong := readTokenFile(t.path)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.looked = began
	if wrong == nil {
		t.last = func() string { return token }
	}
	if t.last != nil {
		return t.last(), nil
	}
	return "", &Error{
		Kind: ErrUnauthenticated, Op: opReadToken,
		Reason: fmt.Sprintf("file %s holds no token; write one there, and let this process read it", wire.Printable(t.path)),
		Err:    wrong,
	}
}

// Format prints the file's name under every verb, and looks at nothing that
// another call may be changing.
func (t *fileToken) Format(f fmt.State, _ rune) {
	// A printer that cannot print has nobody to tell.
	_, _ = io.WriteString(f, "token of file "+wire.Printable(t.path))
}

// validate finds what no waiting will mend.
func (t *fileToken) validate() error {
	if t.path == "" {
		return errors.New("FileToken: name the file")
	}
	return nil
}

// readTokenFile reads a token from a file, if it holds one. The error says
// neither the file's name nor what it holds.
func readTokenFile(path string) (string, error) {
	text, err := readSmallFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimRight(string(text), " \t\r\n\v\f")
	if wrong := checkToken(token); wrong != "" {
		return "", errors.New(wrong)
	}
	return token, nil
}
