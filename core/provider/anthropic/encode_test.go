package anthropic_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
)

type change = func(*llm.Deployment)

func deployment(changes ...change) *llm.Deployment {
	d := &llm.Deployment{ID: "d1", Group: "mine", Provider: "anthropic", Model: "claude-3-5-haiku", APIKey: "sk-ant-secret0123"}
	for _, c := range changes {
		if c != nil {
			c(d)
		}
	}
	return d
}

func bind(t testing.TB, d *llm.Deployment) provider.Endpoint {
	t.Helper()
	e, err := anthropic.New(settings()).Bind(d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func request(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op = llm.OpChat
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatalf("parse %s: %v", body, err)
	}
	if err := dialect.Decode(x); err != nil {
		t.Fatalf("decode %s: %v", body, err)
	}
	return x
}

func sent(c *llm.Call) string { return string(bytes.Join(c.Body, nil)) }

const hi = `"messages":[{"role":"user","content":"hi"}]`

// encoded is what is sent for a request, without what all requests have in common.
func encoded(t *testing.T, d *llm.Deployment, in string) string {
	t.Helper()
	var c llm.Call
	if err := bind(t, d).Encode(request(t, in), &c); err != nil {
		t.Errorf("%s: %v", in, err)
		return ""
	}
	got := sent(&c)
	if !json.Valid([]byte(got)) {
		t.Errorf("%s: not JSON: %s", in, got)
	}
	got = strings.TrimPrefix(got, `{"model":"`+d.Model+`"`)
	return strings.Replace(got, `,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`, "", 1)
}

func TestEncodeParameters(t *testing.T) {
	t.Parallel()
	f := func(d change, params, want string) {
		t.Helper()
		in := `{"model":"mine",` + hi + params + `}`
		if diff := cmp.Diff(want, encoded(t, deployment(d), in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
	model := func(name string) change { return func(d *llm.Deployment) { d.Model = name } }
	const std = `,"max_tokens":4096`

	f(nil, ``, std+`}`)
	f(nil, `,"max_tokens":7`, `,"max_tokens":7}`)
	f(nil, `,"max_tokens":7,"max_completion_tokens":8`, `,"max_tokens":8}`)
	f(nil, `,"max_tokens":null,"n":1,"logprobs":false,"presence_penalty":0,"store":false,"seed":null`, std+`}`)
	f(nil, `,"stop":["a","b"]`, std+`,"stop_sequences":["a","b"]}`)
	f(nil, `,"stop":[]`, std+`}`)
	f(nil, `,"user":"u-1"`, std+`,"metadata":{"user_id":"u-1"}}`)
	f(nil, `,"user":"a@b.example"`, std+`}`)
	f(nil, `,"user":"+49 (30) 1234567"`, std+`}`)
	f(nil, `,"metadata":{"user_id":"u-2","tags":["a"]}`, std+`,"metadata":{"user_id":"u-2"}}`)
	f(nil, `,"service_tier":"default"`, std+`,"service_tier":"standard_only"}`)
	f(nil, `,"service_tier":"auto","top_p":0.5`, std+`,"service_tier":"auto","top_p":0.5}`)
	f(nil, `,"extra_body":{"top_k":5},"top_k":6`, std+`,"top_k":5}`)
	f(nil, `,"seed":1,"top_k":2,"additional_drop_params":["seed","top_k"]`, std+`}`)
	f(nil, `,"seed":1,"allowed_openai_params":["seed"]`, std+`,"seed":1}`)
	f(func(d *llm.Deployment) { d.DropParams = true }, `,"seed":1`, std+`}`)
	f(func(d *llm.Deployment) { d.AdditionalDrop = []string{"seed"} }, `,"seed":1`, std+`}`)
	f(func(d *llm.Deployment) {
		d.Defaults = []llm.Pair{{Name: "max_tokens", Value: "9"}, {Name: "top_k", Value: "1"}}
		d.ExtraBody = []llm.Pair{{Name: "temperature", Value: "0.1"}}
	}, `,"top_k":2,"temperature":1`, `,"max_tokens":9,"temperature":0.1,"top_k":2}`)

	// https://platform.claude.com/docs/en/build-with-claude/extended-thinking and .../adaptive-thinking
	f(nil, `,"reasoning_effort":"low"`, `,"thinking":{"type":"enabled","budget_tokens":1024},"max_tokens":5120}`)
	f(nil, `,"reasoning_effort":"high","max_tokens":9000`, `,"thinking":{"type":"enabled","budget_tokens":4096},"max_tokens":9000}`)
	f(nil, `,"reasoning_effort":"none"`, `,"thinking":{"type":"disabled"}`+std+`}`)
	f(model("claude-opus-4-6"), `,"reasoning_effort":"minimal"`, `,"thinking":{"type":"adaptive"}`+std+`,"output_config":{"effort":"low"}}`)
	f(model("claude-sonnet-5"), `,"reasoning_effort":"max"`, `,"thinking":{"type":"adaptive"}`+std+`,"output_config":{"effort":"max"}}`)
	f(nil, `,"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"low"}`,
		`,"thinking":{"type":"adaptive","display":"omitted"}`+std+`,"output_config":{"effort":"low"}}`)

	// https://platform.claude.com/docs/en/build-with-claude/structured-outputs
	strict := `,"response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}}`
	asked := `{"name":"json_tool_call","description":"Gives the answer as JSON.","input_schema":{"type":"object"}}`
	f(model("claude-sonnet-4-5-20250929"), strict, std+`,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`)
	f(model("claude-opus-4-6"), strict+`,"reasoning_effort":"low"`, `,"thinking":{"type":"adaptive"}`+std+
		`,"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}}`)
	f(nil, strict, std+`,"tools":[`+asked+`],"tool_choice":{"type":"tool","name":"json_tool_call"}}`)
	f(nil, strict+`,"thinking":{"type":"enabled","budget_tokens":2000}`, `,"thinking":{"type":"enabled","budget_tokens":2000},"max_tokens":6096`+
		`,"tools":[`+asked+`],"tool_choice":{"type":"auto"}}`)
	f(nil, `,"response_format":{"type":"text"}`, std+`}`)

	tools := `,"tools":[{"type":"function","function":{"name":"f","strict":true}}]`
	mapped := std + `,"tools":[{"name":"f","input_schema":{"type":"object","properties":{}},"strict":true}]`
	f(nil, tools, mapped+`}`)
	f(nil, tools+`,"tool_choice":"none","parallel_tool_calls":false`, mapped+`,"tool_choice":{"type":"none"}}`)
	f(nil, tools+`,"tool_choice":"required"`, mapped+`,"tool_choice":{"type":"any"}}`)
	f(nil, tools+`,"parallel_tool_calls":false`, mapped+`,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`)
	f(nil, tools+`,"tool_choice":{"type":"tool","name":"f"}`, mapped+`,"tool_choice":{"type":"tool","name":"f"}}`)
	f(nil, `,"web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Oslo"}}}`,
		std+`,"tools":[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","city":"Oslo"},"max_uses":1}]}`)
	f(nil, `,"web_search_options":{}`, std+`,"tools":[{"type":"web_search_20250305","name":"web_search"}]}`)
	f(nil, `,"tools":[],"tool_choice":"auto","parallel_tool_calls":true`, std+`}`)
	f(nil, `,"tools":[{"name":"f","input_schema":{"x":1}},{"type":"function","function":{"name":"g","parameters":{"properties":{}}}}]`,
		std+`,"tools":[{"name":"f","input_schema":{"x":1}},{"name":"g","input_schema":{"type":"object","properties":{}}}]}`)
}

func TestEncodeMessages(t *testing.T) {
	t.Parallel()
	f := func(messages, want string) {
		t.Helper()
		got := encoded(t, deployment(), `{"model":"mine","messages":[`+messages+`]}`)
		if diff := cmp.Diff(`,"max_tokens":4096`+want+`}`, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", messages, diff)
		}
	}
	user := `{"role":"user","content":"a"}`
	userTurn := `{"role":"user","content":[{"type":"text","text":"a"}]}`
	f(user+`,{"role":"system","content":"s"},`+user, `,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"a"}]}]`)
	f(user+`,{"role":"assistant","content":""},{"role":"system","content":""}`, `,"messages":[`+userTurn+`]`)
	f(user+`,{"role":"assistant","content":"x"},{"role":"assistant","content":[{"type":"text","text":"y"}],"refusal":"no"}`,
		`,"messages":[`+userTurn+`,{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"text","text":"y"},{"type":"text","text":"no"}]}]`)
	f(user+`,{"role":"assistant","content":null,"provider_specific_fields":{"thinking_blocks":[{"type":"redacted_thinking","data":"d"}],"blocks":[{"type":"server_tool_use"}]}}`,
		`,"messages":[`+userTurn+`,{"role":"assistant","content":[{"type":"redacted_thinking","data":"d"},{"type":"server_tool_use"}]}]`)
	// Thinking that was streamed in pieces is put together again.
	f(user+`,{"role":"assistant","content":"x","thinking_blocks":[{"type":"thinking","thinking":"H","signature":""},{"type":"thinking","thinking":"m\n","signature":""},{"type":"thinking","thinking":"","signature":"s="}]}`,
		`,"messages":[`+userTurn+`,{"role":"assistant","content":[{"type":"thinking","thinking":"Hm\n","signature":"s="},{"type":"text","text":"x"}]}]`)
	// thoughts that OpenAI signed, in pieces and whole, among its own
	f(user+`,{"role":"assistant","content":"x","thinking_blocks":[{"type":"thinking","thinking":"a"},{"type":"thinking","thinking":"b","signature":"openai:rs_1:e"},{"type":"thinking","thinking":"H","signature":"s="},{"type":"thinking","thinking":"c","signature":"openai:rs_2:e"}]}`,
		`,"messages":[`+userTurn+`,{"role":"assistant","content":[{"type":"thinking","thinking":"H","signature":"s="},{"type":"text","text":"x"}]}]`)
	f(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"cache_control":{"type":"ephemeral"}}`,
		`,"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]`)
	f(`{"role":"tool","tool_call_id":"t","content":"no","is_error":true}`,
		`,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","is_error":true,"content":"no"}]}]`)
	f(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:application\/pdf;base64,AA=="}},{"type":"file","file":{"file_id":"f1","format":"image/png"}},{"type":"file","file":{"file_id":"https://h/a.pdf","filename":"a"}}]}`,
		`,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}},{"type":"image","source":{"type":"file","file_id":"f1"}},{"type":"document","source":{"type":"url","url":"https://h/a.pdf"},"title":"a"}]}]`)
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	f := func(in string, parts ...string) {
		t.Helper()
		var c llm.Call
		var e *llm.Error
		if err := bind(t, deployment()).Encode(request(t, in), &c); !errors.As(err, &e) {
			t.Errorf("%s: got %v, want an *llm.Error", in, err)
			return
		}
		if e.HTTPStatus() != 400 || strings.Contains(e.Message, "PRIVATE") {
			t.Errorf("%s: status %d, %s", in, e.HTTPStatus(), e.Message)
		}
		for _, p := range parts {
			if !strings.Contains(e.Message, p) {
				t.Errorf("%s: the message %q lacks %q", in, e.Message, p)
			}
		}
	}
	messages := func(list string, parts ...string) {
		t.Helper()
		f(`{"messages":`+list+`}`, parts...)
	}
	messages(`"PRIVATE"`, "`messages`", "list")
	messages(`[]`, "at least one message")
	messages(`["PRIVATE"]`, "messages[0]")
	messages(`[{"content":"PRIVATE"}]`, "messages[0].role", "missing")
	messages(`[{"role":"function","content":"PRIVATE"}]`, "messages[0].role", "assistant")
	messages(`[{"role":"system","content":"PRIVATE"}]`, "system messages alone")
	messages(`[{"role":"user","content":""}]`, "messages[0].content", "empty")
	messages(`[{"role":"user","content":7}]`, "messages[0].content")
	messages(`[{"role":"user","content":"PRIVATE","name":"bob"}]`, "messages[0].name", "drop_params")
	messages(`[{"role":"assistant","content":"PRIVATE","audio":{"id":"a"}}]`, "messages[0].audio")
	messages(`[{"role":"assistant","function_call":{"name":"f"}}]`, "messages[0].function_call")
	messages(`[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"PRIVATE"}}]}]`, "messages[0].content[0]", "input_audio")
	messages(`[{"role":"user","content":[{"type":"image_url","image_url":{"url":"PRIVATE"}}]}]`, "messages[0].content[0].image_url.url", "data URL")
	messages(`[{"role":"user","content":[{"type":"file","file":{"file_data":"data:video/mp4;base64,PRIVATE"}}]}]`, "video/mp4")
	messages(`[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,*"}}]}]`, "not base64")
	messages(`[{"role":"user","content":[{"type":"file","file":{}}]}]`, "file_data or file_id")
	messages(`[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://h/a"}}]}]`, "image_url")
	messages(`[{"role":"tool","content":"PRIVATE"}]`, "messages[0].tool_call_id")
	messages(`[{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"input":"PRIVATE"}}]}]`, "messages[0].tool_calls[0]")
	messages(`[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"{PRIVATE"}}]}]`, "tool_calls[0].function.arguments", "JSON object")
	messages(`[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"[1]"}}]}]`, "JSON object")
	messages(`[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]`, "tool_calls[0].id")
	messages(`[{"role":"assistant","tool_calls":[{"id":"1","function":{"arguments":"{}"}}]}]`, "function.name")

	params := func(more string, parts ...string) {
		t.Helper()
		f(`{`+hi+more+`}`, parts...)
	}
	params(`,"web_search_options":{"search_context_size":"huge"}`, "web_search_options")
	params(`,"web_search_options":7`, "web_search_options")
	params(`,"n":2,"functions":[],"verbosity":"low"`, "['n', 'functions', 'verbosity']", "drop_params", "allowed_openai_params")
	params(`,"tools":{}`, "`tools`")
	params(`,"tools":[{"type":"mcp"}]`, "tools[0]")
	params(`,"tools":[{"type":"function","function":{}}]`, "tools[0].function.name")
	params(`,"tools":[{"type":"function","function":{"name":"json_tool_call"}}],"response_format":{"type":"json_object"}`, "json_tool_call")
	params(`,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"maybe"`, "tool_choice")
	params(`,"tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":1`, "parallel_tool_calls")
	params(`,"response_format":{"type":"xml"}`, "response_format.type")
	params(`,"response_format":{"type":"json_schema"}`, "schema")
	params(`,"reasoning_effort":"much"`, "reasoning_effort")
	params(`,"thinking":true`, "`thinking`")
	params(`,"user":7`, "`user`")
	params(`,"stop":7`, "`stop`")
	params(`,"stop":"a","stop_sequences":["b"]`, "`stop_sequences`")
	params(`,"extra_body":{"messages":[]}`, "extra_body", "messages")
	params(`,"extra_body":{"a":1,"a":2}`, "extra_body", "twice")
	params(`,"extra_headers":{"X-Api-Key":"x"}`, "extra_headers", "X-Api-Key")
	params(`,"extra_headers":{"anthropic-version":"x"}`, "anthropic-version", "deployment")
	params(`,"extra_headers":{"X-A":"b\r\nEvil: 1"}`, "extra_headers", "line break")
	params(`,"additional_drop_params":["`+strings.Repeat("a", 5000)+`"]`, "additional_drop_params")
	f(`{`+strings.Replace(hi, `"hi"}`, `"hi"},{"role":"system","content":"s"}`, 1)+`,"system":"t"}`, "`system`")
}

func TestBind(t *testing.T) {
	t.Parallel()
	address := func(base, host, addr, path string) {
		t.Helper()
		var c llm.Call
		e := bind(t, deployment(func(d *llm.Deployment) { d.Base = base }))
		if err := e.Encode(request(t, `{`+hi+`}`), &c); err != nil {
			t.Fatal(err)
		}
		if c.Target.Host != host || c.Target.Addr != addr || string(c.Path) != path {
			t.Errorf("%q: %s, %s, %s", base, c.Target.Host, c.Target.Addr, c.Path)
		}
	}
	address("", "api.anthropic.com", "api.anthropic.com:443", "/v1/messages")
	address("https://h/v1", "h", "h:443", "/v1/messages")
	address("http://h:8080/a/", "h:8080", "h:8080", "/a/v1/messages")
	address("http://h/v1/messages?x=1", "h", "h:80", "/v1/messages?x=1")

	refuse := func(d change, parts ...string) {
		t.Helper()
		_, err := anthropic.New(settings()).Bind(deployment(d))
		if err == nil {
			t.Errorf("Bind took a deployment that should fail with %q", parts)
			return
		}
		for _, p := range parts {
			if !strings.Contains(err.Error(), p) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error %q lacks %q or holds the key", err, p)
			}
		}
	}
	base := func(b string) change { return func(d *llm.Deployment) { d.Base = b } }
	refuse(func(d *llm.Deployment) { d.Model = "" }, "model_name mine", "litellm_params.model")
	refuse(base("api.anthropic.com"), "api_base", "https://")
	refuse(base("http://"), "api_base", "host")
	refuse(base("http://u:secret@h"), "api_base", "api_key")
	refuse(base("http://h/#x"), "fragment")
	refuse(base("http://h:99999"), "port")
	refuse(base("http://h:\x7f"), "URL")
	refuse(func(d *llm.Deployment) { d.APIKey = "" }, "api_key", "ANTHROPIC_API_KEY")
	refuse(func(d *llm.Deployment) { d.APIKey = "secret\r\nX: y" }, "api_key", "line break")
	refuse(func(d *llm.Deployment) { d.ExtraHeaders = []llm.Pair{{Name: "Host", Value: "c"}} }, "extra_headers", "Host")
	refuse(func(d *llm.Deployment) { d.AdditionalDrop = []string{"tools[x].y"} }, "additional_drop_params")
	refuse(func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "model", Value: `"x"`}} }, "extra_body", "model")
	refuse(func(d *llm.Deployment) { d.ExtraBody = []llm.Pair{{Name: "a", Value: `x`}} }, "extra_body", "JSON")
	refuse(func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "seed", Value: `1`}} }, "seed", "drop_params")
	refuse(func(d *llm.Deployment) { d.Defaults = []llm.Pair{{Name: "cache", Value: `true`}} }, "cache", "control")

	bind(t, deployment(func(d *llm.Deployment) {
		d.APIKey, d.ExtraHeaders = "", []llm.Pair{{Name: "Authorization", Value: "Bearer x"}}
	}))
}

// FuzzEncode sends any request, and wants JSON or an error of the gateway's own.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{
		`{` + hi + `,"tools":[{"type":"function","function":{"name":"f"}}],"stop":"x","response_format":{"type":"json_object"}}`,
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"a\":1}"}}],"thinking_blocks":[{"type":"thinking","thinking":"a","signature":""}]},{"role":"tool","tool_call_id":"a","content":[{"type":"text","text":"x"}]}]}`,
	} {
		f.Add(s)
	}
	e := bind(f, deployment())
	f.Fuzz(func(t *testing.T, body string) {
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if x.Body.Parse([]byte(body)) != nil || dialect.Decode(x) != nil {
			return
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			if _, ok := err.(*llm.Error); !ok { //nolint:errorlint // the promise is the type itself
				t.Fatalf("%T", err)
			}
			return
		}
		// What is inside strings is passed on, so only their bytes can be at fault.
		var o llm.Object
		if err := o.Parse([]byte(sent(&c))); err != nil {
			t.Fatalf("%s\nbecame %s: %v", body, sent(&c), err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	e := bind(b, deployment())
	x := request(b, `{"model":"mine","messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"`+strings.Repeat("word ", 400)+
		`"}],"temperature":0.2,"max_tokens":100,"stream":true,"user":"u"}`)
	var c llm.Call
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		if err := e.Encode(x, &c); err != nil {
			b.Fatal(err)
		}
	}
}
