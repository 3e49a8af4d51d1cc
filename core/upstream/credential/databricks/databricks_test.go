package databricks_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/databricks"
)

// workspace is a token service that counts.
func workspace(t *testing.T, status int, body string) (address string, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		id, secret, _ := r.BasicAuth()
		if r.URL.Path != "/oidc/v1/token" || id != "the-id" || secret != "the-secret" ||
			r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "all-apis" {
			t.Errorf("%s for %s with %v", r.URL, id, r.Form)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(body, "{n}", fmt.Sprint(n)))
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

func TestSigner(t *testing.T) {
	t.Parallel()
	address, calls := workspace(t, 200, `{"access_token":"token{n}","expires_in":3600}`)
	now := time.Unix(1000, 0)
	s := databricks.New(databricks.Settings{Now: func() time.Time { return now }})
	f := func(base, want string) {
		t.Helper()
		signer, err := s.Signer(base, "the-id", "the-secret")
		if err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := signer.Sign(t.Context(), &c); err != nil || string(c.Header.Get("Authorization")) != "Bearer "+want {
			t.Errorf("got %s, %v; want %s", c.Header.Get("Authorization"), err, want)
		}
	}
	f(address, "token1")
	f(address+"/serving-endpoints", "token1")
	now = now.Add(2 * time.Hour)
	f(address, "token2")
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestSignerRefused(t *testing.T) {
	t.Parallel()
	f := func(status int, body, want string) {
		t.Helper()
		address, _ := workspace(t, status, body)
		signer, err := databricks.New(databricks.Settings{}).Signer(address, "the-id", "the-secret")
		if err != nil {
			t.Fatal(err)
		}
		e := llm.AsError(signer.Sign(t.Context(), new(llm.Call)))
		if e == nil || e.Kind != llm.KindAuthentication || !strings.Contains(e.Message, want) || strings.Contains(e.Error(), "the-secret") {
			t.Errorf("%s: %v", body, e)
		}
	}
	f(401, `{"error":"invalid_client","error_description":"Client authentication failed with the-secret"}`, "invalid_client")
	f(502, "<html>", "status 502")
	f(200, "<html>", "not JSON")
	f(200, `{}`, "no token")
	if _, err := databricks.New(databricks.Settings{}).Signer("::", "i", "s"); err == nil {
		t.Error("no error for a bad address")
	}
}
