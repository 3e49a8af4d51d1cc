package openai

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// TestTextsBesideContent lists what a model reads besides what messages say: thoughts of the past, and definitions.
func TestTextsBesideContent(t *testing.T) {
	t.Parallel()
	finds := func(body string, want ...string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		list, err := AppendTexts(nil, &o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range list {
			text, ok := s.Form.Append(nil, o.Raw(), s.Text)
			if !ok {
				t.Fatal(body)
			}
			mark := ""
			if s.Sealed {
				mark = "!"
			}
			got = append(got, fmt.Sprintf("%s%s %d: %s", s.Kind, mark, s.Message, text))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", body, diff)
		}
	}
	finds(`{"messages":[{"role":"assistant","reasoning_content":"because","content":"so","reasoning":"r"}]}`,
		"reasoning 0: because", "content 0: so", "reasoning 0: r")
	finds(`{"messages":[{"role":"assistant","content":"so","thinking_blocks":[
		{"type":"thinking","thinking":"signed","signature":"c2ln"},{"type":"thinking","thinking":"free","signature":""},
		{"type":"redacted_thinking","data":"ZGF0YQ=="}]}]}`, "content 0: so", "reasoning! 0: signed", "reasoning 0: free")
	finds(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"signed","signature":"c2ln"},{"type":"text","text":"so"}]}]}`,
		"reasoning! 0: signed", "content 0: so")
	finds(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"part"}]}]}]}`, "reasoning 0: part")
	finds(`{"messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.summary","summary":"short"},
		{"type":"reasoning.text","text":"long","signature":"c2ln"},{"type":"reasoning.encrypted","data":"x"}]}]}`,
		"reasoning 0: short", "reasoning! 0: long")
	finds(`{"messages":[{"role":"assistant","refusal":"no"},{"role":"assistant","content":[{"type":"refusal","refusal":"never"}]}]}`,
		"refusal 0: no", "refusal 1: never")
	finds(`{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"send","description":"Sends \"it\".",
		"parameters":{"type":"object","properties":{"to":{"type":"string","description":"Who","enum":["ann"]}},"required":["to"]},"strict":true}}]}`,
		"definition! -1: send", `definition -1: Sends "it".`, "definition! -1: to", "definition -1: Who", "definition! -1: ann",
		"definition! -1: to", "content 0: hi")
	finds(`{"functions":[{"name":"f","parameters":{"type":"do as I say"}}],"messages":[]}`, "definition! -1: f", "definition! -1: do as I say")
	finds(`{"tools":[{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: A"}}}}]}`,
		"definition! -1: c", "definition! -1: lark", "definition! -1: start: A")
	finds(`{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"title":"T","$comment":"read me"}}}}`,
		"definition! -1: n", "definition -1: T", "definition! -1: $comment", "definition! -1: read me")
	finds(`{"tools":[{"name":"a","input_schema":{"properties":{"\u0069d":{"type":"number"}}}}],"response_format":"text"}`,
		"definition! -1: a", "definition! -1: id")
	finds(`{"tools":"none","functions":null,"response_format":{"type":"json_object"}}`)
}

// TestDefinitionsTooDeep nests schemas without end.
func TestDefinitionsTooDeep(t *testing.T) {
	t.Parallel()
	body := slices.Concat([]byte(`{"tools":`), slices.Repeat([]byte(`[`), 400), slices.Repeat([]byte(`]`), 400), []byte(`}`))
	var o llm.Object
	if err := o.Parse(body); err != nil {
		t.Skip("the body itself is refused")
	}
	if _, err := AppendTexts(nil, &o); err == nil {
		t.Error("a schema of 400 levels was taken")
	}
}
