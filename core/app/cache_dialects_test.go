package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A response that a vendor gave whole serves a stream, and one that it streamed serves whoever wants it whole. One that
// failed is not kept.
func TestCacheNativeResponses(t *testing.T) {
	t.Parallel()
	const path = "/v1/responses"
	response := func(id, status string) string {
		return `{"id":"` + id + `","object":"response","status":"` + status + `","model":"x","output":[{"type":"message","id":"m1","role":"assistant","status":"completed",` +
			`"content":[{"type":"output_text","text":"Native","annotations":[]}]},{"type":"function_call","id":"f1","call_id":"c1","name":"f","arguments":"{\"a\":1}","status":"completed"}],` +
			`"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	}
	v := ut.New(t, ut.JSON(200, response("resp_1", "completed")), ut.JSON(200, response("resp_2", "failed")), ut.JSON(200, response("resp_3", "incomplete")),
		ut.SSERaw(
			ut.NamedEvent("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_4","object":"response","status":"in_progress","output":[]}}`),
			ut.NamedEvent("response.incomplete", `{"type":"response.incomplete","sequence_number":1,"response":`+response("resp_4", "incomplete")+`}`)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: o, litellm_params: {model: openai/x, api_base: %s/v1, api_key: k}}]
general_settings: {master_key: sk-1234}
`, v.URL)+cacheLines("type: local"))
	body := func(n int, more string) string {
		return fmt.Sprintf(`{"model":"o","input":"hi","temperature":0.%d%s}`, n, more)
	}
	first := miss(t, s, path, body(1, ""))
	if r := hit(t, s, path, body(1, "")); r.Body != first.Body {
		t.Errorf("got %s\nwant %s", r.Body, first.Body)
	}
	stream := hit(t, s, path, body(1, `,"stream":true`))
	if ct := stream.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Errorf("the stream is %s", ct)
	}
	for _, want := range []string{
		"event: response.created\ndata: ", `"delta":"Native"`, `"type":"response.function_call_arguments.done"`, "event: response.completed\ndata: ", first.Body,
	} {
		if !strings.Contains(stream.Body, want) {
			t.Errorf("the stream lacks %s:\n%s", want, stream.Body)
		}
	}
	vendorCalls(t, v, 1)
	miss(t, s, path, body(2, ""))
	miss(t, s, path, body(2, "")) // the one before failed, this one was cut short
	if r := hit(t, s, path, body(2, `,"stream":true`)); !strings.Contains(r.Body, "event: response.incomplete") {
		t.Errorf("the stream of a response that was cut short: %s", r.Body)
	}
	miss(t, s, path, body(3, `,"stream":true`))
	if r := hit(t, s, path, body(3, "")); !strings.Contains(r.Body, `"status":"incomplete"`) || !strings.Contains(r.Body, "Native") {
		t.Errorf("the whole of a stream: %s", r.Body)
	}
	vendorCalls(t, v, 4)
}

// Google's API, at a vendor of Google's: whole, as a list of chunks, and as events.
func TestCacheGenerateContent(t *testing.T) {
	t.Parallel()
	chunk := func(parts, more string) string {
		return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"index":0` + more + `}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":9},"modelVersion":"g"}`
	}
	v := ut.New(t, ut.JSON(200, geminiAnswer), ut.SSE(chunk(`{"text":"Hel"}`, ""), chunk(`{"text":"lo"}`, `,"finishReason":"STOP"`)), ut.SSE(chunk(`{"text":"no end"}`, "")),
		ut.JSON(200, geminiAnswer))
	s := apptest.Start(t, google(v)+cacheLines("type: local"))
	const whole, list, events = "/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent", "/v1beta/models/m:streamGenerateContent?alt=sse"
	body := func(text string) string { return `{"contents":[{"parts":[{"text":"` + text + `"}]}]}` }
	miss(t, s, whole, body("a"))
	if r := hit(t, s, whole, body("a")); r.Body != geminiAnswer {
		t.Errorf("got %s", r.Body)
	}
	if r := hit(t, s, events, body("a")); r.Body != "data: "+geminiAnswer+"\n\n" {
		t.Errorf("as events: %s", r.Body)
	}
	if r := hit(t, s, list, body("a")); strings.Join(strings.Fields(r.Body), "") != "["+strings.Join(strings.Fields(geminiAnswer), "")+"]" {
		t.Errorf("as a list: %s", r.Body)
	}
	vendorCalls(t, v, 1)
	first := miss(t, s, events, body("b"))
	if r := hit(t, s, events, body("b")); r.Body != first.Body {
		t.Errorf("got %s\nwant %s", r.Body, first.Body)
	}
	if r := hit(t, s, whole, body("b")); r.Body != chunk(`{"text":"Hello"}`, `,"finishReason":"STOP"`) {
		sameJSON(t, r.Body, chunk(`{"text":"Hello"}`, `,"finishReason":"STOP"`))
	}
	vendorCalls(t, v, 2)
	miss(t, s, events, body("c"))
	miss(t, s, whole, body("c")) // a stream that does not say why it ended is not kept
	vendorCalls(t, v, 4)
	// Another vendor's answer to Google's API is kept as a chat, and told as Google would.
	v.Script(ut.JSON(200, ut.Completion("m", "Hello", 3, 2)))
	other := strings.Replace(whole, "/m:", "/o:", 1)
	miss(t, s, other, body("a"))
	if r := hit(t, s, other, body("a")); !strings.Contains(r.Body, `"text":"Hello"`) {
		t.Errorf("%s", r.Body)
	}
	if r := hit(t, s, strings.Replace(events, "/m:", "/o:", 1), body("a")); !strings.Contains(r.Body, `"text":"Hello"`) {
		t.Errorf("%s", r.Body)
	}
}

func TestCacheRerank(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"r","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"billed_units":{"search_units":1}}}`))
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: rank, litellm_params: {model: azure_ai/cohere-rerank, api_base: %q, api_key: k1}}]
general_settings: {master_key: sk-1234}
`, v.URL)+cacheLines("type: local"))
	const body = `{"model":"rank","query":"q","documents":["a","b"]`
	first := miss(t, s, "/v1/rerank", body+"}")
	for _, path := range []string{"/v1/rerank", "/rerank", "/v2/rerank"} {
		if r := hit(t, s, path, body+"}"); r.Body != first.Body {
			t.Errorf("%s: got %s\nwant %s", path, r.Body, first.Body)
		}
	}
	miss(t, s, "/v1/rerank", body+`,"top_n":1}`)
	miss(t, s, "/v1/rerank", strings.Replace(body, `"a","b"`, `"b","a"`, 1)+"}")
	vendorCalls(t, v, 3)
}
