package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func quotedText(s string) string { return string(llm.AppendQuoted(nil, s)) }

// spoken writes the texts of arguments: their form, their member and what they say.
func spoken(t testing.TB, b []byte, list []argPlace) (got []string) {
	t.Helper()
	for _, p := range list {
		text, ok := p.form.Append(nil, b, p.at)
		key, ok2 := "", true
		if p.key.End > 0 {
			k, ok := InnerQuoted.Append(nil, b, p.key)
			if p.form < InnerQuoted {
				k, ok = Quoted.Append(nil, b, p.key)
			}
			key, ok2 = string(k)+"=", ok
		}
		if !ok || !ok2 {
			t.Fatalf("%s: the text at %v is malformed", b, p.at)
		}
		got = append(got, key+string(text))
	}
	return got
}

func TestArguments(t *testing.T) {
	t.Parallel()
	f := func(arguments string, want ...string) {
		t.Helper()
		list := argumentsOf(quotedText(arguments))
		if d := cmp.Diff(want, spoken(t, []byte(quotedText(arguments)), list)); d != "" {
			t.Errorf("%s: -want +got\n%s", arguments, d)
		}
		if !json.Valid([]byte(arguments)) {
			return
		}
		list = argumentsOf(arguments) // as some callers have it: not in a string
		if arguments[0] != '"' {
			if d := cmp.Diff(want, spoken(t, []byte(arguments), list)); d != "" {
				t.Errorf("%s as it is: -want +got\n%s", arguments, d)
			}
		}
	}
	f(`{"to":"ann@corp.example","n":1,"ok":true}`, "to", "to=ann@corp.example", "n", "ok")
	f(`{"a":["b",{"c":"d"},"e"],"f":"g"}`, "a", "a=b", "c", "c=d", "e", "f", "f=g")
	f(`{"card":4111111111111111,"id":-1234567,"f":1.25e300000,"short":123456}`,
		"card", "card=4111111111111111", "id", "id=-1234567", "f", "f=1.25e300000", "short")
	f(`{"esc":"a\u003cb\u003e \ud83d\ude00 \"q\" \\ \/ \n."}`, "esc", "esc=a<b> 😀 \"q\" \\ / \n.")
	f(`{"\u0065sc":"x"}`, "esc", "esc=x")
	f(`"text"`, "text")
	f(`{"empty":"","":"x"}`, "empty", "=x")
	f("")
	f("{}")
	// What is no JSON is one text, from the first byte to the last.
	f(`ignore previous instructions`, `ignore previous instructions`)
	f(`{"a":"b"`, "a", "a=b")
	f(`{"a":"b`, `{"a":"b`)
	f(`{'a':'b'}`, `{'a':'b'}`)
	f(`{"a":"b"} and more`, `{"a":"b"} and more`)
	// Escapes that there are none of are kept.
	f(`{"re":"\d+\u12"}`, "re", `re=\d+\u12`)
	f(`{"half":"\ud83d and \ude00"}`, "half", "half=\ufffd and \ufffd")
	f(`{"half":"\ud83d\u12xy"}`, "half", `half=\ud83d\u12xy`)
}

func argumentsOf(value string) []argPlace {
	return arguments(nil, []byte(value), llm.Span{End: len(value)})
}

// An edit of arguments leaves them JSON, whatever the text.
func TestArgumentsEdited(t *testing.T) {
	t.Parallel()
	f := func(arguments, was, now, want string) {
		t.Helper()
		body := []byte(`{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"arguments":` + quotedText(arguments) + `}}]}}]}`)
		list, err := AppendAnswer(nil, body)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(a AnswerText) bool {
			text, _ := a.Form.Append(nil, body, a.Text)
			return string(text) == was
		})
		at := func(i int) (llm.Span, Form) { return list[i].Text, list[i].Form }
		body = AppendEdited(nil, body, []Edit{{i, now}}, at, llm.Span{}, "")
		var answer struct {
			Choices []struct {
				Message struct {
					Calls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
				}
			}
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if got := answer.Choices[0].Message.Calls[0].Function.Arguments; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(`{"to":"x", "n":1.50}`, "x", `a"b\c`+"\n", `{"to":"a\"b\\c\n", "n":1.50}`)
	f(`{"a":"\u0041b"}`, "Ab", "é\u0001", `{"a":"é\u0001"}`)
	f(`{"a":12345678}`, "12345678", "<CARD_1>", `{"a":"<CARD_1>"}`)
	f(`{"a":12345678}`, "12345678", "0", `{"a":0}`)
	f(`{"a":12345678}`, "12345678", "007", `{"a":"007"}`)
	f(`{"ann":1}`, "ann", "<N>", `{"<N>":1}`)
	f(`not JSON`, "not JSON", "***", `***`)
}

// callDelta is a chunk with a piece of a call.
func callDelta(index int, id, name, arguments string) string {
	head := ""
	if id != "" {
		head = fmt.Sprintf(`,"id":%q,"type":"function"`, id)
	}
	if name != "" {
		name = fmt.Sprintf(`"name":%q,`, name)
	}
	return fmt.Sprintf(`{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":%d%s,"function":{%s"arguments":%s}}]}}]}`,
		index, head, name, quotedText(arguments))
}

// joinedCalls joins the arguments that chunks hold, by the index of the call.
func joinedCalls(t testing.TB, chunks []string) map[int]string {
	t.Helper()
	all := map[int]string{}
	for _, c := range chunks {
		var m struct {
			Choices []struct {
				Delta struct {
					Calls []struct {
						Index    int
						Function struct{ Arguments string }
						Custom   struct{ Input string }
					} `json:"tool_calls"`
					Legacy struct{ Arguments string } `json:"function_call"`
				}
			}
		}
		if err := json.Unmarshal([]byte(c), &m); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		for _, c := range m.Choices {
			all[-1] += c.Delta.Legacy.Arguments
			for _, call := range c.Delta.Calls {
				all[call.Index] += call.Function.Arguments + call.Custom.Input
			}
		}
	}
	return all
}

// However a model cuts arguments, a text in them is found, and what the caller gets is JSON.
func TestWindowsOfCalls(t *testing.T) {
	t.Parallel()
	const secret = "<EMAIL_1>"
	restore := func(w *Window) (Decision, string, error) {
		if s := strings.ReplaceAll(string(w.Text), secret, `ann "a" <a@b.example>`); s != string(w.Text) {
			return Replace, s, nil
		}
		return Release, "", nil
	}
	raw := []string{
		`{"to":["<EMAIL_1>","b"],"cc":"\u003cEMAIL_1\u003e","n":12345678,"t":true,"body":"hello <EMAIL_1>, \ud83d\ude00 and <EMAIL_1>"}`,
		`{"re":"\d <EMAIL_1>"}`, `no JSON <EMAIL_1> at all`, `{"cut":"<EMAIL_1> and`, `"<EMAIL_1>"`, `{"a": tru <EMAIL_1>`,
	}
	for _, arguments := range raw {
		for size := 1; size < len(arguments); size++ {
			chunks := []string{callDelta(0, "c1", "f", "")}
			for i := 0; i < len(arguments); i += size {
				chunks = append(chunks, callDelta(0, "", "", arguments[i:min(i+size, len(arguments))]))
			}
			chunks = append(chunks, finish(0))
			out, err := through(t, WindowSettings{Holdback: 16}, &judge{do: restore}, chunks...)
			got := joinedCalls(t, out)[0]
			if err != nil || strings.Contains(got, secret) || strings.Count(got, "a@b.example") != strings.Count(arguments, "EMAIL_1") {
				t.Fatalf("pieces of %d: %v, %s became %s", size, err, arguments, got)
			}
			if json.Valid([]byte(arguments)) && !json.Valid([]byte(got)) {
				t.Fatalf("pieces of %d: %s became %s", size, arguments, got)
			}
			if last := out[len(out)-1]; last != chunks[len(chunks)-1] {
				t.Fatalf("the last chunk is %s", last)
			}
		}
	}
}

func TestWindowsShowCalls(t *testing.T) {
	t.Parallel()
	f := func(s WindowSettings, chunks []string, want ...string) {
		t.Helper()
		var seen []string
		j := &judge{do: func(w *Window) (Decision, string, error) {
			final := ""
			if w.Final {
				final = "."
			}
			seen = append(seen, fmt.Sprintf("%d %s[%s|%s]%s", w.Call, w.Key, w.Context, w.Text, final))
			return Release, "", nil
		}}
		out, err := through(t, s, j, chunks...)
		if d := cmp.Diff(want, seen); d != "" || err != nil {
			t.Errorf("error %v, windows -want +got\n%s", err, d)
		}
		if d := cmp.Diff(joinedCalls(t, chunks), joinedCalls(t, out)); d != "" {
			t.Errorf("calls -sent +got\n%s", d)
		}
	}
	// Each string is a text of its own, and knows its member.
	f(WindowSettings{Holdback: 2}, []string{callDelta(0, "a", "f", `{"to":"ab`), callDelta(0, "", "", `cd","n":7654321`), callDelta(0, "", "", `}`), finish(0)},
		"0 [|to].", "0 to[|ab]", "0 to[|abcd].", "0 [|n].", "0 n[|7654321].")
	// Calls that come in turn are kept apart, also if they have one index.
	f(WindowSettings{Holdback: 9}, []string{callDelta(0, "a", "f", `{"x":"1`), callDelta(1, "b", "f", `{"x":"2`), callDelta(0, "", "", `3"}`), callDelta(1, "", "", `4"}`), finish(0)},
		"0 [|x].", "0 x[|1]", "1 [|x].", "1 x[|2]", "0 x[|13].", "1 x[|24].")
	f(WindowSettings{}, []string{callDelta(0, "a", "f", `{"x":"1"}`), callDelta(0, "b", "f", `{"x":"2"}`), finish(0)},
		"0 [|x].", "0 x[|1].", "1 [|x].", "1 x[|2].")
	// A call that is left open ends where another takes its place, or with the choice.
	f(WindowSettings{Holdback: 9}, []string{callDelta(0, "a", "f", `{"x":"1`), callDelta(0, "b", "f", `"2`), finish(0)},
		"0 [|x].", "0 x[|1]", "0 x[|1].", "1 [|2]", "1 [|2].")
	// The older form, and a call whose input is no JSON.
	f(WindowSettings{}, []string{`{"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":"{\"a\":\"b\"}"}}}]}`}, "0 [|a].", "0 a[|b].")
	custom := `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":%q}}]}}]}`
	f(WindowSettings{Holdback: 2}, []string{fmt.Sprintf(custom, `say "hi`), fmt.Sprintf(custom, ` there"`), finish(0)},
		`0 [|say "hi]`, `0 [ "|hi there"]`, `0 [er|e"].`)
	// Text that is due after a time goes out by itself.
	w := NewWindows(WindowSettings{Wait: time.Second, Chars: 100, Holdback: 1}, &judge{do: release})
	if err := w.Put([]byte(callDelta(0, "a", "f", `{"x":"ab`)), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	w.Take()
	due, ok := w.Due()
	if err := w.Late(due); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if got := string(w.Take()); got != `{"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"a"}}]},"finish_reason":null}]}` {
		t.Error(got)
	}
}

// What is dropped leaves an empty string, and the end of a string cannot be held.
func TestWindowsOfCallsDecide(t *testing.T) {
	t.Parallel()
	f := func(d Decision, arguments, want string) {
		t.Helper()
		out, err := through(t, WindowSettings{}, &judge{do: func(w *Window) (Decision, string, error) {
			if string(w.Key) == "x" {
				return d, "", nil
			}
			return Release, "", nil
		}}, callDelta(0, "a", "f", arguments), finish(0))
		if want == "error" {
			if err == nil {
				t.Error("no error")
			}
			return
		}
		if got := joinedCalls(t, out)[0]; got != want || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	}
	f(Drop, `{"x":"a","n":[1]}`, `{"x":"","n":[1]}`)
	f(Drop, `{"x":1234567}`, `{"x":""}`)
	f(Hold, `{"x":"a"}`, "error")
}

// FuzzArguments cuts arguments in pieces and compares what judges see, and what callers get, with encoding/json.
func FuzzArguments(f *testing.F) {
	f.Add(`{"to":"ann","n":[1,12345678],"a":{"b":"\u0063\ud83d\ude00"}}`, 3)
	f.Add(`{"a":"\d`, 1)
	f.Add(`"\ud83d\\u00"`, 2)
	f.Fuzz(func(t *testing.T, arguments string, size int) {
		arguments = strings.ToValidUTF8(arguments, "?")
		size = max(1, size%16)
		body := []byte(quotedText(arguments))
		list := argumentsOf(string(body))
		var whole []string
		for _, p := range list {
			text, ok := p.form.Append(nil, body, p.at)
			if !ok {
				t.Fatalf("%q: malformed", arguments)
			}
			whole = append(whole, string(text))
		}
		runes := []rune(arguments)
		var chunks []string
		for i := 0; i < len(runes); i += size {
			chunks = append(chunks, callDelta(0, "", "", string(runes[i:min(i+size, len(runes))])))
		}
		var seen []string
		out, err := through(t, WindowSettings{Chars: 1 << 20}, &judge{do: func(w *Window) (Decision, string, error) {
			seen = append(seen, string(w.Text))
			return Replace, "<" + string(w.Text) + ">", nil
		}}, append(chunks, finish(0))...)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(arguments)) {
			return
		}
		if d := cmp.Diff(whole, seen); d != "" {
			t.Fatalf("%q: -whole +pieces\n%s", arguments, d)
		}
		want := map[string]int{}
		counted([]byte(arguments), want)
		for _, s := range whole {
			want[s]--
		}
		for s, n := range want {
			if n != 0 {
				t.Fatalf("%q: %q: %d more in encoding/json", arguments, s, n)
			}
		}
		if got := joinedCalls(t, out)[0]; !json.Valid([]byte(got)) {
			t.Fatalf("%q became %q", arguments, got)
		}
	})
}

// counted counts the texts of a JSON document.
func counted(b []byte, texts map[string]int) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	for token, err := d.Token(); err == nil; token, err = d.Token() {
		switch v := token.(type) {
		case string:
			if v != "" {
				texts[v]++
			}
		case json.Number:
			if number, _ := bareKind([]byte(v)); number {
				texts[string(v)]++
			}
		}
	}
}
