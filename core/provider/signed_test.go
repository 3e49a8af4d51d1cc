package provider

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// TestSigned checks that signatures of Gemini's thoughts in ids do not go to other vendors.
func TestSigned(t *testing.T) {
	t.Parallel()
	f := func(vendor, body, want string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		d := &llm.Deployment{Provider: vendor}
		got := body
		encode := func(x *llm.Exchange, _ *llm.Call) error { got = string(x.Body.Raw()); return nil }
		if Trims(x, d) {
			if err := EncodeTrimmed(x, d, nil, encode); err != nil {
				t.Fatal(err)
			}
		}
		if got != want || string(x.Body.Raw()) != body {
			t.Errorf("%s: got %s, want %s", vendor, got, want)
		}
	}
	body := `{"tools":[],"messages":[{"role":"user","content":"a__thought__b"},{"role":"assistant","tool_calls":[{"id":"call_1__thought__c2ln","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"call_2"},7]},{"tool_call_id":"call_1__thought__c2ln","role":"tool","content":"__thought__"}],"n":1}`
	f("openai", body, `{"tools":[],"messages":[{"role":"user","content":"a__thought__b"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"call_2"},7]},{"tool_call_id":"call_1","role":"tool","content":"__thought__"}],"n":1}`)
	f("gemini", body, body)
	f("vertex_ai", body, body)
	f("openai", `{"messages":[{"tool_call_id":"a__thought__b"}]}`, `{"messages":[{"tool_call_id":"a__thought__b"}]}`)
	f("openai", `{"tools":[],"messages":["__thought__",{"tool_call_id":"__thought__b","tool_calls":{"__thought__":1}},{"tool_call_id":7}]}`,
		`{"tools":[],"messages":["__thought__",{"tool_call_id":"__thought__b","tool_calls":{"__thought__":1}},{"tool_call_id":7}]}`)
	f("openai", `{"tools":[],"messages":"__thought__"}`, `{"tools":[],"messages":"__thought__"}`)
}
