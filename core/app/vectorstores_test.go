package app_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/aws/awstest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

const stores = "\nvector_store_registry:\n"

// found is a result of a search as callers get it.
func found(file, name, score, text string) string {
	return fmt.Sprintf(`"file_id":%q,"filename":%q,"score":%s`, file, name, score) + "|" + fmt.Sprintf(`"text":%q`, text)
}

// searched asks for a search and checks that the answer holds what is wanted.
func searched(t *testing.T, s *apptest.Server, path, body, want string, header ...string) {
	t.Helper()
	r := s.Post(path, body, header...)
	for part := range strings.SplitSeq(want, "|") {
		if r.Status != 200 || !strings.Contains(r.Body, part) {
			t.Fatalf("%s: %d %s, want %s", path, r.Status, r.Body, part)
		}
	}
}

// TestKnowledgeBaseSearch searches a knowledge base of Bedrock, with a signature, and shows what is refused.
func TestKnowledgeBaseSearch(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"retrievalResults":[{"content":{"text":"a"},"score":0.5,"metadata":{"x-amz-bedrock-kb-source-uri":"s3://b/f.pdf"}}]}`))
	yaml := "model_list: []" + stores + `  - vector_store_name: docs
    litellm_params: {vector_store_id: KB1, custom_llm_provider: bedrock, aws_region_name: eu-west-1, aws_access_key_id: AK1, aws_secret_access_key: SK1, aws_bedrock_runtime_endpoint: "` + v.URL + `"}
  - litellm_params: {vector_store_id: M1, custom_llm_provider: milvus}
` + "general_settings: {master_key: sk-1234}\n"
	s := apptest.Start(t, yaml, apptest.Env(printRecords, "OPENAI_API_KEY=", "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"), "SALLYPORT_UNKNOWN_IDS=deny"))
	searched(t, s, "/v1/vector_stores/KB1/search", `{"query":"q","max_num_results":3,"metadata":{"a":"b"}}`, found("s3://b/f.pdf", "f.pdf", "0.5", "a"))
	q := v.Last()
	if q.Path != "/knowledgebases/KB1/retrieve" || string(q.Body) != `{"retrievalQuery":{"text":"q"},"retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":3}}}` {
		t.Errorf("sent %s %s", q.Path, q.Body)
	}
	key, scope, err := awstest.Verify(awstest.Signed{Method: q.Method, Path: q.Path, Host: q.Host, Header: q.Header, Body: q.Body}, secrets())
	if err != nil || key != "AK1" || !strings.Contains(scope, "/eu-west-1/bedrock/") {
		t.Errorf("signed by %s for %s: %v", key, scope, err)
	}
	if rec := lastRecord(t, s); rec["call_type"] != "avector_store_search" || rec["custom_llm_provider"] != "bedrock" || rec["status"] != "success" {
		t.Errorf("record %v", rec)
	}
	// Everybody may search what the operator lists, also where ids that nobody made here are the administrator's.
	mine := newKey(t, s, `{}`)
	searched(t, s, "/vector_stores/KB1/search", `{"query":"q"}`, found("s3://b/f.pdf", "f.pdf", "0.5", "a"), mine)

	f := func(path, body, want string, status int, header ...string) {
		t.Helper()
		if r := s.Post(path, body, header...); r.Status != status || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	before := len(v.Requests())
	f("/v1/vector_stores/KB1", `{"name":"n"}`, "can be searched here and nothing else", 400)
	f("/v1/vector_stores/KB1/search", `{}`, "`query` must be a string", 400)
	f("/v1/vector_stores/M1/search", `{"query":"q"}`, "Vector stores of milvus are not searched", 400)
	f("/v1/vector_stores/KB2/search", `{"query":"q","custom_llm_provider":"bedrock"}`, "a store that vector_store_registry lists", 400)
	f("/v1/vector_stores/KB2/search", `{"query":"q"}`, "Access denied", 403, mine)
	f("/v1/vector_stores/KB1/search", `{"query":"q"}`, "", 401, "Authorization: Bearer sk-nobody")
	if after := len(v.Requests()); after != before {
		t.Errorf("%d requests went on", after-before)
	}
}

// TestGoogleSearch searches a corpus and a data store, whose searches cost.
func TestGoogleSearch(t *testing.T) {
	t.Parallel()
	token := ut.New(t, ut.JSON(200, `{"access_token":"tok-1","expires_in":3600,"token_type":"Bearer"}`))
	v := ut.New(t, func(c *ut.Conn) {
		if strings.HasSuffix(c.Request.Path, ":retrieveContexts") {
			ut.JSON(200, `{"contexts":{"contexts":[{"sourceUri":"gs://b/a","sourceDisplayName":"a","text":"x","score":0.2}]}}`)(c)
			return
		}
		ut.JSON(200, `{"results":[{"id":"d","document":{"derivedStructData":{"title":"T","link":"https://h/a","snippets":[{"snippet":"y"}]}}}]}`)(c)
	})
	entry := func(id, vendor, more string) string {
		return fmt.Sprintf("  - litellm_params: {vector_store_id: %q, custom_llm_provider: %s, vertex_project: p, api_base: %q, vertex_credentials: %s%s}\n",
			id, vendor, v.URL, apptest.ServiceAccount(t, token.URL), more)
	}
	s := apptest.Start(t, "model_list: []"+stores+entry("c1", "vertex_ai", "")+entry("projects/q/locations/l/ragCorpora/2", "vertex_ai", "")+
		entry("ds", "vertex_ai/search_api", "")+"general_settings: {master_key: sk-1234}\n", apptest.Env("VERTEXAI_LOCATION=us-east5"))
	f := func(id, body, path, sent, want string) {
		t.Helper()
		searched(t, s, "/v1/vector_stores/"+id+"/search", body, want)
		if q := v.Last(); q.Path != path || string(q.Body) != sent || q.Header.Get("Authorization") != "Bearer tok-1" {
			t.Errorf("sent %s %s %v", q.Path, q.Body, q.Header)
		}
	}
	f("c1", `{"query":"q","max_num_results":3}`, "/v1/projects/p/locations/us-east5:retrieveContexts",
		`{"vertex_rag_store":{"rag_resources":[{"rag_corpus":"projects/p/locations/us-east5/ragCorpora/c1"}]},"query":{"text":"q","rag_retrieval_config":{"top_k":3}}}`,
		found("gs://b/a", "a", "0.2", "x"))
	f("projects%2Fq%2Flocations%2Fl%2FragCorpora%2F2", `{"query":"q"}`, "/v1/projects/p/locations/us-east5:retrieveContexts",
		`{"vertex_rag_store":{"rag_resources":[{"rag_corpus":"projects/q/locations/l/ragCorpora/2"}]},"query":{"text":"q"}}`, found("gs://b/a", "a", "0.2", "x"))
	f("ds", `{"query":"q"}`, "/v1/projects/p/locations/global/collections/default_collection/dataStores/ds/servingConfigs/default_config:search",
		`{"query":"q","pageSize":10}`, found("https://h/a", "T", "1", "y"))
	if r := s.Post("/v1/vector_stores/ds/search", `{"query":"q"}`); r.Header.Get("x-litellm-response-cost") != "0.0015" {
		t.Errorf("the cost is %q", r.Header.Get("x-litellm-response-cost"))
	}
}

// TestIndexSearch searches an index of Azure, with vectors of a model group, of a model of its own, and without.
func TestIndexSearch(t *testing.T) {
	t.Parallel()
	index := ut.New(t, ut.JSON(200, `{"value":[{"@search.score":0.8,"id":"1","content":"x"}]}`))
	embed := ut.New(t, ut.JSON(200, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-2]}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}}`))
	broken := ut.New(t, ut.JSON(400, `{"error":{"message":"no such model","type":"invalid_request_error"}}`))
	entry := func(id, more string) string {
		return fmt.Sprintf("  - litellm_params: {vector_store_id: %s, custom_llm_provider: azure_ai, api_base: %q, api_key: sk-index%s}\n", id, index.URL, more)
	}
	yaml := fmt.Sprintf("model_list:\n  - {model_name: e, litellm_params: {model: openai/text-embedding-3-small, api_base: \"%s/v1\", api_key: k}}", embed.URL) + stores +
		entry("group", ", litellm_embedding_model: e, azure_search_vector_field: vec") +
		entry("own", fmt.Sprintf(", litellm_embedding_model: azure/emb, litellm_embedding_config: {api_base: %q, api_key: k, api_version: 2024-10-21}", embed.URL)) +
		entry("bad", fmt.Sprintf(", litellm_embedding_model: openai/x, litellm_embedding_config: {api_base: %q, api_key: k}", broken.URL)) +
		entry("none", "") + "general_settings: {master_key: sk-1234}\n"
	s := apptest.Start(t, yaml, apptest.Env(printRecords, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db")))
	key := newKey(t, s, `{"models":["none-of-these"]}`)
	const answer = `"file_id":"1"`
	f := func(id, query string) {
		t.Helper()
		searched(t, s, "/v1/vector_stores/"+id+"/search", `{"query":"q","max_num_results":2}`, answer, key)
		q := index.Last()
		want := `{"search":"*","vectorQueries":[{` + query + `,"k":2}],"select":"id,content","top":2}`
		if q.Path != "/indexes/"+id+"/docs/search?api-version=2024-07-01" || q.Header.Get("api-key") != "sk-index" || string(q.Body) != want {
			t.Errorf("sent %s %s %v", q.Path, q.Body, q.Header)
		}
	}
	f("group", `"kind":"vector","vector":[0.5,-2],"fields":"vec"`)
	if q := embed.Last(); q.Path != "/v1/embeddings" || string(q.Body) != `{"model":"text-embedding-3-small","input":["q"]}` {
		t.Errorf("sent %s %s", q.Path, q.Body)
	}
	f("own", `"kind":"vector","vector":[0.5,-2],"fields":"contentVector"`)
	if q := embed.Last(); q.Path != "/openai/deployments/emb/embeddings?api-version=2024-10-21" {
		t.Errorf("sent %s %s", q.Path, q.Body)
	}
	before := len(embed.Requests())
	f("none", `"kind":"text","text":"q","fields":"contentVector"`)
	searched(t, s, "/v1/vector_stores/own/search", `{"query":"q","query_vector":[1]}`, answer, key)
	if len(embed.Requests()) != before {
		t.Error("a vector was made that nobody needs")
	}
	if r := s.Post("/v1/vector_stores/bad/search", `{"query":"q"}`, key); r.Status != 400 || !strings.Contains(r.Body, "no such model") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// TestListedStoreOfOpenAI sends a search to the account that the list names for the store, and others to the usual one.
func TestListedStoreOfOpenAI(t *testing.T) {
	t.Parallel()
	const page = `{"object":"vector_store.search_results.page","data":[]}`
	own, usual := ut.New(t, ut.JSON(200, page)), ut.New(t, ut.JSON(200, page))
	yaml := "model_list: []" + stores + fmt.Sprintf("  - litellm_params: {vector_store_id: vs_1, custom_llm_provider: openai, api_base: \"%s/v1\", api_key: sk-own}\n", own.URL) +
		"general_settings: {master_key: sk-1234}\n"
	s := apptest.Start(t, yaml, apptest.Env("OPENAI_API_KEY=sk-usual", "OPENAI_BASE_URL="+usual.URL+"/v1"))
	f := func(id string, v *ut.Vendor, key string) {
		t.Helper()
		searched(t, s, "/v1/vector_stores/"+id+"/search", `{"query":"q"}`, page)
		if q := v.Last(); q.Path != "/v1/vector_stores/"+id+"/search" || q.Header.Get("Authorization") != "Bearer "+key || string(q.Body) != `{"query":"q"}` {
			t.Errorf("sent %s %s %v", q.Path, q.Body, q.Header)
		}
	}
	f("vs_1", own, "sk-own")
	f("vs_2", usual, "sk-usual")
}
