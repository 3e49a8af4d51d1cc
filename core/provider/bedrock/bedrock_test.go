package bedrock_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/providertest"
	"github.com/sallyport-ai/sallyport/core/upstream/eventstream"
)

func deployment(model string, settings ...string) *llm.Deployment {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: bedrock.Name, Model: model}
	for i := 0; i < len(settings); i += 2 {
		d.Settings = append(d.Settings, llm.Pair{Name: settings[i], Value: settings[i+1]})
	}
	return d
}

func chat(t testing.TB, body string) *llm.Exchange {
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Start = llm.OpChat, time.Now()
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

// The name of a model says how it is called, where, and what is called.
func TestModels(t *testing.T) {
	t.Parallel()
	f := func(d *llm.Deployment, want string) {
		t.Helper()
		e, err := newProvider().Bind(d)
		if err != nil {
			t.Fatalf("%s: %v", d.Model, err)
		}
		var c llm.Call
		if err := e.Encode(chat(t, `{"model":"m","messages":[{"role":"user","content":"x"}]}`), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Target.Scheme + "://" + c.Target.Host + string(c.Path); got != want {
			t.Errorf("%s:\n got %s\nwant %s", d.Model, got, want)
		}
	}
	const host = "https://bedrock-runtime.us-east-1.amazonaws.com"
	f(deployment("amazon.nova-pro-v1:0"), host+"/model/amazon.nova-pro-v1%3A0/converse")
	f(deployment("converse/us.amazon.nova-pro-v1:0"), host+"/model/us.amazon.nova-pro-v1%3A0/converse")
	f(deployment("invoke/anthropic.claude-3-haiku-20240307-v1:0"), host+"/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse")
	f(deployment("eu-central-1/anthropic.claude-v2"), "https://bedrock-runtime.eu-central-1.amazonaws.com/model/anthropic.claude-v2/converse")
	f(deployment("us-gov-west-1/x.y"), "https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/x.y/converse")
	f(deployment("cn-north-1/x.y"), "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/x.y/converse")
	f(deployment("us-west-2/1-month-commitment/anthropic.claude-v2"), "https://bedrock-runtime.us-west-2.amazonaws.com/model/anthropic.claude-v2/converse")
	f(deployment("arn:aws:bedrock:eu-west-3:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
		"https://bedrock-runtime.eu-west-3.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-3%3A1%3Ainference-profile%2Feu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse")
	f(deployment("llama/arn:aws:bedrock:us-east-1:1:imported-model/r4c4"), host+"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aimported-model%2Fr4c4/converse")
	f(deployment("anthropic.claude-sonnet-4-5", "model_id", "arn:aws:bedrock:us-east-2:1:application-inference-profile/a1"),
		"https://bedrock-runtime.us-east-2.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-2%3A1%3Aapplication-inference-profile%2Fa1/converse")
	f(deployment("x.y", "aws_bedrock_runtime_endpoint", "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/base/"),
		"https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com/base/model/x.y/converse")
	based := deployment("x.y")
	based.Base = "http://127.0.0.1:8080"
	f(based, "http://127.0.0.1:8080/model/x.y/converse")
}

func TestBindProblems(t *testing.T) {
	t.Parallel()
	f := func(d *llm.Deployment, words string) {
		t.Helper()
		if _, err := newProvider().Bind(d); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v, want an error with %q", d.Model, err, words)
		}
	}
	f(deployment(""), "litellm_params.model is missing")
	f(deployment("converse/"), "litellm_params.model names no model")
	f(deployment("agent/AGENT/ALIAS"), "agent, which the gateway does not offer")
	f(deployment("somewhere/x.y"), "somewhere/, which says nothing to Bedrock")
	f(deployment("x.y", "aws_bedrock_runtime_endpoint", "vpce"), "must begin with https://")
	failing := bedrock.New(bedrock.Settings{Account: func(*llm.Deployment, string, string) (string, llm.Signer, error) {
		return "", nil, errors.New("aws_role_name is wrong")
	}})
	if _, err := failing.Bind(deployment("x.y")); err == nil || !strings.Contains(err.Error(), "aws_role_name") {
		t.Errorf("the account's error became %v", err)
	}
}

type signer struct{ calls int }

func (s *signer) Sign(context.Context, *llm.Call) error {
	s.calls++
	return nil
}

// With a key calls are not signed, and without they are.
func TestSigner(t *testing.T) {
	t.Parallel()
	s := new(signer)
	p := bedrock.New(bedrock.Settings{Account: func(*llm.Deployment, string, string) (string, llm.Signer, error) { return "us-east-1", s, nil }})
	for _, key := range []string{"", "k1", "own"} {
		d := deployment("x.y")
		if d.APIKey = key; key == "own" {
			d.APIKey, key = "", "k1"
			d.ExtraHeaders = []llm.Pair{{Name: "authorization", Value: "Bearer k1"}}
		}
		e, err := p.Bind(d)
		if err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := e.Encode(chat(t, `{"model":"m","messages":[{"role":"user","content":"x"}]}`), &c); err != nil {
			t.Fatal(err)
		}
		if (c.Signer != nil) != (key == "") || strings.Contains(strings.ToLower(string(c.Head)), "authorization: bearer k1") != (key != "") {
			t.Errorf("with the key %q: signer %v, head %q", key, c.Signer, c.Head)
		}
	}
}

// native makes the way of a request in the Messages API and back. It returns the call and the parts.
func native(t *testing.T, d *llm.Deployment, request string, header llm.Header, a *llm.Answer) (c llm.Call, parts []string, r llm.Reply, err error) {
	t.Helper()
	e, err := newProvider().Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := e.(provider.Speaker); !ok || !s.Speaks(llm.DialectMessages) || s.Speaks(llm.DialectGoogle) {
		t.Fatal("the endpoint does not speak the Messages API, or more than that")
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.AsNative, x.Header, x.Model = llm.OpChat, true, header, "mine"
	if err := x.Native.Parse([]byte(request)); err != nil {
		t.Fatal(err)
	}
	x.Speak(llm.DialectMessages, nil)
	x.Streamed = string(x.Native.Get("stream")) == "true"
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	if err := e.Decode(x, a, &r); err != nil {
		return c, nil, r, err
	}
	for p := r.First; err == nil; err = r.Rest.Next(&p) {
		parts = append(parts, string(p.Event)+" "+string(p.Data))
	}
	if cerr := r.Rest.Close(); cerr != nil {
		t.Error(cerr)
	}
	if err == io.EOF { //nolint:errorlint // Next returns it bare
		err = nil
	}
	return c, parts, r, err
}

const claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

func answer(status int, kind, body string) *llm.Answer {
	h := llm.Header{{Name: []byte("Content-Type"), Value: []byte(kind)}}
	return &llm.Answer{Status: status, Header: h, Size: -1, Body: providertest.NewBody(frames([]byte(body)), nil)}
}

// A request in Anthropic's dialect goes to Claude as it came.
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html
func TestMessages(t *testing.T) {
	t.Parallel()
	d := deployment(claude)
	d.Defaults = []llm.Pair{{Name: "guardrailConfig", Value: `{"guardrailIdentifier":"g1","guardrailVersion":"2","trace":"enabled"}`}, {Name: "performanceConfig", Value: `{"latency":"optimized"}`}}
	header := llm.Header{
		{Name: []byte("Anthropic-Beta"), Value: []byte("claude-code-20250219, context-1m-2025-08-07,interleaved-thinking-2025-05-14")},
		{Name: []byte("anthropic-beta"), Value: []byte("advanced-tool-use-2025-11-20,context-1m-2025-08-07")},
	}
	d.AdditionalDrop = []string{"top_k"}
	c, parts, r, err := native(t, d, `{"model":"mine","num_retries":1,"guardrails":["g"],"top_k":3,"max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}],"metadata":{"user_id":"u"}}`,
		header, answer(200, "application/json", `{"model":"claude-sonnet-4-5-20250929","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":5,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":1},"output_tokens":2}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.Path), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke"; got != want {
		t.Errorf("path %s", got)
	}
	want := `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}],"metadata":{"user_id":"u"},"anthropic_beta":["context-1m-2025-08-07","interleaved-thinking-2025-05-14","tool-search-tool-2025-10-19"]}`
	if diff := cmp.Diff(want, string(bytes.Join(c.Body, nil))); diff != "" {
		t.Errorf("the body (-want +got):\n%s", diff)
	}
	for name, value := range map[string]string{
		"X-Amzn-Bedrock-GuardrailIdentifier": "g1", "X-Amzn-Bedrock-GuardrailVersion": "2", "X-Amzn-Bedrock-Trace": "ENABLED",
		"X-Amzn-Bedrock-PerformanceConfig-Latency": "optimized",
	} {
		if got := string(c.Header.Get(name)); got != value {
			t.Errorf("%s: %q", name, got)
		}
	}
	wantParts := []string{` {"model":"mine","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"cache_creation_input_tokens":5,"cache_read_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":1},"output_tokens":2}}`}
	if diff := cmp.Diff(wantParts, parts); diff != "" {
		t.Errorf("the answer (-want +got):\n%s", diff)
	}
	wantUsage := llm.Usage{Prompt: 15, Completion: 2, Total: 17, Cached: 7, CacheWrite: 5, CacheWriteHour: 1}
	if r.Usage != wantUsage || r.Finish != "stop" || r.Dialect != llm.DialectMessages {
		t.Errorf("usage %+v, finish %q, dialect %v", r.Usage, r.Finish, r.Dialect)
	}
}

// https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
func TestCountTokens(t *testing.T) {
	t.Parallel()
	e, err := newProvider().Bind(deployment(claude))
	if err != nil {
		t.Fatal(err)
	}
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Call = llm.OpChat, provider.CountTokens
	if err := x.Native.Parse([]byte(`{"model":"mine","messages":[{"role":"user","content":"Hi"}]}`)); err != nil {
		t.Fatal(err)
	}
	x.Speak(llm.DialectMessages, nil)
	var c llm.Call
	if err := e.Encode(x, &c); err != nil {
		t.Fatal(err)
	}
	want := `{"input":{"invokeModel":{"body":"` + base64.StdEncoding.EncodeToString([]byte(
		`{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"Hi"}],"max_tokens":1}`)) + `"}}}`
	if got := string(bytes.Join(c.Body, nil)); got != want || string(c.Path) != "/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens" {
		t.Errorf("%s %s", c.Path, got)
	}
	for body, want := range map[string]string{`{"inputTokens":12}`: `{"input_tokens":12}`, `{}`: ""} {
		var r llm.Reply
		err := e.Decode(x, answer(200, "application/json", body), &r)
		if string(r.First.Data) != want || (err == nil) != (want != "") {
			t.Errorf("%s became %s, %v", body, r.First.Data, err)
		}
		if err == nil {
			if err := r.Rest.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A deployment that sets more than InvokeModel can carry in header lines is called through Converse, and so is one of
// another model.
func TestNotNative(t *testing.T) {
	t.Parallel()
	set := deployment(claude)
	set.Defaults = []llm.Pair{{Name: "temperature", Value: "0"}}
	for _, d := range []*llm.Deployment{set, deployment("amazon.nova-pro-v1:0")} {
		e, err := newProvider().Bind(d)
		if err != nil {
			t.Fatal(err)
		}
		if e.(provider.Speaker).Speaks(llm.DialectMessages) {
			t.Errorf("%s is called natively", d.Model)
		}
	}
}

func TestMessagesStream(t *testing.T) {
	t.Parallel()
	request := `{"model":"mine","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`
	const kind = "application/vnd.amazon.eventstream"
	events := []string{
		`chunk {"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
		`chunk {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`chunk {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi."}}`,
		`chunk {"type":"content_block_stop","index":0}`,
		`chunk {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`,
		`chunk {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}`,
	}
	want := []string{
		`message_start {"type":"message_start","message":{"model":"mine","id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}`,
		`content_block_start {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`content_block_delta {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi."}}`,
		`content_block_stop {"type":"content_block_stop","index":0}`,
		`message_delta {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}`,
		`message_stop {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}`,
	}
	c, parts, r, err := native(t, deployment(claude), request, nil, answer(200, kind, strings.Join(events, "\n")))
	if err != nil || !strings.HasSuffix(string(c.Path), "/invoke-with-response-stream") || strings.Contains(string(c.Body[0]), `"stream"`) {
		t.Fatalf("got %v, path %s, body %s", err, c.Path, c.Body)
	}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("the events (-want +got):\n%s", diff)
	}
	if want := (llm.Usage{Prompt: 3, Completion: 2, Total: 5}); r.Usage != want || r.Finish != "stop" || !r.Streamed {
		t.Errorf("usage %+v, finish %q, streamed %v", r.Usage, r.Finish, r.Streamed)
	}

	f := func(name, body string, kind llm.Kind, parts int) {
		t.Helper()
		_, got, _, err := native(t, deployment(claude), request, nil, answer(200, "application/vnd.amazon.eventstream", body))
		var e *llm.Error
		if !errors.As(err, &e) || e.Kind != kind || len(got) != parts {
			t.Errorf("%s: got %d parts and %v", name, len(got), err)
		}
	}
	begin := strings.Join(events[:3], "\n")
	f("an exception later", begin+"\n!throttlingException {\"message\":\"slow\"}", llm.KindRateLimit, 3)
	f("an exception first", "!validationException {\"message\":\"Input is too long for requested model.\"}", llm.KindContextWindow, 0)
	f("cut", begin+"\nCUT x", llm.KindConnection, 2)
	f("ended early", begin, llm.KindConnection, 3)
	f("a wrong checksum", begin+"\nFLIP x", llm.KindBadGateway, 2)
	f("not base64", "event_x {}\nRAW "+string(eventstream.Append(nil, []byte(`{"bytes":"*"}`), ":event-type", "chunk")), llm.KindBadGateway, 0)
	f("without a type", `chunk {"x":1}`, llm.KindBadGateway, 0)
	f("an error of the model", begin+"\nchunk {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", llm.KindUnavailable, 3)
}

func TestMessagesRefused(t *testing.T) {
	t.Parallel()
	_, _, _, err := native(t, deployment(claude), `{"model":"mine","max_tokens":9,"messages":[]}`, nil,
		answer(429, "application/json", `{"message":"Too many requests, please wait before trying again."}`))
	if !errors.Is(err, &llm.Error{Kind: llm.KindRateLimit}) {
		t.Errorf("got %v", err)
	}
}

// Whatever callers send, the body is JSON, or an error names what is wrong.
func FuzzRequest(f *testing.F) {
	e, err := newProvider().Bind(deployment(claude))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{}}]}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto"}`)
	f.Add(`{"model":"m","messages":[{"role":"assistant","thinking_blocks":[{"thinking":"a","signature":"b"}],"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":""}],"response_format":{"type":"json_object"},"reasoning_effort":"low"}`)
	f.Add(`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA=="}},{"cachePoint":{"type":"default"}}]}],"additionalModelRequestFields":{"a":1},"stop":"x","top_k":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if x.Body.Parse([]byte(body)) != nil || openai.Decode(x) != nil {
			return
		}
		var c llm.Call
		err := e.Encode(x, &c)
		if err != nil {
			var known *llm.Error
			if !errors.As(err, &known) {
				t.Fatalf("%v is no *llm.Error", err)
			}
			return
		}
		var o llm.Object
		if err := o.Parse(bytes.Join(c.Body, nil)); err != nil {
			t.Fatalf("%v in %s", err, c.Body)
		}
	})
}

// A request in Anthropic's dialect always says how long an answer may be, so that Nova's high effort becomes a medium one.
func TestNovaEffortOfMessages(t *testing.T) {
	t.Parallel()
	e, err := newProvider().Bind(&llm.Deployment{ID: "d1", Group: "mine", Provider: bedrock.Name, Model: "amazon.nova-2-lite-v1:0", APIKey: "sk-0123456789abc"})
	if err != nil {
		t.Fatal(err)
	}
	f := func(dialect llm.Dialect, body, want string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Dialect = llm.OpChat, dialect
		if err := x.Body.Parse([]byte(`{"messages":[{"role":"user","content":"x"}],` + body + `}`)); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		got := ""
		if err := e.Encode(x, &c); err != nil {
			got = err.Error()
		} else {
			got = string(bytes.Join(c.Body, nil))
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	f(llm.DialectMessages, `"max_tokens":9,"reasoning_effort":"high"`, `"maxTokens":9},"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"medium"}}`)
	f(llm.DialectMessages, `"reasoning_effort":"high"`, `"maxReasoningEffort":"high"`)
	f(llm.DialectOpenAI, `"max_tokens":9,"reasoning_effort":"high"`, "`max_tokens` cannot be set with the highest effort")
}
