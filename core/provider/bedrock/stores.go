package bedrock

import (
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Stores makes the provider of knowledge bases, which are searched as vector stores. A deployment's model is the id of a
// knowledge base.
func Stores(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK"}, BaseVars: []string{"AWS_BEDROCK_RUNTIME_ENDPOINT"}, KeyOptional: true,
		Locate: func(t *provider.Site) (string, error) { return locateStore(&s, t) },
		Bind: func(t *provider.Site) error {
			d := t.Deployment
			own := slices.ContainsFunc(d.ExtraHeaders, func(h llm.Pair) bool { return strings.EqualFold(h.Name, "authorization") })
			if d.APIKey != "" || own {
				t.Signer = nil
			}
			t.Keyless = d.APIKey == ""
			t.Header("Accept", "application/json")
			return nil
		},
		Forms:    map[llm.Operation]*provider.Form{llm.OpResource: provider.Store{Route: retrieve, Request: query, Results: retrieved}.Form()},
		Classify: classify, MaxResponse: s.MaxResponse,
	})
}

// locateStore finds the service of knowledge bases, which is beside that of models
// (https://docs.aws.amazon.com/general/latest/gr/bedrock.html).
func locateStore(s *Settings, t *provider.Site) (string, error) {
	d := t.Deployment
	region, sign, err := s.Account(d, "bedrock", "")
	if err != nil {
		return "", err
	}
	t.Signer = sign
	for _, base := range [...]string{d.Base, d.Setting("aws_bedrock_runtime_endpoint")} {
		if base != "" {
			return strings.Replace(base, "bedrock-runtime", "bedrock-agent-runtime", 1), nil
		}
	}
	return address("bedrock-agent-runtime", region), nil
}

func retrieve(t *provider.Turn, dst []byte) []byte {
	return append(append(append(dst, "/knowledgebases/"...), escape(t.Site.Deployment.Model)...), "/retrieve"...)
}

// query writes the request of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Retrieve.html. What
// the caller writes as retrievalConfiguration is completed.
func query(t *provider.Turn, s *vectorstore.Search, dst []byte) ([]byte, error) {
	if s.Ranking != nil {
		return nil, t.Refuse("ranking_options", "must not have more than ranker and score_threshold: write retrievalConfiguration.vectorSearchConfiguration.rerankingConfiguration")
	}
	filter := s.Own
	if s.Filter != nil {
		f := dialect.Build(nil)
		if problem := appendFilter(&f, s.Filter); problem != "" {
			return nil, t.Refuse("filters", problem)
		}
		filter = f.Bytes()
	}
	own := t.Params.Get("retrievalConfiguration")
	if v := t.Params.Get("retrieval_configuration"); own == nil {
		own = v
	}
	b := dialect.Build(dst)
	b.Open('{').Key("retrievalQuery").Open('{').Key("text").Quote(s.Query).Close('}')
	if own != nil || s.Limit != nil || filter != nil {
		b.Key("retrievalConfiguration").Open('{')
		for c := dialect.Object(own); c.Next(); {
			if string(c.Key()) != "vectorSearchConfiguration" {
				b.Member(string(c.Key()), c.Value())
			}
		}
		search := dialect.Get(own, "vectorSearchConfiguration")
		if search != nil || s.Limit != nil || filter != nil {
			b.Key("vectorSearchConfiguration").Open('{').Member("numberOfResults", s.Limit).Member("filter", filter)
			for c := dialect.Object(search); c.Next(); {
				if name := string(c.Key()); (name != "numberOfResults" || s.Limit == nil) && (name != "filter" || filter == nil) {
					b.Member(name, c.Value())
				}
			}
			b.Close('}')
		}
		b.Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

// appendFilter writes a filter (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_RetrievalFilter.html).
func appendFilter(b *dialect.Builder, f *vectorstore.Filter) (problem string) {
	b.Open('{')
	if f.Parts != nil {
		b.Key(f.Op + "All").Open('[')
		for _, part := range f.Parts {
			if problem = appendFilter(b, part); problem != "" {
				return problem
			}
		}
		b.Close(']').Close('}')
		return ""
	}
	op := f.Op
	switch op {
	case "eq":
		op = "equals"
	case "ne":
		op = "notEquals"
	case "gt":
		op = "greaterThan"
	case "gte":
		op = "greaterThanOrEquals"
	case "lt":
		op = "lessThan"
	case "lte":
		op = "lessThanOrEquals"
	case "nin":
		op = "notIn"
	case "in", "equals", "notEquals", "greaterThan", "greaterThanOrEquals", "lessThan", "lessThanOrEquals", "notIn", "startsWith",
		"listContains", "stringContains":
	default:
		return "must have eq, ne, gt, gte, lt, lte, in, nin, and, or as type, or an operator of Bedrock's"
	}
	b.Key(op).Open('{').Key("key").Raw(f.Key).Key("value").Raw(f.Value).Close('}').Close('}')
	return ""
}

// retrieved reads the results. Those without a text, such as images, are left out, as with the reference
// (litellm/llms/bedrock/vector_stores/transformation.py), which also finds the names in the metadata.
func retrieved(_ *provider.Turn, body []byte) ([]vectorstore.Result, bool) {
	list := dialect.Get(body, "retrievalResults")
	if len(list) == 0 || list[0] != '[' {
		return nil, false
	}
	var out []vectorstore.Result
	c := dialect.Array(list)
	for c.Next() {
		item := c.Value()
		text := dialect.Get(dialect.Get(item, "content"), "text")
		if len(text) == 0 || text[0] != '"' {
			continue
		}
		meta := dialect.Get(item, "metadata")
		r := vectorstore.Result{Text: text, Score: dialect.Get(item, "score"), Attributes: meta}
		r.File, r.Name = named(meta)
		out = append(out, r)
	}
	return out, !c.Broken()
}

// named finds what a piece is of, by the metadata that Bedrock adds
// (https://docs.aws.amazon.com/bedrock/latest/userguide/kb-test-config.html).
func named(meta []byte) (file, name []byte) {
	text := func(key string) string {
		s, _ := llm.Text(dialect.Get(meta, "x-amz-bedrock-kb-"+key))
		return string(s)
	}
	or := func(s string) string {
		if s == "" {
			return "unknown"
		}
		return s
	}
	uri := text("source-uri")
	if uri == "" {
		return llm.AppendQuoted(nil, "bedrock-kb-"+or(text("chunk-id"))), llm.AppendQuoted(nil, "bedrock-kb-document-"+or(text("data-source-id")))
	}
	return llm.AppendQuoted(nil, uri), llm.AppendQuoted(nil, lastOf(uri))
}

// lastOf is the name of a file in an address, or else the host.
func lastOf(uri string) string {
	_, rest, ok := strings.Cut(uri, "://")
	if !ok {
		rest = uri
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	host, path, _ := strings.Cut(rest, "/")
	if name := path[strings.LastIndexByte(path, '/')+1:]; name != "" {
		return name
	}
	return host
}
