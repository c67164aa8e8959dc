// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

// A service follows its database's password.
func ExampleClient_Watch() {
	server := exampleServer()
	defer server.Close()
	client := exampleClientOf(server, scaivault.ClientConfig{Token: scaivault.StaticToken(server.IssueToken("sa:billing"))})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() { // somebody rotates it, once the loop below waits for events
		for server.RequestCount(http.MethodGet, "/v1/subscriptions/*/poll") == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		server.Seed("environments/test/billing/db", map[string]any{"password": "three"})
	}()

	for event, err := range client.Watch(ctx, "environments/test/billing/**") {
		if err != nil {
			// Events may have been missed: read again what is kept of these secrets.
			// Watch goes on by itself, but for a ctx that has ended.
			fmt.Println(err)
			continue
		}
		fmt.Println(event.Type, event.Path, event.Version())
		break // a service goes on; the event counts as processed when the loop asks for the next
	}
	// Output: secret.updated environments/test/billing/db 2
}

// A subscription of one's own, which outlives the program that polls it.
func ExampleClient_Poll() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	subscription, err := client.CreateSubscription(ctx, scaivault.SubscriptionSpec{
		Name:   "billing",
		Paths:  []string{"environments/test/billing/**"},
		Events: []scaivault.EventType{scaivault.EventSecretUpdated, scaivault.EventSecretDeleted},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Delete(ctx, "environments/test/billing/db", nil); err != nil {
		fmt.Println(err)
		return
	}
	for more := true; more; {
		var events []scaivault.Event
		events, more, err = client.Poll(ctx, subscription.ID, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, event := range events {
			fmt.Println(event.Type, event.Path)
			if err := client.Ack(ctx, subscription.ID, event.ID); err != nil { // it was processed
				fmt.Println(err)
			}
		}
	}
	fmt.Println(client.DeleteSubscription(ctx, subscription.ID))
	// Output:
	// secret.deleted environments/test/billing/db
	// <nil>
}

// A handler for the webhook of a subscription.
func ExampleVerifyWebhook() {
	const key = "not-a-real-key" // rather from the environment, or a file
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body can't be read", http.StatusBadRequest)
			return
		}
		if err := scaivault.VerifyWebhook(r.Header, body, key); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		event, err := scaivault.ParseEvent(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Println(event.Type, event.Path)
	})

	// The service signs and sends.
	const body = `{"event_id":"evt_1","event_type":"secret.rotated","path":"environments/test/billing/db"}`
	request := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(mac, "%s.%s", timestamp, body)
	request.Header.Set("X-ScaiVault-Timestamp", timestamp)
	request.Header.Set("X-ScaiVault-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code)

	// Somebody else sends the same again, with another time.
	request = httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
	request.Header.Set("X-ScaiVault-Timestamp", timestamp+"0")
	request.Header.Set("X-ScaiVault-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	answer = httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// secret.rotated environments/test/billing/db
	// 200
	// 401
}
