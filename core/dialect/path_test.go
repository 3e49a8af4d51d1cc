package dialect_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	var o llm.Object
	if err := o.Parse([]byte(`{"a": {"b.c":[1,{"d":"e"}, null ],"\u0062":2,"x\\y":3},"s":"t","n":-1.5e3}`)); err != nil {
		t.Fatal(err)
	}
	is := func(path, want string) {
		t.Helper()
		got, err := dialect.Lookup(&o, path)
		again, err2 := dialect.Find(o.Raw(), path)
		if string(got) != want || err != nil || string(again) != want || err2 != nil {
			t.Errorf("%s: got %q and %q, errors %v, %v, want %q", path, got, again, err, err2, want)
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
	if _, err := dialect.Lookup(&o, `a\`); err == nil {
		t.Error("a path that ends in a backslash was accepted")
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	becomes := func(body, path, value, want string) {
		t.Helper()
		got, err := dialect.Set(nil, []byte(body), path, []byte(value))
		if string(got) != want || err != nil {
			t.Errorf("%s %s: got %s, error %v, want %s", body, path, got, err, want)
		}
	}
	becomes(`{"a":1}`, "a", `"x"`, `{"a":"x"}`)
	becomes(`{ "a" : 1 }`, "b", `2`, `{ "a" : 1,"b":2 }`)
	becomes(`{}`, "b.c.d", `2`, `{"b":{"c":{"d":2}}}`)
	becomes(`{"a":{"b":[1, 2 ]}}`, "a.b.1", `[]`, `{"a":{"b":[1, [] ]}}`)
	becomes(`{"a":{"b":[1, 2 ]}}`, "a.b.2", `3`, `{"a":{"b":[1, 2,3 ]}}`)
	becomes(`{"a":[]}`, "a.0.k", `3`, `{"a":[{"k":3}]}`)
	becomes(`{"a":null}`, "a.b", `3`, `{"a":{"b":3}}`)
	becomes(`{"a.b":1}`, `a\.b`, `3`, `{"a.b":3}`)
	fails := func(body, path string) {
		t.Helper()
		if got, err := dialect.Set(nil, []byte(body), path, []byte("1")); err == nil {
			t.Errorf("%s %s: got %s", body, path, got)
		}
	}
	fails(`{"a":1}`, "a.b")
	fails(`{"a":[1]}`, "a.3")
	fails(`{"a":[1]}`, "a.x")
	fails(`{"a":{"b":1,"\u0062":2}}`, "a.b")
	fails(`{"a":1}`, `b\`)
	fails(`5`, `b`)
	fails(``, `b`)
}

func TestRemove(t *testing.T) {
	t.Parallel()
	becomes := func(body, path, want string) {
		t.Helper()
		got, err := dialect.Remove(nil, []byte(body), path)
		if string(got) != want || err != nil {
			t.Errorf("%s %s: got %s, error %v, want %s", body, path, got, err, want)
		}
	}
	becomes(`{"a":1}`, "a", `{}`)
	becomes(`{"a":1 , "b":2}`, "a", `{"b":2}`)
	becomes(`{"a":1 , "b":2}`, "b", `{"a":1}`)
	becomes(`{"a":1,"b":2,"c":3}`, "b", `{"a":1,"c":3}`)
	becomes(`{"a":[1,2,3]}`, "a.0", `{"a":[2,3]}`)
	becomes(`{"a":[1,2,3]}`, "a.2", `{"a":[1,2]}`)
	becomes(`{"a":[1]}`, "a.0", `{"a":[]}`)
	becomes(`{"a":[1]}`, "a.5", `{"a":[1]}`)
	becomes(`{"a":[1]}`, "z.5", `{"a":[1]}`)
}

// FuzzPath sets, finds and removes a value in foreign JSON and compares with encoding/json.
func FuzzPath(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,{"c":"d"}]}}`), "a.b.1.c")
	f.Add([]byte(`{"a":null,"b":[]}`), "a.x")
	f.Add([]byte(`[[[`), "0.0")
	f.Add([]byte(`{"a" 1,}`), `a\.b`)
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		_, _ = dialect.Find(b, path)
		removed, rerr := dialect.Remove(nil, b, path)
		set, err := dialect.Set(nil, b, path, []byte(`"<new>"`))
		if !json.Valid(b) || !utf8.ValidString(path) {
			return
		}
		if rerr == nil && !json.Valid(removed) {
			t.Fatalf("%s without %q became %s", b, path, removed)
		}
		if err != nil {
			return
		}
		if !json.Valid(set) {
			t.Fatalf("%s with %q became %s", b, path, set)
		}
		if v, err := dialect.Find(set, path); string(v) != `"<new>"` || err != nil {
			t.Fatalf("%s with %q became %s, where it is %q, %v", b, path, set, v, err)
		}
	})
}
