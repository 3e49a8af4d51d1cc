package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Azure below its path, with a token in place of a key: of the environment's identity, of a deployment that lends its own,
// and of a deployment that the path names.
func TestAzurePassThroughIdentity(t *testing.T) {
	t.Parallel()
	v, l := ut.New(t, ut.JSON(200, `{}`)), newLogin(t)
	f := func(name, models, path string, env []string, credential, asked string) {
		t.Helper()
		l.mu.Lock()
		l.asked = nil
		l.mu.Unlock()
		s := apptest.Start(t, "model_list: ["+models+"]"+admin, apptest.Env(append([]string{"AZURE_AUTHORITY_HOST=" + l.URL, "AZURE_API_BASE=" + v.URL}, env...)...))
		r := s.Post(path, `{}`)
		l.mu.Lock()
		defer l.mu.Unlock()
		if got := v.Last().Header; r.Status != 200 || got.Get("Api-Key")+"|"+got.Get("Authorization") != credential || strings.Join(l.asked, " ") != asked {
			t.Errorf("%s: %d %s; sent %v; the login was asked for %q", name, r.Status, r.Body, got, l.asked)
		}
	}
	const path, env = "/azure/openai/files?api-version=x", "AZURE_TENANT_ID=d2 AZURE_CLIENT_ID=c2 AZURE_CLIENT_SECRET=s2"
	f("a key", "", path, []string{"AZURE_API_KEY=k"}, "k|", "")
	f("the environment", "", path, strings.Fields(env), "|Bearer t1", "/d2/oauth2/v2.0/token c2 s2")
	f("a lender", "{model_name: m, litellm_params: {model: azure/dep, tenant_id: d1, client_id: c1, client_secret: s1, use_in_pass_through: true}}", path, nil, "|Bearer t1", "/d1/oauth2/v2.0/token c1 s1")
	f("a deployment", "{model_name: m, litellm_params: {model: azure/dep, api_base: \""+v.URL+"\", tenant_id: d1, client_id: c1, client_secret: s1}}",
		"/azure/openai/deployments/m/chat/completions", nil, "|Bearer t1", "/d1/oauth2/v2.0/token c1 s1")
	if got := v.Last().Path; got != "/openai/deployments/dep/chat/completions" {
		t.Errorf("called %s", got)
	}
	s := apptest.Start(t, "model_list: []"+admin, apptest.Env("AZURE_API_BASE="+v.URL))
	wantStatus(t, s.Post(path, `{}`), 401, "AZURE_API_KEY")
}

// Conversations with Vertex AI, with a token of the gateway's in place of the caller's key.
func TestVertexLive(t *testing.T) {
	t.Parallel()
	token := ut.New(t, ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`))
	v := newVoice(t)
	config := fmt.Sprintf("model_list: []\ndefault_vertex_config: {vertex_project: p1, vertex_location: us-central1, vertex_credentials: %s}\n", apptest.ServiceAccount(t, token.URL)) + strings.TrimPrefix(admin, "\n")
	s := apptest.Start(t, config, apptest.Env(printRecords, "VERTEXAI_API_BASE="+v.URL))
	const service = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
	for _, path := range []string{"/vertex_ai/live", "/vertex_ai/live?vertex_location=europe-west4", "/vertex_ai" + service} {
		if strings.Contains(path, service) {
			path = "/vertex_ai/v1/projects/p1/locations/us-central1/live"
		}
		caller, resp, err := talkTo(t, s, path, bearer())
		if err != nil {
			t.Fatal(path, err, resp)
		}
		call, vendor := <-v.calls, <-v.talks
		if call.Header.Get("Authorization") != "Bearer ya29.token" || strings.Contains(fmt.Sprint(call.Header), "sk-1234") || strings.HasPrefix(path, "/vertex_ai/live") && call.URL.Path != service {
			t.Fatalf("%s: called %s with %v", path, call.URL, call.Header)
		}
		caller.WriteMessage(websocket.TextMessage, []byte(`{"setup":{"model":"projects/p1/m"}}`))
		expect(t, vendor, websocket.TextMessage, `{"setup":{"model":"projects/p1/m"}}`)
		vendor.WriteMessage(websocket.BinaryMessage, []byte{0, 1, 2})
		expect(t, caller, websocket.BinaryMessage, "\x00\x01\x02")
		vendor.WriteMessage(websocket.TextMessage, []byte(`{"usageMetadata":{"promptTokenCount":5,"responseTokenCount":2,"totalTokenCount":7}}`))
		expect(t, caller, websocket.TextMessage, `{"usageMetadata":{"promptTokenCount":5,"responseTokenCount":2,"totalTokenCount":7}}`)
		vendor.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"))
		expectClosed(t, caller, 1000, "bye")
		vendor.Close()
	}
	if rec := lastRecord(t, s); rec["prompt_tokens"] != 5.0 || rec["total_tokens"] != 7.0 {
		raw, _ := json.Marshal(rec)
		t.Errorf("recorded %s", raw)
	}
	_, resp, err := talkTo(t, s, "/vertex_ai/live", http.Header{})
	if err == nil || resp.StatusCode != 401 {
		t.Errorf("without a key: %v %v", err, resp)
	}
	_, resp, err = talkTo(t, s, "/vertex_ai/live?vertex_location=a.b", bearer())
	if err == nil || resp.StatusCode != 400 {
		t.Errorf("no location: %v %v", err, resp)
	}
	_, resp, err = talkTo(t, s, "/vertex_ai/live?x=refuse", bearer())
	if err == nil || resp.StatusCode != 403 {
		t.Errorf("refused by the vendor: %v %v", err, resp)
	}
}
