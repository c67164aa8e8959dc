// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func ExampleServer_Emit() {
	srv, err := scaivaulttest.StartServer(nil) // in a test: scaivaulttest.NewServer(t)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	client := &http.Client{Transport: srv.RoundTripper()}
	token := srv.IssueToken("sa:billing-prod")
	send := func(method, path, body string) string {
		req, err := http.NewRequest(method, "https://scaivault.test"+path, strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			return err.Error()
		}
		return string(answer)
	}

	made := send("POST", "/v1/subscriptions",
		`{"name":"cache","paths":["billing/**"],"events":["secret.rotated"],"delivery":{"type":"polling"}}`)
	_, id, _ := strings.Cut(made, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	srv.Emit(scaivaulttest.Event{
		ID: "evt_1", Type: "secret.rotated", Path: "billing/db", Data: map[string]any{"old_version": 1, "new_version": 2},
	})
	fmt.Println(strings.Contains(send("GET", "/v1/subscriptions/"+id+"/poll", ""), `"event_id":"evt_1"`))
	fmt.Println(send("POST", "/v1/subscriptions/"+id+"/ack", `{"event_ids":["evt_1"]}`))
	// Output:
	// true
	// {"acknowledged":1}
}
