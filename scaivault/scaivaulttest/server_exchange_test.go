// SPDX-License-Identifier: Apache-2.0

package scaivaulttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scailabs/scaivault-go/scaivault/scaivaulttest"
)

func TestExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t)
		anonymous := as(t, srv, "")
		for _, body := range []string{`{"token":"foreign"}`, `{"subject_token":"foreign","role":"sa:billing"}`, `{"jwt":"foreign","more":[1]}`} {
			srv.TrustToken("foreign", "sa:billing", "secrets:read") // also after an exchange
			r := anonymous.do("POST", "/v1/auth/exchange", body)
			require.Equal(t, 200, r.status, r.body)
			o := r.object(t)
			assert.Equal(t, "Bearer", o["token_type"])
			assert.EqualValues(t, 3600, o["expires_in"])
			service := as(t, srv, o["access_token"].(string))
			assert.Regexp(t, "^eyJ", service.token)
			who := service.get("/v1/auth/whoami").object(t)
			assert.Equal(t, "sa:billing", who["identity_id"])
			assert.Equal(t, []any{"secrets:read"}, who["scopes"])
			time.Sleep(time.Hour)
			service.get("/v1/auth/whoami").refused(t, 401, "token_expired")
		}
	})
}

func TestExchangeForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := scaivaulttest.NewServer(t, &scaivaulttest.ServerOptions{
			ExchangeTTL: time.Minute, Quirks: scaivaulttest.Quirks{ExchangeForm: scaivaulttest.ExchangeToken},
		})
		srv.TrustToken("foreign", "sa:billing")
		o := as(t, srv, "").do("POST", "/v1/auth/exchange", `{"token":"foreign"}`).object(t)
		assert.Len(t, o, 2)
		assert.Equal(t, "2000-01-01T00:01:00Z", o["expires_at"])
		assert.Equal(t, 200, as(t, srv, o["token"].(string)).get("/v1/secrets").status, "all scopes")
	})
}

func TestExchangeRefuses(t *testing.T) {
	t.Parallel()
	srv := scaivaulttest.NewServer(t)
	srv.TrustToken("foreign", "sa:billing")
	anonymous := as(t, srv, "")
	r := anonymous.do("POST", "/v1/auth/exchange", `{"token":"not-a-real-one"}`)
	r.refused(t, 401, "token_invalid")
	assert.NotContains(t, r.body, "not-a-real-one")
	anonymous.do("POST", "/v1/auth/exchange", `{"token":"foreign","role":"sa:other"}`).refused(t, 403, "access_denied")
	anonymous.do("POST", "/v1/auth/exchange", `{"role":"sa:billing"}`).refused(t, 422, "validation_error")
	anonymous.do("POST", "/v1/auth/exchange", `{"token":7}`).refused(t, 422, "validation_error")
	anonymous.do("POST", "/v1/auth/exchange", `token=foreign`).refused(t, 400, "invalid_request")
	anonymous.get("/v1/auth/exchange").refused(t, 405, "method_not_allowed")
	as(t, srv, "foreign").get("/v1/auth/whoami").refused(t, 401, "token_invalid")
}
