// Package vectorstore is the dialect of searches in vector stores: a query in, the pieces of text that are closest to it
// out. Its shape is that of OpenAI's API (https://platform.openai.com/docs/api-reference/vector-stores/search), which the
// reference has in front of other vendors' stores too (litellm/types/vector_stores.py). It works on bytes and does no I/O.
package vectorstore

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Search is a request, taken apart. Values are JSON as written and borrowed from the request; what is absent is nil.
type Search struct {
	Query   string  // several texts are one, with spaces between them, as in the reference
	Limit   []byte  // how many results are wanted, a number above 0
	Filter  *Filter // in OpenAI's form or the reference's
	Own     []byte  // a filter in the vendor's form
	Least   float64 // results with a lower score are not wanted
	Ranking []byte  // how results are ranked, in the vendor's form
}

// Filter is a comparison, or a combination of filters.
type Filter struct {
	Op         string // eq, ne, gt, gte, lt, lte, in, nin or another word of the vendor's; and, or
	Key, Value []byte // of a comparison: a string, and any JSON
	Parts      []*Filter
}

const (
	maxFilters = 256 // in one request
	maxNesting = 8
)

// Read takes a request apart. get gives its members. An error names the member, and what is wrong with it follows.
func Read(get func(name string) []byte) (s *Search, param, problem string) {
	s = &Search{Limit: get("max_num_results")}
	if s.Query, problem = query(get("query")); problem != "" {
		return nil, "query", problem
	}
	if v := s.Limit; v != nil && dialect.Int(v) < 1 {
		return nil, "max_num_results", "must be a whole number above 0"
	}
	if v := get("filters"); !dialect.Null(v) {
		if problem = s.filters(v); problem != "" {
			return nil, "filters", problem
		}
	}
	if v := get("ranking_options"); !dialect.Null(v) {
		if problem = s.ranking(v); problem != "" {
			return nil, "ranking_options", problem
		}
	}
	if v := get("rewrite_query"); v != nil && string(v) != "false" && !dialect.Null(v) {
		return nil, "rewrite_query", "must be false: the store takes a query as it is"
	}
	return s, "", ""
}

func query(v []byte) (text, problem string) {
	const wrong = "must be a string, or a list of strings"
	if s, ok := llm.Text(v); ok {
		text = string(s)
	} else {
		if len(v) == 0 || v[0] != '[' {
			return "", wrong
		}
		var list []string
		c := dialect.Array(v)
		for c.Next() {
			s, ok := llm.Text(c.Value())
			if !ok {
				return "", wrong
			}
			list = append(list, string(s))
		}
		if c.Broken() {
			return "", wrong
		}
		text = strings.Join(list, " ")
	}
	if strings.TrimSpace(text) == "" {
		return "", "is empty"
	}
	return text, ""
}

// filters reads a filter of OpenAI's: {"type","key","value"} or {"type","filters"}; or of the reference's:
// {"operator","key","value"} or {"and": [...]}. Any other is the vendor's own.
func (s *Search) filters(v []byte) (problem string) {
	if v[0] != '{' {
		s.Own = v
		return ""
	}
	if !ours(v) {
		s.Own = v
		return ""
	}
	count := 0
	s.Filter, problem = filter(v, 0, &count)
	return problem
}

// ours reports whether an object is a filter of OpenAI's or the reference's.
func ours(v []byte) bool {
	has := func(name string) bool { return dialect.Get(v, name) != nil }
	return has("type") && (has("key") || has("filters")) || has("operator") && has("key") || has("and") || has("or")
}

func filter(v []byte, depth int, count *int) (f *Filter, problem string) {
	if *count++; depth > maxNesting || *count > maxFilters {
		return nil, "holds more than " + strconv.Itoa(maxFilters) + " filters, or " + strconv.Itoa(maxNesting) + " inside each other"
	}
	if len(v) == 0 || v[0] != '{' || !ours(v) {
		return nil, "must be filters with type, key and value, or with type and filters"
	}
	f = &Filter{Key: dialect.Get(v, "key"), Value: dialect.Get(v, "value")}
	word := dialect.Get(v, "type")
	if word == nil {
		word = dialect.Get(v, "operator")
	}
	op, _ := llm.Text(word)
	f.Op = string(op)
	list := dialect.Get(v, "filters")
	for _, name := range [...]string{"and", "or"} {
		if l := dialect.Get(v, name); f.Op == "" && l != nil {
			f.Op, list = name, l
		}
	}
	if f.Op != "and" && f.Op != "or" {
		if len(f.Key) == 0 || f.Key[0] != '"' || f.Value == nil || f.Op == "" {
			return nil, "must have a type, a key that is a string, and a value, each"
		}
		return f, ""
	}
	c := dialect.Array(list)
	for c.Next() {
		part, problem := filter(c.Value(), depth+1, count)
		if problem != "" {
			return nil, problem
		}
		f.Parts = append(f.Parts, part)
	}
	if c.Broken() || len(f.Parts) == 0 {
		return nil, "must have a list of filters for " + f.Op
	}
	if len(f.Parts) == 1 {
		return f.Parts[0], ""
	}
	return f, ""
}

// ranking reads ranking_options. Vendors have rankers of their own, so that OpenAI's ranker is none of theirs.
func (s *Search) ranking(v []byte) (problem string) {
	if v[0] != '{' {
		return "must be an object"
	}
	own := false
	for c := dialect.Object(v); c.Next(); {
		switch string(c.Key()) {
		case "score_threshold":
			f, err := strconv.ParseFloat(string(c.Value()), 64)
			if err != nil {
				return "must have a number as score_threshold"
			}
			s.Least = f
		case "ranker":
			if w, _ := llm.Text(c.Value()); string(w) != "auto" && string(w) != "none" {
				return "must have auto or none as ranker: the store has none of OpenAI's"
			}
		case "hybrid_search":
			return "must not have hybrid_search: the store has none of OpenAI's"
		default:
			own = true
		}
	}
	if own {
		s.Ranking = v
	}
	return ""
}

// Result is one piece of text. Values are JSON.
type Result struct {
	File, Name []byte // strings: what the text is of
	Text       []byte // a string
	Score      []byte // a number; nil is 0
	Attributes []byte // an object; nil is an empty one
}

// Append appends an answer. What has too low a score is left out.
func (s *Search) Append(dst []byte, results []Result) []byte {
	b := dialect.Build(dst)
	b.Open('{').Key("object").Lit(`"vector_store.search_results.page"`).Key("search_query").Quote(s.Query).Key("data").Open('[')
	for i := range results {
		r := &results[i]
		if !s.wants(r.Score) {
			continue
		}
		b.Open('{').Key("file_id").Raw(textOr(r.File)).Key("filename").Raw(textOr(r.Name)).Key("score")
		if number(r.Score) {
			b.Raw(r.Score)
		} else {
			b.Lit("0")
		}
		b.Key("attributes")
		if len(r.Attributes) > 0 && r.Attributes[0] == '{' {
			b.Raw(r.Attributes)
		} else {
			b.Lit("{}")
		}
		b.Key("content").Open('[').Open('{').Key("type").Lit(`"text"`).Key("text").Raw(textOr(r.Text)).Close('}').Close(']').Close('}')
	}
	return b.Close(']').Key("has_more").Bool(false).Key("next_page").Lit("null").Close('}').Bytes()
}

func (s *Search) wants(score []byte) bool {
	if s.Least == 0 {
		return true
	}
	f, err := strconv.ParseFloat(string(score), 64)
	return err == nil && f >= s.Least
}

func number(v []byte) bool {
	return len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9')
}

func textOr(v []byte) []byte {
	if len(v) > 1 && v[0] == '"' {
		return v
	}
	return []byte(`""`)
}
