// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// asMain has the test binary be the program itself.
const asMain = "DEVSERVER_TEST_AS_MAIN"

// standIns are the commands that the test binary is when it is called by their names:
// as much of them as the migration guide uses.
var standIns = map[string]func(args []string) error{"curl": standInCurl, "jq": standInJq, "vault": standInVault}

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	if run, ok := standIns[filepath.Base(os.Args[0])]; ok {
		if err := run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// exchange makes a request and returns the body of the answer.
func exchange(method, address, body string, header http.Header) (string, int, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	req.Header = header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return string(text), res.StatusCode, err
}

// standInCurl makes a request as curl does: POST with -d, else GET, unless -X says.
func standInCurl(args []string) error {
	method, address, body := "", "", ""
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if !strings.HasPrefix(arg, "-") {
			address = arg
			continue
		}
		if len(args) == 0 {
			return fmt.Errorf("%s needs a value", arg)
		}
		value := args[0]
		args = args[1:]
		switch arg {
		case "-X":
			method = value
		case "-d":
			body = value
		case "-H":
			name, content, _ := strings.Cut(value, ":")
			header.Set(name, strings.TrimSpace(content))
		default:
			return fmt.Errorf("%s is not known here", arg)
		}
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	if body == "" {
		header.Del("Content-Type")
	}
	text, _, err := exchange(method, address, body, header)
	fmt.Print(text)
	return err
}

// standInJq knows the filters of the guide.
func standInJq(args []string) error {
	dec := json.NewDecoder(os.Stdin)
	for {
		var in any
		if err := dec.Decode(&in); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch strings.Join(args, " ") {
		case "-r .[]":
			for _, item := range in.([]any) {
				fmt.Println(item)
			}
		case "-r .auth.display_name":
			fmt.Println(member(in, "auth", "display_name"))
		case `-r to_entries[] | "\(.key) \(.value.type) \(.value.options.version)"`:
			for name, mount := range in.(map[string]any) {
				fmt.Println(name, member(mount, "type"), member(mount, "options", "version"))
			}
		default:
			return fmt.Errorf("%q is not known here", args)
		}
	}
}

// member goes down the names; what is missing on the way is null, as in jq.
func member(v any, names ...string) any {
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	if v == nil {
		return "null"
	}
	return v
}

// standInVault makes the requests of Vault's own command. It takes a path as the API
// path; Vault's command puts data/ into one that has it already, and so would remove
// another secret than the guide means.
func standInVault(args []string) error {
	flags := map[string]string{}
	var words []string
	for _, arg := range args {
		if name, value, _ := strings.Cut(arg, "="); strings.HasPrefix(arg, "-") && arg != "-" {
			flags[name] = value
		} else {
			words = append(words, arg)
		}
	}
	method, path, body, err := vaultRequest(words)
	if err != nil {
		return err
	}
	text, status, err := exchange(method, os.Getenv("VAULT_ADDR")+"/v1/"+path, body, http.Header{"X-Vault-Token": {os.Getenv("VAULT_TOKEN")}})
	if err != nil || status >= 300 {
		return errors.Join(err, fmt.Errorf("%s %s: status %d: %s", method, path, status, text))
	}
	var answer struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			return err
		}
	}
	shown, err := json.Marshal(answer.Data)
	if keys := answer.Data["keys"]; method == "LIST" {
		shown = keys
	}
	if field := flags["-field"]; field != "" {
		shown = bytes.Trim(answer.Data[field], `"`)
	}
	if answer.Data != nil {
		fmt.Println(string(shown))
	}
	return err
}

// vaultRequest is what a command of Vault asks for.
func vaultRequest(words []string) (method, path, body string, err error) {
	switch line := strings.Join(words, " "); {
	case line == "secrets list":
		return "GET", "sys/mounts", "", nil
	case strings.HasPrefix(line, "kv list ") && len(words) == 3:
		mount, rest, _ := strings.Cut(words[2], "/")
		return "LIST", mount + "/metadata/" + rest, "", nil
	case strings.HasPrefix(line, "kv delete ") && len(words) == 3:
		return "DELETE", words[2], "", nil
	case strings.HasPrefix(line, "auth enable ") && len(words) == 3:
		return "POST", "sys/auth/" + words[2], `{"type":"` + words[2] + `"}`, nil
	case strings.HasPrefix(line, "policy write ") && len(words) == 4 && words[3] == "-":
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return "", "", "", err
		}
		policy, err := json.Marshal(map[string]string{"policy": string(text)})
		return "PUT", "sys/policies/acl/" + words[2], string(policy), err
	case words[0] == "read" && len(words) == 2:
		return "GET", words[1], "", nil
	case words[0] == "write" && len(words) > 1:
		data := map[string]string{}
		for _, pair := range words[2:] {
			name, value, _ := strings.Cut(pair, "=")
			data[name] = value
		}
		sent, err := json.Marshal(data)
		return "PUT", words[1], string(sent), err
	default:
		return "", "", "", fmt.Errorf("%q is not known here", line)
	}
}
