package vectorstore_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// read takes a request apart, and says what is wrong with it.
func read(t *testing.T, body string) (*vectorstore.Search, string) {
	t.Helper()
	var o llm.Object
	if err := o.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	s, param, problem := vectorstore.Read(o.Get)
	return s, param + " " + problem
}

// form writes a filter.
func form(f *vectorstore.Filter) string {
	if f == nil {
		return "-"
	}
	if f.Parts == nil {
		return f.Op + string(f.Key) + string(f.Value)
	}
	var parts []string
	for _, p := range f.Parts {
		parts = append(parts, form(p))
	}
	return f.Op + "(" + strings.Join(parts, " ") + ")"
}

func TestRead(t *testing.T) {
	t.Parallel()
	f := func(body, query, filter, own string) {
		t.Helper()
		s, problem := read(t, body)
		if s == nil {
			t.Errorf("%s: %s", body, problem)
			return
		}
		if s.Query != query || form(s.Filter) != filter || string(s.Own) != own {
			t.Errorf("%s: %q %s %s", body, s.Query, form(s.Filter), s.Own)
		}
	}
	f(`{"query":"a\nb"}`, "a\nb", "-", "")
	f(`{"query":["a","b c"],"filters":null,"ranking_options":null,"rewrite_query":null}`, "a b c", "-", "")
	f(`{"query":"a","filters":{"type":"eq","key":"k","value":null}}`, "a", `eq"k"null`, "")
	f(`{"query":"a","filters":{"type":"and","filters":[{"type":"in","key":"k","value":[1]},{"operator":"x","key":"l","value":{}}]}}`, "a", `and(in"k"[1] x"l"{})`, "")
	f(`{"query":"a","filters":{"or":[{"type":"and","filters":[{"type":"ne","key":"k","value":1}]},{"type":"gt","key":"k","value":2}]}}`, "a", `or(ne"k"1 gt"k"2)`, "")
	f(`{"query":"a","filters":{"equals":{"key":"k","value":1}}}`, "a", "-", `{"equals":{"key":"k","value":1}}`)
	f(`{"query":"a","filters":"n gt 1"}`, "a", "-", `"n gt 1"`)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	f := func(body, want string) {
		t.Helper()
		if s, problem := read(t, body); s != nil || !strings.Contains(problem, want) {
			t.Errorf("%s: %v %s, want %s", body, s, problem, want)
		}
	}
	f(`{}`, "query must be a string")
	f(`{"query":["a",1]}`, "query must be a string, or a list")
	f(`{"query":[]}`, "query is empty")
	f(`{"query":"  "}`, "query is empty")
	f(`{"query":"a","max_num_results":0}`, "max_num_results must be a whole number above 0")
	f(`{"query":"a","max_num_results":"5"}`, "max_num_results must be")
	f(`{"query":"a","filters":{"type":"eq","key":"k"}}`, "filters must have a type, a key that is a string, and a value")
	f(`{"query":"a","filters":{"type":"eq","key":1,"value":1}}`, "filters must have a type")
	f(`{"query":"a","filters":{"and":[]}}`, "filters must have a list of filters for and")
	f(`{"query":"a","filters":{"or":[{"x":1}]}}`, "filters must be filters with type")
	deep := `{"type":"eq","key":"k","value":1}`
	for range 10 {
		deep = `{"and":[` + deep + `,{"type":"eq","key":"k","value":1}]}`
	}
	f(`{"query":"a","filters":`+deep+`}`, "8 inside each other")
	f(`{"query":"a","filters":{"and":[`+strings.Repeat(`{"type":"eq","key":"k","value":1},`, 300)+`{"type":"eq","key":"k","value":1}]}}`, "more than 256 filters")
	f(`{"query":"a","ranking_options":[]}`, "ranking_options must be an object")
	f(`{"query":"a","ranking_options":{"score_threshold":"x"}}`, "score_threshold")
	f(`{"query":"a","ranking_options":{"hybrid_search":{}}}`, "hybrid_search")
}

func TestAppend(t *testing.T) {
	t.Parallel()
	s, problem := read(t, `{"query":"q","ranking_options":{"score_threshold":0.5}}`)
	if s == nil {
		t.Fatal(problem)
	}
	got := string(s.Append([]byte("x"), []vectorstore.Result{
		{File: []byte(`"f"`), Name: []byte(`"n"`), Text: []byte(`"t\n"`), Score: []byte("0.5"), Attributes: []byte(`{"a":1}`)},
		{Text: []byte(`"low"`), Score: []byte("0.49")},
		{Text: []byte(`"none"`)},
		{Text: []byte("17"), Attributes: []byte("null"), Score: []byte("1")},
	}))
	const want = `x{"object":"vector_store.search_results.page","search_query":"q","data":[` +
		`{"file_id":"f","filename":"n","score":0.5,"attributes":{"a":1},"content":[{"type":"text","text":"t\n"}]},` +
		`{"file_id":"","filename":"","score":1,"attributes":{},"content":[{"type":"text","text":""}]}],"has_more":false,"next_page":null}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
