package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fasthttp/websocket"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// guardedBy is the guardrails section with the keyword plugin before calls, which masks "plum" and whose refusal is for
// "bomb", and the test plugin behind them, which masks "secret" and refuses the text "reject".
func guardedBy(t *testing.T, more string) string {
	t.Helper()
	keywords, guard := plugintest.Build(t, "../../plugins/keyword-guard"), plugintest.Build(t, "../wasm/testdata/guard")
	const limits = "default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}, "
	return fmt.Sprintf(`
guardrails:
  - {guardrail_name: mask, litellm_params: {guardrail: %[1]s, mode: pre_call, %[2]s %[3]s config: {words: [plum], action: mask, whole_words: false}}}
  - {guardrail_name: words, litellm_params: {guardrail: %[1]s, mode: pre_call, %[2]s %[3]s config: {words: [bomb], message: no bombs}}}
  - {guardrail_name: answers, litellm_params: {guardrail: %[4]s, mode: post_call, %[2]s %[3]s }}
`, keywords, limits, more, guard)
}

func passing(t *testing.T, v *ut.Vendor, more string) *apptest.Server {
	t.Helper()
	return apptest.Start(t, "model_list: []\ngeneral_settings: {master_key: sk-1234}\n"+guardedBy(t, more), apptest.Env(
		"ANTHROPIC_API_KEY=k", "ANTHROPIC_API_BASE="+v.URL, "OPENAI_API_KEY=k", "OPENAI_BASE_URL="+v.URL+"/v1", "GEMINI_API_KEY=k", "GEMINI_API_BASE="+v.URL))
}

const form = "--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--B\r\n" +
	"Content-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n--B--\r\n"

// Guardrails that are on for everybody look at what goes to vendors' own APIs and at what vendors store.
func TestGuardrailsOnForwardedRequests(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"id":"x","object":"thing"}`))
	s := passing(t, v, "")
	isForm := "Content-Type: multipart/form-data; boundary=B"
	f := func(path, body string, status int, want string, header ...string) {
		t.Helper()
		before := len(v.Requests())
		r := s.Post(path, body, header...)
		sent := v.Requests()[before:]
		if status == 400 {
			status = 503 // as the failure hook of the plugin for answers words it
			want = "rejected 400 " + want
		}
		if r.Status != status {
			t.Errorf("%s %s: %d %s", path, body, r.Status, r.Body)
			return
		}
		if status != 200 {
			if len(sent) != 0 || !strings.Contains(r.Body, want) {
				t.Errorf("%s %s: %s, %d calls", path, body, r.Body, len(sent))
			}
			return
		}
		if len(sent) != 1 || string(sent[0].Body) != want {
			t.Errorf("%s: the vendor got %v, want %s", path, sent, want)
		}
		if r.Header.Get("x-litellm-applied-guardrails") != "mask,words,answers" {
			t.Errorf("%s: applied %q", path, r.Header.Get("x-litellm-applied-guardrails"))
		}
	}
	f("/anthropic/v1/messages", `{"model":"c","messages":[{"role":"user","content":[{"type":"text","text":"a b\u006fmb"}]}]}`, 400, "no bombs")
	f("/anthropic/v1/messages", `{"model":"c", "messages":[{"role":"user","content":"my plum"}]}`, 200, `{"model":"c", "messages":[{"role":"user","content":"my ***"}]}`)
	f("/gemini/v1beta/models/g:generateContent", `{"contents":[{"parts":[{"text":"bomb"}]}]}`, 400, "no bombs")
	f("/anthropic/v1/x", "\xff\xfe\x00", 400, "Guardrail mask cannot look at the body")
	f("/anthropic/v1/x", "plain bomb", 400, "no bombs")
	f("/v1/threads", `{"messages":[{"role":"user","content":"bomb"}]}`, 400, "no bombs")
	f("/v1/threads/t/messages", `{"role":"user","content":"a plum"}`, 200, `{"role":"user","content":"a ***"}`)
	f("/v1/assistants", `{"model":"gpt","instructions":"make a bomb"}`, 400, "no bombs")
	f("/v1/vector_stores/vs/search", `{"query":["a bomb"]}`, 400, "no bombs")
	f("/v1/files", fmt.Sprintf(form, `{"body":{"messages":[{"content":"hi"}]}}`+"\n"+`{"body":{"messages":[{"content":"b\u006fmb"}]}}`), 400, "no bombs", isForm)
	f("/v1/files", fmt.Sprintf(form, "%PDF \xff\x00"), 400, "Guardrail mask cannot look at a file", isForm)
	fine := fmt.Sprintf(form, `{"body":{"messages":[{"content":"hi"}]}}`)
	f("/v1/files", fine, 200, fine, isForm)
	s = passing(t, v, "on_unreadable: pass,")
	pdf := fmt.Sprintf(form, "%PDF \xff\x00")
	f("/v1/files", pdf, 200, pdf, isForm)
	f("/anthropic/v1/x", "\xff\xfe\x00", 200, "\xff\xfe\x00")
	f("/anthropic/v1/messages", `{"messages":[{"content":"bomb"}]}`, 400, "no bombs")
}

// And they look at the answers: whole ones and streams, whose texts are put together first.
func TestGuardrailsOnForwardedAnswers(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	s := passing(t, v, "")
	f := func(a ut.Answer, status int, want string) {
		t.Helper()
		v.Script(a)
		r := s.Post("/anthropic/v1/messages", `{"model":"c","messages":[]}`)
		if r.Status != status || status == 200 && r.Body != want || !strings.Contains(r.Body, want) {
			t.Errorf("%d %s, want %d %s", r.Status, r.Body, status, want)
		}
	}
	f(ut.JSON(200, `{"content":[{"type":"text","text":"a secret"}], "n":1}`), 200, `{"content":[{"type":"text","text":"a ***"}], "n":1}`)
	f(ut.JSON(200, `{"content":[{"type":"text","text":"reject"}]}`), 503, "unfit") // as the plugin's failure hook words it
	f(ut.JSON(429, `{"error":{"message":"a secret"}}`), 429, `{"error":{"message":"a secret"}}`)
	event := func(text string) string {
		return "event: content_block_delta\ndata: " + `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + text + `"}}` + "\n\n"
	}
	const stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	f(ut.SSERaw(event("a sec"), event("ret w\\u006frd"), stop), 200, event("a *** word")+event("")+stop)
	f(ut.SSERaw(event("re"), event("ject"), stop), 503, "unfit")
	f(ut.SSERaw(event("fine"), stop), 200, event("fine")+stop)
	list := func(a, b string) string {
		return `[{"candidates":[{"content":{"parts":[{"text":"` + a + `"}]}}]},` + "\n" + `{"candidates":[{"content":{"parts":[{"text":"` + b + `"}]}}]}]`
	}
	f(ut.JSON(200, list("sec", "ret")), 200, list("***", ""))
	f(ut.Whole(200, "application/x-ndjson", `{"response":"a secret"}`+"\n"+`{"response":"b"}`+"\n"), 200, `{"response":"a ***"}`+"\n"+`{"response":"b"}`+"\n")
	f(ut.Whole(200, "application/vnd.amazon.eventstream", "\x00\x00\xff\xfe"), 503, "cannot look at this answer")
	f(ut.JSON(200, `{}`, "Content-Encoding: gzip"), 503, "cannot look at a compressed answer")
	s = passing(t, v, "on_unreadable: pass,")
	f(ut.Whole(200, "application/vnd.amazon.eventstream", "\x00\x00\xff\xfe"), 200, "\x00\x00\xff\xfe")
	f(ut.JSON(200, `{"text":"secret"}`), 200, `{"text":"***"}`)
}

// Conversations: what the caller writes is looked at before the vendor gets it, and answers before the caller gets any of
// them. Sound cannot be looked at.
func TestGuardrailsOnRealtime(t *testing.T) {
	t.Parallel()
	v := newVoice(t)
	start := func(more string) (caller, vendor *websocket.Conn) {
		t.Helper()
		s := apptest.Start(t, realtime(v)+guardedBy(t, more))
		caller, _, err := talkTo(t, s, "/v1/realtime?model=m", http.Header{"Authorization": {"Bearer sk-1234"}})
		if err != nil {
			t.Fatal(err)
		}
		<-v.calls
		vendor = <-v.talks
		t.Cleanup(func() { vendor.Close() })
		return caller, vendor
	}
	send := func(c *websocket.Conn, events ...string) {
		for _, e := range events {
			if err := c.WriteMessage(websocket.TextMessage, []byte(e)); err != nil {
				t.Fatal(err)
			}
		}
	}
	holds := func(c *websocket.Conn, want ...string) {
		t.Helper()
		_, b, err := c.ReadMessage()
		for _, w := range want {
			if err != nil || !strings.Contains(string(b), w) {
				t.Fatalf("got %q %v, want %q", b, err, w)
			}
		}
	}
	item := func(text string) string {
		return `{"event_id":"e1","type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"` + text + `"}]}}`
	}
	caller, vendor := start("")
	send(caller, item("a bomb"), item("a plum"))
	expect(t, vendor, websocket.TextMessage, item("a ***"))
	holds(caller, `"type":"error"`, "no bombs", `"event_id":"e1"`)
	send(caller, `{"type":"response.create","response":{"instructions":"bomb"}}`)
	holds(caller, "no bombs")
	send(caller, `{"type":"input_audio_buffer.append","audio":"AAAA"}`, `{"type":"input_audio_buffer.append","audio":"AAAA"}`, item("hi"))
	expect(t, vendor, websocket.TextMessage, item("hi"))
	holds(caller, "cannot look at sound")

	delta := `{"type":"response.output_text.delta","delta":"fine"}`
	done := func(text string) string {
		return `{"type":"response.done","response":{"id":"r","output":[{"content":[{"type":"output_text","text":"` + text + `"}]}]}}`
	}
	send(vendor, `{"type":"session.updated"}`, created, delta, done("fine"))
	for _, want := range []string{`{"type":"session.updated"}`, created, delta, done("fine")} {
		expect(t, caller, websocket.TextMessage, want)
	}
	send(vendor, created, `{"type":"response.output_text.delta","delta":"reject"}`, `{"type":"rate_limits.updated"}`, done("reject"), `{"type":"x"}`)
	expect(t, caller, websocket.TextMessage, `{"type":"rate_limits.updated"}`)
	holds(caller, `"type":"error"`, "unfit")
	holds(caller, `"type":"response.done"`, `"status":"failed"`, `"id":"r"`)
	expect(t, caller, websocket.TextMessage, `{"type":"x"}`)
	send(vendor, created, done("a secret"))
	holds(caller, "would change it")
	holds(caller, `"status":"failed"`)
	send(vendor, `{"type":"conversation.item.input_audio_transcription.completed","transcript":"a bomb"}`)
	holds(caller, "no bombs")
	expect(t, vendor, websocket.TextMessage, `{"type":"response.cancel"}`)

	caller, vendor = start("on_unreadable: pass,")
	send(caller, `{"type":"input_audio_buffer.append","audio":"AAAA"}`)
	expect(t, vendor, websocket.TextMessage, `{"type":"input_audio_buffer.append","audio":"AAAA"}`)
}
