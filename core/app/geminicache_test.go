package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Messages with a cache_control are kept by Google: one call makes the cache, and those that begin alike use it.
func TestGeminiContextCache(t *testing.T) {
	t.Parallel()
	const answer = `{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":12}}`
	v, login := upstreamtest.New(t), newLogin(t)
	defer login.Close()
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: studio, litellm_params: {model: gemini/gemini-2.5-flash, api_base: %[1]q, api_key: k}}
  - {model_name: vertex, litellm_params: {model: vertex_ai/gemini-2.5-flash, api_base: %[1]q, vertex_location: europe-west4}}
router_settings: {num_retries: 0}
`, v.URL)+admin, apptest.Env("GOOGLE_APPLICATION_CREDENTIALS="+apptest.ServiceAccount(t, login.URL)))
	long := strings.Repeat("word ", 1200)
	ask := func(model, system, mark, question string) string {
		return `{"model":"` + model + `","temperature":0,"messages":[{"role":"system","content":[{"type":"text","text":"` + system + `"` + mark + `}]},` +
			`{"role":"user","content":"` + question + `"}],"tools":[{"type":"function","function":{"name":"f"}}]}`
	}
	const mark = `,"cache_control":{"type":"ephemeral","ttl":"5m"}`
	f := func(body string, script []upstreamtest.Answer, want ...string) {
		t.Helper()
		before := len(v.Requests())
		v.Script(script...)
		r := s.Post("/v1/chat/completions", body)
		if r.Status != 200 || !strings.Contains(r.Body, `"content":"Hi."`) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		calls := v.Requests()[before:]
		if len(calls) != len(want) {
			t.Fatalf("%d calls, want %d", len(calls), len(want))
		}
		for i, c := range calls {
			if got := c.Path + " " + strings.ReplaceAll(string(c.Body), long, "LONG"); !strings.HasPrefix(got, want[i]) {
				t.Errorf("call %d: %s\nwant %s", i, got, want[i])
			}
			if n := len(c.Header.Values("Authorization")); n > 1 {
				t.Errorf("call %d has %d credentials", i, n)
			}
		}
	}
	whole, gone := upstreamtest.JSON(200, answer), upstreamtest.JSON(403, `{"error":{"code":403,"message":"CachedContent not found (or permission denied)","status":"PERMISSION_DENIED"}}`)
	made := upstreamtest.JSON(200, `{"name":"cachedContents/c1","expireTime":"2030-01-01T00:00:00Z"}`)
	const generate = "/v1beta/models/gemini-2.5-flash:generateContent "
	const tools = `"tools":[{"functionDeclarations":[{"name":"f"}]}]`
	const create = `/v1beta/cachedContents {"model":"models/gemini-2.5-flash","systemInstruction":{"parts":[{"text":"LONG"}]},` + tools + `,"ttl":"300s","displayName":"sallyport-`
	rest := func(question string) string {
		return generate + `{"contents":[{"role":"user","parts":[{"text":"` + question + `"}]}],"generationConfig":{"temperature":0},"cachedContent":"cachedContents/c1"}`
	}
	plain := func(system, question string) string {
		return generate + `{"contents":[{"role":"user","parts":[{"text":"` + question + `"}]}],"systemInstruction":{"parts":[{"text":"` + system + `"}]},` + tools + `,"generationConfig":{"temperature":0}}`
	}
	f(ask("studio", long, mark, "a"), []upstreamtest.Answer{made, whole}, create, rest("a"))
	f(ask("studio", long, mark, "b"), []upstreamtest.Answer{whole}, rest("b"))
	f(ask("studio", long, "", "c"), []upstreamtest.Answer{whole}, plain("LONG", "c"))
	f(ask("studio", "short", mark, "d"), []upstreamtest.Answer{whole}, plain("short", "d"))
	f(ask("studio", long, mark, "e"), []upstreamtest.Answer{gone, whole}, rest("e"), plain("LONG", "e"))
	f(ask("studio", long, mark, "f"), []upstreamtest.Answer{upstreamtest.JSON(400, `{"error":{"code":400,"message":"Cached content is too small."}}`), whole}, create, plain("LONG", "f"))

	const place = "/v1beta1/projects/p1/locations/europe-west4"
	f(ask("vertex", long, mark, "a"), []upstreamtest.Answer{made, whole},
		place+`/cachedContents {"model":"projects/p1/locations/europe-west4/publishers/google/models/gemini-2.5-flash",`,
		place+"/publishers/google/models/gemini-2.5-flash:generateContent ")

	v.Script(made, upstreamtest.SSE(answer))
	r := s.Post("/v1/chat/completions", strings.Replace(ask("studio", long+"!", mark, "a"), `"temperature"`, `"stream":true,"temperature"`, 1))
	if got := v.Last(); got.Path != "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse" || !strings.Contains(r.Body, `"content":"Hi."`) {
		t.Errorf("stream: %s: %d %s", got.Path, r.Status, r.Body)
	}
}
