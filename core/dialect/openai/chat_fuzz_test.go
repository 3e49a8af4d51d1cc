package openai_test

import (
	"errors"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// FuzzChatRequest takes requests apart that nobody would write. What is accepted must hold together: vendors' code relies
// on it.
func FuzzChatRequest(f *testing.F) {
	for _, s := range []string{
		`{"messages":[{"role":"user","content":"hi"}]}`,
		`{"messages":[{"role":"system","content":[{"type":"text","text":"a"}]},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}`,
		`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}}}`,
		`{"messages":[{"role":"assistant","function_call":{"name":"f","arguments":""}}],"functions":[{"name":"f"}],"function_call":"auto"}`,
		`{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"parallel_tool_calls":false,"stop":["a"]}`,
		`{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,AA=="}},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}}]}]}`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, drop bool) {
		var o llm.Object
		if o.Parse(raw) != nil {
			return
		}
		var members []openai.Param
		for _, m := range o.Members() {
			members = append(members, openai.Param{Name: string(o.Key(m)), Value: o.Value(m)})
		}
		var r openai.ChatRequest
		r.Reset()
		r.Vendor, r.Drop, r.Names, r.Allows = "v", drop, drop, drop
		if err := r.Parse(members); err != nil {
			if e := (*llm.Error)(nil); !errors.As(err, &e) || e.Kind != llm.KindBadRequest || e.Message == "" {
				t.Fatalf("%s: %v", raw, err)
			}
			return
		}
		quoted := func(v []byte) {
			if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
				t.Fatalf("%s: %q is not quoted", raw, v)
			}
		}
		for i := range r.Messages {
			m := &r.Messages[i]
			for j := range m.Parts {
				if m.Parts[j].Kind == openai.PartText {
					quoted(m.Parts[j].Text)
				}
			}
			for j := range m.Calls {
				quoted(m.Calls[j].ID)
				quoted(m.Calls[j].Name)
				m.Calls[j].Object()
			}
			if m.Role == openai.RoleTool {
				quoted(m.CallID)
			}
			if text, ok := m.Text(); ok {
				quoted(text)
			}
			r.Turn(i, drop)
		}
		for i := range r.Tools {
			if r.Tools[i].Function() {
				quoted(r.Tools[i].Name)
			}
		}
		r.MaxTokens()
		r.Stop()
		r.Effort()
		r.System()
		for range r.Rest {
			continue
		}
		r.Reset()
		if len(r.Messages) != 0 || len(r.Tools) != 0 || len(r.Params) != 0 {
			t.Fatal("something is left")
		}
	})
}
