package ibm_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/ibm"
)

// iam is a token service that counts.
func iam(t *testing.T, status int, body string) (func(string) string, *atomic.Int32) {
	t.Helper()
	calls := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if r.FormValue("grant_type") != "urn:ibm:params:oauth:grant-type:apikey" || r.FormValue("apikey") != "the-key" {
			t.Errorf("the form is %v", r.Form)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(body, "{n}", fmt.Sprint(n)))
	}))
	t.Cleanup(s.Close)
	return func(name string) string { return map[string]string{"WATSONX_IAM_URL": s.URL}[name] }, calls
}

func TestSigner(t *testing.T) {
	t.Parallel()
	env, calls := iam(t, 200, `{"access_token":"token{n}","expires_in":3600}`)
	now := time.Unix(1000, 0)
	s := ibm.New(ibm.Settings{Env: env, Now: func() time.Time { return now }})
	f := func(want string) {
		t.Helper()
		signer, err := s.Signer("the-key")
		if err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := signer.Sign(t.Context(), &c); err != nil || string(c.Header.Get("Authorization")) != "Bearer "+want {
			t.Errorf("got %s, %v; want %s", c.Header.Get("Authorization"), err, want)
		}
	}
	f("token1")
	f("token1")
	now = now.Add(2 * time.Hour)
	f("token2")
	if calls.Load() != 2 {
		t.Errorf("%d calls", calls.Load())
	}
}

func TestSignerRefused(t *testing.T) {
	t.Parallel()
	f := func(status int, body, want string) {
		t.Helper()
		env, _ := iam(t, status, body)
		signer, err := ibm.New(ibm.Settings{Env: env}).Signer("the-key")
		if err != nil {
			t.Fatal(err)
		}
		e := llm.AsError(signer.Sign(t.Context(), new(llm.Call)))
		if e == nil || e.Kind != llm.KindAuthentication || !strings.Contains(e.Message, want) || strings.Contains(e.Error(), "the-key") {
			t.Errorf("%s: %v", body, e)
		}
	}
	f(400, `{"errorCode":"BXNIM0415E","errorMessage":"Provided API key the-key could not be found."}`, "BXNIM0415E")
	f(502, "<html>", "status 502")
	f(200, "<html>", "not JSON")
	f(200, `{}`, "no token")
	if _, err := ibm.New(ibm.Settings{}).Signer(""); err == nil {
		t.Error("no error without a key")
	}
	if _, err := ibm.New(ibm.Settings{Env: func(string) string { return "::" }}).Signer("k"); err == nil {
		t.Error("no error for a bad address")
	}
}
