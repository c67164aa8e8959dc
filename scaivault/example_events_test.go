// SPDX-License-Identifier: Apache-2.0

package scaivault_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/scailabs/scaivault-go/scaivault"
)

func ExampleClient_Watch() {
	client, stop := exampleClient()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go rotateUntil(ctx, client)

	for event, err := range client.Watch(ctx, "environments/test/billing/**") {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			// Something may have been missed: read again what was kept.
			fmt.Println(err)
			continue
		}
		fmt.Println(event.Type, event.Path, event.Version() > 1)
		break // in a service, go on
	}
	// Output: secret.updated environments/test/billing/db true
}

// rotateUntil writes new versions until ctx ends.
func rotateUntil(ctx context.Context, client *scaivault.Client) {
	for n := 0; ctx.Err() == nil; n++ {
		_, _ = client.Put(ctx, "environments/test/billing/db", map[string]any{"n": n}, nil)
		time.Sleep(10 * time.Millisecond)
	}
}

func ExampleClient_Poll() {
	client, stop := exampleClient()
	defer stop()
	ctx := context.Background()
	subscription, err := client.CreateSubscription(ctx, scaivault.SubscriptionSpec{
		Name:   "audit trail of billing",
		Paths:  []string{"environments/test/billing/**"},
		Events: []scaivault.EventType{scaivault.EventSecretUpdated, scaivault.EventSecretDeleted},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Delete(ctx, "environments/test/billing/cache", nil); err != nil {
		fmt.Println(err)
		return
	}
	events, more, err := client.Poll(ctx, subscription.ID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range events {
		fmt.Println(event.Type, event.Path, more)
		if err := client.Ack(ctx, subscription.ID, event.ID); err != nil { // now that it is processed
			fmt.Println(err)
		}
	}
	fmt.Println(client.DeleteSubscription(ctx, subscription.ID))
	// Output:
	// secret.deleted environments/test/billing/cache false
	// <nil>
}

// webhooks receives events. Secrets are the current one and, while it is being
// changed, the one before.
func webhooks(secrets ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body is too large, or broke off", http.StatusBadRequest)
			return
		}
		switch err := scaivault.VerifyWebhook(r.Header, body, secrets...); {
		case errors.Is(err, scaivault.ErrUnauthenticated):
			http.Error(w, "not signed by ScaiVault", http.StatusUnauthorized)
			return
		case err != nil:
			http.Error(w, "not a webhook's request", http.StatusBadRequest)
			return
		}
		event, err := scaivault.ParseEvent(body)
		if err != nil {
			http.Error(w, "not an event", http.StatusBadRequest)
			return
		}
		fmt.Println(event.Type, event.Path, event.Version())
		w.WriteHeader(http.StatusNoContent)
	})
}

func ExampleVerifyWebhook() {
	handler := webhooks("the-new-secret", "the-old-secret")
	// This is what ScaiVault sends.
	body := `{"event_id":"evt_1","event_type":"secret.rotated","path":"environments/test/billing/db","data":{"old_version":1,"new_version":2}}`
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte("the-new-secret"))
	mac.Write([]byte(timestamp + "." + body))
	for _, signature := range []string{hex.EncodeToString(mac.Sum(nil)), strings.Repeat("0", 64)} {
		request := httptest.NewRequest(http.MethodPost, "/scaivault", strings.NewReader(body))
		request.Header.Set("X-ScaiVault-Timestamp", timestamp)
		request.Header.Set("X-ScaiVault-Signature", "sha256="+signature)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		fmt.Println(answer.Code)
	}
	// Output:
	// secret.rotated environments/test/billing/db 2
	// 204
	// 401
}
