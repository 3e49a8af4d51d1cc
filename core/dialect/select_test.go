package dialect_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

func TestStrings(t *testing.T) {
	t.Parallel()
	f := func(want, b string, fields ...string) {
		t.Helper()
		places, ok := dialect.Strings([]byte(b), fields)
		var got []string
		for _, p := range places {
			got = append(got, b[p.Start:p.End])
		}
		if s := strings.Join(got, " "); s != want || !ok {
			t.Errorf("%v of %s: %s %v, want %s", fields, b, s, ok, want)
		}
	}
	const doc = `{"query":"q","documents":[{"text":"a","id":"1"},{"text":"b\"c"},"d"],"n":5,"deep":{"x":{"y":"z"}}}`
	f(`"q"`, doc, "query")
	f(`"a" "b\"c"`, doc, "documents[*].text")
	f(`"q" "z"`, doc, "query", "$.deep.x.y")
	f(`"a" "1" "b\"c" "d"`, doc, "documents")
	f(`"q" "a" "1" "b\"c" "d"`, doc, "documents", "documents[*].text", "query")
	f(`"q" "a" "1" "b\"c" "d" "z"`, doc)
	f(``, doc, "documents.text")
	f(``, doc, "query.text")
	f(`"a" "b"`, `["a",["b"]]`)
	f(`"x"`, `["a",["b"],{"c":"x"}]`, "[*].c")
	bad := func(b string) {
		t.Helper()
		if _, ok := dialect.Strings([]byte(b), nil); ok {
			t.Errorf("%s was taken", b[:min(len(b), 40)])
		}
	}
	bad(`"a"`)
	bad(``)
	bad(`{"a":`)
	bad(`[` + strings.Repeat(`"a",`, dialect.MaxSelected) + `"a"]`)
	bad(strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100))
}

func FuzzStrings(f *testing.F) {
	f.Add([]byte(`{"a":["b",{"c":"d"}]}`), "a[*].c")
	f.Fuzz(func(_ *testing.T, b []byte, field string) {
		places, _ := dialect.Strings(b, []string{field})
		for _, p := range places {
			_ = b[p.Start:p.End]
		}
	})
}
