package google

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
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

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// cloud is a token service and a metadata server that give the tokens t1, t2 and so on.
type cloud struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string // path, and form if there is one
	status int
	body   string
	life   int
	hold   chan struct{} // if set, answers wait for it
}

func newCloud(t *testing.T) *cloud {
	c := &cloud{life: 3600}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, err := url.ParseQuery(string(b))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	form.Del("assertion")
	c.mu.Lock()
	c.asked = append(c.asked, strings.TrimSpace(r.URL.RequestURI()+" "+form.Encode()))
	n, status, body, life, hold := len(c.asked), c.status, c.body, c.life, c.hold
	c.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.Header().Set("Content-Type", "application/json")
	if status != 0 {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"token_type": "Bearer", "expires_in": life, "access_token": fmt.Sprintf("t%d", n),
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
	})
}

func (c *cloud) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.asked
	c.asked = nil
	return out
}

func privateKey(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func account(t *testing.T, c *cloud) string {
	t.Helper()
	_, key := privateKey(t)
	return write(t, map[string]string{
		"type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": key,
		"client_email": "a@p1.iam.gserviceaccount.com", "token_uri": c.URL + "/token",
	})
}

func write(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fileOf(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// variables is an environment in which nothing else is set, and no home directory has credentials.
func variables(t *testing.T, m map[string]string) func(string) string {
	home := t.TempDir()
	return func(name string) string {
		if name == "HOME" && m[name] == "" {
			return home
		}
		return m[name]
	}
}

// sign returns the header lines that a signer adds.
func sign(t *testing.T, s llm.Signer) string {
	t.Helper()
	var c llm.Call
	if err := s.Sign(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range c.Header {
		lines = append(lines, string(h.Name)+": "+string(h.Value))
	}
	return strings.Join(lines, "; ")
}

func signerOf(t *testing.T, s *Source, credentials string) llm.Signer {
	t.Helper()
	signer, err := s.Signer(credentials)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// TestWays gets a token in each of the ways that there are.
func TestWays(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	subject := fileOf(t, "subject-token")
	f := func(credentials string, env map[string]string, lines string, asked ...string) {
		t.Helper()
		s := New(Settings{Env: variables(t, env)})
		if got := sign(t, signerOf(t, s, credentials)); got != lines {
			t.Errorf("got %q, want %q", got, lines)
		}
		got := c.take()
		if len(got) != len(asked) {
			t.Fatalf("asked %q, want %q", got, asked)
		}
		for i := range got {
			if !strings.HasPrefix(got[i], asked[i]) {
				t.Errorf("asked %q, want %q", got[i], asked[i])
			}
		}
	}
	const grant = "/token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3A"
	inline := account(t, c)
	f(inline, nil, "Authorization: Bearer t1", grant+"jwt-bearer")
	f(fileOf(t, inline), nil, "Authorization: Bearer t1", grant+"jwt-bearer")
	f("", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": fileOf(t, inline)}, "Authorization: Bearer t1", grant+"jwt-bearer")
	f("", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": inline}, "Authorization: Bearer t1", grant+"jwt-bearer")
	f(write(t, map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": c.URL + "/sts",
		"credential_source": map[string]string{"file": subject},
	}), nil, "Authorization: Bearer t1", "/sts audience=%2F%2Fiam.googleapis.com%2Fprojects%2F1%2Flocations%2Fglobal%2FworkloadIdentityPools%2Fa%2Fproviders%2Fb")
	f("", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(c.URL, "http://")}, "Authorization: Bearer t1",
		"/computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform")

	// What the gcloud command leaves is found without being named. Its tokens come from Google itself, so the client
	// is led to the test's server.
	user := write(t, map[string]string{
		"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r", "quota_project_id": "q1",
	})
	dir := filepath.Dir(fileOf(t, ""))
	if err := os.WriteFile(filepath.Join(dir, "application_default_credentials.json"), []byte(user), 0o600); err != nil {
		t.Fatal(err)
	}
	s := New(Settings{Env: variables(t, map[string]string{"CLOUDSDK_CONFIG": dir}), Client: &http.Client{Transport: lead{c.URL}}})
	if got := sign(t, signerOf(t, s, "")); got != "Authorization: Bearer t1; x-goog-user-project: q1" {
		t.Errorf("got %q", got)
	}
	if got := c.take(); len(got) != 1 || !strings.Contains(got[0], "refresh_token=r") {
		t.Errorf("asked %q", got)
	}
	if got := s.Project(""); got != "q1" {
		t.Errorf("the project is %q", got)
	}
}

// lead sends every request to one server.
type lead struct{ base string }

func (l lead) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(l.base)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = to.Scheme, to.Host
	return http.DefaultTransport.RoundTrip(r)
}

// TestAssertion checks that the assertion of a service account is signed with its key, for the right audience and scope.
func TestAssertion(t *testing.T) {
	t.Parallel()
	key, pemKey := privateKey(t)
	var assertion string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assertion = r.FormValue("assertion")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":60}`)
	}))
	defer srv.Close()
	s := New(Settings{Env: variables(t, nil)})
	sign(t, signerOf(t, s, write(t, map[string]string{
		"type": "service_account", "private_key": pemKey, "client_email": "a@p.iam.gserviceaccount.com", "token_uri": srv.URL + "/token",
	})))
	var claims struct {
		Scope string `json:"scope"`
		jwt.RegisteredClaims
	}
	if _, err := jwt.ParseWithClaims(assertion, &claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil }); err != nil {
		t.Fatal(err)
	}
	if claims.Issuer != "a@p.iam.gserviceaccount.com" || claims.Scope != Scope || len(claims.Audience) != 1 || claims.Audience[0] != srv.URL+"/token" {
		t.Errorf("got %+v", claims)
	}
}

// TestShared checks that tokens are kept, shared between signers of the same credentials, and fetched once at a time.
func TestShared(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	now := time.Now()
	var mu sync.Mutex
	s := New(Settings{Env: variables(t, nil), Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}})
	credentials := account(t, c)
	c.hold = make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		signer := signerOf(t, s, credentials)
		wg.Go(func() {
			var call llm.Call
			if err := signer.Sign(t.Context(), &call); err != nil || string(call.Header.Get("authorization")) != "Bearer t1" {
				t.Errorf("got %s, %v", call.Header.Get("authorization"), err)
			}
		})
	}
	close(c.hold)
	wg.Wait()
	if got := c.take(); len(got) != 1 {
		t.Errorf("asked %d times", len(got))
	}
	mu.Lock()
	now = now.Add(2 * time.Hour)
	mu.Unlock()
	if got := sign(t, signerOf(t, s, credentials)); got != "Authorization: Bearer t1" || len(c.take()) != 1 {
		t.Errorf("after the token expired: got %q", got)
	}
	if got := s.Project(credentials); got != "p1" {
		t.Errorf("the project is %q", got)
	}
}

// TestFailures checks what the caller reads if no token can be had. No secret is in it.
func TestFailures(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	credentials := account(t, c)
	f := func(credentials string, env map[string]string, want string) {
		t.Helper()
		s := New(Settings{Env: variables(t, env)})
		signer, err := s.Signer(credentials)
		if err == nil {
			var call llm.Call
			err = signer.Sign(t.Context(), &call)
			if e := llm.AsError(err); err != nil && e.Kind != llm.KindAuthentication {
				t.Errorf("the kind is %v", e.Kind)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "BEGIN PRIVATE KEY") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c.status, c.body = 400, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`
	f(credentials, nil, "Google refused to give an access token (status 400): invalid_grant: Invalid JWT Signature.")
	c.status, c.body = 500, `secret of the server`
	f(credentials, nil, "Google refused to give an access token (status 500)")
	f("", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(c.URL, "http://")}, "set vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS")
	c.status, c.body = 200, `{}`
	f("", map[string]string{"GCE_METADATA_HOST": strings.TrimPrefix(c.URL, "http://")}, "gave no token")
	f(`{"type":"service_account"}`, nil, "private_key or client_email is missing")
	f(`{"type":"other"}`, nil, `type is "other", and must be service_account`)
	f(`{`, nil, "no JSON of Google credentials")
	f("/does/not/exist.json", nil, "the credentials file cannot be read")
	f("", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/does/not/exist.json"}, "the credentials file cannot be read")
	f(`{"type":"service_account","private_key":"no key","client_email":"a"}`, nil, "No Google access token can be had")
	if got := New(Settings{Env: variables(t, map[string]string{"GOOGLE_CLOUD_PROJECT": "p9"})}).Project(""); got != "p9" {
		t.Errorf("the project is %q", got)
	}
}

// TestGivenUp checks that a call does not wait longer than it may.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	hold := make(chan struct{})
	c.hold = hold
	defer close(hold)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var call llm.Call
	err := signerOf(t, New(Settings{Env: variables(t, nil)}), account(t, c)).Sign(ctx, &call)
	if e := llm.AsError(err); e == nil || e.Kind != llm.KindCanceled {
		t.Errorf("got %v", err)
	}
}
