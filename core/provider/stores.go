package provider

import (
	"net/http"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Store translates searches in the vector stores of a vendor. The deployment's model is the id of the store.
type Store struct {
	Route   func(t *Turn, dst []byte) []byte
	Request func(t *Turn, s *vectorstore.Search, dst []byte) ([]byte, error)
	Results func(t *Turn, body []byte) ([]vectorstore.Result, bool) // false: the answer is none of the vendor's
}

// searchCall is what requests for searches are called in records.
const searchCall = "avector_store_search"

// Form makes the Form of a Translation for llm.OpResource. Other requests about the store are refused.
func (f Store) Form() *Form {
	read := func(t *Turn) (*vectorstore.Search, error) {
		if t.Exchange.Call != searchCall {
			return nil, t.Refuse("vector_store_id", "names a store of "+t.Site.v.Name+", which can be searched here and nothing else")
		}
		get := t.Exchange.Body.Get
		if t.Params != nil {
			get = t.Params.Get
		}
		s, param, problem := vectorstore.Read(get)
		if s == nil {
			return nil, t.Refuse(param, problem)
		}
		return s, nil
	}
	return &Form{
		Route: f.Route,
		Request: func(t *Turn, dst []byte) ([]byte, error) {
			s, err := read(t)
			if err != nil {
				return nil, err
			}
			return f.Request(t, s, dst)
		},
		Answer: func(t *Turn, body, dst []byte) ([]byte, error) {
			s, err := read(t)
			if err != nil {
				return nil, err
			}
			if e := dialect.Get(body, "error"); !dialect.Null(e) {
				return nil, t.Fail(failed(e), body)
			}
			results, ok := f.Results(t, body)
			if !ok {
				return nil, t.Garbled("holds no results")
			}
			t.Usage = llm.Usage{Searches: 1}
			return s.Append(dst, results), nil
		},
	}
}

// failed is the status of an error that came with a success, which some say as its code.
func failed(e []byte) int {
	if code := dialect.Int(dialect.Get(e, "code")); code >= http.StatusBadRequest && code < 600 {
		return int(code)
	}
	return http.StatusInternalServerError
}
