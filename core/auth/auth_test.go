package auth_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// headers makes a list from lines such as "Authorization: Bearer x".
func headers(lines ...string) (h llm.Header) {
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h = append(h, llm.Field{Name: []byte(name), Value: []byte(value)})
	}
	return h
}

func TestFind(t *testing.T) {
	t.Parallel()
	custom := ""
	check := func(key string, present bool, lines ...string) {
		t.Helper()
		c := auth.Find(headers(lines...), custom)
		if string(c.Key) != key || c.Present != present || present == (c.Raw == nil) {
			t.Errorf("%v: got %q, present %v, raw %q; want %q, %v", lines, c.Key, c.Present, c.Raw, key, present)
		}
	}
	check("", false)
	check("", false, "Host: x", "Authorization: ", "Cookie: sk-1")
	check("sk-1", true, "Authorization: Bearer sk-1")
	check("sk-1", true, "Authorization: Bearer   sk-1")
	check("sk-1", true, "authorization: bearer sk-1")
	check("c2s=", true, "AUTHORIZATION: Basic c2s=")
	check("sk-1", true, "Authorization: Bearer Bearer sk-1")
	check("sk-1", true, "Authorization: Bearer sk-1", "Authorization: Bearer sk-2")
	check("sk-2", true, "Authorization: ", "Authorization: Bearer sk-2")
	check("", true, "Authorization: sk-1")
	check("", true, "Authorization: BEARER sk-1")
	check("", true, "Authorization: Bearer ")
	check("", true, "Authorization: Bearer")
	check("", true, "Authorization: sk-1", "x-api-key: sk-2") // what is malformed still takes precedence

	check("sk-1", true, "Authorization: AWS4-HMAC-SHA256 Credential=Bearer sk-1/2025/eu/bedrock/aws4_request, SignedHeaders=host")
	check("sk-1", true, "Authorization: AWS4-HMAC-SHA256 Credential=Bearer   sk-1, SignedHeaders=host")
	check("AKIA", true, "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/2025/eu, Signature=x")
	check("Bearersk", true, "Authorization: AWS4-HMAC-SHA256 Credential=Bearersk")
	check("", true, "Authorization: AWS4-HMAC-SHA256 Signature=x")
	check("", true, "Authorization: AWS4-HMAC-SHA256 Credential=, Signature=x")

	check("sk-1", true, "API-Key: sk-1")
	check("sk-1", true, "x-api-key: sk-1")
	check("sk-1", true, "x-goog-api-key: sk-1")
	check("sk-1", true, "Ocp-Apim-Subscription-Key: sk-1")
	check("Bearer sk-1", true, "x-api-key: Bearer sk-1")
	check("sk-1", true, "x-litellm-api-key: sk-1")
	check("sk-1", true, "X-Litellm-Api-Key: Bearer sk-1")
	check("AWS4-HMAC-SHA256 x", true, "x-litellm-api-key: AWS4-HMAC-SHA256 x")
	check("sk-1", true, "Ocp-Apim-Subscription-Key: sk-6", "x-goog-api-key: sk-5", "x-api-key: sk-4", "API-Key: sk-3",
		"Authorization: Bearer sk-2", "x-litellm-api-key: sk-1")
	check("sk-2", true, "Ocp-Apim-Subscription-Key: sk-6", "API-Key: sk-3", "Authorization: Bearer sk-2")
	check("sk-3", true, "x-api-key: sk-4", "API-Key: sk-3", "x-goog-api-key: sk-5")
	check("sk-4", true, "x-api-key: sk-4", "x-goog-api-key: sk-5")
	check("sk-5", true, "Ocp-Apim-Subscription-Key: sk-6", "x-goog-api-key: sk-5")

	custom = "X-My-Key"
	check("sk-1", true, "Authorization: Bearer sk-2", "x-my-key: Bearer sk-1")
	check("", true, "x-my-key: sk-1")
	check("", false, "Authorization: Bearer sk-2", "x-litellm-api-key: sk-3")
}

func TestFindAllocations(t *testing.T) {
	h := headers("Host: x", "Accept: */*", "Content-Type: application/json", "x-api-key: a",
		"Authorization: AWS4-HMAC-SHA256 Credential=Bearer sk-1/2025/eu, SignedHeaders=host")
	for _, custom := range []string{"", "X-My-Key"} {
		if n := testing.AllocsPerRun(100, func() { auth.Find(h, custom) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

type fixed struct {
	p   *llm.Principal
	err error
}

func (f fixed) Authenticate(context.Context, *llm.Exchange, auth.Credential) (*llm.Principal, error) {
	return f.p, f.err
}

func TestChain(t *testing.T) {
	t.Parallel()
	one, two := &llm.Principal{UserID: "1"}, &llm.Principal{UserID: "2"}
	refused := &llm.Error{Kind: llm.KindAuth, Message: "no"}
	check := func(want *llm.Principal, wantErr error, list ...auth.Authenticator) {
		t.Helper()
		p, err := auth.NewChain("", list...).Authenticate(t.Context(), &llm.Exchange{}, auth.Credential{})
		if p != want || wantErr != nil && !errors.Is(err, wantErr) || wantErr == nil && err != nil {
			t.Errorf("got %v, %v", p, err)
		}
	}
	check(one, nil, fixed{}, fixed{p: one}, fixed{p: two})
	check(one, nil, fixed{p: one}, fixed{err: refused})
	check(nil, refused, fixed{err: refused}, fixed{p: one})
	check(nil, &llm.Error{Kind: llm.KindAuth}, fixed{})
	check(nil, &llm.Error{Kind: llm.KindAuth})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	custom := ""
	check := func(header string, status int, kind, param, message string) {
		t.Helper()
		var h llm.Header
		if header != "" {
			h = headers(header)
		}
		_, err := auth.NewChain(custom).Authenticate(t.Context(), &llm.Exchange{}, auth.Find(h, custom))
		e := llm.AsError(err)
		if e.HTTPStatus() != status || e.Type != kind || e.Param != param || e.Message != message || e.Kind != llm.KindAuth {
			t.Errorf("%q: got %d %+v, want %s", header, e.HTTPStatus(), e, message)
		}
	}
	const malformed = "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
	expected := func(s string) string {
		return "Authentication Error, LiteLLM Virtual Key expected. Received=" + s + ", expected to start with 'sk-'."
	}
	check("", 401, "auth_error", "None", "Authentication Error, No api key passed in.")
	check("Authorization: sk-1234", 401, "auth_error", "None", malformed)
	check("Authorization: Bearer ", 401, "auth_error", "None", malformed)
	check("Authorization: Bearer sk12345678abcd", 401, "auth_error", "None", expected("sk12****abcd"))
	check("Authorization: Bearer 12345678", 401, "auth_error", "None", expected("****"))
	check("x-api-key: a\nb\x00456789\xffcd", 401, "auth_error", "None", expected("a?b?****9?cd"))
	check("Authorization: Bearer sk-wrong", 400, "no_db_connection", "", "No connected db.")
	custom = "X-Key"
	check("Authorization: Bearer sk-1234", 401, "auth_error", "None",
		"Authentication Error, No LiteLLM Virtual Key pass. Please set header=X-Key: Bearer <api_key>")
}

func TestAllowedIPs(t *testing.T) {
	t.Parallel()
	check := func(remote string, allowed bool, list ...string) {
		t.Helper()
		a, err := auth.NewAllowedIPs(list)
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Authenticate(t.Context(), &llm.Exchange{Remote: remote}, auth.Credential{})
		if p != nil || (err == nil) != allowed {
			t.Errorf("%s in %v: got %v, %v", remote, list, p, err)
		}
		if e := llm.AsError(err); e != nil && (e.HTTPStatus() != 403 || e.Type != "auth_error" || e.Kind != llm.KindAuth) {
			t.Errorf("%s: got %d %+v", remote, e.HTTPStatus(), e)
		}
	}
	check("192.168.1.1", true, "10.0.0.1", "192.168.1.1")
	check("192.168.1.2", false, "10.0.0.1", "192.168.1.1")
	check("10.20.30.40", true, "10.0.0.0/8")
	check("11.0.0.1", false, "10.1.2.3/8")
	check("::ffff:10.0.0.1", true, "10.0.0.0/8")
	check("10.0.0.1", true, "::ffff:10.0.0.0/104")
	check("2001:db8::1", true, "2001:db8::/32")
	check("fe80::1%eth0", true, "fe80::1")
	check("::1", false, "127.0.0.1")
	check("::1", true, " ::1 ")
	check("10.0.0.1", false)
	check("", false, "0.0.0.0/0")
	check("10.0.0.1, 1.2.3.4", false, "0.0.0.0/0")

	refused := func(entry string) {
		t.Helper()
		if _, err := auth.NewAllowedIPs([]string{"::1", entry}); err == nil || !strings.Contains(err.Error(), "allowed_ips[1]") {
			t.Errorf("%q: got %v", entry, err)
		}
	}
	refused("localhost")
	refused("10.0.0.0/33")
	refused("")

	a, err := auth.NewAllowedIPs(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authenticate(t.Context(), &llm.Exchange{Remote: "1.2.3.4"}, auth.Credential{})
	if e := llm.AsError(err); e.Message != "Access forbidden: IP address 1.2.3.4 not allowed." {
		t.Errorf("got %q", e.Message)
	}
}

// No header makes Find panic, and what it finds is a part of a header's value that no error repeats.
func FuzzFind(f *testing.F) {
	f.Add("Authorization", "Bearer sk-1234567890abcdef", "")
	f.Add("authorization", "AWS4-HMAC-SHA256 Credential=Bearer sk-1/2", "")
	f.Add("X-Key", "bearer bearer ", "x-key")
	f.Fuzz(func(t *testing.T, name, value, custom string) {
		h := llm.Header{{Name: []byte(name), Value: []byte(value)}}
		c := auth.Find(h, custom)
		if !c.Present {
			if c.Key != nil || c.Raw != nil {
				t.Errorf("absent, and yet %q", c.Key)
			}
			return
		}
		if string(c.Raw) != value || !bytes.Contains(c.Raw, c.Key) {
			t.Errorf("%q is no part of %q", c.Key, value)
		}
		_, err := auth.NewChain(custom).Authenticate(t.Context(), &llm.Exchange{}, c)
		e := llm.AsError(err)
		if e == nil || len(c.Key) > 12 && strings.Contains(e.Error(), string(c.Key)) {
			t.Errorf("got %v", err)
		}
	})
}
