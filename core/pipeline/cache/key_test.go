package cache

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func canonical(raw string) string {
	var c canon
	c.value([]byte(raw))
	return string(c.out)
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	same := func(a, b string) {
		t.Helper()
		if x, y := canonical(a), canonical(b); x != y {
			t.Errorf("%s and %s differ:\n%s\n%s", a, b, x, y)
		}
	}
	differ := func(a, b string) {
		t.Helper()
		if x := canonical(a); x == canonical(b) {
			t.Errorf("%s and %s are the same: %s", a, b, x)
		}
	}
	same(`{"a":1,"b":2}`, `{ "b" : 2 , "a" : 1 }`)
	same(`[{"b":[1, 2],"a":{"d":1,"c":2}}]`, "[\n{\"a\":{\"c\":2,\"d\":1},\t\"b\":[1,2]}]")
	same(`"\u0068i\/"`, `"hi/"`)
	same(`{"\u0061":1}`, `{"a":1}`)
	same(`"\ud83d\ude00"`, `"😀"`)
	same(`{}`, ` { } `[1:])
	same(`[ ]`, `[]`)
	differ(`[1,2]`, `[2,1]`)
	differ(`[[1],2]`, `[1,[2]]`)
	differ(`"\ud800"`, `"\ufffd"`)
	differ(`"\ud800"`, `"\ud801"`)
	differ(`{"a":"b,c"}`, `{"a":"b","c":1}`)
	differ(`{"a":1,"a":2}`, `{"a":2,"a":1}`) // parsers take the last one
	differ(`"1"`, `1`)
	differ(`null`, `"null"`)
	differ(`1.0`, `1.5`)
}

// Two documents with the same canonical form say the same, and a document's form is its own.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1,{"d":"\u00e9","c":null}],"a":-1.5e3}`, `[[],{},"",[{}]]`, `{"":{"":""}}`, `{"a":"\\\""}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var o llm.Object
		if o.Parse(raw) != nil || !json.Valid(raw) {
			return // it never gets here
		}
		var c canon
		c.value(bytes.TrimLeft(raw, " \t\r\n"))
		first := bytes.Clone(c.out)
		var again canon
		again.value(first)
		if !bytes.Equal(first, again.out) {
			t.Errorf("%s: the form of %s is %s", raw, first, again.out)
		}
		var a, b any
		if json.Unmarshal(raw, &a) != nil {
			return
		}
		if err := json.Unmarshal(first, &b); err != nil {
			t.Fatalf("%s: %s is no JSON: %v", raw, first, err)
		}
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) {
			t.Errorf("%s says %s, and its form %s says %s", raw, x, first, y)
		}
	})
}

func exchange(t testing.TB, body string) *llm.Exchange {
	t.Helper()
	x := new(llm.Exchange)
	x.Reset()
	x.Op, x.Model = llm.OpChat, "m"
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	return x
}

func keyFor(h *Hook, x *llm.Exchange) [32]byte {
	var k keyer
	k.write(h, x, nil)
	return k.sum()
}

// Whoever is in another circle has other keys; in the same circle they are the same.
func TestScopes(t *testing.T) {
	t.Parallel()
	who := func(p llm.Principal, endUser string) *llm.Exchange {
		x := exchange(t, `{"messages":[]}`)
		x.Principal, x.EndUser = &p, endUser
		return x
	}
	check := func(s Scope, want bool, a, b *llm.Exchange) {
		t.Helper()
		h := New(Settings{Scope: s, Store: nil})
		if got := keyFor(h, a) == keyFor(h, b); got != want {
			t.Errorf("%s: shared is %v, want %v", s, got, want)
		}
	}
	a := who(llm.Principal{KeyHash: "k1", TeamID: "t1", OrgID: "o", UserID: "u1"}, "e1")
	b := who(llm.Principal{KeyHash: "k2", TeamID: "t1", OrgID: "o", UserID: "u2"}, "e1")
	c := who(llm.Principal{KeyHash: "k3", TeamID: "t2", OrgID: "o", UserID: "u1"}, "e2")
	check(ScopeAll, true, a, c)
	check(ScopeOrganization, true, a, c)
	check(ScopeTeam, true, a, b)
	check(ScopeTeam, false, a, c)
	check("", false, a, c) // team is the default
	check(ScopeUser, true, a, c)
	check(ScopeUser, false, a, b)
	check(ScopeKey, false, a, b)
	check(ScopeEndUser, true, a, b)
	check(ScopeEndUser, false, a, c)
	alone := who(llm.Principal{KeyHash: "k4"}, "")
	check(ScopeTeam, false, alone, who(llm.Principal{KeyHash: "k5"}, ""))
	check(ScopeTeam, true, alone, who(llm.Principal{KeyHash: "k4", UserID: "x"}, ""))
	// An id of one kind is not taken for one of another.
	check(ScopeTeam, false, who(llm.Principal{TeamID: "x"}, ""), who(llm.Principal{KeyHash: "x"}, ""))
}

// What is longer in one place and shorter in the next is something else.
func TestFieldsDoNotRun(t *testing.T) {
	t.Parallel()
	h := New(Settings{})
	a, b := exchange(t, `{"a":1}`), exchange(t, `{"a":1}`)
	a.Principal, a.Model = &llm.Principal{TeamID: "ab"}, "c"
	b.Principal, b.Model = &llm.Principal{TeamID: "a"}, "bc"
	if keyFor(h, a) == keyFor(h, b) {
		t.Error("the team's name runs into the model's")
	}
}

func TestKeyAllocations(t *testing.T) {
	h := New(Settings{})
	x := exchange(t, `{"model":"m","messages":[{"role":"user","content":"hi"},{"content":"a\nb","role":"user"}],"temperature":0.5}`)
	k := new(keyer)
	k.write(h, x, nil)
	if n := testing.AllocsPerRun(100, func() {
		k.reset()
		k.write(h, x, nil)
		k.sum()
	}); n > 1 { // an escaped text
		t.Errorf("%v allocations for a key", n)
	}
}
