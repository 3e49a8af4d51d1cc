package app_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// told is one conversation as each dialect writes it: system text, a user who shows an image twice and a document, an
// assistant that calls a tool, the tool's result, and a last question. A native model is one that speaks the dialect, and
// answer is what it says.
var told = []struct{ name, path, native, base, body, answer string }{
	{"chat", chat, "openai/m", "/v1", `{"model":"m","messages":[
{"role":"system","content":"be a plum"},
{"role":"user","content":[{"type":"text","text":"see plum"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},
 {"type":"image_url","image_url":{"url":"https://h.test/a.png"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"}}]},
{"role":"assistant","content":"call plum","tool_calls":[{"id":"call_1","type":"function","function":{"name":"find","arguments":"{\"q\":\"arg plum\"}"}}]},
{"role":"tool","tool_call_id":"call_1","content":"result plum"},
{"role":"user","content":"last plum"}],
"tools":[{"type":"function","function":{"name":"find","description":"defines plum","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}}]MORE}`, ut.Completion("m", "say plum", 1, 1)},
	{"responses", "/v1/responses", "", "", `{"model":"m","instructions":"be a plum","input":[
{"role":"user","content":[{"type":"input_text","text":"see plum"},{"type":"input_image","image_url":"data:image/png;base64,QUJD"},
 {"type":"input_image","image_url":"https://h.test/a.png"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,QUJD"}]},
{"role":"assistant","content":[{"type":"output_text","text":"call plum"}]},
{"type":"function_call","call_id":"call_1","name":"find","arguments":"{\"q\":\"arg plum\"}"},
{"type":"function_call_output","call_id":"call_1","output":"result plum"},
{"role":"user","content":"last plum"}],
"tools":[{"type":"function","name":"find","description":"defines plum","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}]MORE}`, ""},
	{"messages", "/v1/messages", "anthropic/c", "", `{"model":"m","max_tokens":99,"system":"be a plum","messages":[
{"role":"user","content":[{"type":"text","text":"see plum"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},
 {"type":"image","source":{"type":"url","url":"https://h.test/a.png"}},{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"QUJD"}}]},
{"role":"assistant","content":[{"type":"text","text":"call plum"},{"type":"tool_use","id":"call_1","name":"find","input":{"q":"arg plum"}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"result plum"},{"type":"text","text":"last plum"}]}],
"tools":[{"name":"find","description":"defines plum","input_schema":{"type":"object","properties":{"q":{"type":"string"}}}}]MORE}`, strings.Replace(claudes, "Hi.", "say plum", 1)},
	{"gemini", "/v1beta/models/m:generateContent", "gemini/gemini-2.5-flash", "", `{"systemInstruction":{"parts":[{"text":"be a plum"}]},"contents":[
{"role":"user","parts":[{"text":"see plum"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}},
 {"fileData":{"mimeType":"image/png","fileUri":"https://h.test/a.png"}},{"inlineData":{"mimeType":"application/pdf","data":"QUJD","displayName":"a.pdf"}}]},
{"role":"model","parts":[{"text":"call plum"},{"functionCall":{"id":"call_1","name":"find","args":{"q":"arg plum"}}}]},
{"role":"user","parts":[{"functionResponse":{"id":"call_1","name":"find","response":{"result":"result plum"}}},{"text":"last plum"}]}],
"tools":[{"functionDeclarations":[{"name":"find","description":"defines plum","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}]}]}`, `{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"say plum"}]},"finishReason":"STOP"}],
"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}`},
}

var sighting = regexp.MustCompile(`saw<([^>]*)>`)

func sightings(log string) (list []string) {
	for _, m := range sighting.FindAllStringSubmatch(log, -1) {
		list = append(list, m[1])
	}
	return list
}

// shown is what a guardrail sees of told, and answered, ended what it sees of an answer.
var (
	shown = []string{
		"text definition||find", "text definition||defines plum", "text definition||q", // tools stand before what is said
		"text |system|be a plum", "text |user|see plum", "text |assistant|call plum", "text arguments|assistant|q", "text arguments|assistant|arg plum",
		"text |tool|result plum", "text |user|last plum",
		"media image|user|image/png ", "media image|user| https://h.test/a.png", "media file|user|application/pdf ",
	}
	answered = []string{"answer reasoning||think plum", "answer content||say plum", "answer arguments||q", "answer arguments||use plum"}
	// Of a stream only the ends are noted here: arguments do not wait for what is held back of reasoning and content, and the
	// beginning of the reasoning was let go before.
	ended = []string{"end arguments||q", "end arguments||use plum", "end reasoning||ink pear", "end content||say pear"}
)

// witness starts a gateway with a model that the witness looks at.
func witness(t *testing.T, v *ut.Vendor, module, model, base string) *apptest.Server {
	t.Helper()
	return apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: %s, api_base: "%s%s", api_key: k1}}]
guardrails:
  - {guardrail_name: w, litellm_params: {guardrail: '%s', mode: [pre_call, post_call], default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}}}
`, model, v.URL, base, module)+admin, apptest.Env("LITELLM_LOG=INFO"))
}

// tell sends a conversation. All of it must have been seen and changed on its way.
func tell(t *testing.T, s *apptest.Server, v *ut.Vendor, path, body string, stream bool, want ...string) *apptest.Response {
	t.Helper()
	more := ""
	if stream {
		more = `,"stream":true`
		path = strings.Replace(path, ":generateContent", ":streamGenerateContent?alt=sse", 1)
	}
	r := s.Post(path, strings.Replace(body, "MORE", more, 1))
	if r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if sent := string(v.Last().Body); strings.Contains(sent, "plum") || strings.Count(sent, "pear") != 7 {
		t.Errorf("the vendor got %s", sent)
	}
	if got := sightings(s.Log.String()); !slices.Equal(got, want) {
		t.Errorf("seen:\n%s", strings.Join(got, "\n"))
	}
	return r
}

// A guardrail sees one conversation the same in every dialect, whole and streamed, and what it changes arrives at the
// vendor and the caller. An answer of the Responses API repeats the caller's own instructions and tools as he wrote them.
func TestDialectsLookAlikeToGuardrails(t *testing.T) {
	t.Parallel()
	module := plugintest.Build(t, "../wasm/testdata/witness")
	whole := ut.JSON(200, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls",`+
		`"message":{"role":"assistant","reasoning_content":"think plum","content":"say plum",`+
		`"tool_calls":[{"id":"call_2","type":"function","function":{"name":"find","arguments":"{\"q\":\"use plum\"}"}}]}}],`+
		`"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
	stream := ut.SSE(ut.DeltaChunk("m", `{"role":"assistant","reasoning_content":"think pl"}`, ""), ut.DeltaChunk("m", `{"reasoning_content":"um"}`, ""),
		ut.ContentChunk("m", "say pl"), ut.ContentChunk("m", "um"), ut.ToolChunk("m", 0, "call_2", "find"), ut.ArgumentsChunk("m", 0, `{"q":"use pl`),
		ut.ArgumentsChunk("m", 0, `um"}`), ut.FinishChunk("m", "tool_calls"), "[DONE]")
	changes := func(t *testing.T, r *apptest.Response, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(r.Body, w+" pear") || strings.Contains(r.Body, w+" plum") {
				t.Errorf("%s is not changed: %s", w, r.Body)
			}
		}
	}
	for _, d := range told {
		shown := shown
		if d.name == "gemini" { // a tool's result is an object there, and all of it is told
			shown = slices.Clone(shown)
			shown[slices.Index(shown, "text |tool|result plum")] = `text |tool|{"result":"result plum"}`
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			v := ut.New(t, whole)
			s := witness(t, v, module, "together_ai/m", "/v1")
			changes(t, tell(t, s, v, d.path, d.body, false, slices.Concat(shown, answered)...), "think", "say", "use")
		})
		t.Run(d.name+" streamed", func(t *testing.T) {
			t.Parallel()
			v := ut.New(t, stream)
			s := witness(t, v, module, "together_ai/m", "/v1")
			changes(t, tell(t, s, v, d.path, d.body, true, slices.Concat(shown, ended)...), "say", "use")
		})
		if d.native == "" {
			continue
		}
		t.Run(d.name+" native", func(t *testing.T) {
			t.Parallel()
			v := ut.New(t, ut.JSON(200, d.answer))
			s := witness(t, v, module, d.native, d.base)
			changes(t, tell(t, s, v, d.path, d.body, false, append(slices.Clone(shown), "answer content||say plum")...), "say")
		})
	}
	t.Run("completions", func(t *testing.T) {
		t.Parallel()
		v := ut.New(t, ut.JSON(200, `{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","text":"say plum"}]}`))
		s := witness(t, v, module, "together_ai/m", "/v1")
		r := s.Post("/v1/completions", `{"model":"m","prompt":["one plum","two plum"],"suffix":"end plum"}`)
		if sent := string(v.Last().Body); r.Status != 200 || strings.Contains(sent, "plum") || strings.Contains(r.Body, "plum") {
			t.Errorf("%d %s; the vendor got %s", r.Status, r.Body, sent)
		}
		if got := sightings(s.Log.String()); !slices.Equal(got, []string{"text ||one plum", "text ||two plum", "text ||end plum", "answer content||say plum"}) {
			t.Errorf("seen:\n%s", strings.Join(got, "\n"))
		}
	})
}
