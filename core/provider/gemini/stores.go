package gemini

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/dialect/vectorstore"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// SearchAPI is what the reference calls Vertex AI Search beside Vertex AI.
const SearchAPI = Vertex + "/search_api"

// Corpora makes the provider of the corpora of Vertex AI's RAG Engine, which are searched as vector stores. A deployment's
// model is the id of a corpus, or its whole name.
func Corpora(s Settings) *provider.Translated {
	return stores(s, locate, func(site *provider.Site, project string) (*storage, string) {
		path, problem := gemini.VertexPath(project, gemini.Location(site.Deployment.Setting))
		o := &storage{name: site.Deployment.Model}
		if !strings.HasPrefix(o.name, "projects/") {
			o.name = strings.TrimPrefix(path, "/") + "/ragCorpora/" + o.name
		}
		if site.Root == "" {
			site.Root = "/v1"
		}
		o.path = path + ":retrieveContexts"
		return o, problem
	}, provider.Store{Route: storeRoute, Request: corpusQuery, Results: contexts}.Form())
}

// storage is a deployment whose model is a store.
type storage struct {
	path string // of the search, below the version
	name string // of the corpus
	home string // where data stores are, for their whole names
}

func storeRoute(t *provider.Turn, dst []byte) []byte {
	return append(dst, t.Site.Own.(*storage).path...)
}

// stores makes a provider of what is not called for a model. place says where the calls of a deployment go, or what is wrong
// with the project.
func stores(s Settings, locate func(*provider.Site) (string, error), place func(*provider.Site, string) (*storage, string), f *provider.Form) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Vertex, KeyOptional: true, Locate: locate, MaxResponse: s.MaxResponse, Classify: classify,
		BaseVars: []string{"VERTEXAI_API_BASE", "VERTEX_API_BASE"},
		Bind: func(site *provider.Site) error {
			if site.Deployment.APIKey == "" {
				signer, err := s.Sign(site.Deployment)
				if err != nil {
					return site.Problem("vertex_credentials", "cannot be used: "+err.Error())
				}
				site.Signer, site.Keyless = signer, true
			}
			project := site.Deployment.Setting("vertex_project")
			if project == "" && s.Project != nil {
				project = s.Project(site.Deployment)
			}
			if project == "" {
				return site.Problem("vertex_project", gemini.NoProject)
			}
			o, problem := place(site, project)
			if problem != "" {
				return site.Problem("vertex_project", problem)
			}
			site.Own = o
			return nil
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpResource: f},
	})
}

// corpusQuery writes the request of https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/rag-api-v1
// (retrieveContexts). Scores are distances or similarities, by the database behind, so that a threshold has to say which.
func corpusQuery(t *provider.Turn, s *vectorstore.Search, dst []byte) ([]byte, error) {
	switch {
	case s.Filter != nil:
		return nil, t.Refuse("filters", "must be in the form of Vertex AI, such as {\"vector_distance_threshold\":0.5} or {\"metadata_filter\":\"...\"}")
	case len(s.Own) > 0 && s.Own[0] != '{':
		return nil, t.Refuse("filters", "must be an object")
	case s.Least != 0:
		return nil, t.Refuse("ranking_options", "must not have score_threshold: write filters with vector_similarity_threshold or vector_distance_threshold")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("vertex_rag_store").Open('{').Key("rag_resources").Open('[').Open('{')
	b.Key("rag_corpus").Quote(t.Site.Own.(*storage).name).Close('}').Close(']').Close('}')
	b.Key("query").Open('{').Key("text").Quote(s.Query)
	if s.Limit != nil || s.Own != nil || s.Ranking != nil {
		b.Key("rag_retrieval_config").Open('{').Member("top_k", s.Limit).Member("filter", s.Own).Member("ranking", s.Ranking).Close('}')
	}
	b.Close('}')
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

// contexts reads the results. A corpus in which nothing is found answers with an empty object.
func contexts(_ *provider.Turn, body []byte) ([]vectorstore.Result, bool) {
	list := dialect.Get(dialect.Get(body, "contexts"), "contexts")
	if list == nil {
		return nil, true
	}
	var out []vectorstore.Result
	c := dialect.Array(list)
	for c.Next() {
		item := c.Value()
		uri, name := dialect.Get(item, "sourceUri"), dialect.Get(item, "sourceDisplayName")
		r := vectorstore.Result{Text: dialect.Get(item, "text"), Score: dialect.Get(item, "score"), File: uri, Name: name}
		if dialect.Blank(uri) {
			r.File = name
		}
		if dialect.Blank(name) {
			r.Name = []byte(`"Unknown Document"`)
		}
		b := dialect.Build(nil)
		b.Open('{')
		for _, key := range [...]string{"sourceUri", "sourceDisplayName"} {
			if v := dialect.Get(item, key); !dialect.Blank(v) {
				b.Member(key, v)
			}
		}
		b.Member("pageSpan", dialect.Given(dialect.Get(item, "pageSpan")))
		r.Attributes = b.Close('}').Bytes()
		out = append(out, r)
	}
	return out, !c.Broken()
}

// DataStores makes the provider of Vertex AI Search: a deployment's model is a data store, unless its settings name an app.
// The addresses are those of https://docs.cloud.google.com/generative-ai-app-builder/docs/locations.
func DataStores(s Settings) *provider.Translated {
	return stores(s, func(site *provider.Site) (string, error) {
		if base := site.Deployment.Base; base != "" {
			return base, nil
		}
		switch location := searchLocation(site); location {
		case "global":
			return "https://discoveryengine.googleapis.com", nil
		case "us", "eu":
			return "https://" + location + "-discoveryengine.googleapis.com", nil
		}
		return "", site.Problem("vertex_location", "must be global, us or eu for Vertex AI Search")
	}, searchPlace, provider.Store{Route: storeRoute, Request: searchQuery, Results: found}.Form())
}

func searchLocation(site *provider.Site) string {
	if s := site.Deployment.Setting("vertex_location"); s != "" {
		return s
	}
	return "global"
}

// searchPlace is the path of a serving configuration
// (https://docs.cloud.google.com/generative-ai-app-builder/docs/reference/rest/v1/projects.locations.collections.dataStores.servingConfigs/search),
// by the settings of the reference (litellm/llms/vertex_ai/vector_stores/search_api/transformation.py).
func searchPlace(site *provider.Site, project string) (*storage, string) {
	path, problem := gemini.VertexPath(project, searchLocation(site))
	d := site.Deployment
	or := func(name, unless string) string {
		if s := d.Setting(name); s != "" {
			return s
		}
		return unless
	}
	o := &storage{home: strings.TrimPrefix(path, "/") + "/collections/" + or("vertex_collection_id", "default_collection")}
	place, config := "dataStores/"+url.PathEscape(d.Model), "default_config"
	if app := or("vertex_app_id", d.Setting("vertex_engine_id")); app != "" {
		place, config = "engines/"+url.PathEscape(app), "default_search"
		o.name = app
	}
	if site.Root == "" {
		site.Root = "/v1"
	}
	o.path = path + "/collections/" + url.PathEscape(or("vertex_collection_id", "default_collection")) + "/" + place +
		"/servingConfigs/" + url.PathEscape(or("vertex_serving_config", config)) + ":search"
	return o, problem
}

// searchQuery writes the request.
func searchQuery(t *provider.Turn, s *vectorstore.Search, dst []byte) ([]byte, error) {
	switch {
	case s.Filter != nil, len(s.Own) > 0 && s.Own[0] != '"':
		return nil, t.Refuse("filters", "must be a filter of Vertex AI Search, which is a string")
	case s.Ranking != nil, s.Least != 0:
		return nil, t.Refuse("ranking_options", "must be left out: Vertex AI Search tells no score")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("query").Quote(s.Query).Key("pageSize")
	if s.Limit != nil {
		b.Raw(s.Limit)
	} else {
		b.Lit("10")
	}
	b.Member("filter", s.Own)
	if list := t.Site.Deployment.Setting("vertex_datastores"); list != "" && t.Site.Own.(*storage).name != "" {
		b.Key("dataStoreSpecs").Open('[')
		for c := dialect.Array([]byte(list)); c.Next(); {
			name, _ := llm.Text(c.Value())
			whole := string(name)
			if !strings.HasPrefix(whole, "projects/") {
				whole = t.Site.Own.(*storage).home + "/dataStores/" + whole
			}
			b.Open('{').Key("dataStore").Quote(whole).Close('}')
		}
		b.Close(']')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

// found reads the results, of which there is no list if nothing was found. They come in their order and without a score, so that one is made of the place, as in the
// reference.
func found(_ *provider.Turn, body []byte) ([]vectorstore.Result, bool) {
	list := dialect.Get(body, "results")
	if list == nil {
		return nil, true
	}
	var out []vectorstore.Result
	c := dialect.Array(list)
	for c.Next() {
		id, data := dialect.Get(c.Value(), "id"), dialect.Get(dialect.Get(c.Value(), "document"), "derivedStructData")
		link, title := dialect.Get(data, "link"), dialect.Get(data, "title")
		r := vectorstore.Result{File: link, Name: title, Text: snippets(data)}
		if dialect.Blank(link) {
			r.File = id
		}
		if dialect.Blank(r.Text) {
			r.Text = title
		}
		if dialect.Blank(title) {
			r.Name = []byte(`"Unknown Document"`)
		}
		b := dialect.Build(nil)
		b.Open('{').Member("document_id", id)
		for _, key := range [...]string{"link", "title", "displayLink", "formattedUrl"} {
			if v := dialect.Get(data, key); !dialect.Blank(v) {
				b.Member(key, v)
			}
		}
		r.Attributes = b.Close('}').Bytes()
		r.Score = strconv.AppendFloat(nil, 1/float64(len(out)+1), 'g', -1, 64)
		out = append(out, r)
	}
	return out, !c.Broken()
}

// snippets are the texts of a document that were found, in one.
func snippets(data []byte) []byte {
	var list []string
	for c := dialect.Array(dialect.Get(data, "snippets")); c.Next(); {
		s, ok := llm.Text(dialect.Get(c.Value(), "snippet"))
		if !ok {
			s, _ = llm.Text(dialect.Get(c.Value(), "htmlSnippet"))
		}
		if len(s) > 0 {
			list = append(list, string(s))
		}
	}
	return llm.AppendQuoted(nil, strings.Join(list, " "))
}
