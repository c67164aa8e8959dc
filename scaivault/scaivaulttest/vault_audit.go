// SPDX-License-Identifier: Apache-2.0

package scaivaulttest

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// vaultAudit writes Vault's audit log to every device.
type vaultAudit struct {
	log     io.Writer // of the options; nil: none
	logSalt *auditSalt

	mu      sync.RWMutex // guards all below
	devices map[string]*auditDevice

	turn sync.Mutex // held for each write, so that lines do not mix
}

// An auditDevice is one enabled at sys/audit. Its file is nil when it discards.
type auditDevice struct {
	path        string
	description string
	options     map[string]string
	local       bool
	file        *os.File
	salt        *auditSalt
	accessors   bool // in clear
	elideLists  bool
}

// request logs a call before it is carried out, and why it will not be.
func (a *vaultAudit) request(c *vaultCall, denied *vaultRefusal) error {
	if !a.listening() {
		return nil
	}
	return a.write(&auditRecord{call: c, kind: "request", refusal: denied, auth: c.audit})
}

// response logs how a call ended.
func (a *vaultAudit) response(c *vaultCall, answer *vaultAnswer, refusal *vaultRefusal, routed bool) error {
	if !a.listening() {
		return nil
	}
	record := &auditRecord{call: c, kind: "response", refusal: refusal, answer: answer, auth: c.audit, routed: routed}
	switch {
	case c.issued != nil:
		record.auth = &auditAuth{issued: c.issued}
	case refusal != nil && refusal.cause == "invalid credentials":
		record.auth = nil
	}
	return a.write(record)
}

func (a *vaultAudit) listening() bool {
	if a.log != nil {
		return true
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.devices) > 0
}

// write fails only when no device took the record: Vault answers nothing that it could not log.
func (a *vaultAudit) write(record *auditRecord) error {
	a.mu.RLock()
	devices := slices.Collect(maps.Values(a.devices))
	a.mu.RUnlock()
	taken := len(devices) == 0 && a.log == nil
	if a.log != nil {
		taken = a.writeTo(a.log, record, auditShape{salt: a.logSalt})
	}
	for _, device := range devices {
		if device.file == nil {
			taken = true
			continue
		}
		taken = a.writeTo(device.file, record, device.shape()) || taken
	}
	if !taken {
		return errNoAuditDevice
	}
	return nil
}

func (a *vaultAudit) writeTo(w io.Writer, record *auditRecord, shape auditShape) bool {
	line, err := appendVaultJSON(make([]byte, 0, 2<<10), record.entry(shape))
	if err != nil {
		return false
	}
	a.turn.Lock()
	defer a.turn.Unlock()
	_, err = w.Write(append(line, '\n'))
	return err == nil || errors.Is(err, os.ErrClosed) // closed: the device was disabled meanwhile
}

func (d *auditDevice) shape() auditShape {
	return auditShape{salt: d.salt, accessors: d.accessors, elideLists: d.elideLists}
}

// close closes the files. Later records go nowhere.
func (a *vaultAudit) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, device := range a.devices {
		device.close()
		delete(a.devices, name)
	}
}

func (d *auditDevice) close() {
	if d.file != nil {
		_ = d.file.Close() // what was to be written is written
	}
}

func (b *sysBackend) listAudit(c *vaultCall, _ string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opRead {
		return nil, unsupportedOperation()
	}
	a := &b.core.audit
	a.mu.Lock()
	defer a.mu.Unlock()
	data := map[string]any{}
	for _, device := range a.devices {
		data[device.path] = map[string]any{
			"path": device.path, "type": "file", "description": device.description, "options": device.options, "local": device.local,
		}
	}
	return &vaultAnswer{data: data, inject: true}, nil
}

func (b *sysBackend) oneAudit(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	path := strings.Trim(name, "/") + "/"
	switch c.op {
	case opUpdate:
		return nil, b.enableAudit(c, path)
	case opDelete:
		a := &b.core.audit
		a.mu.Lock()
		defer a.mu.Unlock()
		if device := a.devices[path]; device != nil {
			device.close()
			delete(a.devices, path)
		}
		return nil, nil
	}
	return nil, unsupportedOperation()
}

func (b *sysBackend) enableAudit(c *vaultCall, path string) *vaultRefusal {
	f := c.validatedFields()
	kind := f.text("type")
	device := &auditDevice{path: path, description: f.text("description"), options: f.pairs("options"), salt: newAuditSalt()}
	device.local, _ = f.boolean("local")
	if f.refusal != nil {
		return f.refusal
	}
	a := &b.core.audit
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.devices {
		if strings.HasPrefix(other.path, path) || strings.HasPrefix(path, other.path) {
			return badRequest("path already in use: invalid configuration")
		}
	}
	if kind != "file" {
		return badRequest("unknown backend type: %q: invalid configuration", kind)
	}
	if refusal := device.open(); refusal != nil {
		return refusal
	}
	if device.file != nil {
		test := &auditRecord{call: &vaultCall{id: newUUID(), ns: b.ns, op: opUpdate, path: "sys/audit/test"}, kind: "request"}
		a.writeTo(device.file, test, device.shape())
	}
	if a.devices == nil {
		a.devices = map[string]*auditDevice{}
	}
	a.devices[path] = device
	return nil
}

// open reads the options of a file device and opens its file.
func (d *auditDevice) open() *vaultRefusal {
	hmacAccessors, err := strconv.ParseBool(optionOr(d.options, "hmac_accessor", "true"))
	if err != nil {
		return badRequest("unable to create new audit backend: unable to parse \"hmac_accessor\": invalid configuration")
	}
	d.accessors = !hmacAccessors
	if d.elideLists, err = strconv.ParseBool(optionOr(d.options, "elide_list_responses", "false")); err != nil {
		return badRequest("unable to create new audit backend: unable to parse \"elide_list_responses\": invalid configuration")
	}
	for name := range d.options {
		if !slices.Contains([]string{"file_path", "path", "mode", "hmac_accessor", "elide_list_responses"}, name) {
			return badRequest("unable to create new audit backend: %q is not obeyed by this in-memory Vault: invalid configuration", name)
		}
	}
	switch path := strings.TrimSpace(optionOr(d.options, "file_path", d.options["path"])); path {
	case "":
		return badRequest("unable to create new audit backend: \"file_path\" is required: invalid configuration")
	case "discard":
		return nil
	default:
		mode, err := strconv.ParseUint(optionOr(d.options, "mode", "0600"), 8, 32)
		if err != nil {
			return badRequest("unable to create new audit backend: unable to parse \"mode\": invalid configuration")
		}
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, os.FileMode(mode).Perm())
		if err != nil {
			return badRequest("unable to create new audit backend: sanity check failed; unable to open %q for writing: invalid configuration", path)
		}
		d.file = file
		return nil
	}
}

func optionOr(options map[string]string, name, otherwise string) string {
	if value := options[name]; value != "" {
		return value
	}
	return otherwise
}

// auditHash lets a caller who knows a value find it in the log of a device.
func (b *sysBackend) auditHash(c *vaultCall, name string) (*vaultAnswer, *vaultRefusal) {
	if c.op != opUpdate {
		return nil, unsupportedOperation()
	}
	f := c.validatedFields()
	input := f.text("input")
	switch {
	case f.refusal != nil:
		return nil, f.refusal
	case input == "":
		return nil, invalid("the \"input\" parameter is empty")
	}
	a := &b.core.audit
	a.mu.Lock()
	defer a.mu.Unlock()
	device := a.devices[strings.Trim(name, "/")+"/"]
	if device == nil {
		return nil, badRequest("unknown audit backend %s/", strings.Trim(name, "/"))
	}
	return &vaultAnswer{data: map[string]any{"hash": device.salt.hash(input)}, inject: true}, nil
}

// newAuditAuth says who asks.
func newAuditAuth(token *vaultToken, allowed bool) *auditAuth {
	return &auditAuth{token: token, allowed: allowed}
}
