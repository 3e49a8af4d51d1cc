package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// everyVendor is a gateway all of whose vendors are v.
func everyVendor(t *testing.T, v *ut.Vendor) *apptest.Server {
	t.Helper()
	yaml := fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/gpt-5, api_base: "%[1]s/v1", api_key: k}}
  - {model_name: r, litellm_params: {model: hosted_vllm/bge, api_base: "%[1]s/v1", api_key: k}}
  - {model_name: o, litellm_params: {model: mistral/mistral-ocr-latest, api_base: "%[1]s/v1", api_key: k}}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
default_vertex_config: {vertex_project: p, vertex_location: us-central1, vertex_credentials: '{"type":"none"}'}
`, v.URL)
	yaml = yaml[:strings.Index(yaml, "default_vertex_config")]
	env := []string{"OPENAI_API_KEY=k", "OPENAI_BASE_URL=" + v.URL + "/v1", "AWS_REGION_NAME=us-east-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s",
		"AWS_BEDROCK_RUNTIME_ENDPOINT=" + v.URL, "LANGFUSE_HOST=" + v.URL, "LANGFUSE_PUBLIC_KEY=p", "LANGFUSE_SECRET_KEY=s"}
	for _, name := range []string{"ANTHROPIC", "GEMINI", "COHERE", "MISTRAL", "VLLM", "MILVUS", "AZURE"} {
		env = append(env, name+"_API_BASE="+v.URL, name+"_API_KEY=k")
	}
	return apptest.Start(t, yaml, apptest.Env(env...))
}

// Every route for models that the reference has (litellm/proxy, the decorators of its handlers) answers: it reaches a
// vendor, is answered here, or is refused with a text that says why. None is merely not found.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	v := ut.New(t, func(c *ut.Conn) {
		switch {
		case strings.HasSuffix(c.Request.Path, "/audio/speech"):
			ut.Whole(200, "audio/mpeg", "sound")(c)
		case strings.HasSuffix(c.Request.Path, "/chat/completions"):
			ut.JSON(200, ut.Completion("gpt-5", "hi", 1, 1))(c)
		case strings.Contains(c.Request.Path, "/responses"):
			ut.JSON(200, `{"id":"resp_x","object":"response","status":"completed","output":[],"model":"gpt-5"}`)(c)
		default:
			ut.JSON(200, `{"id":"x","object":"thing","data":[],"results":[]}`)(c)
		}
	})
	s := everyVendor(t, v)
	const served, here, refused = "the vendor", "the gateway", "refused"
	f := func(method, path, body, by string, status int, text string, header ...string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Do(method, path, body, header...)
		if r.Status != status || !strings.Contains(r.Body, text) {
			t.Errorf("%s %s: got %d %.300s, want %d with %q", method, path, r.Status, r.Body, status, text)
		}
		if asked := len(v.Requests()) > before; asked != (by == served) {
			t.Errorf("%s %s: answered by %s? the vendor was asked: %v", method, path, by, asked)
		}
		t.Logf("%-6s %-60s %d %s", method, path, r.Status, by)
	}
	both := func(method, path, body string, more ...string) { // with and without /v1
		t.Helper()
		f(method, path, body, served, 200, "", more...)
		f(method, "/v1"+path, body, served, 200, "", more...)
	}
	const get, post, del, form = http.MethodGet, http.MethodPost, http.MethodDelete, "Content-Type: multipart/form-data; boundary=b"
	const chat, prompt, input = `{"model":"m","messages":[{"role":"user","content":"x"}]}`, `{"model":"m","prompt":"x"}`, `{"model":"m","input":"x"}`
	file := "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n"
	audio, image := fmt.Sprintf(file, "file"), fmt.Sprintf(file, "image")

	both(post, "/chat/completions", chat)
	both(post, "/completions", prompt)
	both(post, "/embeddings", input)
	for _, p := range []string{"/engines/m", "/openai/deployments/m"} {
		f(post, p+"/chat/completions", chat, served, 200, "hi")
		f(post, p+"/completions", prompt, served, 200, "")
		f(post, p+"/embeddings", input, served, 200, "")
	}
	f(post, "/queue/chat/completions", chat, served, 200, "hi")
	f(post, "/cursor/chat/completions", chat, served, 200, "hi")
	both(post, "/moderations", input)
	both(post, "/audio/speech", `{"model":"m","input":"x","voice":"v"}`)
	both(post, "/audio/transcriptions", audio, form)
	both(post, "/audio/translations", audio, form)
	both(post, "/images/generations", prompt)
	both(post, "/images/edits", image, form)
	both(post, "/images/variations", image, form)
	f(post, "/openai/deployments/m/images/generations", prompt, served, 200, "")
	f(post, "/openai/deployments/m/images/edits", image, served, 200, "", form)
	both(post, "/rerank", `{"model":"r","query":"q","documents":["a"]}`)
	f(post, "/v2/rerank", `{"model":"r","query":"q","documents":["a"]}`, served, 200, "")
	both(post, "/ocr", `{"model":"o","document":{"type":"document_url","document_url":"https://x"}}`)
	f(post, "/v1/ocr", `{"model":"m","document":{}}`, refused, 400, "Documents are read by models of mistral and azure_ai/doc-intelligence only")
	f(get, "/v1/models", "", here, 200, `"id":"m"`)
	f(get, "/models/m", "", here, 200, `"id":"m"`)
	f(post, "/utils/token_counter", chat, here, 200, "total_tokens")
	for _, p := range []string{"", "/v1", "/openai/v1"} {
		f(post, p+"/responses", input, served, 200, "resp_")
		f(get, p+"/responses/resp_x", "", served, 200, "resp_")
		f(del, p+"/responses/resp_x", "", served, 200, "")
		f(get, p+"/responses/resp_x/input_items", "", served, 200, "")
		f(post, p+"/responses/resp_x/cancel", "", served, 200, "")
		f(post, p+"/responses/compact", input, served, 200, "")
	}
	f(post, "/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, served, 200, "hi")
	f(post, "/v1/messages/count_tokens", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, here, 200, "input_tokens")
	f(post, "/api/event_logging/batch", `{}`, here, 200, "")
	for _, p := range []string{"/models", "/v1beta/models"} {
		f(post, p+"/m:generateContent", `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`, served, 200, "hi")
		f(post, p+"/m:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`, served, 200, "hi")
		f(post, p+"/m:countTokens", `{"contents":[{"role":"user","parts":[{"text":"x"}]}]}`, here, 200, "totalTokens")
	}
	for _, p := range []string{"/interactions", "/v1beta/interactions"} {
		f(post, p, `{"model":"gemini-2.5-flash","input":"x"}`, served, 200, "")
		f(get, p+"/i", "", served, 200, "")
		f(del, p+"/i", "", served, 200, "")
		f(post, p+"/i/cancel", "", served, 200, "")
	}
	f(post, "/v1/skills", `{}`, served, 200, "")
	f(get, "/v1/skills", "", served, 200, "")
	f(get, "/v1/skills/s", "", served, 200, "")
	f(del, "/v1/skills/s", "", served, 200, "")
	for _, row := range []string{
		"POST /files", "GET /files", "GET /files/f", "DELETE /files/f", "GET /files/f/content",
		"POST /batches", "GET /batches", "GET /batches/b", "POST /batches/b/cancel",
		"POST /fine_tuning/jobs", "GET /fine_tuning/jobs", "GET /fine_tuning/jobs/j", "POST /fine_tuning/jobs/j/cancel",
		"POST /assistants", "GET /assistants", "DELETE /assistants/a",
		"POST /threads", "GET /threads/t", "POST /threads/t/messages", "GET /threads/t/messages", "POST /threads/t/runs",
		"POST /vector_stores", "POST /vector_stores/v/search", "POST /vector_stores/v/files", "GET /vector_stores/v/files",
		"GET /vector_stores/v/files/f", "GET /vector_stores/v/files/f/content", "POST /vector_stores/v/files/f", "DELETE /vector_stores/v/files/f",
		"POST /videos", "GET /videos", "GET /videos/v", "GET /videos/v/content", "POST /videos/v/remix",
		"POST /containers", "GET /containers", "GET /containers/c", "DELETE /containers/c",
		"GET /containers/c/files", "POST /containers/c/files", "GET /containers/c/files/f", "GET /containers/c/files/f/content", "DELETE /containers/c/files/f",
	} {
		method, path, _ := strings.Cut(row, " ")
		body := ""
		if method == post {
			body = `{}`
		}
		both(method, path, body)
		if strings.HasPrefix(path, "/files") || strings.HasPrefix(path, "/batches") {
			f(method, "/openai/v1"+path, body, served, 200, "")
		}
	}
	for _, p := range []string{"/gemini", "/cohere", "/vllm", "/mistral", "/milvus", "/anthropic", "/bedrock", "/azure", "/azure_ai", "/openai", "/openai_passthrough", "/langfuse"} {
		f(post, p+"/some/path", `{}`, served, 200, "")
		f(get, p+"/some/path", "", served, 200, "")
	}
	f(get, "/vertex_ai/v1/some", "", refused, 400, "names no project and location")
	f(get, "/vertex-ai/v1/some", "", refused, 400, "names no project and location")
	f(get, "/realtime?model=m", "", refused, 426, "WebSocket")
	f(get, "/v1/realtime?model=m", "", refused, 426, "WebSocket")

	for _, p := range []string{"", "/v1"} {
		f(post, p+"/search", `{}`, refused, 501, "Search tools")
		f(post, p+"/search/x", `{}`, refused, 501, "Search tools")
		f(get, p+"/search/tools", "", here, 200, `"data":[]`)
		f(post, p+"/rag/ingest", `{}`, refused, 501, "/v1/vector_stores")
		f(post, p+"/rag/query", `{}`, refused, 501, "/v1/vector_stores")
		f(post, p+"/a2a/a/message/send", `{}`, refused, 501, "no agents")
	}
	f(post, "/v1/indexes", `{}`, refused, 501, "vector_stores")
	f(post, "/a2a/a", `{}`, refused, 501, "no agents")
	f(get, "/a2a/a/.well-known/agent-card.json", "", refused, 501, "no agents")
	f(post, "/v1/search", `{}`, refused, 401, "", "Authorization:")
}
