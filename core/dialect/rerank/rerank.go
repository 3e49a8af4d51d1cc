// Package rerank is the dialect of reranking: documents in, their order by relevance to a query out. Its shape is that of
// Cohere's API in both versions (https://docs.cohere.com/reference/rerank, https://docs.cohere.com/reference/rerank-v1),
// which Jina and others follow (https://docs.jina.ai), and which the reference has in front of all vendors
// (litellm/types/rerank.py). It works on bytes and does no I/O.
package rerank

import (
	"strconv"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Request is a request, taken apart. Values are JSON as written and borrowed from the request; what is absent is nil.
type Request struct {
	Query     []byte
	Documents [][]byte // each a string, or an object
	TopN      []byte
	Return    bool // the documents are wanted in the answer
}

// maxDocuments is how many documents are taken.
const maxDocuments = 100_000

// Read takes a request apart. get gives its members. An error names the member, and what is wrong with it follows.
func Read(get func(name string) []byte) (r *Request, param, problem string) {
	r = &Request{Query: get("query"), TopN: get("top_n"), Return: string(get("return_documents")) == "true"}
	if len(r.Query) == 0 || r.Query[0] != '"' {
		return nil, "query", "must be a string"
	}
	if v := r.TopN; v != nil && dialect.Int(v) < 1 {
		return nil, "top_n", "must be a whole number above 0"
	}
	list := get("documents")
	if len(list) == 0 || list[0] != '[' {
		return nil, "documents", "must be a list"
	}
	for c := dialect.Array(list); c.Next(); {
		if b := c.First(); b != '"' && b != '{' {
			return nil, "documents[" + strconv.Itoa(len(r.Documents)) + "]", "must be a string or an object"
		}
		if len(r.Documents) == maxDocuments {
			return nil, "documents", "holds more than " + strconv.Itoa(maxDocuments) + " documents"
		}
		r.Documents = append(r.Documents, c.Value())
	}
	if len(r.Documents) == 0 {
		return nil, "documents", "is empty"
	}
	return r, "", ""
}

// Text is the text of a document: itself, or the member text of an object, or else the object as it is written, in
// quotes.
func Text(document []byte) []byte {
	if document[0] == '"' {
		return document
	}
	if v := dialect.Get(document, "text"); len(v) > 1 && v[0] == '"' {
		return v
	}
	return llm.AppendQuoted(nil, string(document))
}

// Texts appends the texts of all documents as a list in JSON.
func (r *Request) Texts(b *dialect.Builder) {
	b.Open('[')
	for _, d := range r.Documents {
		b.Raw(Text(d))
	}
	b.Close(']')
}

// Result is the place of one document.
type Result struct {
	Index    int64  // of the document in the request
	Score    []byte // a number in JSON
	Document []byte // what the vendor gave for it, a string or an object in JSON; nil if nothing
}

// ReadResults reads a list of results: objects with index, relevance_score or score, and document.
func ReadResults(list []byte) ([]Result, bool) {
	var out []Result
	c := dialect.Array(list)
	for c.Next() {
		r := Result{Index: -1}
		for in := dialect.Object(c.Value()); in.Next(); {
			switch string(in.Key()) {
			case "index", "corpus_id":
				if b := in.First(); b >= '0' && b <= '9' {
					r.Index = dialect.Int(in.Value())
				}
			case "relevance_score", "score", "logit":
				if r.Score == nil {
					r.Score = in.Value()
				}
			case "document", "text":
				if !dialect.Null(in.Value()) {
					r.Document = in.Value()
				}
			}
		}
		if r.Index < 0 || len(r.Score) == 0 || r.Score[0] != '-' && (r.Score[0] < '0' || r.Score[0] > '9') {
			return nil, false
		}
		out = append(out, r)
	}
	return out, !c.Broken()
}

// Append appends an answer. The documents of r stand in it if they were asked for, or if the vendor gave them. Of u it
// takes Searches and Total, which the reference has as billed units.
func (r *Request) Append(dst []byte, id string, results []Result, u llm.Usage) []byte {
	b := dialect.Build(dst)
	b.Open('{').Key("id").Quote(id).Key("results").Open('[')
	for i := range results {
		s := &results[i]
		b.Open('{').Key("index").Int(s.Index).Key("relevance_score").Raw(s.Score)
		doc := s.Document
		if doc == nil && r.Return && s.Index < int64(len(r.Documents)) {
			doc = r.Documents[s.Index]
		}
		switch {
		case doc == nil:
		case doc[0] == '"':
			b.Key("document").Open('{').Key("text").Raw(doc).Close('}')
		default:
			b.Member("document", doc)
		}
		b.Close('}')
	}
	b.Close(']').Key("meta").Open('{')
	if u.Searches > 0 || u.Total > 0 {
		b.Key("billed_units").Open('{')
		if u.Searches > 0 {
			b.Key("search_units").Int(u.Searches)
		}
		if u.Total > 0 {
			b.Key("total_tokens").Int(u.Total)
		}
		b.Close('}')
	}
	if u.Prompt > 0 {
		b.Key("tokens").Open('{').Key("input_tokens").Int(u.Prompt).Close('}')
	}
	b.Close('}').Close('}')
	return b.Bytes()
}
