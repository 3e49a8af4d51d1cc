package app_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestDropParams sends what the vendor does not know: it is refused by its name, or left out if drop_params says so, in the
// file, in the environment, for the deployment or in the request.
func TestDropParams(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, claudes))
	yaml := func(params, more string) string {
		return fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: anthropic/claude-x, api_key: k, api_base: %q%s}}]\n%s", v.URL, params, more) + admin
	}
	f := func(name, yaml, env, more string, taken bool) {
		t.Helper()
		n := len(v.Requests())
		r := apptest.Start(t, yaml, apptest.Env(env)).Post(chat, `{"model":"m","max_tokens":5,"logit_bias":{"1":2},"messages":[{"role":"user","content":"hi"}]`+more+`}`)
		if !taken {
			if r.Status != 400 || !strings.Contains(r.Body, "does not support parameters: ['logit_bias']") || len(v.Requests()) != n {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
			return
		}
		if r.Status != 200 || len(v.Requests()) != n+1 || strings.Contains(string(v.Last().Body), "logit_bias") {
			t.Errorf("%s: %d %s, sent %s", name, r.Status, r.Body, v.Last().Body)
		}
	}
	f("unset", yaml("", ""), "", "", false)
	f("false", yaml("", "litellm_settings: {drop_params: false}\n"), "", "", false)
	f("true", yaml("", "litellm_settings: {drop_params: true}\n"), "", "", true)
	f("the variable", yaml("", ""), "LITELLM_DROP_PARAMS=True", "", true)
	f("the deployment", yaml(", drop_params: true", ""), "", "", true)
	f("the request", yaml("", ""), "", `,"drop_params":true`, true)
}

// TestModifiedOrRefused lets a vendor refuse a chat that begins with its own words, as Anthropic does, unless modify_params
// puts something before them.
func TestModifiedOrRefused(t *testing.T) {
	t.Parallel()
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(string(b), `"messages":[{"role":"assistant"`) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: first message must use the user role"}}`)
			return
		}
		fmt.Fprint(w, claudes)
	}))
	t.Cleanup(vendor.Close)
	f := func(more string, status int) {
		t.Helper()
		s := apptest.Start(t, fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: anthropic/claude-x, api_key: k, api_base: %q, num_retries: 0}}]\n%s", vendor.URL, more)+admin)
		r := s.Post(chat, `{"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}`)
		if r.Status != status {
			t.Errorf("%q: %d %s", more, r.Status, r.Body)
		}
	}
	f("", 400)
	f("litellm_settings: {modify_params: false}\n", 400)
	f("litellm_settings: {modify_params: true}\n", 200)
}

// TestForceIPv4ByName calls a model by a name that has addresses of both families: the connection is of the older one.
func TestForceIPv4ByName(t *testing.T) {
	t.Parallel()
	ips, err := net.DefaultResolver.LookupIPAddr(t.Context(), "localhost")
	if err != nil || len(ips) == 0 {
		t.Skip("localhost has no address: ", err)
	}
	var peer atomic.Value
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.Store(r.RemoteAddr)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, ut.Completion("x", "ok", 1, 1))
	})
	l, err := net.Listen("tcp", ":0") // both families, where there are both
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	server.Start()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s := apptest.Start(t, fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: k, api_base: 'http://localhost:%s'}}]\nlitellm_settings: {force_ipv4: true}", port)+admin)
	post(t, s, "m", "")
	host, _, _ := net.SplitHostPort(peer.Load().(string))
	if ip := net.ParseIP(host); ip == nil || ip.To4() == nil {
		t.Errorf("the model was called from %s", host)
	}
}

// TestAddressByTheFirstVariable sets both variables of Hugging Face's address: the first counts.
func TestAddressByTheFirstVariable(t *testing.T) {
	t.Parallel()
	first, second := ut.New(t, good()), ut.New(t, good())
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: huggingface/x, api_key: k}}]"+admin,
		apptest.Env("HUGGINGFACE_API_BASE="+second.URL, "HF_API_BASE="+first.URL))
	post(t, s, "m", "")
	if len(first.Requests()) != 1 || len(second.Requests()) != 0 {
		t.Errorf("%d and %d calls", len(first.Requests()), len(second.Requests()))
	}
}

// TestPredibasePaths sends a chat and a stream to Predibase, which have a path each.
func TestPredibasePaths(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"generated_text":"Hi."}`),
		ut.SSE(`{"token":{"id":1,"text":"Hi.","special":false},"generated_text":"Hi.","details":{"finish_reason":"eos_token","generated_tokens":1}}`))
	s := apptest.Start(t, "model_list: [{model_name: m, litellm_params: {model: predibase/m, tenant_id: t, api_key: k}}]"+admin, apptest.Env("PREDIBASE_API_BASE="+v.URL))
	if r := post(t, s, "m", ""); !strings.Contains(r.Body, "Hi.") || v.Last().Path != "/t/deployments/v2/llms/m/generate" {
		t.Errorf("%s: %s", v.Last().Path, r.Body)
	}
	if r := post(t, s, "m", `,"stream":true`); !strings.Contains(r.Body, `"content":"Hi."`) || v.Last().Path != "/t/deployments/v2/llms/m/generate_stream" {
		t.Errorf("%s: %s", v.Last().Path, r.Body)
	}
}

// TestProxyForOneOfTwo calls two models, one of which is to be reached without the proxy, over HTTP and over TLS.
func TestProxyForOneOfTwo(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "https"} {
		proxy := ut.NewProxy(t)
		s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: far, litellm_params: {model: openai/x, api_key: k, api_base: "%[1]s://far.invalid/v1", num_retries: 0}}
  - {model_name: near, litellm_params: {model: openai/x, api_key: k, api_base: "%[1]s://near.invalid/v1", num_retries: 0}}
`, scheme)+admin, apptest.Env(strings.ToUpper(scheme)+"_PROXY="+proxy.URL, "NO_PROXY=near.invalid"))
		s.Post(chat, `{"model":"near","messages":[{"role":"user","content":"hi"}]}`)
		if n := len(proxy.Seen()); n != 0 {
			t.Errorf("%s: the proxy saw %d calls of the model that needs none", scheme, n)
		}
		s.Post(chat, `{"model":"far","messages":[{"role":"user","content":"hi"}]}`)
		if len(proxy.Seen()) == 0 {
			t.Errorf("%s: the proxy is not used", scheme)
		}
	}
}
