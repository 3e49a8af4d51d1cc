package azure

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func variables(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

// login is a token service that gives the tokens t1, t2 and so on.
type login struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // path and form
	status int
	body   string
}

func newLogin(t *testing.T) *login {
	l := &login{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		form, err := url.ParseQuery(string(b))
		if err != nil || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		l.asked = append(l.asked, r.URL.Path+" "+form.Encode())
		if l.status != 0 {
			w.WriteHeader(l.status)
			_, _ = io.WriteString(w, l.body)
			return
		}
		token := "t" + string(rune('0'+len(l.asked)))
		_ = json.NewEncoder(w).Encode(map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": token})
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *login) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.asked
	l.asked = nil
	return out
}

func sign(t *testing.T, s llm.Signer) (string, error) {
	t.Helper()
	var c llm.Call
	if err := s.Sign(t.Context(), &c); err != nil {
		return "", err
	}
	return string(c.Header.Get("authorization")), nil
}

func TestWays(t *testing.T) {
	t.Parallel()
	l := newLogin(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("jwt1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type m = map[string]string
	f := func(name, want, asked string, env, settings m) {
		t.Helper()
		e := m{"AZURE_AUTHORITY_HOST": l.URL + "/"}
		for k, v := range env {
			e[k] = v
		}
		s := New(Settings{Env: variables(e)})
		o := s.Options(variables(settings))
		if setting, problem := o.Check(); problem != "" || !o.Given() {
			t.Errorf("%s: %s %s", name, setting, problem)
		}
		for range 2 {
			if got, err := sign(t, s.Signer(o)); err != nil || got != "Bearer "+want {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		if got := strings.Join(l.take(), "\n"); got != asked {
			t.Errorf("%s: asked\n%s\nwant\n%s", name, got, asked)
		}
	}
	const scope = "&scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default"
	const assertion = "client_assertion=jwt1&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
	client := m{"tenant_id": "d1", "client_id": "c1", "client_secret": "s1"}
	f("a token", "own", "", nil, m{"azure_ad_token": "own", "tenant_id": "d1", "client_id": "c1", "client_secret": "s1"})
	f("a secret", "t1", "/d1/oauth2/v2.0/token client_id=c1&client_secret=s1&grant_type=client_credentials"+scope, nil, client)
	f("a secret of the environment", "t1", "/d2/oauth2/v2.0/token client_id=c2&client_secret=s2&grant_type=client_credentials&scope=api%3A%2F%2Fx%2F.default",
		m{"AZURE_TENANT_ID": "d2", "AZURE_CLIENT_ID": "c2", "AZURE_CLIENT_SECRET": "s2", "AZURE_SCOPE": "api://x/.default"}, nil)
	f("a password", "t1", "/organizations/oauth2/v2.0/token client_id=c1&grant_type=password&password=p1"+scope+"&username=u1",
		nil, m{"client_id": "c1", "azure_username": "u1", "azure_password": "p1"})
	f("a reference", "t1", "/d1/oauth2/v2.0/token "+assertion+"&client_id=c1&grant_type=client_credentials"+scope,
		nil, m{"azure_ad_token": "oidc/file/" + file, "tenant_id": "d1", "client_id": "c1"})
	f("the platform's file by reference", "t1", "/d1/oauth2/v2.0/token "+assertion+"&client_id=c1&grant_type=client_credentials"+scope,
		m{"AZURE_FEDERATED_TOKEN_FILE": file}, m{"azure_ad_token": "oidc/azure/x", "tenant_id": "d1", "client_id": "c1"})
	f("the platform's file", "t1", "/d1/oauth2/v2.0/token "+assertion+"&client_id=c1&grant_type=client_credentials"+scope,
		m{"AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_TENANT_ID": "d1", "AZURE_CLIENT_ID": "c1"}, nil)
}

// The identity of the machine, as App Service gives it.
func TestMachine(t *testing.T) {
	platform := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Identity-Header") != "h1" || r.URL.Query().Get("resource") != "https://cognitiveservices.azure.com" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": "m-" + r.URL.Query().Get("client_id"), "token_type": "Bearer", "resource": "x",
			"expires_on": "4102444800",
		})
	}))
	t.Cleanup(platform.Close)
	t.Setenv("IDENTITY_ENDPOINT", platform.URL)
	t.Setenv("IDENTITY_HEADER", "h1")
	s := New(Settings{Env: variables(nil)})
	o := s.Options(variables(map[string]string{"client_id": "c1"}))
	if o.Given() {
		t.Error("the machine's identity is used unasked")
	}
	o.Machine = true
	if got, err := sign(t, s.Signer(o)); err != nil || got != "Bearer m-c1" {
		t.Errorf("got %q, %v", got, err)
	}
	t.Setenv("IDENTITY_HEADER", "h2")
	o.Client = "c2" // the library keeps tokens by client
	if _, err := sign(t, New(Settings{Env: variables(nil)}).Signer(o)); !errors.Is(err, &llm.Error{Kind: llm.KindAuthentication}) ||
		!strings.Contains(err.Error(), "status 403") {
		t.Errorf("a refusal became %v", err)
	}
}

// A token is fetched again when it has expired, with the platform's file as it is then.
func TestRenewal(t *testing.T) {
	t.Parallel()
	l := newLogin(t)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("jwt1")
	var mu sync.Mutex
	now := time.Now()
	s := New(Settings{
		Env: variables(map[string]string{"AZURE_AUTHORITY_HOST": l.URL, "AZURE_FEDERATED_TOKEN_FILE": file, "AZURE_TENANT_ID": "d1", "AZURE_CLIENT_ID": "c1"}),
		Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
	})
	o := s.Options(variables(nil))
	if got, err := sign(t, s.Signer(o)); got != "Bearer t1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	write("jwt2")
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	if got, err := sign(t, s.Signer(o)); got != "Bearer t2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := l.take(); len(got) != 2 || !strings.Contains(got[1], "client_assertion=jwt2") {
		t.Errorf("asked %q", got)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	l := newLogin(t)
	f := func(status int, body string, settings map[string]string, words ...string) {
		t.Helper()
		l.mu.Lock()
		l.status, l.body = status, body
		l.mu.Unlock()
		s := New(Settings{Env: variables(map[string]string{"AZURE_AUTHORITY_HOST": l.URL})})
		_, err := sign(t, s.Signer(s.Options(variables(settings))))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != llm.KindAuthentication {
			t.Fatalf("got %v", err)
		}
		for _, w := range words {
			if !strings.Contains(e.Message, w) {
				t.Errorf("the message %q lacks %q", e.Message, w)
			}
		}
		if strings.Contains(e.Error(), "secret1") {
			t.Errorf("the error holds the secret: %v", e)
		}
	}
	client := map[string]string{"tenant_id": "d1", "client_id": "c1", "client_secret": "secret1"}
	f(401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: x\r\nTimestamp"}`, client,
		"status 401, invalid_client: AADSTS7000215: Invalid client secret provided.")
	f(500, "<html>", client, "status 500")
	f(200, "{}", client, "holds no token")
	f(200, "", nil, "set api_key")
	f(200, "", map[string]string{"tenant_id": "d1", "client_id": "c1", "azure_ad_token": "oidc/file/nonexistent"}, "cannot be read")
	l.Close()
	f(200, "", client, "is not reached")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	f := func(o Options, want string) {
		t.Helper()
		if o.Authority == "" {
			o.Authority = defaultAuthority
		}
		if setting, _ := o.Check(); setting != want {
			t.Errorf("%+v: %q is wrong, want %q", o, setting, want)
		}
	}
	f(Options{}, "")
	f(Options{Authority: "login"}, "AZURE_AUTHORITY_HOST")
	f(Options{Tenant: "../x"}, "tenant_id")
	f(Options{Token: "oidc/github/x"}, "azure_ad_token")
	f(Options{Token: "oidc/github/x", Tenant: "d", Client: "c"}, "")
}
