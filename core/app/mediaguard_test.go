package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// A guardrail that reads texts refuses what it cannot read, wherever a request or an answer holds it.
func TestGuardrailsRefuseMedia(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "hello", 1, 1)))
	const guard = `  - {guardrail_name: media-%s, litellm_params: {guardrail: %s, mode: %[1]s, default_on: true, on_unreadable: pass, limits: {cpu_ms: 5000, wall_ms: 30000}, config: {media: refuse, words: [falcon]}}}` + "\n"
	module := plugintest.Build(t, "../../plugins/keyword-guard")
	yaml := "model_list:\n"
	for _, m := range []string{"openai/m", "openai/gpt-image-1", "openai/whisper-1", "mistral/mistral-ocr-latest"} {
		yaml += fmt.Sprintf("  - {model_name: %s, litellm_params: {model: %s, api_base: %s/v1, api_key: k}}\n", strings.TrimPrefix(m, "openai/"), m, v.URL)
	}
	yaml += "general_settings: {master_key: sk-1234}\nguardrails:\n" + fmt.Sprintf(guard, "pre_call", module) + fmt.Sprintf(guard, "post_call", module)
	s := apptest.Start(t, yaml, apptest.Env("OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1"))

	request := func(path, body string, refused bool, header ...string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Post(path, body, header...)
		calls := len(v.Requests()) - before
		if refused && (r.Status != 400 || calls != 0 || !strings.Contains(r.Body, "The request contains an image, sound, video or file")) {
			t.Errorf("%s: %d %s, %d calls", path, r.Status, r.Body, calls)
		}
		if !refused && (r.Status != 200 || calls != 1) {
			t.Errorf("%s: %d %s, %d calls", path, r.Status, r.Body, calls)
		}
	}
	file := func(field, name, kind, content string, fields ...string) (body, header string) {
		b := "--B\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"" + name + "\"\r\nContent-Type: " + kind + "\r\n\r\n" + content + "\r\n"
		for _, f := range fields {
			name, value, _ := strings.Cut(f, "=")
			b += "--B\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
		}
		return b + "--B--\r\n", "Content-Type: multipart/form-data; boundary=B"
	}
	form := func(path string, refused bool, field, name, kind, content string, fields ...string) {
		t.Helper()
		body, header := file(field, name, kind, content, fields...)
		request(path, body, refused, header)
	}
	request("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, false)
	request("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://h/a.png"}}]}]}`, true)
	request("/v1/messages", `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]}]}`, true)
	request("/v1/responses", `{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"https://h/a.png"}]}]}`, true)
	request("/v1beta/models/m:generateContent", `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]}]}`, true)
	form("/v1/images/edits", true, "image", "a.png", "image/png", "\x89PNG\xff", "model=gpt-image-1", "prompt=a cat")
	form("/v1/audio/transcriptions", true, "file", "a.wav", "audio/wav", "RIFF\xff", "model=whisper-1")
	request("/v1/ocr", `{"model":"mistral/mistral-ocr-latest","document":{"type":"document_url","document_url":"https://h/a.pdf"}}`, true)
	form("/v1/files", true, "file", "a.pdf", "application/pdf", "%PDF\xff\x00", "purpose=assistants")
	form("/v1/files", false, "file", "a.jsonl", "application/jsonl", `{"custom_id":"1","body":{"messages":[]}}`+"\n", "purpose=assistants")

	answer := func(path, body, says string, part ut.Answer) {
		t.Helper()
		v.Script(part)
		r := s.Post(path, body)
		if !strings.Contains(r.Body, "The answer contains an image, sound, video or file") || strings.Contains(r.Body, "QUJD") || !strings.Contains(r.Body, says) {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	answer("/v1/images/generations", `{"model":"gpt-image-1","prompt":"a cat"}`, "", ut.JSON(200, `{"created":1,"data":[{"b64_json":"QUJD"}]}`))
	answer("/v1/images/generations", `{"model":"gpt-image-1","prompt":"a cat"}`, "", ut.JSON(200, `{"created":1,"data":[{"url":"https://h/a.png"}]}`))
	answer("/v1/chat/completions", `{"model":"m","messages":[]}`, "", ut.JSON(200, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}}]}`))
	chunk := func(delta string) string {
		return `{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":` + delta + `}]}`
	}
	answer("/v1/chat/completions", `{"model":"m","messages":[],"stream":true}`, `"content":"Here`,
		ut.SSE(chunk(`{"role":"assistant","content":"Here is the picture that you asked for, drawn as well as anybody can draw it in a test"}`),
			chunk(`{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}}]}`), "[DONE]"))
	answer("/v1/images/generations", `{"model":"gpt-image-1","prompt":"a cat","stream":true,"partial_images":1}`, "",
		ut.SSE(`{"type":"image_generation.partial_image","b64_json":"QUJD","partial_image_index":0}`, `{"type":"image_generation.completed","b64_json":"QUJD"}`))
}
