package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestObjectParse(t *testing.T) {
	t.Parallel()
	ok := func(raw string, keys ...string) {
		t.Helper()
		var o Object
		if err := o.Parse([]byte(raw)); err != nil {
			t.Fatalf("Parse(%s): %v", raw, err)
		}
		var got []string
		for _, m := range o.Members() {
			got = append(got, string(o.Key(m)))
		}
		if strings.Join(got, " ") != strings.Join(keys, " ") {
			t.Fatalf("keys of %s: %v, want %v", raw, got, keys)
		}
	}
	ok(`{}`)
	ok(` { } `)
	ok(`{"model":"m"}`, "model")
	ok(`{"a":1,"b":[1,{"c":"]}"},[]],"d":-0.5e+3 , "e" : null}`, "a", "b", "d", "e")
	ok(`{"a":"\\","b":"\"","c":"\\\""}`, "a", "b", "c")
	ok("{\"a\":\"\u00e9\u4e2d\"}", "a")

	bad := func(raw, reason string) {
		t.Helper()
		var o Object
		err := o.Parse([]byte(raw))
		var s *SyntaxError
		if !errors.As(err, &s) || !strings.Contains(s.Msg, reason) {
			t.Fatalf("Parse(%s): %v, want %q", raw, err, reason)
		}
	}
	bad(``, "empty")
	bad(`[]`, "not a JSON object")
	bad(`{"a":1`, "ends too early")
	bad(`{"a":1,}`, "quoted key")
	bad(`{"a" 1}`, "colon")
	bad(`{"a":1}x`, "something after")
	bad(`{"a":1 "b":2}`, "comma")
	bad(`{"model":"a","model":"b"}`, `"model" appears twice`)
	bad(`{"mod\u0065l":"a"}`, "without escapes")
	bad(`{"a":"x}`, "not closed")
	bad(`{"a":tru}`, "value")
	bad(`{"a":01}`, "comma")
	bad(`{"a":1.}`, "digit")
	bad(`{"a":[1,2}`, "closing bracket")
	bad(`{"a":{"b" 1}}`, "colon")
	bad(`{"a":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}`, "nested deeper than 512")
	bad(`{"a":`+strings.Repeat(`{"a":`, 10000)+`1`+strings.Repeat("}", 10000)+`}`, "nested deeper than 512")
}

func TestText(t *testing.T) {
	t.Parallel()
	f := func(raw, want string) {
		t.Helper()
		got, ok := Text([]byte(raw))
		if !ok || string(got) != want {
			t.Fatalf("Text(%s) = %q %v, want %q", raw, got, ok, want)
		}
	}
	f(`"abc"`, "abc")
	f(`"a\n\"\\\/\u00e9"`, "a\n\"\\/é")
	f(`"\ud83d\ude00"`, "😀")
	f(`"\ud83d!"`, "\ufffd!")
	if _, ok := Text([]byte(`1`)); ok {
		t.Fatal("a number is not text")
	}
	if _, ok := Text([]byte(`"\x"`)); ok {
		t.Fatal("an unknown escape is not text")
	}
}

func TestObjectAllocatesNothing(t *testing.T) {
	raw := []byte(`{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}],"stream":true,"temperature":0.5}`)
	var o Object
	n := testing.AllocsPerRun(100, func() {
		if o.Parse(raw) != nil || o.Get("stream") == nil {
			t.Fatal("parse failed")
		}
	})
	if n != 0 {
		t.Fatalf("%v allocations, want 0", n)
	}
}

// FuzzObject compares with encoding/json: whatever we accept it accepts, with the same members.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"a\"b\\"}],"n":1.5e3,"x":[true,null]}`))
	f.Add([]byte(`{"a":{"b":[{}]},"c":"\u00e9"}`))
	f.Add([]byte(`{"model":"a","model":"b"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o Object
		if err := o.Parse(raw); err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			// The scanner does not look inside strings: only a mistake there may pass.
			if !strings.Contains(err.Error(), "in string") && !strings.Contains(err.Error(), "escape") {
				t.Fatalf("accepted %q, encoding/json says %v", raw, err)
			}
			return
		}
		for _, m := range o.Members() {
			var key string
			if json.Unmarshal([]byte(`"`+string(o.Key(m))+`"`), &key) != nil {
				return
			}
			if !bytes.Equal(bytes.TrimSpace(want[key]), o.Value(m)) {
				t.Fatalf("%q: value of %q is %q, want %q", raw, key, o.Value(m), want[key])
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add(`"a\u00e9\n"`)
	f.Fuzz(func(t *testing.T, raw string) {
		var want string
		if json.Unmarshal([]byte(raw), &want) != nil || len(raw) == 0 || raw[0] != '"' {
			return
		}
		got, ok := Text([]byte(raw))
		if ok && utf8.ValidString(raw) && string(got) != want {
			t.Fatalf("Text(%s) = %q, want %q", raw, got, want)
		}
	})
}

func FuzzAppendQuoted(f *testing.F) {
	f.Add("a\"\\\n\x01é")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		if err := json.Unmarshal(AppendQuoted(nil, s), &back); err != nil {
			t.Fatal(err)
		}
		if back != strings.ToValidUTF8(s, "\ufffd") && strings.ToValidUTF8(s, "") == s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}

func BenchmarkObjectParse(b *testing.B) {
	raw := []byte(`{"model":"gpt-4o","messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"` +
		strings.Repeat("lorem ipsum dolor ", 110) + `"}],"temperature":0.7,"max_tokens":256,"stream":false}`)
	b.SetBytes(int64(len(raw)))
	var o Object
	for b.Loop() {
		if err := o.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
