// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParseAddress checks the address of a service to which a token will be sent.
// Plain http is refused unless the host is loopback or one of plainHTTPHosts.
// The error never quotes what may be a password.
func ParseAddress(text string, plainHTTPHosts []string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return nil, errors.New("the address is empty; write https://host")
	case strings.Contains(text, "@"):
		return nil, errors.New("the address holds a user name or password; remove it, the token is all that is needed")
	case strings.ContainsAny(text, "?#"):
		return nil, errors.New("the address has a query or a fragment; remove it")
	case !strings.Contains(text, "://"):
		host := strings.TrimLeft(cut(text), "/")
		return nil, fmt.Errorf("%q has no scheme; write %q", host, "https://"+host)
	case err != nil:
		return nil, errors.New("this is not a URL; write https://host") // the cause quotes the text
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("the scheme %q is not that of a web service; write https://host", cut(u.Scheme))
	case u.Hostname() == "":
		return nil, errors.New("the address names no host; write https://host")
	case !isPort(u.Port()):
		return nil, fmt.Errorf("%q has a port that does not exist; give one from 1 to 65535", Printable(u.Host))
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !slices.Contains(plainHTTPHosts, u.Hostname()):
		return nil, fmt.Errorf("plain http would send the token to %s in clear; use https, or allow it by PlainHTTPHosts: []string{%q}",
			Printable(u.Hostname()), u.Hostname())
	}
	return u, nil
}

// isPort takes none for that of the scheme.
func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
