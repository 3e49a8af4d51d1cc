package app_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// relay is group m at one vendor and its fallback n at another, with prices. more are lines of the configuration.
func relay(a, b *ut.Vendor, settings string, more ...string) string {
	return fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, num_retries: 0, input_cost_per_token: 0.001, output_cost_per_token: 0.01}}
  - {model_name: n, litellm_params: {model: openai/y, api_base: "%s/v1", api_key: k, num_retries: 0, input_cost_per_token: 0.1, output_cost_per_token: 1}}
router_settings: {fallbacks: [{m: [n]}]%s}
general_settings: {master_key: sk-1234}
%s`, a.URL, b.URL, settings, strings.Join(more, "\n"))
}

// wording is what the events of a stream say together.
type wording struct {
	text, ids, roles, finish string
	usage                    struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
	failed string // message of an error event
	done   bool
}

func readStream(t *testing.T, body string) (s wording) {
	t.Helper()
	for _, data := range apptest.Events(body) {
		if data == "[DONE]" {
			s.done = true
			continue
		}
		var c struct {
			ID      string
			Error   *struct{ Message string }
			Usage   json.RawMessage
			Choices []struct {
				Finish string `json:"finish_reason"`
				Delta  struct{ Role, Content string }
			}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if c.Error != nil {
			s.failed += c.Error.Message
			continue
		}
		if !strings.Contains(s.ids, c.ID) {
			s.ids += c.ID
		}
		if len(c.Usage) > 0 && c.Usage[0] == '{' {
			if err := json.Unmarshal(c.Usage, &s.usage); err != nil {
				t.Fatal(err)
			}
		}
		for _, one := range c.Choices {
			s.text, s.roles, s.finish = s.text+one.Delta.Content, s.roles+one.Delta.Role, s.finish+one.Finish
		}
	}
	return s
}

// begun is a stream that breaks off after some words.
func begun(words ...string) ut.Answer {
	list := []string{ut.RoleChunk("x")}
	for _, w := range words {
		list = append(list, ut.ContentChunk("x", w))
	}
	return ut.CutStream(list...)
}

// rest is what another vendor has to add.
func rest(words ...string) ut.Answer {
	list := ut.ChatStream("y", 20, words...)
	for i := range list {
		list[i] = strings.Replace(list[i], "chatcmpl-", "chatcmpl-other-", 1)
	}
	return ut.SSE(list...)
}

// A stream that breaks off is continued: the caller reads one answer, and pays for both parts.
func TestMidStreamFallback(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, begun("one ", "two ")), ut.New(t, rest("three ", "four"))
	s := apptest.Start(t, relay(a, b, ""), apptest.Env(printRecords))
	r := s.Post(chat, ask(`,"stream":true,"stream_options":{"include_usage":true}`))
	got := readStream(t, r.Body)
	if got.text != "one two three four" || got.roles != "assistant" || got.finish != "stop" || !got.done || got.failed != "" ||
		strings.Contains(r.Body, "chatcmpl-other-") {
		t.Fatalf("%+v\n%s", got, r.Body)
	}
	var sent struct {
		Model    string
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(b.Last().Body, &sent); err != nil || len(sent.Messages) != 3 || sent.Model != "y" {
		t.Fatalf("sent %s", b.Last().Body)
	}
	if m := sent.Messages; m[0].Content != "hi" || m[1].Role != "assistant" || m[1].Content != "one two " || m[2].Role != "user" ||
		!strings.HasPrefix(m[2].Content, "Your previous message was cut off.") {
		t.Errorf("sent %s", b.Last().Body)
	}
	// The vendor that broke off told no usage, so it is counted: 8 tokens of prompt and 3 of answer, say.
	rec := lastRecord(t, s)
	cost, _ := rec["response_cost"].(float64)
	total, _ := rec["total_tokens"].(float64)
	first := float64(got.usage.Prompt-20)*0.001 + float64(got.usage.Completion-2)*0.01
	if got.usage.Prompt <= 20 || got.usage.Completion <= 2 || got.usage.Total != got.usage.Prompt+got.usage.Completion || int(total) != got.usage.Total {
		t.Errorf("usage %+v, recorded %v", got.usage, total)
	}
	if want := first + 20*0.1 + 2*1; math.Abs(cost-want) > 1e-9 {
		t.Errorf("cost %v, want %v", cost, want)
	}
	if !strings.Contains(s.Log.String(), "a call to a model failed") {
		t.Error("nothing in the log about the vendor that broke off")
	}
}

// Another deployment of the group continues before a fallback does, and one continuation may be continued.
func TestMidStreamGoesOn(t *testing.T) {
	t.Parallel()
	bad, worse, good := ut.New(t, begun("one ")), ut.New(t, begun("two ")), ut.New(t, rest("three"))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, order: 1}}
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, order: 2}}
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, order: 3}}
general_settings: {master_key: sk-1234}
`, bad.URL, worse.URL, good.URL))
	if got := readStream(t, s.Post(chat, ask(`,"stream":true`)).Body); got.text != "one two three" || !got.done || got.roles != "assistant" {
		t.Fatalf("%+v", got)
	}
	if b := string(good.Last().Body); !strings.Contains(b, `"content":"one two "`) || strings.Count(b, "Your previous message") != 1 {
		t.Errorf("sent %s", b)
	}
}

// What cannot be continued ends with an error event, as it did: nothing is made up.
func TestMidStreamEnds(t *testing.T) {
	t.Parallel()
	f := func(name, more, settings string, first, second ut.Answer, calls int) {
		t.Helper()
		a, b := ut.New(t, first), ut.New(t, second)
		s := apptest.Start(t, relay(a, b, settings))
		r := s.Post(chat, ask(`,"stream":true`+more))
		got := readStream(t, r.Body)
		if got.failed == "" || got.done || strings.Count(r.Body, `"error"`) != 1 || len(b.Requests()) != calls {
			t.Errorf("%s: %+v, %d calls of the fallback\n%s", name, got, len(b.Requests()), r.Body)
		}
		if n := strings.Count(s.Log.String(), "a call to a model failed"); n != 1+calls {
			t.Errorf("%s: %d failed calls in the log", name, n)
		}
	}
	f("switched off", "", ", mid_stream_fallbacks: false", begun("one "), rest("two"), 0)
	f("no fallbacks wanted", `,"disable_fallbacks":true`, "", begun("one "), rest("two"), 0)
	f("a tool call", "", "", ut.CutStream(ut.RoleChunk("x"), ut.ToolChunk("x", 0, "c", "f")), rest("two"), 0)
	f("a document", `,"response_format":{"type":"json_object"}`, "", begun(`{"a":`), rest("1}"), 0)
	f("two answers", `,"n":2`, "", begun("one "), rest("two"), 0)
	f("all but the end was there", "", "", ut.CutStream(ut.ContentChunk("x", "one"), ut.FinishChunk("x", "stop")), rest("two"), 0)
	f("the fallback fails", "", "", begun("one "), ut.ServerError(), 1)
	f("the fallback does not stream", "", "", begun("one "), ut.InvalidAPIKey(), 1)
}

// Nothing was said yet: the same is asked again.
func TestMidStreamBeforeWords(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, begun()), ut.New(t, rest("all"))
	s := apptest.Start(t, relay(a, b, ""))
	if got := readStream(t, s.Post(chat, ask(`,"stream":true`)).Body); got.text != "all" || got.roles != "assistant" || !got.done {
		t.Fatalf("%+v", got)
	}
	if strings.Contains(string(b.Last().Body), "previous message") {
		t.Errorf("sent %s", b.Last().Body)
	}
}

// Callers who speak another dialect read one answer too, as long as it is translated.
func TestMidStreamDialects(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, begun("one ")), ut.New(t, rest("two"))
	s := apptest.Start(t, strings.ReplaceAll(relay(a, b, ""), "openai/", "hosted_vllm/"))
	r := s.Post("/v1/messages", `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	if strings.Count(r.Body, "message_start") != 2 || !strings.Contains(r.Body, `"text":"one "`) || !strings.Contains(r.Body, `"text":"two`) || !strings.Contains(r.Body, "message_stop") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// Guardrails see one stream, also where the seam goes through what they look for; and what they keep from vendors is kept
// from the one that continues too.
func TestMidStreamIsGuarded(t *testing.T) {
	t.Parallel()
	wasm := plugintest.Build(t, "../../plugins/pii")
	a, b := ut.New(t, begun("mail <EMA")), ut.New(t, rest("IL_1> now"))
	s := apptest.Start(t, relay(a, b, "", fmt.Sprintf(`
guardrails:
  - {guardrail_name: pii, litellm_params: {guardrail: %s, mode: [pre_call, post_call], default_on: true, config: {unmask: true}, limits: {cpu_ms: 5000, wall_ms: 30000}}}
`, wasm)))
	got := readStream(t, s.Post(chat, strings.Replace(ask(`,"stream":true`), "hi", "write to ann@corp.example", 1)).Body)
	if got.text != "mail ann@corp.example now" || !got.done {
		t.Fatalf("%+v", got)
	}
	if sent := string(b.Last().Body); strings.Contains(sent, "ann@") || !strings.Contains(sent, "write to <EMAIL_1>") || !strings.Contains(sent, `"mail <EMA"`) {
		t.Errorf("sent %s", sent)
	}
}

// The fastest of several models answers, and the slower ones are cancelled and charged for what they had to read.
func TestFastestResponse(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	slow, quick := ut.New(t, gate.Before(ut.JSON(200, "{}"))), ut.New(t)
	quick.Script(func(c *ut.Conn) {
		<-gate.Reached() // the slower one works on it
		ut.JSON(200, ut.Completion("y", "quick", 10, 2))(c)
	})
	s := apptest.Start(t, relay(slow, quick, ""), apptest.Env(printRecords))
	body := strings.Replace(ask(`,"fastest_response":true`), `"m"`, `"m, n"`, 1)
	r := s.Post(chat, body)
	if r.Status != 200 || !strings.Contains(r.Body, `"quick"`) || !strings.Contains(r.Body, `"model":"n"`) ||
		r.Header.Get("x-litellm-fastest_response_batch_completion") != "True" || r.Header.Get("x-litellm-model-group") != "n" {
		t.Fatalf("%d %s %v", r.Status, r.Body, r.Header)
	}
	within(t, gate.Left())
	rec := lastRecord(t, s)
	cost, _ := rec["response_cost"].(float64)
	tokens, _ := rec["prompt_tokens"].(float64)
	if want := 10*0.1 + 2*1 + (tokens-10)*0.001; tokens <= 10 || math.Abs(cost-want) > 1e-9 {
		t.Errorf("%v prompt tokens, cost %v, want %v", tokens, cost, want)
	}
	if strings.Contains(string(quick.Last().Body), "fastest_response") {
		t.Errorf("sent %s", quick.Last().Body)
	}
	if strings.Contains(s.Log.String(), "a call to a model failed") {
		t.Error("the slower call counts as a failure")
	}
}

func TestFastestResponseFails(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, ut.InvalidAPIKey()), ut.New(t, rest("streamed"))
	s := apptest.Start(t, relay(a, b, ", num_retries: 0"))
	f := func(models, more string, status int, want string) {
		t.Helper()
		r := s.Post(chat, strings.Replace(ask(`,"fastest_response":true,"disable_fallbacks":true`+more), `"m"`, `"`+models+`"`, 1))
		if r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s, want %d %s", models, r.Status, r.Body, status, want)
		}
	}
	f("m,n", `,"stream":true`, 200, "streamed")
	f("nope,n", `,"stream":true`, 200, "streamed")
	b.Script(ut.ServerError())
	f("m,n", "", 401, "litellm.AuthenticationError")
	f("nope,no", "", 400, "Invalid model name passed in model=nope")
	f(strings.Repeat("m,", 16)+"n", "", 400, "at most 16 models")
	if r := s.Post(chat, strings.Replace(ask(`,"fastest_response":"yes"`), `"m"`, `"m,n"`, 1)); r.Status != 400 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// Each way to say how long a call may take: the request, its headers, the deployment, either section of the settings.
func TestTimeoutSpellings(t *testing.T) {
	t.Parallel()
	f := func(name, deployment, sections, more string, header ...string) {
		t.Helper()
		v := ut.New(t, ut.Hang())
		s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, num_retries: 0%s}}]
general_settings: {master_key: sk-1234}
%s`, v.URL, deployment, sections))
		r := s.Post(chat, ask(more), header...)
		if e := readError(t, r.Body); r.Status != 408 || !strings.HasPrefix(e.Error.Message, "litellm.Timeout: ") {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	const stream = `,"stream":true`
	f("request", "", "", `,"timeout":0.05`)
	f("request, stream", "", "", stream+`,"stream_timeout":0.05`)
	f("request, whole limit on a stream", "", "", stream+`,"timeout":0.05`)
	f("header", "", "", "", "x-litellm-timeout: 0.05")
	f("header, stream", "", "", stream, "x-litellm-stream-timeout: 0.05")
	f("deployment", ", timeout: 0.05", "", "")
	f("deployment, stream", ", stream_timeout: 0.05", "", stream)
	f("router_settings.timeout", "", "router_settings: {timeout: 0.05}", "")
	f("router_settings.stream_timeout", "", "router_settings: {stream_timeout: 0.05}", stream)
	f("litellm_settings.request_timeout", "", "litellm_settings: {request_timeout: 0.05}", "")
	f("litellm_settings.request_timeout, stream", "", "litellm_settings: {request_timeout: 0.05}", stream)
	f("router_settings.total_timeout", "", "router_settings: {total_timeout: 0.05}", "")
	f("router_settings.total_timeout, stream", "", "router_settings: {total_timeout: 0.05}", stream)
	f("request over deployment", ", timeout: 600", "litellm_settings: {request_timeout: 600}", `,"timeout":0.05`)
}

// A stream may take as long as it likes as long as it does not pause for longer than its timeout.
func TestTimeoutBetweenChunks(t *testing.T) {
	t.Parallel()
	v := ut.New(t, func(c *ut.Conn) {
		c.Write(ut.StreamHead() + ut.Chunk(ut.Event(ut.ContentChunk("x", "one"))))
		<-c.Left()
	})
	s := apptest.Start(t, one(v, "num_retries: 0", "stream_timeout: 0.05"))
	if got := readStream(t, s.Post(chat, ask(`,"stream":true`)).Body); got.text != "one" || !strings.Contains(got.failed, "stopped sending") {
		t.Fatalf("%+v", got)
	}
}

// However many retries and fallbacks there are, the answer begins in time or not at all.
func TestTotalTimeout(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, ut.Hang()), ut.New(t, ut.JSON(429, ut.ErrorBody("slow down", "rate_limit", "", ""), "Retry-After: 30"))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: k, timeout: 0.04}}
  - {model_name: n, litellm_params: {model: openai/y, api_base: "%s/v1", api_key: k}}
router_settings: {total_timeout: 0.2, num_retries: 100, retry_after: 0, fallbacks: [{m: [n]}], disable_cooldowns: true}
general_settings: {master_key: sk-1234}
`, a.URL, b.URL))
	begun := time.Now()
	r := s.Post(chat, ask(""))
	if took := time.Since(begun); r.Status < 400 || took > 10*time.Second {
		t.Fatalf("%d after %v: %s", r.Status, took, r.Body)
	}
	// A wait that would be over too late is not begun: the vendor that asks for 30 s is called once.
	if r = s.Post(chat, strings.Replace(ask(""), `"m"`, `"n"`, 1)); r.Status != 429 || len(b.Requests()) > 2 {
		t.Fatalf("%d %s after %d calls", r.Status, r.Body, len(b.Requests()))
	}
}
