package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// unescaped returns the text of the JSON string at a place.
func unescaped(b []byte, at llm.Span) (string, bool) {
	if at.End == 0 {
		return "", true
	}
	text, ok := llm.AppendUnescaped(nil, b[at.Start+1:at.End-1])
	return string(text), ok
}

// texts lists the texts of a body as a guardrail sees them: "role message: text".
func texts(o *llm.Object) ([]string, error) {
	list, err := AppendTexts(nil, o)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range list {
		role, ok1 := unescaped(o.Raw(), s.Role)
		text, ok2 := unescaped(o.Raw(), s.Text)
		if !ok1 || !ok2 {
			return nil, errJSON
		}
		out = append(out, fmt.Sprintf("%s %d: %s", role, s.Message, text))
	}
	return out, nil
}

func TestTexts(t *testing.T) {
	t.Parallel()
	finds := func(body string, want ...string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		got, err := texts(&o)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, -want +got\n%s", body, err, diff)
		}
	}
	finds(`{"messages":[{"role":"system","content":"a"},{"content":"b","role":"user"}]}`, "system 0: a", "user 1: b")
	finds(`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},{"text":"b"}]}]}`,
		"user 0: a", "user 0: b")
	finds(`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"function":{"arguments":"{}"}}]},{"role":"tool","content":"r"}]}`,
		"tool 1: r")
	finds(`{"messages":[{"role":"tool","content":[{"type":"tool_result","content":[{"type":"text","text":"deep"}]}]}]}`, "tool 0: deep")
	finds(`{ "messages" : [ { "role" : "user" , "content" : "a\u00e9\n\ud83d\ude00\"" } ] }`, "user 0: aé\n😀\"")
	finds(`{"messages":[{"role":"us\u0065r","content":["a","b"]}]}`, "user 0: a", "user 0: b")
	finds(`{"messages":[]}`)
	finds(`{"messages":"not a list"}`)
	finds(`{"messages":[1,null,true,"text"]}`, " 3: text")
	finds(`{"messages":[{"role":5,"content":{"text":"in an object"}}]}`, " 0: in an object")
	finds(`{"prompt":"p"}`, " 0: p")
	finds(`{"prompt":["p","q"]}`, " 0: p", " 1: q")
	finds(`{"prompt":"p","suffix":"s","negative_prompt":"n"}`, " 0: p", " 0: s", " 0: n")
	finds(`{"messages":[],"prediction":{"type":"content","content":[{"type":"text","text":"a"}]}}`, " 0: a")
	finds(`{"messages":[],"prediction":{"type":"content","content":"a"}}`, " 0: a")
	finds(`{"prompt":[1,2,3]}`)
	finds(`{"input":[[1,2],[3]]}`)
	finds(`{"input":["a",[1],"b"]}`, " 0: a", " 2: b")
	finds(`{"input":[{"type":"text","text":"a"}]}`, " 0: a")
	finds(`{"user":"u","metadata":{"prompt":"no"},"extra":[{"content":"no"}]}`)
}

func TestAppendEdited(t *testing.T) {
	t.Parallel()
	becomes := func(body, model string, edits []Edit, want string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		list, err := AppendTexts(nil, &o)
		if err != nil {
			t.Fatal(err)
		}
		var modelAt llm.Span
		if i := o.Index("model"); i >= 0 {
			modelAt = o.Members()[i].Value
		}
		if got := string(AppendEdited(nil, o.Raw(), edits, func(i int) (llm.Span, Form) { return list[i].Text, list[i].Form }, modelAt, model)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const body = `{ "messages":[{"content":"a"}, {"content":"b" , "n":1.50}],"model" : "m" ,"prompt":"c"}`
	becomes(body, "", nil, body)
	becomes(body, "x", nil, strings.Replace(body, `"m"`, `"x"`, 1))
	becomes(body, "", []Edit{{0, "A\""}}, strings.Replace(body, `"a"`, `"A\""`, 1))
	becomes(body, "x", []Edit{{0, "A"}, {1, ""}, {2, "C"}},
		`{ "messages":[{"content":"A"}, {"content":"" , "n":1.50}],"model" : "x" ,"prompt":"C"}`)
	becomes(`{"model":"m","prompt":"c"}`, "x", []Edit{{0, "C"}}, `{"model":"x","prompt":"C"}`)
	becomes(`{"prompt":"c"}`, "x", nil, `{"prompt":"c"}`)
}

// FuzzTexts compares the texts with what encoding/json makes of the body, and checks that editing every one of them
// changes nothing else.
func FuzzTexts(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"a\n\u00e9"},{"role":"user","content":[{"type":"text","text":"b"}]}]}`))
	f.Add([]byte(`{"prompt":["a",["b",{"text":"c"}]],"input":"d"}`))
	f.Add([]byte(`{"messages":[{"content":{"content":["x",{"role":"y","text":"z"}]}}]}`))
	f.Add([]byte(`{"input":[[1,2],[3]],"prompt":[1.5e3,true,null]}`))
	f.Add([]byte(`{"messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":[\"b\",12345678]}"}}]}]}`))
	f.Add([]byte(`{"messages":[{"content":[{"type":"tool_use","input":{"a":"b","n":12345678}}],"function_call":{"arguments":"x"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var o llm.Object
		if o.Parse(body) != nil {
			return
		}
		list, err := AppendTexts(nil, &o)
		if err != nil {
			return
		}
		if !utf8.Valid(body) {
			return
		}
		var doc map[string]any
		if json.Unmarshal(body, &doc) != nil {
			return // control characters in strings and the like
		}
		var got []string
		for _, s := range list {
			text, ok := s.Form.Append(nil, body, s.Text)
			if !ok {
				return
			}
			if s.Kind == Content {
				got = append(got, string(text))
			}
		}
		want := map[string]int{}
		if list, ok := doc["messages"].([]any); ok {
			collect(list, want)
		}
		collect(doc["prompt"], want)
		collect(doc["input"], want)
		for _, s := range got {
			want[s]--
		}
		for s, n := range want {
			if n != 0 {
				t.Fatalf("text %q: %d more in encoding/json", s, n)
			}
		}
		checkEdited(t, &o, list, doc)
	})
}

// collect counts the texts that a guardrail has to see.
func collect(v any, texts map[string]int) {
	switch v := v.(type) {
	case string:
		texts[v]++
	case []any:
		for _, item := range v {
			collect(item, texts)
		}
	case map[string]any:
		collect(v["content"], texts)
		collect(v["text"], texts)
	}
}

func checkEdited(t *testing.T, o *llm.Object, list []Text, doc map[string]any) {
	t.Helper()
	var edits []Edit
	for i := range list {
		edits = append(edits, Edit{i, fmt.Sprint("<edited ", i, ">")})
	}
	patched := AppendEdited(nil, o.Raw(), edits, func(i int) (llm.Span, Form) { return list[i].Text, list[i].Form }, llm.Span{}, "")
	var o2 llm.Object
	if err := o2.Parse(patched); err != nil {
		t.Fatalf("%s became %s: %v", o.Raw(), patched, err)
	}
	list2, err := AppendTexts(nil, &o2)
	if err != nil || len(list2) != len(list) {
		t.Fatalf("%s became %s: %d texts of %d, error %v", o.Raw(), patched, len(list2), len(list), err)
	}
	back := patched
	for i := len(list2) - 1; i >= 0; i-- {
		at, was := list2[i].Text, list[i].Text
		back = bytes.Join([][]byte{back[:at.Start], o.Raw()[was.Start:was.End], back[at.End:]}, nil)
	}
	if !bytes.Equal(back, o.Raw()) {
		t.Fatalf("%s became %s", o.Raw(), patched)
	}
}

func TestAnswerTexts(t *testing.T) {
	t.Parallel()
	finds := func(answer string, want ...string) {
		t.Helper()
		list, err := AppendAnswer(nil, []byte(answer))
		var got []string
		for _, s := range list {
			role, _ := unescaped([]byte(answer), s.Role)
			text, _ := unescaped([]byte(answer), s.Text)
			got = append(got, fmt.Sprintf("%d %s %s: %s", s.Choice, role, s.Kind, text))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, -want +got\n%s", answer, err, diff)
		}
	}
	finds(`{"choices":[{"index":0,"message":{"role":"assistant","content":"a\n"}},{"index":1,"message":{"content":"b"}}],"usage":{}}`,
		"0 assistant content: a\n", "1  content: b")
	finds(`{"choices":[{"message":{"role":"assistant","content":null,"refusal":"no","reasoning_content":"hm","tool_calls":[{"function":{"arguments":"{}"}}]},"index":3}]}`,
		"3 assistant refusal: no", "3 assistant reasoning: hm")
	finds(`{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}`, "0  content: x")
	finds(`{"choices":[{"text":"x","index":0},{"text":"y"}]}`, "0  content: x", "1  content: y")
	finds(`{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"a"}]}}]}`,
		"0  reasoning: t", "0  content: a")
	finds(`{"choices":[]}`)
	finds(`{"data":[{"embedding":[1]}]}`)
	finds(`{"choices":null}`)
	fails := func(answer string) {
		t.Helper()
		if list, err := AppendAnswer(nil, []byte(answer)); err == nil {
			t.Errorf("%s: %v", answer, list)
		}
	}
	fails(`[]`)
	fails(``)
	fails(`{"choices":[`)
	fails(`{"choices":[],"choices":[{"text":"x"}]}`)
	fails(`{"choices":[],"ch\u006fices":[{"text":"x"}]}`)
	fails(`{"choices":[{"text":"x","text":"y"}]}`)
	fails(`{"choices":[{"message":{"content":"a","content":"b"}}]}`)
	fails(`{"choices":[{"message":{"c\u006fntent":"b"}}]}`)
	fails(`{"choices":[{"delta":{},"message":{"content":"b"}}]}`)
}

// FuzzAnswer edits every text of foreign bytes and undoes it again.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"message":{"role":"assistant","content":"a\n"}},{"text":"b"}]}`))
	f.Add([]byte(`{"choices":[{"delta":{"content":[{"text":"a"}],"refusal":"r"}}]}`))
	f.Add([]byte(`{"choices":[{"delta" 1`))
	f.Add([]byte(`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"a\":\"\\u0062\",\"n\":12345678}"}}]}}]}`))
	f.Add([]byte(`{"choices":[{"message":{"function_call":{"arguments":"{"},"audio":{"transcript":"t"}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := AppendAnswer(nil, b)
		if err != nil {
			return
		}
		edits := make([]Edit, 0, len(list))
		for i := range list {
			edits = append(edits, Edit{i, fmt.Sprint("<", i, ">")})
		}
		edited := AppendEdited(nil, b, edits, func(i int) (llm.Span, Form) { return list[i].Text, list[i].Form }, llm.Span{}, "")
		again, err := AppendAnswer(nil, edited)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%s became %s: %d texts of %d, error %v", b, edited, len(again), len(list), err)
		}
		if json.Valid(b) && !json.Valid(edited) {
			t.Fatalf("%s became %s", b, edited)
		}
	})
}

// Documents in the form of Anthropic's API are texts too, where they are.
func TestTextsOfDocuments(t *testing.T) {
	t.Parallel()
	f := func(part string, want ...string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(`{"messages":[{"role":"user","content":[` + part + `]}]}`)); err != nil {
			t.Fatal(err)
		}
		texts, err := AppendTexts(nil, &o)
		if (err != nil) != (len(want) == 1 && want[0] == "error") {
			t.Fatalf("%s: %v", part, err)
		}
		var got []string
		for _, s := range texts {
			got = append(got, string(o.Raw()[s.Text.Start:s.Text.End]))
		}
		if err == nil && strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, want %v", part, got, want)
		}
	}
	f(`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a"},"title":"t"}`, `"a"`)
	f(`{"type":"document","source":{"data":"a","type":"text"}}`, `"a"`)
	f(`{"type":"document","source":{"type":"base64","data":"AAAA"}}`)
	f(`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}`, `"a"`, `"b"`)
	f(`{"type":"document","source":{"type":"content","content":"a"}}`, `"a"`)
	f(`{"type":"search_result","source":"https://x","content":[{"type":"text","text":"a"}]}`, `"a"`)
	f(`{"source":{"type":"text","data":"a","data":"b"}}`, "error")
	f(`{"source":{"type":"text","d\u0061ta":"b"}}`, "error")
}
