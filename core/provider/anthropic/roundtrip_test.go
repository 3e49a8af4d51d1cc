package anthropic_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	dialect "github.com/sallyport-ai/sallyport/core/dialect/anthropic"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
)

// around says a request for the Messages API as chat completions, and lets the provider make one of it again.
func around(t testing.TB, endpoint provider.Endpoint, raw string) (chat, again []byte, err error) {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, "m"
	if err := x.Native.Parse([]byte(raw)); err != nil {
		return nil, nil, err
	}
	x.Speak(llm.DialectMessages, func(x *llm.Exchange) error {
		b, _, err := dialect.AppendChat(nil, &x.Native)
		if err != nil {
			return err
		}
		return x.Body.Parse(b)
	})
	if err := x.Chat(); err != nil {
		return nil, nil, err
	}
	if user := x.Body.Get("user"); user != nil {
		x.Controls.User = user
	}
	var c llm.Call
	if err := endpoint.Encode(x, &c); err != nil {
		return x.Body.Raw(), nil, err
	}
	return x.Body.Raw(), bytes.Join(c.Body, nil), nil
}

func claudeEndpoint(t testing.TB) provider.Endpoint {
	t.Helper()
	e, err := anthropic.New(anthropic.Settings{}).Bind(&llm.Deployment{Group: "m", Model: "claude-sonnet-4-5", APIKey: "sk-ant-x"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What callers of the Messages API say survives the way through chat completions: each case comes back as it went, but
// for a content that is a string, which comes back as the one block it stands for.
func TestMessagesThroughChat(t *testing.T) {
	t.Parallel()
	endpoint := claudeEndpoint(t)
	f := func(members string) {
		t.Helper()
		raw := `{"model":"claude-sonnet-4-5","max_tokens":100,` + members + `}`
		chat, again, err := around(t, endpoint, raw)
		if err != nil {
			t.Errorf("%s: %v", members, err)
			return
		}
		if diff := cmp.Diff(normal(t, []byte(raw)), normal(t, again)); diff != "" {
			t.Errorf("%s\nas chat %s\n(-want +got):\n%s", members, chat, diff)
		}
	}
	// https://platform.claude.com/docs/en/api/messages/create, parameters
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	f(hi)
	f(hi + `,"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b"}]`)
	f(hi + `,"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["a","b"],"stream":false`)
	f(hi + `,"metadata":{"user_id":"someone@example.com"},"service_tier":"standard_only"`)
	f(hi + `,"service_tier":"auto","inference_geo":"us","speed":"fast","container":"c_1","mcp_servers":[{"type":"url","url":"https://x","name":"n"}]`)
	f(hi + `,"thinking":{"type":"enabled","budget_tokens":5000}`)
	f(hi + `,"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{"type":"object"}}}`)
	f(hi + `,"thinking":{"type":"disabled"},"context_management":{"edits":[{"type":"clear_tool_uses_20250919","keep":{"type":"tool_uses","value":3}}]}`)
	f(hi + `,"output_format":{"type":"json_schema","schema":{"type":"object","properties":{}}},"cache_control":{"type":"ephemeral"},"new_parameter":{"a":[1,2]}`)
	// https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools
	f(hi + `,"tools":[{"name":"a","description":"d","input_schema":{"type":"object","properties":{"x":{"type":"string"}}},"strict":true,"cache_control":{"type":"ephemeral"},"input_examples":[{"x":"y"}],"defer_loading":true}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}`)
	f(hi + `,"tools":[{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"str_replace_based_edit_tool","max_characters":10},{"type":"computer_20250124","name":"computer","display_width_px":1,"display_height_px":2},{"type":"web_search_20250305","name":"web_search","max_uses":5,"allowed_domains":["a.com"]}],"tool_choice":{"type":"tool","name":"bash"}`)
	f(hi + `,"tools":[{"name":"a","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}`)
	f(hi + `,"tools":[{"name":"a","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto"}`)
	// https://platform.claude.com/docs/en/build-with-claude/vision, pdf-support, files, citations, search-results
	f(`"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},
		{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"},"cache_control":{"type":"ephemeral"}},
		{"type":"image","source":{"type":"url","url":"https://x/y.png"}},{"type":"image","source":{"type":"file","file_id":"file_1"}},
		{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"t","context":"c","citations":{"enabled":true},"cache_control":{"type":"ephemeral"}},
		{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a \"b\" \u00e9"},"title":"t","citations":{"enabled":true}},
		{"type":"document","source":{"type":"url","url":"https://x/y.pdf"}},{"type":"document","source":{"type":"file","file_id":"file_2"}},
		{"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"}]}},
		{"type":"search_result","source":"https://s","title":"t","content":[{"type":"text","text":"x"}],"citations":{"enabled":true}},
		{"type":"container_upload","file_id":"file_3"}]}]`)
	// https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls, parallel-tool-use
	f(`"messages":[{"role":"user","content":[{"type":"text","text":"go"}]},
		{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_1","name":"a","input":{"x":[1,{"y":"\"z\""}]},"cache_control":{"type":"ephemeral"}},{"type":"tool_use","id":"toolu_2","name":"b","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"bad"}]},
			{"type":"tool_result","tool_use_id":"toolu_1","cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"tool_reference","tool_name":"a"}]},
			{"type":"text","text":"and now?"}]}]`)
	// https://platform.claude.com/docs/en/build-with-claude/extended-thinking, interleaved thinking
	f(`"messages":[{"role":"user","content":"go"},
		{"role":"assistant","content":[{"type":"thinking","thinking":"a\nb","signature":"s1"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_1","name":"a","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"x"}]}]},
		{"role":"assistant","content":[{"type":"text","text":"so"},{"type":"thinking","thinking":"c","signature":"s2"},{"type":"tool_use","id":"toolu_2","name":"a","input":{}},{"type":"thinking","thinking":"","signature":"s3"},{"type":"text","text":"done"}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"y"}]}]}]`)
	// https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool, mcp-connector
	f(`"messages":[{"role":"user","content":"go"},
		{"role":"assistant","content":[{"type":"text","text":"I search."},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}},
			{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://x","title":"t","encrypted_content":"e"}]},
			{"type":"text","text":"It is ","citations":[{"type":"web_search_result_location","url":"https://x","title":"t","encrypted_index":"i","cited_text":"c"}]},
			{"type":"text","text":"so."},{"type":"mcp_tool_use","id":"m1","name":"n","server_name":"s","input":{}},{"type":"mcp_tool_result","tool_use_id":"m1","is_error":false,"content":[]}]},
		{"role":"user","content":"thanks"}]`)
}

// normal is a request as a tree, in which a content is always a list and no text is empty.
func normal(t *testing.T, raw []byte) any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if m["stream"] == false {
		delete(m, "stream")
	}
	messages, _ := m["messages"].([]any)
	for _, v := range messages {
		message, _ := v.(map[string]any)
		if s, ok := message["content"].(string); ok {
			message["content"] = []any{map[string]any{"type": "text", "text": s}}
		}
	}
	return m
}

// Whatever comes in goes out the same way when it goes around once more, or is refused by an error.
func FuzzMessagesThroughChat(f *testing.F) {
	f.Add(`{"model":"m","max_tokens":1,"system":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"t","content":"x"}]}]}`)
	f.Add(`{"max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"i","name":"n","input":{"a":1}},{"type":"x"}]}]}`)
	f.Add(`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}},{"type":"image","source":{"type":"url","url":"https://x"}}]}],"tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"any"},"thinking":{"type":"enabled","budget_tokens":3}}`)
	endpoint := claudeEndpoint(f)
	f.Fuzz(func(t *testing.T, raw string) {
		_, first, err := around(t, endpoint, raw)
		if err != nil {
			if llm.AsError(err).Message == "" {
				t.Errorf("%v", err)
			}
			return
		}
		if !json.Valid([]byte(raw)) || !json.Valid(first) {
			return // the insides of strings are the vendor's to check
		}
		chat, second, err := around(t, endpoint, string(first))
		if err != nil {
			t.Fatalf("%s\nas chat %s\nmade %s: %v", raw, chat, first, err)
		}
		if diff := cmp.Diff(normal(t, first), normal(t, second)); diff != "" {
			t.Fatalf("%s\n%s", raw, diff)
		}
	})
}
