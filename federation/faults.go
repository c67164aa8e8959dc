// SPDX-License-Identifier: Apache-2.0

package federation

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault"
)

// faults are the mistakes in what a caller gave, each with the name of the field as
// it is on the wire. They never quote a setting: an endpoint can hold a password.
type faults []string

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, field+": "+fmt.Sprintf(format, args...))
}

// err is nil where there are none.
func (f faults) err(op string) error {
	if len(f) == 0 {
		return nil
	}
	return invalid(op, strings.Join(f, "; "))
}

func invalid(op, reason string) error {
	return &scaivault.Error{Kind: scaivault.ErrInvalid, Op: op, Reason: reason}
}

// checkID lets through what is one segment of a URL and needs no escaping.
func checkID(op, id string) error {
	switch {
	case id == "":
		return invalid(op, "id: is empty; it is the ID of a backend, such as fed_example")
	case id == "." || id == ".." || url.PathEscape(id) != id:
		return invalid(op, "id: is not one segment of a URL; it is the ID of a backend, such as fed_example")
	}
	return nil
}

// checkCreate checks a whole backend.
func (b *Backend) checkCreate(op string) error {
	var f faults
	if strings.TrimSpace(b.Name) == "" {
		f.add(keyName, "is empty")
	}
	if b.Config == nil {
		f.add(keyConfig, "is missing")
	}
	if b.PathMapping == nil {
		f.add(keyPathMapping, "is missing; map at least one ScaiVault path pattern")
	}
	switch {
	case b.Mode == "":
		f.add(keyMode, "is missing; it is proxy or sync")
	case b.Mode == ModeSync && b.SyncInterval == 0:
		f.add(keySyncInterval, "is missing; mode sync needs one, such as 15 minutes")
	}
	u := b.change()
	u.check(&f)
	return f.err(op)
}

// checkUpdate checks what is to be changed.
func (u *Update) checkUpdate(op string) error {
	var f faults
	u.check(&f)
	if len(f) == 0 && len(u.body()) == 0 {
		return invalid(op, "nothing to change; set at least one field of the update")
	}
	return f.err(op)
}

// check checks the fields that are set, and what must fit together among them.
func (u *Update) check(f *faults) {
	checkText(f, keyName, u.Name)
	if !isNilConfig(u.Config) {
		u.Config.problems(f)
	} else if u.Config != nil {
		f.add(keyConfig, "is a nil %T", u.Config)
	}
	if u.PathMapping != nil {
		checkPathMapping(f, u.PathMapping, u.Config)
	}
	if u.Mode != "" && u.Mode != ModeProxy && u.Mode != ModeSync {
		f.add(keyMode, "is neither proxy nor sync")
	}
	if u.SyncInterval != 0 {
		if _, ok := formatDuration(u.SyncInterval); !ok {
			f.add(keySyncInterval, "is %v; it must be a positive number of whole seconds", u.SyncInterval)
		}
		if u.Mode == ModeProxy {
			f.add(keySyncInterval, "is for mode sync; mode proxy keeps no copies")
		}
	}
	checkText(f, keyConflictResolution, string(u.ConflictResolution))
	checkExtra(f, "extra", u.Extra, keyID, keyName, keyType, keyConfig, keyPathMapping, keyMode, keySyncInterval, keyConflictResolution)
}

func (v *HashiCorpVault) problems(f *faults) {
	checkEndpoint(f, "config."+keyEndpoint, v.Endpoint)
	checkWord(f, "config."+keyAuthMethod, string(v.AuthMethod), "such as approle")
	checkCredentialPath(f, "config."+keyAuthConfigPath, v.AuthConfigPath)
	checkText(f, "config."+keyNamespace, v.Namespace)
	checkExtra(f, "config.extra", v.Extra, keyEndpoint, keyAuthMethod, keyAuthConfigPath, keyNamespace, keyTLSVerify)
}

func (a *AWSSecretsManager) problems(f *faults) {
	checkWord(f, "config."+keyRegion, a.Region, "such as eu-central-1")
	checkCredentialPath(f, "config."+keyCredentialsPath, a.CredentialsPath)
	checkExtra(f, "config.extra", a.Extra, keyRegion, keyCredentialsPath)
}

func (a *AzureKeyVault) problems(f *faults) { checkRequiredExtra(f, a.Extra) }

func (g *GoogleSecretManager) problems(f *faults) { checkRequiredExtra(f, g.Extra) }

func (u *Unknown) problems(f *faults) {
	checkWord(f, keyType, string(u.BackendType), "the type of the backend, such as hashicorp-vault")
}

// isNilConfig tells whether there is no config, also not behind a typed nil pointer.
func isNilConfig(c Config) bool {
	switch c := c.(type) {
	case nil:
		return true
	case *HashiCorpVault:
		return c == nil
	case *AWSSecretsManager:
		return c == nil
	case *AzureKeyVault:
		return c == nil
	case *GoogleSecretManager:
		return c == nil
	case *Unknown:
		return c == nil
	default:
		return false
	}
}

func checkEndpoint(f *faults, field, endpoint string) {
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		f.add(field, "is empty; write https://host:8200")
	case err != nil: // the cause quotes the text
		f.add(field, "is not a URL; write https://host:8200")
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "":
		f.add(field, "has no scheme; write https://host:8200")
	case u.Hostname() == "":
		f.add(field, "names no host; write https://host:8200")
	case u.User != nil:
		f.add(field, "holds a user name or password; put credentials into a secret and name it by %s", keyAuthConfigPath)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		f.add(field, "has a query or a fragment; remove it")
	}
}

func checkCredentialPath(f *faults, field, path string) {
	if path == "" {
		f.add(field, "is empty; store the credentials as a secret and name its ScaiVault path")
		return
	}
	if err := scaivault.ValidatePath(path); err != nil {
		f.add(field, "is not a ScaiVault path; allowed are levels of a-z, 0-9, - and _, parted by single slashes")
	}
}

// checkWord wants one word, of whatever vocabulary.
func checkWord(f *faults, field, word, example string) {
	if word == "" {
		f.add(field, "is empty; %s", example)
		return
	}
	if strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		f.add(field, "is not one word; %s", example)
	}
}

// checkText wants anything that can be printed, or nothing.
func checkText(f *faults, field, text string) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		f.add(field, "holds an unprintable character")
	}
}

// checkExtra keeps what has a field of its own out of the others: it would be open
// which of the two counts.
func checkExtra(f *faults, field string, extra Opaque, named ...string) {
	if extra.IsZero() {
		return
	}
	obj, ok := extra.object()
	if !ok {
		f.add(field, "is not a JSON object")
	}
	for _, name := range named {
		if obj.anyOf(name) {
			f.add(field, "holds %s, which has a field of its own", name)
		}
	}
}

func checkRequiredExtra(f *faults, extra Opaque) {
	if extra.IsZero() {
		f.add(keyConfig, "is empty; its settings are not documented, so give them in Extra, by NewOpaque")
		return
	}
	checkExtra(f, keyConfig, extra)
}

// checkPathMapping goes through the patterns in their order, so that the same
// mistakes give the same error.
func checkPathMapping(f *faults, mapping map[string]string, config Config) {
	if len(mapping) == 0 {
		f.add(keyPathMapping, "is empty; map at least one ScaiVault path pattern, or mark rules of the mapping as proxied")
	}
	credentials := ""
	if isNilConfig(config) {
		config = nil // also where it is a typed nil pointer
	} else {
		credentials = config.credentialPath()
	}
	for _, pattern := range slices.Sorted(maps.Keys(mapping)) {
		field := fmt.Sprintf("%s %s", keyPathMapping, printable(pattern))
		if wrong := wrongMapping(pattern, mapping[pattern], config); wrong != "" {
			f.add(field, "%s", wrong)
			continue
		}
		if credentials != "" && covers(pattern, credentials) {
			f.add(field, "covers the credentials of this backend, which would then be looked for in the backend; keep them elsewhere")
		}
	}
}
