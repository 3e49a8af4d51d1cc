package dialect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	f := func(c dialect.Cursor, broken bool, want ...string) {
		t.Helper()
		var got []string
		for c.Next() {
			got = append(got, string(c.Key())+"="+string(c.Value()))
		}
		if diff := cmp.Diff(want, got); diff != "" || c.Broken() != broken {
			t.Errorf("broken %v, want %v (-want +got):\n%s", c.Broken(), broken, diff)
		}
		if c.Next() {
			t.Error("Next went on after the end")
		}
	}
	object := func(s string) dialect.Cursor { return dialect.Object([]byte(s)) }
	array := func(s string) dialect.Cursor { return dialect.Array([]byte(s)) }
	f(object(` { "a" : 1 , "b":"x\"}", "c":[{"d":"]"}], "e":{}} `), false, `a=1`, `b="x\"}"`, `c=[{"d":"]"}]`, `e={}`)
	f(object(`{}`), false)
	f(object(`[]`), true)
	f(object(``), true)
	f(object(`{"a":1,}`), true, `a=1`)
	f(object(`{"a":1`), true, `a=1`)
	f(object(`{"a":1}x`), true, `a=1`)
	f(object(`{a:1}`), true)
	f(array(`[1, "a",[2],null]`), false, `=1`, `="a"`, `=[2]`, `=null`)
	f(array(`[]`), false)
	f(array(`[1 2]`), true, `=1`)
	f(array(`[,]`), true)
}

func TestInt(t *testing.T) {
	t.Parallel()
	f := func(raw string, want int64) {
		t.Helper()
		if got := dialect.Int([]byte(raw)); got != want {
			t.Errorf("Int(%s) = %d, want %d", raw, got, want)
		}
	}
	f("0", 0)
	f("12", 12)
	f("12.9", 12)
	f("-1", 0)
	f(".5", 0)
	f(`"3"`, 0)
	f("null", 0)
	f("9007199254740992", 1<<53)
	f("9007199254740993", 0)
	f(strings.Repeat("9", 40), 0)
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,2,{"c":"\\\""}]}`))
	f.Add([]byte(`{"a":tru`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want map[string]json.RawMessage
		valid := json.Unmarshal(b, &want) == nil && want != nil
		got := 0
		c := dialect.Object(b)
		for c.Next() {
			got++
			if valid && !json.Valid(c.Value()) {
				t.Fatalf("%q: the value %q is not JSON", b, c.Value())
			}
		}
		if valid && (c.Broken() || got < len(want)) {
			t.Fatalf("%q: %d members, broken %v; want %d", b, got, c.Broken(), len(want))
		}
		for a := dialect.Array(b); a.Next(); {
			a.Value()
		}
	})
}
