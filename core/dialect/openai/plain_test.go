package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func plain(t testing.TB, p Plain, in string) (string, error) {
	t.Helper()
	var o llm.Object
	if err := o.Parse([]byte(in)); err != nil {
		t.Fatal(err)
	}
	p.Vendor = "vendor"
	out, err := p.Append(nil, &o)
	return string(out), err
}

// What other dialects brought along is said in the API's own words, or left out, or refused by name.
func TestPlain(t *testing.T) {
	t.Parallel()
	f := func(p Plain, in, want string) {
		t.Helper()
		got, err := plain(t, p, in)
		if err != nil {
			got = llm.AsError(err).Message
		} else if !json.Valid([]byte(got)) {
			t.Errorf("%s became %s", in, got)
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
	part := func(in, want string) {
		t.Helper()
		if strings.HasPrefix(want, "{") {
			want = `{"messages":[{"role":"user","content":[` + want + `]}]}`
		}
		f(Plain{}, `{"messages":[{"role":"user","content":[`+in+`]}]}`, want)
	}
	f(Plain{NewLimit: true}, `{"max_tokens":1,"thinking":{},"cache_control":{},"context_management":{},"mcp_servers":[],"top_k":3}`, `{"max_completion_tokens":1,"top_k":3}`)
	f(Plain{}, `{"max_tokens":1,"mcp_servers":[{}]}`, "`mcp_servers` has no counterpart in the API of vendor: remove it or set drop_params.")
	f(Plain{Drop: true}, `{"max_tokens":1,"mcp_servers":[{}]}`, `{"max_tokens":1}`)
	f(Plain{}, `{"tools":[{"type":"bash_20250124","name":"bash"}]}`, "`tools[0]` is the tool bash_20250124, which vendor does not have: remove it or set drop_params.")
	f(Plain{}, `{"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3,"user_location":{"type":"approximate","city":"c"}}]}`,
		`{"web_search_options":{"user_location":{"type":"approximate","approximate":{"city":"c"}}}}`)
	f(Plain{}, `{"tools":[{"type":"web_search_20250305","allowed_domains":["a"]}]}`, "`tools.web_search.allowed_domains` has no counterpart in the API of vendor: remove it or set drop_params.")
	long := "f" + strings.Repeat("o", 70)
	cut := string(dialect.ShortToolName([]byte(`"` + long + `"`)))
	f(Plain{}, `{"tools":[{"type":"function","function":{"name":"`+long+`","parameters":{}},"cache_control":{}}],"tool_choice":{"type":"function","function":{"name":"`+long+`"}},"messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"`+long+`","arguments":"{}"},"cache_control":{}}]}]}`,
		`{"tools":[{"type":"function","function":{"name":`+cut+`,"parameters":{}}}],"tool_choice":{"type":"function","function":{"name":`+cut+`}},"messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":`+cut+`,"arguments":"{}"}}]}]}`)
	part(`{"type":"text","text":"a","cache_control":{},"citations":[]}`, `{"type":"text","text":"a"}`)
	part(`{"type":"document","source":{"type":"text","data":"d"},"title":"t"}`, `{"type":"text","text":"t\n\nd"}`)
	part(`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}`, `{"type":"text","text":"a\nb\n"}`)
	part(`{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"}]}`, `{"type":"text","text":"t\n\ns\n\na\n"}`)
	part(`{"type":"file","file":{"file_data":"data:application/pdf;base64,AA","context":"c"}}`, `{"type":"file","file":{"file_data":"data:application/pdf;base64,AA","filename":"document.pdf"}}`)
	part(`{"type":"file","file":{"file_data":"data:text/plain;base64,YQ==","filename":"n"}}`, `{"type":"text","text":"n\n\na"}`)
	part(`{"type":"file","file":{"file_id":"https://x/y"}}`, "`messages[0].content[0].file.file_id` is an address, and vendor takes no files from addresses: remove it or set drop_params.")
	part(`{"type":"container_upload"}`, "`messages[0].content[0]` is of the type container_upload, which cannot be sent to vendor: remove it or set drop_params.")
	f(Plain{Cache: true}, `{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"x":1}}]}]}`, `{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"x":1}}]}]}`)
	const thinking = `{"messages":[{"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"x","signature":"s"},{"type":"thinking","thinking":"y"}]}]}`
	f(Plain{}, thinking, `{"messages":[{"role":"assistant","content":"a"}]}`)
	f(Plain{}, `{"messages":[{"role":"assistant","content":"a","reasoning_content":"x"}]}`, `{"messages":[{"role":"assistant","content":"a"}]}`)
	f(Plain{Reasoning: true}, `{"messages":[{"role":"assistant","content":"a","reasoning_content":"x"}]}`, `{"messages":[{"role":"assistant","content":"a","reasoning_content":"x"}]}`)
	f(Plain{Reasoning: true}, thinking, `{"messages":[{"role":"assistant","content":"a","reasoning_content":"xy"}]}`)
	f(Plain{}, `{"messages":[{"role":"assistant","content":"a","provider_specific_fields":{"blocks":[{"type":"server_tool_use"}]}}]}`, "`messages[0]` holds a block of the type server_tool_use, which cannot be sent to vendor: remove it or set drop_params.")
	f(Plain{}, `{"messages":[{"role":"tool","tool_call_id":"i","content":"x","is_error":true},{"role":"tool","tool_call_id":"j","content":[{"type":"image_url","image_url":{"url":"u"}}]},{"role":"user","content":"y"}]}`,
		`{"messages":[{"role":"tool","tool_call_id":"i","content":"Error: x"},{"role":"tool","tool_call_id":"j","content":[{"type":"text","text":"(The images follow in the next message.)"}]},{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]},{"role":"user","content":"y"}]}`)
}

func FuzzPlain(f *testing.F) {
	f.Add(`{"messages":[{"role":"tool","is_error":true,"content":[{"type":"file","file":{"file_data":"data:text/plain;base64,YQ=="}},{"type":"image_url","image_url":"u"}]}],"tools":[{"type":"web_search_1"},{"function":{"name":"a"}}]}`)
	f.Add(`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"text":"a"}]}}],"thinking_blocks":[{"thinking":"t"}]}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		var o llm.Object
		if o.Parse([]byte(in)) != nil {
			return
		}
		p := Plain{Vendor: "v", Reasoning: true}
		out, err := p.Append(nil, &o)
		if err == nil && json.Valid([]byte(in)) && !json.Valid(out) {
			t.Errorf("%s became %s", in, out)
		}
	})
}
