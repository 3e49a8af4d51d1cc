package dialect

import "testing"

func TestMessage(t *testing.T) {
	t.Parallel()
	f := func(message, want string) {
		t.Helper()
		list := "[1," + message + ",2]"
		c := Array([]byte(list))
		c.Next()
		c.Next()
		got := "other"
		if role, content, ok := c.Message(); ok {
			got = list[role.Start:role.End] + list[content.Start:content.End]
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", message, got, want)
		}
		if string(c.Value()) != message || !c.Next() || string(c.Value()) != "2" || c.Next() || c.Broken() {
			t.Errorf("%s: the cursor went astray", message)
		}
	}
	f(`{"role":"user","content":"a \"b\" c"}`, `"user""a \"b\" c"`)
	f(`{"role": "user", "content": ""}`, `"user"""`)
	f(`{ "role":"user","content":"`+"long enough to be left to IndexByte, as most texts are"+`"}`, `"user""long enough to be left to IndexByte, as most texts are"`)
	f(`{"content":"a","role":"user"}`, "other")
	f(`{"role":"user","content":"a" }`, "other")
	f(`{"role":"user","content":"a","name":"n"}`, "other")
	f(`{"role":"user","content":["a"]}`, "other")
	f(`{"role":null,"content":"a"}`, "other")
	f(`{"role":"user","Content":"a"}`, "other")
	f(`{"role":"user"}`, "other")
	f(`{}`, "other")
	f(`"role"`, "other")
	for _, cut := range []string{`{`, `{"role"`, `{"role":`, `{"role":"`, `{"role":"u","content":"a`, `{"role":"u","content":"a"`} {
		c := Array([]byte("[" + cut))
		c.Next()
		if _, _, ok := c.Message(); ok {
			t.Errorf("%s is taken for a message", cut)
		}
	}
}
