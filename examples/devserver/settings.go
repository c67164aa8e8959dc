// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// errUsage is for what package flag has already told the user.
var errUsage = errors.New("wrong usage")

// settings say what to serve.
type settings struct {
	addr       string
	certFile   string // if empty, no TLS
	noLimits   bool
	identities []string
	seed       seed
	backend    *backend // nil: none
}

// A commandLine is what stood in the flags, before it is looked at.
type commandLine struct {
	settings
	federated backend
	remote    bool
	seedFile  string
}

func (c *commandLine) flagSet(stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("devserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8210", "the `address` to listen on; port 0 is any free one")
	flags.BoolVar(&c.remote, "allow-remote", false, "let -addr be reachable from other machines")
	flags.StringVar(&c.seedFile, "seed", "", "a JSON `file` with secrets: {\"path\": {\"key\": \"value\"}, …}")
	flags.StringVar(&c.certFile, "tls", "", "speak TLS, and write the certificate to this `file`")
	flags.BoolVar(&c.noLimits, "no-limits", false, "switch the rate limits off")
	flags.Func("token", "an `identity` such as sa:billing-prod to print a token for; may be repeated (default user:dev)", c.addIdentity)
	flags.StringVar(&c.federated.endpoint, "federate", "", "the `URL` of a Vault to read from")
	flags.Func("federate-map", "what is read from where, `scaivault=vault`; may be repeated (default external/hashicorp/**=kv/data/**)", c.federated.addPath)
	flags.StringVar(&c.federated.namespace, "federate-namespace", "", "the Vault `namespace` of -federate")
	flags.BoolVar(&c.federated.insecure, "federate-insecure", false, "do not check the certificate of -federate")
	return flags
}

func (c *commandLine) addIdentity(identity string) error {
	if identity == "" || strings.ContainsAny(identity, " \t\r\n") {
		return errors.New("give a name such as sa:billing-prod")
	}
	c.identities = append(c.identities, identity)
	return nil
}

// newSettings reads the flags, the files they name, and the credentials in the
// environment. It does not connect to anything.
func newSettings(args []string, getenv func(string) string, stderr io.Writer) (*settings, error) {
	var c commandLine
	flags := c.flagSet(stderr)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag; see -help", flags.Arg(0))
	}
	if c.identities == nil {
		c.identities = []string{"user:dev"}
	}
	if err := checkAddr(c.addr, c.remote); err != nil {
		return nil, fmt.Errorf("-addr %s: %w", c.addr, err)
	}
	if c.certFile != "" {
		absolute, err := filepath.Abs(c.certFile) // it is pasted into other shells
		if err != nil {
			return nil, fmt.Errorf("-tls: %w", err)
		}
		c.certFile = absolute
	}
	if err := c.takeBackend(getenv); err != nil {
		return nil, err
	}
	return &c.settings, c.takeSeed()
}

func (c *commandLine) takeBackend(getenv func(string) string) error {
	b := &c.federated
	if b.endpoint == "" {
		if b.paths != nil || b.namespace != "" || b.insecure {
			return errors.New("-federate is missing: the other flags for a Vault need it")
		}
		return nil
	}
	if err := b.credentialsFrom(getenv); err != nil {
		return fmt.Errorf("-federate: %w", err)
	}
	c.backend = b
	return nil
}

func (c *commandLine) takeSeed() error {
	if c.seedFile == "" {
		return nil
	}
	file, err := os.Open(c.seedFile)
	if err != nil {
		return fmt.Errorf("-seed: %w", err)
	}
	defer file.Close()
	if c.seed, err = readSeed(file); err != nil {
		return fmt.Errorf("-seed %s: %w", c.seedFile, err)
	}
	return nil
}

// checkAddr refuses what other machines could reach: the server shows its token and
// keeps whatever is sent to it.
func checkAddr(addr string, remote bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("give a host and a port, such as 127.0.0.1:8210")
	}
	if ip := net.ParseIP(host); remote || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return errors.New("other machines could reach this; listen on 127.0.0.1, or give -allow-remote if you mean it")
}
