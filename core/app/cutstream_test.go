package app_test

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// Whoever leaves a stream in the middle pays for the prompt and what was written so far, in every dialect and whether the
// gateway translates, passes on what the vendor says, or does not look at it. The same stream read to its end costs what
// the vendor says.
func TestCutStreams(t *testing.T) {
	t.Parallel()
	const words = "one two three four five six seven eight nine ten eleven twelve"
	const vendorModel = "claude-sonnet-4-5"
	prompt := strings.Repeat("hello world ", 20)
	f := func(name, path, model, body string, events []string, last ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stream := ut.NewStream()
			v := ut.New(t, stream.Answer, ut.SSERaw(strings.Join(events, "")+strings.Join(last, "")))
			base := v.URL
			if strings.HasPrefix(model, "openai/") {
				base += "/v1"
			}
			s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: %s, api_base: "%s", api_key: k, input_cost_per_token: 1, output_cost_per_token: 100}}
general_settings: {master_key: sk-1234}
router_settings: {num_retries: 0}
`, model, base), apptest.Env(printRecords, "ANTHROPIC_API_KEY=k", "ANTHROPIC_API_BASE="+v.URL, "OPENAI_API_KEY=k", "OPENAI_API_BASE="+v.URL+"/v1"))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				<-stream.Started()
				stream.Play(func(c *ut.Conn) { c.Write(ut.StreamHead()); c.Write(ut.Chunk(strings.Join(events, ""))) })
			}()
			ctx, leave := context.WithCancel(t.Context())
			resp, err := s.Open(ctx, "POST", path, body)
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 64<<10)
			for seen := ""; !strings.Contains(seen, "twelve"); {
				n, err := resp.Body.Read(buf)
				if seen += string(buf[:n]); err != nil {
					t.Fatalf("%v after %s", err, seen)
				}
			}
			<-sent
			leave()
			resp.Body.Close()
			within(t, stream.Left())
			rec := lastRecord(t, s)
			in1, out1 := number(rec["prompt_tokens"]), number(rec["completion_tokens"])
			if in1 < 20 || in1 > 120 || out1 < 5 || out1 > 40 {
				t.Errorf("a cut stream: %v and %v tokens", in1, out1)
			}
			if cost := number(rec["response_cost"]); !strings.HasPrefix(name, "passed") && !closeTo(cost, in1+100*out1) {
				t.Errorf("it costs %v", cost)
			} else if strings.HasPrefix(name, "passed") && cost <= 0 {
				t.Errorf("it costs nothing")
			}
			before := strings.Count(s.Out.String(), "\n")
			if r := s.Post(path, body); r.Status != 200 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			for strings.Count(s.Out.String(), "\n") == before && t.Context().Err() == nil {
				s.Reload() // which flushes the records
			}
			rec = lastRecord(t, s)
			if a, b := number(rec["prompt_tokens"]), number(rec["completion_tokens"]); a != 100 || b != 1000 {
				t.Errorf("a whole stream: %v and %v tokens", a, b)
			}
		})
	}
	chatEvent := func(text string) string {
		return `data: {"id":"1","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}` + "\n\n"
	}
	chatBody := `{"model":"m","stream":true,"messages":[{"role":"user","content":"` + prompt + `"}]}`
	anthropic := []string{
		`event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"` + vendorModel + `","content":[],"usage":{"input_tokens":100,"output_tokens":1}}}` + "\n\n",
		`event: content_block_start` + "\n" + `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}` + "\n\n",
	}
	chat := []string{}
	answers := []string{`event: response.created` + "\n" + `data: {"type":"response.created","response":{"id":"resp_1","status":"in_progress","usage":null}}` + "\n\n"}
	for word := range strings.SplitSeq(words, " ") {
		chat = append(chat, chatEvent(word+" "))
		anthropic = append(anthropic, `event: content_block_delta`+"\n"+`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+word+` "}}`+"\n\n")
		answers = append(answers, `event: response.output_text.delta`+"\n"+`data: {"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"`+word+` "}`+"\n\n")
	}
	chatEnd := `data: {"id":"1","object":"chat.completion.chunk","model":"x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":1000,"total_tokens":1100}}` + "\n\ndata: [DONE]\n\n"
	anthropicEnd := `event: content_block_stop` + "\n" + `data: {"type":"content_block_stop","index":0}` + "\n\n" +
		`event: message_delta` + "\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1000}}` + "\n\n" +
		`event: message_stop` + "\n" + `data: {"type":"message_stop"}` + "\n\n"
	answersEnd := `event: response.completed` + "\n" + `data: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":100,"output_tokens":1000,"total_tokens":1100}}}` + "\n\n"
	messages := `{"model":"m","stream":true,"max_tokens":9000,"messages":[{"role":"user","content":"` + prompt + `"}]}`
	google := `{"contents":[{"role":"user","parts":[{"text":"` + prompt + `"}]}]}`
	f("chat", "/v1/chat/completions", "openai/x", chatBody, chat, chatEnd)
	f("chat of Anthropic", "/v1/chat/completions", "anthropic/"+vendorModel, chatBody, anthropic, anthropicEnd)
	f("messages as they are", "/v1/messages", "anthropic/"+vendorModel, messages, anthropic, anthropicEnd)
	f("messages of OpenAI", "/v1/messages", "openai/x", messages, chat, chatEnd)
	f("responses as they are", "/v1/responses", "openai/gpt-4o", `{"model":"m","stream":true,"input":"`+prompt+`"}`, answers, answersEnd)
	f("responses of Anthropic", "/v1/responses", "anthropic/"+vendorModel, `{"model":"m","stream":true,"input":"`+prompt+`"}`, anthropic, anthropicEnd)
	f("Google's of OpenAI", "/v1beta/models/m:streamGenerateContent?alt=sse", "openai/x", google, chat, chatEnd)
	f("Google's of Anthropic", "/v1beta/models/m:streamGenerateContent", "anthropic/"+vendorModel, google, anthropic, anthropicEnd)
	f("passed on to Anthropic", "/anthropic/v1/messages", "anthropic/"+vendorModel, strings.Replace(messages, `"m"`, `"`+vendorModel+`"`, 1), anthropic, anthropicEnd)
	f("passed on to OpenAI", "/openai/v1/chat/completions", "openai/x", strings.Replace(chatBody, `"m"`, `"gpt-4o"`, 1), chat, chatEnd)
	f("passed on responses", "/openai_passthrough/v1/responses", "openai/x", `{"model":"gpt-4o","stream":true,"input":"`+prompt+`"}`, answers, answersEnd)
}

func number(v any) float64 { f, _ := v.(float64); return f }

// Streams of Google's own carry the usage so far in every chunk.
func TestCutGoogleStream(t *testing.T) {
	t.Parallel()
	stream := ut.NewStream()
	v := ut.New(t, stream.Answer)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: gemini/gemini-2.5-flash, api_base: "%s/v1beta", api_key: k, input_cost_per_token: 1, output_cost_per_token: 100}}
general_settings: {master_key: sk-1234}
`, v.URL), apptest.Env(printRecords))
	go func() {
		<-stream.Started()
		stream.Play(func(c *ut.Conn) {
			c.Write(ut.StreamHead())
			c.Write(ut.Chunk(`data: {"candidates":[{"content":{"role":"model","parts":[{"text":"twelve"}]}}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":7,"totalTokenCount":107},"modelVersion":"gemini-2.5-flash"}` + "\r\n\r\n"))
		})
	}()
	ctx, leave := context.WithCancel(t.Context())
	resp, err := s.Open(ctx, "POST", "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	leave()
	resp.Body.Close()
	within(t, stream.Left())
	rec := lastRecord(t, s)
	if rec["prompt_tokens"] != 100.0 || rec["completion_tokens"] != 7.0 || !closeTo(number(rec["response_cost"]), 800) {
		t.Errorf("%v", rec)
	}
}
