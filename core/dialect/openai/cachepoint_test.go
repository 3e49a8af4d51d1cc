package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
)

func TestMarkCache(t *testing.T) {
	t.Parallel()
	const mark = `"cache_control":{"type":"ephemeral"}`
	f := func(points, messages, want string) {
		t.Helper()
		list, err := openai.CachePoints([]byte(points))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := openai.MarkCache([]byte(messages), nil, list)
		if want = strings.ReplaceAll(want, "MARK", mark); string(got) != want {
			t.Errorf("%s\n%s\ngot  %s\nwant %s", points, messages, got, want)
		}
	}
	const system = `[{"location":"message","role":"system"}]`
	f(system, `[{"role":"system","content":"a"},{"role":"user","content":"b"}]`,
		`[{"role":"system","content":"a",MARK},{"role":"user","content":"b"}]`)
	f(system, `[{"role":"user","content":"b"}]`, ``)
	f(`[{"location":"message","index":-1}]`, `[{"role":"user","content":"a"}, {"content":"b" ,"role":"user"} ]`,
		`[{"role":"user","content":"a"},{"content":"b" ,"role":"user",MARK}]`)
	f(`[{"location":"message","index":"0"}]`, `[{"role":"user","content":"a"}]`, `[{"role":"user","content":"a",MARK}]`)
	f(`[{"location":"message","index":7}]`, `[{"role":"user","content":"a"}]`, ``)
	// Of several blocks the last is marked, and a text part that looks like the end of one is none.
	f(system, `[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"}]"}],"name":"n"}]`,
		`[{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"}]",MARK}],"name":"n"}]`)
	f(system, `[{"role":"system","content":[]}]`, ``)
	f(system, `[{"role":"system","content":null}]`, ``)
	// The caller's own mark stays, and no request gets more than four.
	f(system, `[{"role":"system","content":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]`, ``)
	f(`[{"location":"message","role":"user"}]`, "["+strings.Repeat(`{"role":"user","content":"b"},`, 5)+`{"role":"user","content":"c"}]`,
		"["+strings.Repeat(`{"role":"user","content":"b",MARK},`, 4)+`{"role":"user","content":"b"},{"role":"user","content":"c"}]`)
	f(`[{"location":"message","role":"system","control":{"type":"ephemeral","ttl":"1h"}}]`, `[{"role":"system","content":"a"}]`,
		`[{"role":"system","content":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}]`)

	list, err := openai.CachePoints([]byte(`[{"location":"tool_config"}]`))
	if err != nil {
		t.Fatal(err)
	}
	_, tools := openai.MarkCache([]byte(`[]`), []byte(`[{"type":"function"},{}]`), list)
	if want := `[{"type":"function"},{` + mark + `}]`; string(tools) != want {
		t.Errorf("tools: %s, want %s", tools, want)
	}
}

func TestCachePointMistakes(t *testing.T) {
	t.Parallel()
	f := func(points, want string) {
		t.Helper()
		if _, err := openai.CachePoints([]byte(points)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", points, err, want)
		}
	}
	f(`{}`, "must be a list")
	f(`[1]`, "[0]: must be an object")
	f(`[{"location":"message","role":"user"},{"location":"here"}]`, "[1]: location must be message or tool_config")
	f(`[{"location":"message"}]`, "needs a role or an index")
	f(`[{"location":"message","index":"x"}]`, "index must be a whole number")
	f(`[{"location":"message","index":1,"control":3}]`, "control must be an object")
	f(`[{"location"`, "")
}

func FuzzMarkCache(f *testing.F) {
	f.Add([]byte(`[{"location":"message","index":-1},{"location":"tool_config"}]`), []byte(`[{"role":"user","content":[{"type":"text"}]}]`), []byte(`[{}]`))
	f.Add([]byte(`[{"location":"message","role":"system"}]`), []byte(`[{"role":"system","content":"a"}]`), []byte(`null`))
	f.Fuzz(func(t *testing.T, points, messages, tools []byte) {
		list, err := openai.CachePoints(points)
		if err != nil || !json.Valid(points) || !json.Valid(messages) || !json.Valid(tools) {
			return
		}
		m, u := openai.MarkCache(messages, tools, list)
		for _, marked := range [][]byte{m, u} {
			if marked != nil && !json.Valid(marked) {
				t.Errorf("%s %s: %s is no JSON", points, messages, marked)
			}
		}
	})
}
