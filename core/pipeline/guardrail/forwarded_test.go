package guardrail

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// What events say at one place is one text, and stands in the first of its places when it was changed.
func TestAnswersOfVendors(t *testing.T) {
	t.Parallel()
	f := func(contentType, raw string, want ...string) {
		t.Helper()
		s := shown{raw: []byte(raw)}
		hidden := s.ofAnswer(llm.Header{{Name: []byte("Content-Type"), Value: []byte(contentType)}})
		var got []string
		for _, x := range s.texts {
			got = append(got, string(x.value))
		}
		if hidden != "" {
			got = []string{"hidden: " + hidden}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %q, want %q", raw, got, want)
		}
	}
	const sse = "text/event-stream; charset=utf-8"
	f("application/json", `{"a":"x","b":["y",1]}`, `"x"`, `"y"`)
	f(sse, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\r\n\r\ndata: [DONE]\n\n", `"ab"`)
	f(sse, "event: x\ndata: plain words\n\n", `"plain words"`)
	f(sse, "data: {\"text\":\"a\n\n", "hidden: this answer")
	f("application/x-ndjson", "{\"a\":\"x\"}\n{\"a\":\"y\"}\n", `"x"`, `"y"`)
	f("application/json", `[{"text":"a","id":"n"},{"text":"b"}]`, `"ab"`)
	f("text/plain", "words", `"words"`)
	f("image/png", "\x89PNG\xff", "hidden: this answer")
	f("", "")
}

// FuzzForwarded looks for texts in foreign bytes. What nobody changed stays, and what was changed is JSON if it was.
func FuzzForwarded(f *testing.F) {
	f.Add("text/event-stream", []byte("data: {\"delta\":{\"text\":\"a\"}}\n\ndata: {\"delta\":{\"text\":\"b\"}}\n\n"))
	f.Add("application/json", []byte(`[{"text":"a"},{"text":"\u0062"}]`))
	f.Add("application/json", []byte(`{"a":{"b":["c",{"d":"e"}]}}`))
	f.Add("application/x-ndjson", []byte("{\"a\":\"x\"}\n{\"a\":\"y\"}"))
	f.Fuzz(func(t *testing.T, contentType string, raw []byte) {
		s := shown{raw: raw}
		if s.ofAnswer(llm.Header{{Name: []byte("Content-Type"), Value: []byte(contentType)}}) != "" {
			return
		}
		if out, err := s.changed(func(i int) []byte { return s.texts[i].value }); out != nil || err != nil {
			t.Fatalf("%s became %s, %v", raw, out, err)
		}
		if json.Valid(raw) && (!json.Valid(s.choices()) || !json.Valid(s.body())) {
			t.Fatalf("%s is shown as %s", raw, s.choices())
		}
		if n := len(s.texts); n > 0 && len(s.texts[0].at) > 0 && json.Valid(raw) {
			if c := dialect.Get(raw, "choices"); c != nil {
				return
			}
			out, err := s.changed(func(int) []byte { return []byte(`"new"`) })
			if err == nil && out != nil && !json.Valid(out) {
				t.Fatalf("%s became %s", raw, out)
			}
		}
	})
}
