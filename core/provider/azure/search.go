package azure

import (
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

const (
	// SearchScope is what a token for Azure AI Search is for
	// (https://learn.microsoft.com/en-us/azure/search/search-security-rbac-client-code).
	SearchScope = "https://search.azure.com/.default"
	// searchVersion is the reference's (litellm/llms/azure_ai/vector_stores/transformation.py).
	searchVersion = "2024-07-01"
	vectorField   = "contentVector" // likewise
	searchFields  = "id,content"    // likewise
)

// QueryVector is the member of a request with the vector of its query, a list of numbers. Without it the index makes the
// vector itself, for which it needs a vectorizer
// (https://learn.microsoft.com/en-us/azure/search/vector-search-how-to-configure-vectorizer).
const QueryVector = "query_vector"

// Indexes makes the provider of Azure AI Search, whose indexes are searched as vector stores. A deployment's model is the
// name of an index.
func Indexes(s OwnSettings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: NameAI, KeyHeader: "api-key", MaxResponse: s.MaxResponse,
		Locate: locateSearch,
		Bind: func(site *provider.Site) (err error) {
			version := site.Deployment.APIVersion
			if version == "" {
				version = searchVersion
			}
			if strings.ContainsAny(version, "&?#/ ") {
				return site.Problem("api_version", "must be a date such as "+searchVersion)
			}
			site.Own = version
			if site.Deployment.APIKey == "" && s.Identity != nil {
				site.Signer, err = s.Identity(site.Deployment)
				site.Keyless = site.Signer != nil
			}
			return err
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpResource: provider.Store{
			Route: func(t *provider.Turn, dst []byte) []byte {
				dst = append(append(dst, "/indexes/"...), provider.EscapeModel(t.Site.Deployment.Model)...)
				return append(append(dst, "/docs/search?api-version="...), t.Site.Own.(string)...)
			},
			Request: searchIndex, Results: hits,
		}.Form()},
	})
}

func locateSearch(site *provider.Site) (string, error) {
	if base, _, _ := strings.Cut(site.Deployment.Base, "?"); base != "" {
		return strings.TrimRight(base, "/"), nil
	}
	name := site.Deployment.Setting("azure_search_service_name")
	if name == "" {
		return "", site.Problem("azure_search_service_name", "is missing: name the search service, or its address as api_base")
	}
	if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", site.Problem("azure_search_service_name", "must be the name of a search service")
	}
	return "https://" + name + ".search.windows.net", nil
}

// searchIndex writes the request of https://learn.microsoft.com/en-us/rest/api/searchservice/documents/search-post, which
// finds by the vector alone, as with the reference.
func searchIndex(t *provider.Turn, s *vectorstore.Search, dst []byte) ([]byte, error) {
	if s.Ranking != nil {
		return nil, t.Refuse("ranking_options", "must not have more than ranker and score_threshold")
	}
	filter := s.Own
	if s.Filter != nil {
		text, problem := odata(nil, s.Filter)
		if problem != "" {
			return nil, t.Refuse("filters", problem)
		}
		filter = llm.AppendQuoted(nil, string(text))
	}
	if len(filter) > 0 && filter[0] != '"' {
		return nil, t.Refuse("filters", "must be filters with type, key and value, or a text in OData")
	}
	limit := s.Limit
	if limit == nil {
		limit = []byte("10")
	}
	field := t.Site.Deployment.Setting("azure_search_vector_field")
	if field == "" {
		field = vectorField
	}
	vector, fields := t.Params.Get(QueryVector), t.Params.Get("select")
	b := dialect.Build(dst)
	b.Open('{').Key("search").Lit(`"*"`).Key("vectorQueries").Open('[').Open('{')
	if len(vector) > 0 && vector[0] == '[' {
		b.Key("kind").Lit(`"vector"`).Key("vector").Raw(vector)
	} else {
		b.Key("kind").Lit(`"text"`).Key("text").Quote(s.Query)
	}
	b.Key("fields").Quote(field).Key("k").Raw(limit).Close('}').Close(']')
	if fields == nil {
		fields = llm.AppendQuoted(nil, searchFields)
	}
	b.Member("filter", filter).Member("select", fields).Key("top").Raw(limit)
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

// odata writes a filter (https://learn.microsoft.com/en-us/azure/search/search-query-odata-filter).
func odata(dst []byte, f *vectorstore.Filter) (text []byte, problem string) {
	if f.Parts != nil {
		dst = append(dst, '(')
		for i, part := range f.Parts {
			if i > 0 {
				dst = append(append(append(dst, ' '), f.Op...), ' ')
			}
			if dst, problem = odata(dst, part); problem != "" {
				return nil, problem
			}
		}
		return append(dst, ')'), ""
	}
	key, _ := llm.Text(f.Key)
	if !fieldName(string(key)) {
		return nil, "must have names of fields as keys"
	}
	op := f.Op
	switch op {
	case "gte":
		op = "ge"
	case "lte":
		op = "le"
	case "eq", "ne", "gt", "lt", "in", "nin":
	default:
		return nil, "must have eq, ne, gt, gte, lt, lte, in, nin, and, or as type"
	}
	if op != "in" && op != "nin" {
		return literal(append(append(append(append(dst, key...), ' '), op...), ' '), f.Value)
	}
	return among(dst, string(key), op == "nin", f.Value)
}

// among writes that a field has one of several values, or none of them.
func among(dst []byte, key string, none bool, list []byte) (text []byte, problem string) {
	word, compare := " or ", " eq "
	if none {
		word, compare = " and ", " ne "
	}
	dst = append(dst, '(')
	c := dialect.Array(list)
	for n := 0; c.Next(); n++ {
		if n > 0 {
			dst = append(dst, word...)
		}
		if dst, problem = literal(append(append(dst, key...), compare...), c.Value()); problem != "" {
			return nil, problem
		}
	}
	if c.Broken() || dst[len(dst)-1] == '(' {
		return nil, "must have a list of values for in and nin"
	}
	return append(dst, ')'), ""
}

// literal writes a value: a quote inside a text is written twice.
func literal(dst, v []byte) (text []byte, problem string) {
	if s, ok := llm.Text(v); ok {
		return append(append(append(dst, '\''), strings.ReplaceAll(string(s), "'", "''")...), '\''), ""
	}
	if len(v) == 0 || v[0] == '[' || v[0] == '{' {
		return nil, "must have texts, numbers, true or false as values"
	}
	return append(dst, v...), ""
}

// fieldName reports whether a text can be the name of a field, whose parts are apart by slashes.
func fieldName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && c != '/' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// hits reads the results. All fields but the text and the vector are attributes.
func hits(t *provider.Turn, body []byte) ([]vectorstore.Result, bool) {
	list := dialect.Get(body, "value")
	if len(list) == 0 || list[0] != '[' {
		return nil, false
	}
	field := t.Site.Deployment.Setting("azure_search_vector_field")
	var out []vectorstore.Result
	c := dialect.Array(list)
	for c.Next() {
		r := vectorstore.Result{Score: dialect.Get(c.Value(), "@search.score"), File: dialect.Get(c.Value(), "id")}
		id, _ := llm.Text(r.File)
		r.Name = llm.AppendQuoted(nil, "Document "+string(id))
		b := dialect.Build(nil)
		b.Open('{')
		for in := dialect.Object(c.Value()); in.Next(); {
			switch name := string(in.Key()); name {
			case "content":
				r.Text = in.Value()
			case "id", "@search.score", vectorField, field:
			default:
				b.Member(name, in.Value())
			}
		}
		r.Attributes = b.Member("document_id", r.File).Close('}').Bytes()
		out = append(out, r)
	}
	return out, !c.Broken()
}
