package wasm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// texts lists the texts of a body as a guest sees them: "role message: text".
func texts(o *llm.Object) ([]string, error) {
	list, err := appendSegments(nil, o)
	if err != nil {
		return nil, err
	}
	view, ok := appendTexts(nil, o.Raw(), list)
	if !ok {
		return nil, errJSON
	}
	var out []string
	role, message := "", -1
	for r := (abi.Reader{Rest: view}); r.Next(); {
		switch r.Tag {
		case abi.TagMessage:
			role = string(r.Value)
			message++
		case abi.TagText:
			out = append(out, fmt.Sprintf("%s %d: %s", role, message, r.Value))
		}
	}
	return out, nil
}

func TestSegments(t *testing.T) {
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
	finds(`{"prompt":[1,2,3]}`)
	finds(`{"input":[[1,2],[3]]}`)
	finds(`{"input":["a",[1],"b"]}`, " 0: a", " 2: b")
	finds(`{"input":[{"type":"text","text":"a"}]}`, " 0: a")
	finds(`{"user":"u","metadata":{"prompt":"no"},"tools":[{"content":"no"}]}`)
}

func TestPatch(t *testing.T) {
	t.Parallel()
	becomes := func(body, model string, edits []textEdit, want string) {
		t.Helper()
		var o llm.Object
		if err := o.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		list, err := appendSegments(nil, &o)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(patch(&o, list, edits, model)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	const body = `{ "messages":[{"content":"a"}, {"content":"b" , "n":1.50}],"model" : "m" ,"prompt":"c"}`
	becomes(body, "", nil, body)
	becomes(body, "x", nil, strings.Replace(body, `"m"`, `"x"`, 1))
	becomes(body, "", []textEdit{{0, "A\""}}, strings.Replace(body, `"a"`, `"A\""`, 1))
	becomes(body, "x", []textEdit{{0, "A"}, {1, ""}, {2, "C"}},
		`{ "messages":[{"content":"A"}, {"content":"" , "n":1.50}],"model" : "x" ,"prompt":"C"}`)
	becomes(`{"model":"m","prompt":"c"}`, "x", []textEdit{{0, "C"}}, `{"model":"x","prompt":"C"}`)
	becomes(`{"prompt":"c"}`, "x", nil, `{"prompt":"c"}`)
}

func TestFindValue(t *testing.T) {
	t.Parallel()
	var o llm.Object
	if err := o.Parse([]byte(`{"a": {"b.c":[1,{"d":"e"}, null ],"\u0062":2,"x\\y":3},"s":"t","n":-1.5e3}`)); err != nil {
		t.Fatal(err)
	}
	is := func(path, want string) {
		t.Helper()
		if got, err := findValue(&o, path); string(got) != want || err != nil {
			t.Errorf("%s: got %q, error %v, want %q", path, got, err, want)
		}
	}
	is("s", `"t"`)
	is("n", `-1.5e3`)
	is(`a.b\.c.0`, "1")
	is(`a.b\.c.1.d`, `"e"`)
	is(`a.b\.c.2`, "null")
	is(`a.b\.c.3`, "")
	is(`a.b\.c.-1`, "")
	is(`a.b\.c.x`, "")
	is("a.b", "2")
	is(`a.x\\y`, "3")
	is("a.z", "")
	is("s.x", "")
	is("", "")
	if _, err := findValue(&o, `a\`); err == nil {
		t.Error("a path that ends in a backslash was accepted")
	}
}

// FuzzSegments compares the texts with what encoding/json makes of the body, and checks that editing every one of them
// changes nothing else.
func FuzzSegments(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"a\n\u00e9"},{"role":"user","content":[{"type":"text","text":"b"}]}]}`))
	f.Add([]byte(`{"prompt":["a",["b",{"text":"c"}]],"input":"d"}`))
	f.Add([]byte(`{"messages":[{"content":{"content":["x",{"role":"y","text":"z"}]}}]}`))
	f.Add([]byte(`{"input":[[1,2],[3]],"prompt":[1.5e3,true,null]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var o llm.Object
		if o.Parse(body) != nil {
			return
		}
		list, err := appendSegments(nil, &o)
		if err != nil {
			return
		}
		view, ok := appendTexts(nil, body, list)
		if !ok || !utf8.Valid(body) {
			return
		}
		var doc map[string]any
		if json.Unmarshal(body, &doc) != nil {
			return // control characters in strings and the like
		}
		var got []string
		for r := (abi.Reader{Rest: view}); r.Next(); {
			if r.Tag == abi.TagText {
				got = append(got, string(r.Value))
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
		checkPatch(t, &o, list, doc)
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

func checkPatch(t *testing.T, o *llm.Object, list []segment, doc map[string]any) {
	t.Helper()
	var edits []textEdit
	for i := range list {
		edits = append(edits, textEdit{i, fmt.Sprint("<edited ", i, ">")})
	}
	patched := patch(o, list, edits, "")
	var o2 llm.Object
	if err := o2.Parse(patched); err != nil {
		t.Fatalf("%s became %s: %v", o.Raw(), patched, err)
	}
	list2, err := appendSegments(nil, &o2)
	if err != nil || len(list2) != len(list) {
		t.Fatalf("%s became %s: %d texts of %d, error %v", o.Raw(), patched, len(list2), len(list), err)
	}
	back := patched
	for i := len(list2) - 1; i >= 0; i-- {
		at, was := list2[i].text, list[i].text
		back = bytes.Join([][]byte{back[:at.Start], o.Raw()[was.Start:was.End], back[at.End:]}, nil)
	}
	if !bytes.Equal(back, o.Raw()) {
		t.Fatalf("%s became %s", o.Raw(), patched)
	}
}

// FuzzWalk feeds the walker bytes that llm.Object has not checked. It must end without a panic.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`[{"content":"a"}]`, `[[[`, `{"a":`, `"\`, `[{"role":"x","content":[`, `[,]`, `{"text" 1}`, `-`, ``} {
		f.Add([]byte(s), "0.content.x")
	}
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		w := walker{}
		w.start(b, 0)
		if len(path)%2 == 0 {
			w.messages()
		} else {
			w.items()
		}
		for _, s := range w.list {
			if !w.c.ok {
				break // what was found before the mistake is not used
			}
			if s.text.Start < 0 || s.text.End > len(b) || s.text.End-s.text.Start < 2 {
				t.Fatalf("segment %v of %d bytes", s, len(b))
			}
		}
		if v, err := inside(b, path); err == nil && len(v) > len(b) {
			t.Fatal("a value longer than the bytes it is in")
		}
	})
}
