package provider

import (
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
)

func TestTrimmed(t *testing.T) {
	t.Parallel()
	f := func(body, want string, paths ...string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		o, err := Trimmed(x, &llm.Deployment{AdditionalDrop: paths})
		got := ""
		if o != nil {
			got = string(o.Raw())
		}
		if err != nil || got != want {
			t.Errorf("%s without %v: got %s, %v, want %s", body, paths, got, err, want)
		}
		for _, p := range paths {
			if problem := BadPath(p); problem != "" {
				t.Errorf("%s %s", p, problem)
			}
		}
	}
	tools := `{"a":1,"tools":[{"x":1,"y":{"z":[1,2]}},{"y":{"w":2}},7]}`
	f(tools, `{"a":1,"tools":[{"y":{"z":[1,2]}},{"y":{"w":2}},7]}`, "tools[*].x")
	f(tools, `{"a":1,"tools":[{"x":1,"y":{"z":[1,2]}},{},7]}`, "tools[1].y")
	f(tools, `{"a":1,"tools":[{"x":1,"y":{"z":[2]}},{"y":{}},7]}`, "tools[*].y.z[0]", "tools[*].y.w")
	f(tools, `{"a":1,"tools":[{"x":1,"y":{"z":[1,2]}},{"y":{"w":2}}]}`, "tools[2]")
	f(tools, "", "tools[9].x", "a.b", "b.c")
	f(tools, "", "a")
	bad := func(path, want string) {
		t.Helper()
		if got := BadPath(path); got != want {
			t.Errorf("%s %s, want %s", path, got, want)
		}
	}
	bad("tools[x]", "has an index that is neither a number nor *")
	bad("a..b", "has an empty step: write it like tools[*].function.strict")
	bad("[0]", "must begin with a parameter")
}

func TestTrimmedByRequest(t *testing.T) {
	t.Parallel()
	x := new(llm.Exchange)
	x.Reset()
	if err := x.Body.Parse([]byte(`{"a":{"b":1,"c":2}}`)); err != nil {
		t.Fatal(err)
	}
	x.Controls.AdditionalDrop = []byte(`["a.b","d"]`)
	if o, err := Trimmed(x, &llm.Deployment{}); err != nil || o == nil || string(o.Raw()) != `{"a":{"c":2}}` {
		t.Errorf("got %v, %v", o, err)
	}
	x.Controls.AdditionalDrop = []byte(`["a[q].b"]`)
	if _, err := Trimmed(x, &llm.Deployment{}); err == nil {
		t.Error("no error for a bad path")
	}
}

func FuzzTrimmed(f *testing.F) {
	f.Add(`{"tools":[{"x":1}]}`, "tools[*].x")
	f.Fuzz(func(t *testing.T, body, path string) {
		x := new(llm.Exchange)
		x.Reset()
		if x.Body.Parse([]byte(body)) != nil {
			return
		}
		_ = BadPath(path)
		if o, err := Trimmed(x, &llm.Deployment{AdditionalDrop: []string{path}}); o != nil && err != nil {
			t.Error(err)
		}
	})
}
