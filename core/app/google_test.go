package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const geminiAnswer = `{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Hello"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"thoughtsTokenCount":3,"totalTokenCount":12},"modelVersion":"gemini-2.5-flash-001","responseId":"r1"}`

// google is a configuration with a deployment of Gemini behind m, and one of an OpenAI-compatible vendor behind o.
func google(v *ut.Vendor, more ...string) string {
	return fmt.Sprintf(`
model_list:
  - model_name: m
    litellm_params: {model: gemini/gemini-2.5-flash, api_base: "%[1]s", api_key: AIza-upstream}
  - model_name: o
    litellm_params: {model: openai/gpt-4o-mini, api_base: "%[1]s/v1", api_key: sk-upstream}
router_settings: {num_retries: 0}
%[2]sgeneral_settings: {master_key: sk-1234}
`, v.URL, indent(more))
}

// TestGeminiChat sends a chat to Gemini.
func TestGeminiChat(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, geminiAnswer), ut.SSE(geminiAnswer))
	s := apptest.Start(t, strings.Replace(google(v), "router_settings",
		"litellm_settings: {vertex_ai_safety_settings: [{category: HARM_CATEGORY_HARASSMENT, threshold: BLOCK_NONE}]}\nrouter_settings", 1))
	r := s.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low"}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hello","reasoning_content":"Hm"`) ||
		!strings.Contains(r.Body, `"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if cost := r.Header.Get("x-litellm-response-cost"); cost == "" || cost == "0" {
		t.Errorf("the cost is %q", cost)
	}
	q := v.Last()
	if q.Path != "/v1beta/models/gemini-2.5-flash:generateContent" || q.Header.Get("x-goog-api-key") != "AIza-upstream" {
		t.Errorf("%s %v", q.Path, q.Header)
	}
	sameJSON(t, string(q.Body), `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],
		"generationConfig":{"thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}},
		"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]}`)
	r = s.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}`)
	if events := apptest.Events(r.Body); r.Status != 200 || len(events) != 3 || !strings.Contains(events[0], `"content":"Hello"`) || events[2] != "[DONE]" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestGenerateContentNative checks that what speaks Google's API on both sides passes byte for byte.
func TestGenerateContentNative(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, geminiAnswer), ut.SSE(geminiAnswer), ut.SSE(geminiAnswer), ut.SSE(geminiAnswer))
	s := apptest.Start(t, google(v))
	const body = `{ "contents":[{"parts":[{"text":"hi"}]}], "labels":{"a":"b"}}`
	r := s.Post("/v1beta/models/m:generateContent", body, "Authorization:", "x-goog-api-key: sk-1234")
	if r.Status != 200 || r.Body != geminiAnswer || string(v.Last().Body) != body {
		t.Fatalf("%d %s, sent %s", r.Status, r.Body, v.Last().Body)
	}
	if r.Header.Get("x-litellm-model-group") != "m" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v", r.Header)
	}
	for _, path := range []string{"/models/m", "/v1/models/m"} {
		r = s.Post(path+":streamGenerateContent?alt=sse", body)
		if r.Status != 200 || r.Body != "data: "+geminiAnswer+"\n\n" || r.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Errorf("%s: %d %s %v", path, r.Status, r.Body, r.Header)
		}
		if q := v.Last(); q.Path != "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" {
			t.Errorf("asked %s", q.Path)
		}
	}
	r = s.Post("/v1beta/models/m:streamGenerateContent", body)
	if r.Status != 200 || r.Body != "["+geminiAnswer+"]" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %v", r.Status, r.Body, r.Header)
	}
}

// TestGenerateContentOpenAI lets a vendor of the OpenAI API answer callers of Google's.
func TestGenerateContentOpenAI(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.ToolCompletion("gpt", "call_1", "f", `{"a":1}`, 9, 3)),
		ut.SSE(ut.RoleChunk("gpt"), ut.ContentChunk("gpt", "Hel"), ut.ContentChunk("gpt", "lo"), ut.FinishChunk("gpt", "length"), ut.UsageChunk("gpt", 9, 3), ut.Done),
		ut.SSE(ut.ContentChunk("gpt", "Hi"), ut.FinishChunk("gpt", "stop"), ut.UsageChunk("gpt", 9, 3), ut.Done))
	s := apptest.Start(t, google(v))
	r := s.Post("/v1beta/models/o:generateContent", `{"systemInstruction":{"parts":[{"text":"Be brief."}]},
		"contents":[{"role":"user","parts":[{"text":"hi"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT","properties":{"a":{"type":"INTEGER"}}}}]}],
		"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"generationConfig":{"maxOutputTokens":5,"thinkingConfig":{"thinkingLevel":"low","includeThoughts":true}}}`)
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	sameJSON(t, r.Body, `{"candidates":[{"content":{"parts":[{"functionCall":{"id":"call_1","name":"f","args":{"a":1}}}],"role":"model"},"finishReason":"STOP","index":0}],
		"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12},"modelVersion":"o","responseId":"chatcmpl-test"}`)
	sameJSON(t, string(v.Last().Body), `{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}],
		"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}}],"tool_choice":"required",
		"max_completion_tokens":5,"reasoning_effort":"low"}`)
	r = s.Post("/v1beta/models/o:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	want := []string{
		`{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"},"index":0}],"modelVersion":"o","responseId":"chatcmpl-test"}`,
		`{"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},"index":0}],"modelVersion":"o","responseId":"chatcmpl-test"}`,
		`{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12},"modelVersion":"o","responseId":"chatcmpl-test"}`,
	}
	if diff := cmp.Diff(want, apptest.Events(r.Body)); r.Status != 200 || diff != "" {
		t.Errorf("%d (-want +got):\n%s", r.Status, diff)
	}
	r = s.Post("/v1beta/models/o:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`)
	var list []any
	if err := json.Unmarshal([]byte(r.Body), &list); err != nil || len(list) != 2 {
		t.Errorf("%v %s", err, r.Body)
	}
}

// TestGenerateContentErrors checks that errors have Google's form, in streams too.
func TestGenerateContentErrors(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(429, `{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}]}}`),
		ut.SSE(geminiAnswer, `{"error":{"code":500,"message":"Oh.","status":"INTERNAL"}}`),
		ut.SSE(ut.ContentChunk("gpt", "Hi"), `{"error":{"message":"Oh."}}`))
	s := apptest.Start(t, google(v))
	f := func(path, body string, status int, want string, header ...string) {
		t.Helper()
		r := s.Post(path, body, header...)
		if r.Status != status || r.Body != want {
			t.Errorf("%s: got %d %s\nwant %s", path, r.Status, r.Body, want)
		}
	}
	const hi = `{"contents":[{"parts":[{"text":"hi"}]}]}`
	f("/v1beta/models/m:generateContent", hi, 429, `{"error":{"code":429,"message":"litellm.RateLimitError: RateLimitError: GeminiException - Slow down.. Received Model Group=m\nAvailable Model Group Fallbacks=None","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3s"}]}}`)
	f("/v1beta/models/m:streamGenerateContent?alt=sse", hi, 200, "data: "+geminiAnswer+"\n\ndata: "+
		`{"error":{"code":500,"message":"litellm.InternalServerError: InternalServerError: GeminiException - Oh.","status":"INTERNAL"}}`+"\n\n")
	f("/v1beta/models/o:streamGenerateContent", hi, 200, `[{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"modelVersion":"o","responseId":"chatcmpl-test"},`+"\r\n"+
		`{"error":{"code":500,"message":"litellm.InternalServerError: InternalServerError: OpenAIException - Oh.","status":"INTERNAL"}}]`)
	f("/v1beta/models/o:generateContent", `{"contents":[{"parts":[{"text":"a"}]}],"cachedContent":"x"}`, 400,
		`{"error":{"code":400,"message":"litellm.BadRequestError: OpenAIException - `+"`cached_content`"+` has no counterpart in the API of openai: remove it or set drop_params.. Received Model Group=o\nAvailable Model Group Fallbacks=None","status":"INVALID_ARGUMENT"}}`)
	f("/v1beta/models/o:generateContent", `{"contents":[{"parts":[{"text":"a","text":"b"}]}]}`, 400,
		`{"error":{"code":400,"message":"Invalid request: `+"`contents[0].parts[0].text`"+` is there twice.","status":"INVALID_ARGUMENT"}}`)
	if r := s.Post("/v1beta/models/m:generateContent", `{`); r.Status != 400 || !strings.HasPrefix(r.Body, `{"error":{"code":400,"message":"Invalid JSON payload`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Post("/v1beta/models/m:generateContent", hi, "Authorization:", "x-goog-api-key: wrong"); r.Status != 401 || !strings.Contains(r.Body, `"status":"UNAUTHENTICATED"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Post("/v1beta/models/m:dance", hi); r.Status != 404 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Post("/v1beta/models/none:generateContent", hi); r.Status != 400 || !strings.Contains(r.Body, `"status":"INVALID_ARGUMENT"`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestGoogleCountTokens counts: Google itself where the model is there, and else the gateway, without calling anybody.
// The caller's key may be in the query.
func TestGoogleCountTokens(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := apptest.Start(t, google(v))
	for _, body := range []string{
		`{"contents":[{"parts":[{"text":"one two three"}]}]}`,
		`{"generateContentRequest":{"model":"models/o","contents":[{"parts":[{"text":"one two three"}]}]}}`,
	} {
		r := s.Post("/v1beta/models/o:countTokens", body)
		if r.Status != 200 || r.Body != `{"totalTokens":10,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10}]}` {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	}
	if r := s.Post("/v1beta/models/o:countTokens", `{}`, "Authorization: Bearer wrong"); r.Status != 401 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Do("POST", "/v1beta/models/o:countTokens?key=wrong", `{}`, "Authorization:"); r.Status != 401 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if len(v.Requests()) != 0 {
		t.Error("the vendor was asked")
	}
	v.Script(ut.JSON(200, `{"totalTokens":1234}`), ut.JSON(500, `{}`))
	const body = `{"generateContentRequest":{"model":"models/m","contents":[{"parts":[{"text":"one two three"}]}]}}`
	r := s.Do("POST", "/v1beta/models/m:countTokens?key=sk-1234", body, "Authorization:")
	if r.Status != 200 || !strings.HasPrefix(r.Body, `{"totalTokens":1234,`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if q := v.Last(); q.Path != "/v1beta/models/gemini-2.5-flash:countTokens" || string(q.Body) != strings.Replace(body, "/m", "/gemini-2.5-flash", 1) {
		t.Errorf("%s %s", q.Path, q.Body)
	}
	if r := s.Post("/v1beta/models/m:countTokens", body); r.Status != 200 || !strings.HasPrefix(r.Body, `{"totalTokens":10,`) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestGeminiSpeech has a text read out.
func TestGeminiSpeech(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/L16;codec=pcm;rate=16000","data":"YWJjZA=="}}]}}]}`))
	s := apptest.Start(t, google(v))
	r := s.Post("/v1/audio/speech", `{"model":"m","input":"Hi","voice":"Kore"}`)
	const wav = "RIFF(\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80>\x00\x00\x00}\x00\x00\x02\x00\x10\x00data\x04\x00\x00\x00abcd"
	if r.Status != 200 || r.Body != wav || r.Header.Get("Content-Type") != "audio/wav" || r.Header.Get("x-litellm-model-id") == "" {
		t.Errorf("%d %q %v", r.Status, r.Body, r.Header)
	}
}

// TestVertexAI calls models of several makers on Vertex AI, with a token for the account that
// GOOGLE_APPLICATION_CREDENTIALS names. It is fetched once.
func TestVertexAI(t *testing.T) {
	t.Parallel()
	const claudeAnswer = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":"Bonjour"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`
	token := ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`)
	chat := ut.JSON(200, ut.Completion("m", "Hallo", 9, 3))
	v := ut.New(t, token, ut.JSON(200, geminiAnswer), ut.JSON(200, claudeAnswer), ut.JSON(200, claudeAnswer))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: gemini, litellm_params: {model: vertex_ai/gemini-2.5-pro, api_base: "%[1]s", vertex_location: europe-west4}}
  - {model_name: claude, litellm_params: {model: vertex_ai/claude-sonnet-4-5@20250929, api_base: "%[1]s", vertex_location: global, vertex_project: p2}}
  - {model_name: llama, litellm_params: {model: vertex_ai/meta/llama-4-scout-maas, api_base: "%[1]s", vertex_location: us-east5}}
  - {model_name: mistral, litellm_params: {model: vertex_ai/mistral-medium-3, api_base: "%[1]s"}}
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env("GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, v.URL)))
	check := func(r *apptest.Response, path, body, said string) {
		t.Helper()
		if r.Status != 200 || !strings.Contains(r.Body, said) {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
		q := v.Last()
		if q.Path != path || q.Header.Get("Authorization") != "Bearer ya29.token" || q.Header.Get("x-api-key") != "" {
			t.Errorf("%s: %s %v", path, q.Path, q.Header)
		}
		sameJSON(t, string(q.Body), body)
	}
	f := func(model, more, path, body, said string) {
		t.Helper()
		check(s.Post("/v1/chat/completions", `{"model":"`+model+`",`+more+`"messages":[{"role":"user","content":"hi"}]}`), path, body, said)
	}
	f("gemini", "", "/v1beta1/projects/p1/locations/europe-west4/publishers/google/models/gemini-2.5-pro:generateContent",
		`{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`, `"Hello"`)
	const claudePath = "/v1/projects/p2/locations/global/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict"
	f("claude", "", claudePath,
		`{"anthropic_version":"vertex-2023-10-16","max_tokens":4096,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, `"Bonjour"`)
	check(s.Post("/v1/messages", `{"model":"claude","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`, "anthropic-version: 2023-06-01"), claudePath,
		`{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`, claudeAnswer)
	v.Script(ut.JSON(200, `{"input_tokens":11}`))
	check(s.Post("/v1/messages/count_tokens", `{"model":"claude","messages":[{"role":"user","content":"hi"}]}`),
		"/v1/projects/p2/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
		`{"anthropic_version":"vertex-2023-10-16","model":"claude-sonnet-4-5@20250929","messages":[{"role":"user","content":"hi"}]}`, `{"input_tokens":11}`)
	v.Script(chat, chat, ut.SSE(ut.ContentChunk("m", "Hallo"), ut.FinishChunk("m", "stop"), ut.Done))
	f("llama", "", "/v1/projects/p1/locations/us-east5/endpoints/openapi/chat/completions",
		`{"model":"meta/llama-4-scout-maas","messages":[{"role":"user","content":"hi"}]}`, `"Hallo"`)
	f("mistral", "", "/v1/projects/p1/locations/us-central1/publishers/mistralai/models/mistral-medium-3:rawPredict",
		`{"model":"mistral-medium-3","messages":[{"role":"user","content":"hi"}]}`, `"Hallo"`)
	f("mistral", `"stream":true,`, "/v1/projects/p1/locations/us-central1/publishers/mistralai/models/mistral-medium-3:streamRawPredict",
		`{"model":"mistral-medium-3","stream":true,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}`, `"Hallo"`)
	asked := 0
	for _, q := range v.Requests() {
		if q.Path == "/token" {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("a token was fetched %d times", asked)
	}
}

// TestVertexRerank ranks documents, which is another service with the same token. A query with more than a hundred documents is
// paid for as two.
func TestVertexRerank(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3600}`), ut.JSON(200, `{"records":[{"id":"1","score":0.9},{"id":"0","score":0.2}]}`))
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: rank, litellm_params: {model: vertex_ai/semantic-ranker-default@latest, api_base: "%s", input_cost_per_query: 0.5}}]
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env("GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, v.URL)))
	documents := strings.Repeat(`"a cat",`, 100) + `"a dog"`
	r := s.Post("/v1/rerank", `{"model":"rank","query":"who barks","documents":[`+documents+`]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `{"index":1,"relevance_score":0.9`) || r.Header.Get("x-litellm-response-cost") != "1.0" {
		t.Errorf("%d %s %s", r.Status, r.Body, r.Header.Get("x-litellm-response-cost"))
	}
	q := v.Last()
	if q.Path != "/v1/projects/p1/locations/global/rankingConfigs/default_ranking_config:rank" || q.Header.Get("Authorization") != "Bearer ya29.token" ||
		!strings.Contains(string(q.Body), `"model":"semantic-ranker-default@latest"`) {
		t.Errorf("%s %v %.200s", q.Path, q.Header, q.Body)
	}
}

// TestVertexAIMistakes checks what an operator reads who left something out, and a caller whose call cannot be signed.
func TestVertexAIMistakes(t *testing.T) {
	t.Parallel()
	f := func(params, want string) {
		t.Helper()
		_, err := apptest.Try(t, "model_list: [{model_name: m, litellm_params: {"+params+"}}]\ngeneral_settings: {master_key: sk-1234}")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", params, err, want)
		}
	}
	f("model: vertex_ai/gemini-2.5-pro", "litellm_params.vertex_project is missing: name the Google Cloud project")
	f("model: vertex_ai/claude-opus-4", "litellm_params.vertex_project is missing: name the Google Cloud project")
	f("model: vertex_ai/meta/llama", "litellm_params.vertex_project is missing: name the Google Cloud project")
	f("model: vertex_ai/gemini-2.5-pro, vertex_project: p, vertex_location: x.y", "litellm_params.vertex_location must be a location")
	f("model: vertex_ai/claude-opus-4, vertex_project: p, vertex_location: x.y", "litellm_params.vertex_location must be a location")
	f("model: vertex_ai/gemini-2.5-pro, vertex_project: p, vertex_credentials: /none.json", "litellm_params.vertex_credentials cannot be used: the credentials file cannot be read")
	f("model: vertex_ai/claude-opus-4, vertex_project: p, vertex_credentials: {type: service_account}", "litellm_params.vertex_credentials cannot be used: the credentials: private_key or client_email is missing")

	v := ut.New(t, ut.JSON(400, `{"error":"invalid_grant","error_description":"Account deleted."}`))
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: vertex_ai/gemini-2.5-pro, api_base: "%s", vertex_credentials: %s}}]
router_settings: {num_retries: 0}
general_settings: {master_key: sk-1234}
`, v.URL, apptest.ServiceAccount(t, v.URL)))
	r := s.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	if r.Status != 401 || !strings.Contains(r.Body, "Google refused to give an access token (status 400): invalid_grant: Account deleted.") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestMultimodalEmbeddings embeds a text, a picture and a video, which cost by what they are and not by tokens.
func TestMultimodalEmbeddings(t *testing.T) {
	t.Parallel()
	v := ut.New(t, func(c *ut.Conn) {
		if strings.Contains(c.Request.Path, "token") {
			ut.JSON(200, `{"access_token":"tok-1","expires_in":3600,"token_type":"Bearer"}`)(c)
			return
		}
		ut.JSON(200, `{"predictions":[{"textEmbedding":[1]},{"imageEmbedding":[2]},{"videoEmbeddings":[{"startOffsetSec":0,"endOffsetSec":10,"embedding":[3]}]}]}`)(c)
	})
	s := apptest.Start(t, fmt.Sprintf("model_list: [{model_name: m, litellm_params: {model: vertex_ai/multimodalembedding@001, vertex_project: p, api_base: %q, vertex_credentials: %s}}]\ngeneral_settings: {master_key: sk-1234}\n",
		v.URL, apptest.ServiceAccount(t, v.URL+"/token")))
	r := s.Post("/v1/embeddings", `{"model":"m","input":["a b","data:image/png;base64,AAAA","gs://b/f.mp4"]}`)
	if r.Status != 200 || !strings.Contains(r.Body, `"index":2,"embedding":[3]`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if cost := r.Header.Get("x-litellm-response-cost"); !strings.HasPrefix(cost, "0.0051004") { // 2 characters, a picture and 10 seconds
		t.Errorf("the cost is %q", cost)
	}
	sameJSON(t, string(v.Last().Body), `{"instances":[{"text":"a b"},{"image":{"bytesBase64Encoded":"AAAA","mimeType":"image/png"}},{"video":{"gcsUri":"gs://b/f.mp4"}}]}`)
}
