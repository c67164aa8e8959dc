// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The operations of Vault. Whether a writing creates or updates is found out by looking, since policies tell the two apart.
const (
	opRead   = "read"
	opList   = "list"
	opCreate = "create"
	opUpdate = "update"
	opDelete = "delete"
	opPatch  = "patch"
	opHeader = "header"
)

// A vaultCall is one request on its way through Vault.
type vaultCall struct {
	id         string
	ns         *vaultNamespace
	op         string
	path       string // in the namespace
	rest       string // in the mount
	data       map[string]any
	tokenID    string // as it was presented
	remoteAddr string
	remotePort int
	headers    map[string][]string // those that the audit log shows

	mount  *vaultMount
	token  *vaultToken // nil: none, or not a valid one
	login  bool        // the path needs no token
	audit  *auditAuth  // who asked, as the audit log says it
	issued *vaultAuth  // what a login gave
}

// readCall makes a call of an HTTP request. Its refusals come before Vault looks at the token.
func (v *vaultCore) readCall(r *http.Request) (*vaultCall, *vaultRefusal) {
	body, refusal := readVaultBody(r)
	if refusal != nil {
		return nil, refusal
	}
	namespace := r.Header.Get("X-Vault-Namespace")
	if v.community {
		namespace = ""
	}
	call := &vaultCall{
		id:      newUUID(),
		ns:      v.namespace(namespace),
		path:    strings.TrimPrefix(r.URL.Path, "/v1/"),
		tokenID: presentedToken(r.Header),
	}
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		call.remoteAddr = host
		call.remotePort, _ = strconv.Atoi(port) // zero when it is no number, as in Vault
	}
	if agent := r.Header.Values("User-Agent"); len(agent) > 0 {
		call.headers = map[string][]string{"user-agent": agent}
	}
	return call, call.readOperation(r, body)
}

func (c *vaultCall) readOperation(r *http.Request, body []byte) *vaultRefusal {
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		c.op = opRead
		if text := query.Get("list"); text != "" {
			list, err := strconv.ParseBool(text)
			if err != nil {
				return &vaultRefusal{status: http.StatusBadRequest, silent: true}
			}
			if list {
				query.Del("list")
				c.op = opList
			}
		}
		c.data = queryData(query)
	case "LIST":
		c.op = opList
		c.data = queryData(query)
	case http.MethodDelete:
		c.op = opDelete
		c.data = queryData(query)
	case http.MethodHead:
		c.op = opHeader
	case http.MethodOptions:
		c.op = "" // Vault knows no such operation and refuses it where it routes
	case http.MethodPost, http.MethodPut:
		c.op = opUpdate
		data, err := decodeVaultBody(body, r.Header.Get("Content-Type"))
		if err != nil {
			return badRequest("%s", err)
		}
		c.data = data
	case http.MethodPatch:
		c.op = opPatch
		if refusal := patchRefusal(r.Header.Get("Content-Type")); refusal != nil {
			return refusal
		}
		data, err := decodeVaultBody(body, "")
		if err != nil {
			return badRequest("error parsing JSON")
		}
		c.data = data
	default:
		return &vaultRefusal{status: http.StatusMethodNotAllowed, silent: true}
	}
	if c.op == opList && !strings.HasSuffix(c.path, "/") {
		c.path += "/"
	}
	return nil
}

func readVaultBody(r *http.Request) ([]byte, *vaultRefusal) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := readAll(r, maxVaultBody)
	if checkErr := checkJSON(body); checkErr != nil && (err == nil || !strings.Contains(checkErr.Error(), "unclosed")) {
		return nil, &vaultRefusal{status: http.StatusInternalServerError, message: checkErr.Error()}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &vaultRefusal{status: http.StatusRequestEntityTooLarge, message: err.Error()}
	case err != nil:
		return nil, &vaultRefusal{status: http.StatusBadRequest, message: "error reading data"}
	}
	return body, nil
}

func patchRefusal(contentType string) *vaultRefusal {
	const mergePatch = "application/merge-patch+json"
	mediaType, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return badRequest("%s", err)
	case mediaType == mergePatch:
		return nil
	}
	return &vaultRefusal{
		status:  http.StatusUnsupportedMediaType,
		message: "PATCH requires Content-Type of " + mergePatch + ", provided " + mediaType,
	}
}

func queryData(query url.Values) map[string]any {
	if len(query) == 0 {
		return nil
	}
	data := make(map[string]any, len(query))
	for name, values := range query {
		switch {
		case name == "help" || len(values) == 0:
		case len(values) == 1:
			data[name] = values[0]
		default:
			data[name] = values
		}
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

func presentedToken(h http.Header) string {
	if token := h.Get("X-Vault-Token"); token != "" {
		return token
	}
	for _, value := range h.Values("Authorization") {
		if token, ok := strings.CutPrefix(value, "Bearer "); ok {
			return strings.TrimSpace(token)
		}
	}
	return ""
}

// writes tells whether the operation changes something.
func (c *vaultCall) writes() bool { return c.op == opCreate || c.op == opUpdate || c.op == opPatch }

// newUUID makes the random names that Vault gives to requests, mounts and entities.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomBase62 makes tokens and accessors.
func randomBase62(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = base62[int(b[i])%len(base62)] // the small bias does not matter here
	}
	return string(b)
}
