package rerank_test

import (
	"encoding/json"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
)

func get(object string) func(string) []byte {
	return func(name string) []byte { return dialect.Get([]byte(object), name) }
}

func TestRead(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		`{"query":"q","documents":["a",{"text":"b"}]}`:      "",
		`{"documents":["a"]}`:                               "query",
		`{"query":1,"documents":["a"]}`:                     "query",
		`{"query":"q"}`:                                     "documents",
		`{"query":"q","documents":[]}`:                      "documents",
		`{"query":"q","documents":"a"}`:                     "documents",
		`{"query":"q","documents":["a",1]}`:                 "documents[1]",
		`{"query":"q","documents":["a"],"top_n":0}`:         "top_n",
		`{"query":"q","documents":["a"],"top_n":"several"}`: "top_n",
	} {
		r, param, problem := rerank.Read(get(request))
		if param != want || (r == nil) != (want != "") || (problem == "") != (want == "") {
			t.Errorf("%s: %q %q", request, param, problem)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	r, _, _ := rerank.Read(get(`{"query":"q","documents":["a",{"text":"b"},{"t":"c"}],"return_documents":true}`))
	results, ok := rerank.ReadResults([]byte(`[{"index":1,"relevance_score":0.5},{"index":0,"score":-1e-3,"document":null},{"index":2,"logit":1,"text":"own"}]`))
	if !ok {
		t.Fatal("the results are refused")
	}
	const want = `{"id":"i","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}},` +
		`{"index":0,"relevance_score":-1e-3,"document":{"text":"a"}},{"index":2,"relevance_score":1,"document":{"text":"own"}}],` +
		`"meta":{"billed_units":{"search_units":1,"total_tokens":3},"tokens":{"input_tokens":2}}}`
	if got := string(r.Append(nil, "i", results, llm.Usage{Searches: 1, Total: 3, Prompt: 2})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, bad := range []string{`[{"index":0}]`, `[{"relevance_score":1}]`, `[{"index":-1,"score":1}]`, `[{"index":0,"score":"1"}]`, `[{"index":0,"score":null}]`, `{}`} {
		if _, ok := rerank.ReadResults([]byte(bad)); ok && bad != `{}` {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzRerank(f *testing.F) {
	f.Add([]byte(`{"query":"q","documents":["a",{"text":"b"}],"top_n":1,"return_documents":true}`), []byte(`[{"index":1,"score":0.5,"document":{"text":"b"}}]`))
	f.Add([]byte(`{"query":"q","documents":[{}]}`), []byte(`[{"index":9,"relevance_score":-1,"text":"x"}]`))
	f.Fuzz(func(t *testing.T, request, answer []byte) {
		if !json.Valid(request) || !json.Valid(answer) {
			return
		}
		r, param, problem := rerank.Read(get(string(request)))
		if r == nil {
			if param == "" || problem == "" {
				t.Fatalf("%s is refused without a reason", request)
			}
			return
		}
		b := dialect.Build(nil)
		if r.Texts(&b); !json.Valid(b.Bytes()) {
			t.Fatalf("%s has the texts %s", request, b.Bytes())
		}
		results, ok := rerank.ReadResults(answer)
		if !ok {
			return
		}
		if out := r.Append(nil, "i", results, llm.Usage{}); !json.Valid(out) {
			t.Fatalf("%s and %s become %s", request, answer, out)
		}
	})
}
