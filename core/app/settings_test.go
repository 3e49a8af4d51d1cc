package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const admin = "\ngeneral_settings: {master_key: sk-1234}\n"

func good() ut.Answer { return ut.JSON(200, ut.Completion("x", "ok", 1, 1)) }

// post sends a chat for the model and fails the test unless it is answered.
func post(t *testing.T, s *apptest.Server, model, more string) *apptest.Response {
	t.Helper()
	r := s.Post(chat, `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]`+more+`}`)
	if r.Status != 200 {
		t.Fatalf("%s: %d %s", model, r.Status, r.Body)
	}
	return r
}

func TestKeys(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	s := apptest.Start(t, fmt.Sprintf(`
credential_list:
  - {credential_name: shared, credential_values: {api_key: sk-shared, api_base: "%[1]s/v1"}}
environment_variables:
  OPENAI_API_KEY: sk-file
  COPIED: os.environ/K1
model_list:
  - {model_name: written, litellm_params: {model: openai/x, api_base: "%[1]s/v1", api_key: sk-written}}
  - {model_name: named, litellm_params: {model: openai/x, litellm_credential_name: shared}}
  - {model_name: env, litellm_params: {model: openai/x, api_base: "%[1]s/v1", api_key: os.environ/K1}}
  - {model_name: vendor, litellm_params: {model: openai/x, api_base: "%[1]s/v1"}}
  - {model_name: groq, litellm_params: {model: groq/x, api_base: "%[1]s/v1"}}
  - {model_name: copied, litellm_params: {model: openai/x, api_base: "%[1]s/v1", api_key: os.environ/COPIED}}
  - {model_name: missing, litellm_params: {model: openai/x, api_base: "%[1]s/v1", api_key: os.environ/NOT_SET}}
  - {model_name: unsupported, litellm_params: {model: petals/x}}
`, v.URL)+admin, apptest.Env("K1=sk-env", "OPENAI_API_KEY=sk-shell", "GROQ_API_KEY=gsk-env"))
	for model, key := range map[string]string{
		"written": "sk-written", "named": "sk-shared", "env": "sk-env", "vendor": "sk-file", "groq": "gsk-env", "copied": "sk-env",
	} {
		post(t, s, model, "")
		if got := v.Last().Header.Get("Authorization"); got != "Bearer "+key {
			t.Errorf("%s: %q, want %s", model, got, key)
		}
	}
	n := len(v.Requests())
	r := s.Post(chat, `{"model":"missing","messages":[]}`)
	if r.Status != 401 || !strings.Contains(r.Body, "NOT_SET") {
		t.Errorf("a key that is not set: %d %s", r.Status, r.Body)
	}
	r = s.Post(chat, `{"model":"unsupported","messages":[]}`)
	if r.Status != 400 || !strings.Contains(r.Body, "petals") {
		t.Errorf("a vendor that is not supported: %d %s", r.Status, r.Body)
	}
	if len(v.Requests()) != n {
		t.Error("a deployment that cannot be called was called")
	}
	for _, warned := range []string{"NOT_SET", "petals"} {
		if !strings.Contains(s.Log.String(), warned) {
			t.Errorf("no warning about %s", warned)
		}
	}
}

func TestDotEnv(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("OPENAI_API_KEY=sk-dotenv\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := func(o *app.Options) { o.Dir = dir }
	cfg := fmt.Sprintf(`model_list: [{model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1"}}]`, v.URL) + admin
	f := func(status int, key string, env ...string) {
		t.Helper()
		s := apptest.Start(t, cfg, here, apptest.Env(env...))
		if r := s.Post(chat, ask("")); r.Status != status {
			t.Fatalf("%v: %d %s", env, r.Status, r.Body)
		}
		if status == 200 && v.Last().Header.Get("Authorization") != "Bearer "+key {
			t.Fatalf("%v: sent %v", env, v.Last().Header)
		}
	}
	f(200, "sk-dotenv")
	f(200, "sk-dotenv", "LITELLM_MODE=DEV")
	f(200, "sk-shell", "OPENAI_API_KEY=sk-shell")
	f(401, "", "LITELLM_MODE=PRODUCTION")
}

func TestWildcardsAndAliases(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: "openai/*", litellm_params: {model: "openai/*", api_base: "%[1]s/v1", api_key: sk-a}}
  - {model_name: "my-*", litellm_params: {model: "groq/llama-*", api_base: "%[1]s/v1", api_key: sk-b}}
  - {model_name: "*", litellm_params: {model: "*", api_base: "%[1]s/v1", api_key: sk-c}}
router_settings: {model_group_alias: {short: openai/gpt-4o, hidden: {model: openai/gpt-4o, hidden: true}}}
`, v.URL)+admin)
	f := func(model, sent, key string) {
		t.Helper()
		post(t, s, model, "")
		got := v.Last()
		if !strings.Contains(string(got.Body), `"model":"`+sent+`"`) || got.Header.Get("Authorization") != "Bearer "+key {
			t.Fatalf("%s: sent %s with %s", model, got.Body, got.Header.Get("Authorization"))
		}
	}
	f("openai/gpt-4o", "gpt-4o", "sk-a")
	f("my-70b", "llama-70b", "sk-b")
	f("short", "gpt-4o", "sk-a")
	f("hidden", "gpt-4o", "sk-a")
	f("mistral/large", "large", "sk-c")
}

func TestParams(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params:
      model: openai/x
      api_base: %[1]s/v1
      api_key: sk-a
      organization: org-1
      temperature: 0.2
      max_tokens: 7
      additional_drop_params: [logit_bias]
      extra_headers: {X-Team: blue}
      extra_body: {top_k: 5}
  - model_name: strict
    litellm_params: {model: groq/x, api_base: "%[1]s/v1", api_key: sk-a}
  - model_name: dropping
    litellm_params: {model: groq/x, api_base: "%[1]s/v1", api_key: sk-a, drop_params: true}
  - model_name: orgs
    litellm_params: {model: openai/x, api_base: "%[1]s/v1", api_key: sk-a, organization: [org-a, org-b]}
`, v.URL)+admin)
	post(t, s, "m", `,"temperature":0.9,"logit_bias":{},"extra_headers":{"X-Mine":"yes"},"extra_body":{"seed":3}`)
	got := v.Last()
	for _, want := range []string{`"temperature":0.9`, `"max_tokens":7`, `"top_k":5`, `"seed":3`} {
		if !strings.Contains(string(got.Body), want) {
			t.Errorf("%s is not in %s", want, got.Body)
		}
	}
	for _, gone := range []string{"logit_bias", "extra_", "0.2"} {
		if strings.Contains(string(got.Body), gone) {
			t.Errorf("%s is in %s", gone, got.Body)
		}
	}
	h := got.Header
	if h.Get("Openai-Organization") != "org-1" || h.Get("X-Team") != "blue" || h.Get("X-Mine") != "yes" {
		t.Errorf("sent %v", h)
	}
	const refused = `,"logit_bias":{"1":2}`
	if r := s.Post(chat, `{"model":"strict","messages":[]`+refused+`}`); r.Status != 400 || !strings.Contains(r.Body, "logit_bias") {
		t.Errorf("a parameter the vendor does not know: %d %s", r.Status, r.Body)
	}
	post(t, s, "strict", refused+`,"drop_params":true`)
	post(t, s, "dropping", refused)
	if strings.Contains(string(v.Last().Body), "logit_bias") {
		t.Errorf("sent %s", v.Last().Body)
	}
	seen := map[string]bool{}
	for range 40 {
		post(t, s, "orgs", "")
		seen[v.Last().Header.Get("Openai-Organization")] = true
	}
	if !seen["org-a"] || !seen["org-b"] {
		t.Errorf("organizations: %v", seen)
	}
}

// The settings that hold for all deployments.
func TestSettingsForAll(t *testing.T) {
	t.Parallel()
	v := ut.New(t, good())
	groq := fmt.Sprintf(`model_list: [{model_name: m, litellm_params: {model: groq/x, api_base: "%s/v1", api_key: sk-a}}]`, v.URL) + admin
	for _, c := range []struct{ yaml, env string }{
		{"litellm_settings: {drop_params: true}\n", ""}, {"", "LITELLM_DROP_PARAMS=true"},
	} {
		s := apptest.Start(t, c.yaml+groq, apptest.Env(c.env))
		post(t, s, "m", `,"logit_bias":{"1":2}`)
	}
	silent := ut.New(t, ut.Hang())
	s := apptest.Start(t, "litellm_settings: {request_timeout: 0.05}\n"+one(silent, "num_retries: 0"))
	if r := s.Post(chat, ask("")); r.Status != 408 {
		t.Errorf("request_timeout: %d %s", r.Status, r.Body)
	}
	broken := ut.New(t, ut.ServerError())
	both := fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: sk-a, num_retries: 0}}
  - {model_name: spare, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: sk-a}}
`, broken.URL, v.URL) + admin
	for _, section := range []string{"litellm_settings", "router_settings"} {
		s = apptest.Start(t, section+": {default_fallbacks: [spare]}"+both)
		if r := post(t, s, "m", ""); r.Header.Get("x-litellm-attempted-fallbacks") != "1" {
			t.Errorf("%s: %v", section, r.Header)
		}
		s = apptest.Start(t, section+": {num_retries: 2}\n"+strings.Replace(one(broken), "num_retries: 0", "", 1))
		n := len(broken.Requests())
		if r := s.Post(chat, ask("")); r.Status != 500 || len(broken.Requests())-n != 3 {
			t.Errorf("%s: %d after %d calls", section, r.Status, len(broken.Requests())-n)
		}
	}
}

func TestInclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("more.yaml", "model_list: [{model_name: b, litellm_params: {model: openai/x, mock_response: two}}]")
	path := write("config.yaml", "include: [more.yaml]\nmodel_list: [{model_name: a, litellm_params: {model: openai/x, mock_response: one}}]"+admin)
	s := apptest.StartFile(t, path)
	if r := post(t, s, "a", ""); !strings.Contains(r.Body, "one") {
		t.Fatal(r.Body)
	}
	if r := post(t, s, "b", ""); !strings.Contains(r.Body, "two") {
		t.Fatal(r.Body)
	}
}

func TestMockErrors(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: openai/x, mock_response: fine, num_retries: 0}}]"+admin)
	f := func(mock string, status int) {
		t.Helper()
		r := s.Post(chat, ask(`,"mock_response":"`+mock+`"`))
		if r.Status != status {
			t.Fatalf("%s: %d %s, want %d", mock, r.Status, r.Body, status)
		}
	}
	f("mine", 200)
	f("litellm.RateLimitError", 429)
	f("litellm.ContextWindowExceededError", 400)
	f("litellm.InternalServerError", 500)
}

// Options of a header win over those of the body.
func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.ServerError())
	s := apptest.Start(t, one(v))
	r := s.Post(chat, ask(`,"num_retries":3`), "x-litellm-num-retries: 1")
	if r.Status != 500 || len(v.Requests()) != 2 {
		t.Fatalf("%d after %d calls", r.Status, len(v.Requests()))
	}
	if r := s.Post(chat, ask(""), "x-litellm-timeout: soon"); r.Status != 400 {
		t.Fatalf("a timeout that is no number: %d %s", r.Status, r.Body)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	v := ut.NewTLS(t, ut.SSE(ut.ChatStream("x", 1, "hi")...))
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	cfg := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(cfg, []byte(one(v)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := app.Options{Config: cfg, TLSCert: cert, TLSKey: key, Log: &apptest.Log{}, Environ: []string{}, Dir: dir}
	o.Upstream.TLS = v.TLS
	a, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go a.Serve(ln)
	defer a.Stop()
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+ln.Addr().String()+chat, strings.NewReader(ask(`,"stream":true`)))
	req.Header.Set("Authorization", "Bearer sk-1234")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := resp.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			break
		}
	}
	if resp.StatusCode != 200 || !strings.HasSuffix(b.String(), "data: [DONE]\n\n") {
		t.Fatalf("%d %s", resp.StatusCode, b.String())
	}
}
