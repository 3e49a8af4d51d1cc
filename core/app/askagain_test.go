package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// asking is a gateway with a database and a guardrail that has the vendor asked again for answers that begin with "unfit"
// or "once more". A call of the model costs what its tokens are: a dollar each.
func asking(t *testing.T, v *ut.Vendor, params string) desk {
	t.Helper()
	yaml := one(v, "input_cost_per_token: 1", "output_cost_per_token: 1", "num_retries: 0") +
		fmt.Sprintf("guardrails:\n  - {guardrail_name: g, litellm_params: {guardrail: %s, default_on: true, limits: {cpu_ms: 5000, wall_ms: 30000}, %s}}\n",
			plugintest.Build(t, "../wasm/testdata/guard"), params)
	yaml = strings.Replace(yaml, "{master_key: sk-1234}", "{master_key: sk-1234, proxy_batch_write_at: 1, store_prompts_in_spend_logs: true}", 1)
	return desk{t, apptest.Start(t, yaml, apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db")))}
}

func said(text string, prompt, completion int) ut.Answer {
	return ut.JSON(200, ut.Completion("x", text, prompt, completion))
}

// bodyOf is what the vendor was sent, messages only.
func messagesOf(t *testing.T, r ut.Request) string {
	t.Helper()
	var body struct{ Messages json.RawMessage }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	return string(body.Messages)
}

// A guardrail has a model asked again with what it found fault with: the caller sees the last answer, and pays for all.
func TestAskAgain(t *testing.T) {
	t.Parallel()
	v := ut.New(t, said("unfit one", 10, 1), said("unfit two", 20, 2), said("right", 30, 3))
	d := asking(t, v, "mode: post_call, max_retries: 2")
	key := d.key(`{}`)
	r := d.chat(key)
	wantStatus(t, r, 200, `"content":"right"`)
	if got := r.Header.Get("x-sallyport-asked-again"); got != "2" {
		t.Errorf("asked again %q times", got)
	}
	if got := r.Header.Get("x-litellm-response-cost"); got != "66.0" {
		t.Errorf("cost %s, want 66.0", got)
	}
	all := v.Requests()
	if len(all) != 3 {
		t.Fatalf("%d calls", len(all))
	}
	const first = `{"role":"user","content":"hi"}`
	const second = first + `,{"role":"assistant","content":"unfit one"},{"role":"user","content":"say it right"}`
	const third = second + `,{"role":"assistant","content":"unfit two"},{"role":"user","content":"say it right"}`
	for i, want := range []string{first, second, third} {
		if got := messagesOf(t, all[i]); got != "["+want+"]" {
			t.Errorf("call %d: %s", i, got)
		}
	}
	eventually(t, func() bool { return math.Abs(d.spent(key)-66) < 1e-9 })
	eventually(t, func() bool { return d.logs() != "[]" })
	for _, want := range []string{`"total_tokens":66`, `"prompt_tokens":60`, `"spend":66`, `"asked_again":2`} {
		if l := strings.ReplaceAll(d.logs(), " ", ""); !strings.Contains(l, want) {
			t.Errorf("%s is not in %s", want, l)
		}
	}
}

// After the last attempt the refusal is the answer; what was said is paid for.
func TestAskAgainEnds(t *testing.T) {
	t.Parallel()
	v := ut.New(t, said("unfit", 10, 1))
	d := asking(t, v, "mode: post_call, max_retries: 1")
	key := d.key(`{}`)
	r := d.chat(key)
	wantStatus(t, r, 422, "not fit after 1, 0 left")
	if n := len(v.Requests()); n != 2 || r.Header.Get("x-sallyport-asked-again") != "1" {
		t.Errorf("%d calls, %v", n, r.Header)
	}
	eventually(t, func() bool { return math.Abs(d.spent(key)-22) < 1e-9 })

	// Without max_retries the verdict is a refusal at once.
	v = ut.New(t, said("unfit", 10, 1))
	d = asking(t, v, "mode: post_call")
	wantStatus(t, d.chat("sk-1234"), 422, "not fit after 0, 0 left")
	if n := len(v.Requests()); n != 1 {
		t.Errorf("%d calls", n)
	}

	// A vendor that fails when it is asked again: its failure is the answer, and the first call is paid for.
	v = ut.New(t, said("unfit", 10, 1), ut.ServerError())
	d = asking(t, v, "mode: post_call, max_retries: 3")
	key = d.key(`{}`)
	if r := d.chat(key); r.Status < 500 || r.Header.Get("x-sallyport-asked-again") != "1" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	eventually(t, func() bool { return math.Abs(d.spent(key)-11) < 1e-9 })

	// A limit that allows no further call: the guardrail's refusal.
	v = ut.New(t, said("unfit", 10, 1), said("right", 1, 1))
	d = asking(t, v, "mode: post_call, max_retries: 3")
	key = d.key(`{"rpm_limit":1}`)
	wantStatus(t, d.chat(key), 422, "not fit after 0, 3 left")
	if n := len(v.Requests()); n != 1 {
		t.Errorf("%d calls", n)
	}
	key = d.key(`{"max_budget":12}`)
	wantStatus(t, d.chat(key, `,"max_tokens":1`), 200, "right")
}

// A streamed answer is collected before any of it is sent, and asked for again like a whole one.
func TestAskAgainStreamed(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.SSE(ut.ChatStream("x", 3, "un", "fit a")...), ut.SSE(ut.ChatStream("x", 3, "ri", "ght")...))
	d := asking(t, v, "mode: post_call, max_retries: 2")
	key := d.key(`{}`)
	r := d.chat(key, `,"stream":true,"stream_options":{"include_usage":true}`)
	text, last := content(t, r.Body)
	if text != "right" || last != "[DONE]" || r.Header.Get("x-sallyport-asked-again") != "1" {
		t.Errorf("%q %q %v", text, last, r.Header)
	}
	if got := messagesOf(t, v.Last()); !strings.Contains(got, `{"role":"assistant","content":"unfit a"},{"role":"user","content":"say it right"}`) {
		t.Errorf("the vendor got %s", got)
	}
	eventually(t, func() bool { return math.Abs(d.spent(key)-10) < 1e-9 })

	v = ut.New(t, ut.SSE(ut.ChatStream("x", 3, "un", "fit a")...))
	d = asking(t, v, "mode: post_call, max_retries: 1")
	wantStatus(t, d.chat("sk-1234", `,"stream":true`), 422, "not fit after 1, 0 left")
}

// What another API's caller asked is asked again in that vendor's own; the same request once more, without a word; and an
// answer that a guardrail gave itself stands.
func TestAskAgainElsewhere(t *testing.T) {
	t.Parallel()
	v := ut.New(t, said("unfit x", 3, 1), said("right", 3, 1))
	d := asking(t, v, "mode: [pre_call, post_call], max_retries: 2")
	r := d.Post("/v1/messages", `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`)
	wantStatus(t, r, 200, `"text":"right"`)
	if got := messagesOf(t, v.Last()); !strings.Contains(got, "say it right") {
		t.Errorf("the vendor got %s", got)
	}
	v.Script(said("once more", 3, 1), said("right", 3, 1))
	wantStatus(t, d.chat("sk-1234"), 200, "right")
	all := v.Requests()
	if a, b := all[len(all)-2], all[len(all)-1]; messagesOf(t, a) != messagesOf(t, b) {
		t.Errorf("%s and %s", a.Body, b.Body)
	}
	before := len(v.Requests())
	wantStatus(t, d.Post(chat, says("instead unfit", "")), 422, "not fit after 0, 2 left")
	if n := len(v.Requests()); n != before {
		t.Errorf("a model was asked %d times what a guardrail had answered", n-before)
	}
}

// What a guardrail further out puts back into the answer for the caller does not go to the vendor when a model is asked
// again.
func TestAskAgainKeepsMasks(t *testing.T) {
	t.Parallel()
	dir := pluginDir(t, "pii")
	f := func(stream bool) {
		t.Helper()
		v := ut.New(t)
		answer := func(text string) ut.Answer {
			if stream {
				return ut.SSE(ut.ChatStream("x", 3, strings.SplitAfter(text, " ")...)...)
			}
			return said(text, 3, 3)
		}
		v.Script(answer("unfit for <EMAIL_1>"), answer("right for <EMAIL_1>"))
		s := apptest.Start(t, one(v)+fmt.Sprintf(`
guardrails:
  - {guardrail_name: fit, litellm_params: {guardrail: %s, mode: post_call, default_on: true, max_retries: 1, limits: {cpu_ms: 5000, wall_ms: 30000}}}
  - {guardrail_name: mask, litellm_params: {guardrail: %s/pii.wasm, mode: [pre_call, post_call], default_on: true, config: {unmask: true}, limits: {cpu_ms: 5000, wall_ms: 30000}}}
`, plugintest.Build(t, "../wasm/testdata/guard"), dir))
		more := ""
		if stream {
			more = `,"stream":true`
		}
		r := s.Post(chat, says("I am ann@example.com", more))
		if r.Status != 200 || !strings.Contains(r.Body, "ann@") {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		all := v.Requests()
		if len(all) != 2 {
			t.Fatalf("%d calls: %s", len(all), r.Body)
		}
		got := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(messagesOf(t, all[1]))
		if !strings.Contains(got, `{"role":"assistant","content":"unfit for <EMAIL_1>"}`) || strings.Contains(got, "ann@") {
			t.Errorf("stream %v: the vendor got %s", stream, got)
		}
	}
	f(false)
	f(true)
}

// The plugin for structured answers: one that does not fit is asked for again, and fits.
func TestJSONSchemaRetries(t *testing.T) {
	t.Parallel()
	v := ut.New(t, said(`{"total":-2}`, 3, 3), said("```json\n{\"total\":2}\n```", 3, 3))
	s := apptest.Start(t, one(v)+fmt.Sprintf(`
guardrails:
  - guardrail_name: invoice
    litellm_params:
      guardrail: %s/json-schema.wasm
      mode: post_call
      default_on: true
      max_retries: 2
      limits: {cpu_ms: 5000, wall_ms: 30000}
      config: {action: retry, unfence: true, schema: {type: object, required: [total], properties: {total: {type: number, minimum: 0}}}}
`, pluginDir(t, "json-schema")))
	r := s.Post(chat, says("the invoice", ""))
	wantStatus(t, r, 200, `"content":"{\"total\":2}"`)
	const want = `{"role":"assistant","content":"{\"total\":-2}"},{"role":"user","content":"Your answer does not fit the JSON schema that was asked for: /total must be at least 0.`
	if got := messagesOf(t, v.Last()); !strings.Contains(got, want) || r.Header.Get("x-sallyport-asked-again") != "1" {
		t.Errorf("the vendor got %s", got)
	}
}

func TestAskAgainMistakes(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	f := func(params, want string) {
		t.Helper()
		_, err := apptest.Try(t, one(v)+fmt.Sprintf("guardrails: [{guardrail_name: g, litellm_params: {%s}}]\n", params))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", params, err)
		}
	}
	guard, keywords := plugintest.Build(t, "../wasm/testdata/guard"), plugintest.Build(t, "../../plugins/keyword-guard")
	f("mode: post_call, max_retries: 11, guardrail: "+guard, "max_retries must be 0 to 10")
	f("mode: pre_call, max_retries: 1, guardrail: "+guard, "max_retries needs the mode post_call")
	f("mode: pre_call, max_retries: 1, guardrail: "+keywords, "a plugin with the hook response")
}
