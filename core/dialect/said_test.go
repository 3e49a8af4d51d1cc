package dialect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestSaid(t *testing.T) {
	t.Parallel()
	f := func(name, in string, want Said) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := Said{Content: []byte("of the message before")}
			m.Scan([]byte(in))
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	f("all", `{"role":"assistant","content":"c","refusal":"r","reasoning_content":"t","thinking_blocks":[1],"tool_calls":[2],"provider_specific_fields":{"a":3},"annotations":[4],"images":[5]}`, Said{
		Content: []byte(`"c"`), Refusal: []byte(`"r"`), Reasoning: []byte(`"t"`), Thinking: []byte("[1]"), Calls: []byte("[2]"),
		Specific: []byte(`{"a":3}`), Annotations: []byte("[4]"), Images: []byte("[5]"),
	})
	f("null is absent", `{"content":null,"reasoning":null,"provider_specific_fields":null}`, Said{})
	f("another name of the reasoning", `{"reasoning":"t"}`, Said{Reasoning: []byte(`"t"`)})
	f("both names", `{"reasoning_content":"a","reasoning":"b"}`, Said{Reasoning: []byte(`"a"`)})
	f("reasoning that is no text", `{"reasoning":{"text":"t"}}`, Said{})
	specific := []byte(`{"thinking_blocks":[1]}`)
	f("blocks among the vendor's own fields", `{"provider_specific_fields":{"thinking_blocks":[1]}}`, Said{Specific: specific, Thinking: []byte("[1]")})
	f("no object", `[1]`, Said{})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	var calls Calls
	f := func(delta string, another bool) {
		t.Helper()
		var p CallPiece
		p.Scan([]byte(delta))
		if got := calls.Another(&p); got != another {
			t.Errorf("%s: another is %t", delta, got)
		}
		if another || calls.N == 0 {
			calls.Begin(&p)
		}
	}
	f(`{"index":0,"id":"a","function":{"name":"n","arguments":""}}`, true)
	f(`{"index":0,"function":{"arguments":"{"}}`, false)
	f(`{"function":{"arguments":"}"}}`, false)
	f(`{"index":1,"id":"b","function":{"name":"n"}}`, true)
	f(`{"index":1,"id":"b","function":{"name":"n","arguments":"{}"}}`, false) // the name again with each piece
	f(`{"index":1,"id":"c","function":{"name":"n"}}`, true)                   // one index for all
	f(`{"id":"d","function":{"name":"n"}}`, true)                             // none at all
	f(`{"index":1,"id":"","function":{"name":"","arguments":"x"}}`, false)
	if calls.N != 4 {
		t.Errorf("%d calls", calls.N)
	}
}

func TestFirstChoice(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		if got := FirstChoice([]byte(in)); string(got) != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	f(`[{"index":1},{"index":0,"a":1}]`, `{"index":0,"a":1}`)
	f(`[{"a":1}]`, `{"a":1}`)
	f(`[{"index":1}]`, "")
	f(`[]`, "")
	f(`{`, "")
}

func TestImageLink(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		if got := ImageLink([]byte(in)); string(got) != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	f(`{"image_url":{"url":"https://example.com/a\"b"}}`, `"![image](https://example.com/a\"b)"`)
	f(`{"image_url":{"url":""}}`, "")
	f(`{"image_url":"x"}`, "")
}

func TestServed(t *testing.T) {
	t.Parallel()
	f := func(in string, want llm.Served) {
		t.Helper()
		if got := Served([]byte(in)); got != want {
			t.Errorf("%s: %v", in, got)
		}
	}
	f(`"priority"`, llm.ServedBy([]byte("priority")))
	f(`"flex"`, llm.ServedBy([]byte("flex")))
	f(`null`, 0)
	f(`""`, 0)
	f(`7`, 0)
}
