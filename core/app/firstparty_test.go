package app_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// The plugin presidio keeps a name from the vendor and puts it back into the answer, whole and streamed.
func TestPresidioThroughTheGateway(t *testing.T) {
	t.Parallel()
	analyzer := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		text, _ := r.JSON()["text"].(string)
		if at := strings.Index(text, "Ann"); at >= 0 {
			return 200, fmt.Sprintf(`[{"entity_type":"PERSON","start":%d,"end":%d,"score":0.85}]`, at, at+3)
		}
		return 200, `[]`
	})
	anonymizer := plugintest.Serve(t, func(r plugintest.Received) (int, string) {
		text, _ := r.JSON()["text"].(string)
		return 200, `{"text":"` + strings.Replace(text, "Ann", "<PERSON_1>", 1) + `","items":[]}`
	})
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "Hello <PERSON_1>", 1, 1)))
	s := apptest.Start(t, one(v)+fmt.Sprintf(`
guardrails:
  - guardrail_name: presidio
    litellm_params:
      guardrail: %s
      mode: [pre_call, post_call]
      default_on: true
      limits: {cpu_ms: 2000}
      grants: {http: [%q, %q]}
      config: {analyzer: %q, anonymizer: %q, output_parse_pii: true}
`, plugintest.Build(t, "../../plugins/presidio"), analyzer.URL, anonymizer.URL, analyzer.URL, anonymizer.URL))
	r := s.Post(chat, says("I am Ann", ""))
	if r.Status != 200 || !strings.Contains(r.Body, `"Hello Ann"`) || r.Header.Get("x-litellm-applied-guardrails") != "presidio" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := string(v.Requests()[0].Body); !strings.Contains(got, "I am <PERSON_1>") || strings.Contains(got, "Ann") {
		t.Fatalf("the vendor got %s", got)
	}
	v.Script(ut.SSE(append(ut.ChatStream("x", 1, "Hello <PER", "SON_1", ">!"), "[DONE]")...))
	r = s.Post(chat, says("I am Ann", `,"stream":true`))
	if text, last := content(t, r.Body); r.Status != 200 || text != "Hello Ann!" || last != "[DONE]" {
		t.Fatalf("%d %q, %s", r.Status, text, r.Body)
	}
}

// The plugin llama-guard asks a model of the gateway that it guards, and does not judge its own question.
func TestJudgeOfTheSameGateway(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	judge := ut.New(t, ut.JSON(200, ut.Completion("x", "safe", 1, 1)))
	cfg := func(url string) string {
		return one(v, "") + fmt.Sprintf(`
guardrails:
  - guardrail_name: judge
    litellm_params:
      guardrail: %s
      mode: pre_call
      default_on: true
      limits: {cpu_ms: 2000}
      grants: {http: [%q]}
      config: {api_base: %s/v1, model: judge, api_key: sk-1234}
`, plugintest.Build(t, "../../plugins/llama-guard"), url, url)
	}
	add := fmt.Sprintf("model_list:\n  - {model_name: judge, litellm_params: {model: openai/guard, api_base: %s/v1, api_key: sk-judge}}\n", judge.URL)
	whole := func(url string) string { return strings.Replace(cfg(url), "model_list:\n", add, 1) }
	s := apptest.Start(t, whole("http://127.0.0.1:9"))
	s.Write(whole(s.URL))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if r := s.Post(chat, says("hello", "")); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if n, m := len(judge.Requests()), len(v.Requests()); n != 1 || m != 1 {
		t.Fatalf("%d judgements, %d calls of the vendor", n, m)
	}
	judge.Script(ut.JSON(200, ut.Completion("x", "unsafe\nS1", 1, 1)))
	if r := s.Post(chat, says("hello", "")); r.Status != 400 || !strings.Contains(r.Body, "Violent Crimes") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// The plugin echo-provider answers in place of a vendor, whole and streamed.
func TestEchoProvider(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: echo/loud}}
litellm_settings:
  custom_provider_map: [{provider: echo, custom_handler: %s, config: {prefix: "you said "}}]
general_settings: {master_key: sk-1234}
`, plugintest.Build(t, "../../plugins/echo-provider")))
	if r := s.Post(chat, says("hi", "")); r.Status != 200 || !strings.Contains(r.Body, `"you said hi"`) || !strings.Contains(r.Body, `"total_tokens":4`) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	r := s.Post(chat, says("hi", `,"stream":true`))
	if text, last := content(t, r.Body); r.Status != 200 || text != "you said hi" || last != "[DONE]" {
		t.Fatalf("%d %q, %s", r.Status, text, r.Body)
	}
}
