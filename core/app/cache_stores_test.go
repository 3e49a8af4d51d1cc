package app_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/pipeline/cache/qdrant/qdranttest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// The cache in a bucket: one object an answer, signed for the region with the key; a bucket that refuses costs nothing but the
// hit.
func TestCacheS3(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("answers"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	params := []string{
		"type: s3", "s3_bucket_name: answers", "s3_region_name: us-west-2", "s3_aws_access_key_id: AK1", "s3_aws_secret_access_key: os.environ/BUCKET_SECRET",
		"s3_endpoint_url: " + server.URL, "s3_path: cache", "lookup_timeout: 20",
	}
	yaml := cached(v, params...)
	s := apptest.Start(t, yaml, apptest.Env("BUCKET_SECRET=hush"))
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	if r := s.Get("/cache/ping"); r.Status != 200 || !strings.Contains(r.Body, `"cache_type":"s3"`) || strings.Contains(r.Body, "hush") {
		t.Errorf("ping: %d %s", r.Status, r.Body)
	}
	if err := s.App.Stop(); err != nil { // everything is written then
		t.Fatal(err)
	}
	list, err := backend.ListBucket("answers", &gofakes3.Prefix{HasPrefix: true, Prefix: "cache/"}, gofakes3.ListBucketPage{})
	if err != nil || len(list.Contents) != 1 {
		t.Errorf("%d objects, %v", len(list.Contents), err)
	}
	hit(t, apptest.Start(t, yaml, apptest.Env("BUCKET_SECRET=hush")), chat, ask(""))
	vendorCalls(t, v, 1)

	bucket := ut.New(t, ut.Whole(403, "application/xml", "<Error><Code>SignatureDoesNotMatch</Code></Error>"))
	params[5] = "s3_endpoint_url: " + bucket.URL
	s = apptest.Start(t, cached(v, params...), apptest.Env("BUCKET_SECRET=hush"))
	miss(t, s, chat, ask(`,"seed":1`))
	eventually(t, func() bool { return len(bucket.Requests()) >= 2 })
	for _, r := range bucket.Requests() {
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, "Credential=AK1/") || !strings.Contains(auth, "/us-west-2/s3/aws4_request") {
			t.Errorf("%s: %s", r.Method, auth)
		}
	}
	eventually(t, func() bool {
		return s.Post(chat, ask(`,"seed":2`)).Status == 200 && strings.Contains(s.Log.String(), "SignatureDoesNotMatch")
	})
	if r := s.Get("/cache/ping"); r.Status != 503 || strings.Contains(r.Body, "hush") {
		t.Errorf("ping: %d %s", r.Status, r.Body)
	}
}

// Google's and Azure's storage, at servers of the test's.
func TestCacheClouds(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("answers"); err != nil {
		t.Fatal(err)
	}
	google := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(google.Close)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: gcs", "gcs_bucket_name: answers", "gcs_path: a/b"), apptest.Env("STORAGE_EMULATOR_HOST="+google.URL))
	if r := s.Get("/cache/ping"); r.Status != 200 || !strings.Contains(r.Body, `"cache_type":"gcs"`) {
		t.Errorf("gcs: %d %s", r.Status, r.Body)
	}
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	azure := ut.New(t, ut.Whole(404, "application/xml", "<Error><Code>BlobNotFound</Code></Error>"), ut.Empty(201))
	s = apptest.Start(t, cached(v, "type: azure-blob", "azure_account_url: '"+azure.URL+"?sig=s1'", "azure_blob_container: answers"))
	miss(t, s, chat, ask(""))
	eventually(t, func() bool { return len(azure.Requests()) >= 2 })
	if put := azure.Requests()[1]; put.Method != "PUT" || !strings.HasPrefix(put.Path, "/answers/") || put.Header.Get("X-Ms-Blob-Type") != "BlockBlob" {
		t.Errorf("azure: %s %s %v", put.Method, put.Path, put.Header)
	}
}

// meaning is a vendor that answers chats with what was asked, and the texts first, near and far with vectors: near has a
// similarity of 0.81 to first, and far one of 0.79.
func meaning(t testing.TB) *ut.Vendor {
	cos := map[string]string{"first": "[1,0]", "near": "[0.81,0.586430]", "far": "[0.79,0.613107]"}
	return ut.New(t, func(c *ut.Conn) {
		var body struct {
			Input    string
			Messages []struct{ Content string }
		}
		_ = json.Unmarshal(c.Request.Body, &body)
		if body.Input == "" {
			ut.JSON(200, ut.Completion("m", "about "+body.Messages[len(body.Messages)-1].Content, 3, 2))(c)
			return
		}
		ut.JSON(200, fmt.Sprintf(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":%s}],"model":"e","usage":{"prompt_tokens":2,"total_tokens":2}}`, cos[body.Input]))(c)
	})
}

func semanticConfig(v *ut.Vendor, params ...string) string {
	return fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_base: %[1]s/v1, api_key: k}}
  - {model_name: e, litellm_params: {model: openai/e, api_base: %[1]s/v1, api_key: k}}
general_settings: {master_key: sk-1234}
`, v.URL) + cacheLines(params...)
}

// learned waits until a prompt was put into the index: that is done beside the answer's way.
func learned(t *testing.T, s *apptest.Server, prompt, want string) {
	t.Helper()
	eventually(t, func() bool {
		r := s.Post(chat, says(prompt, `,"cache":{"no-store":true}`))
		return r.Header.Get("x-litellm-semantic-similarity") != "" && strings.Contains(r.Body, want)
	})
}

// Prompts that mean the same have one answer, in Qdrant and in memory. Other parameters and other words before are another
// question.
func TestCacheSemantic(t *testing.T) {
	t.Parallel()
	run := func(name string, params ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := meaning(t)
			s := apptest.Start(t, semanticConfig(v, params...))
			miss(t, s, chat, says("first", ""))
			learned(t, s, "near", "about first")
			r := hit(t, s, chat, says("near", ""))
			if got := r.Header.Get("x-litellm-semantic-similarity"); !strings.HasPrefix(got, "0.81") && !strings.HasPrefix(got, "0.80") {
				t.Errorf("similarity %s", got)
			}
			if text, last := content(t, hit(t, s, chat, says("near", `,"stream":true`)).Body); text != "about first" || last != "[DONE]" {
				t.Errorf("as a stream: %q %q", text, last)
			}
			if r := s.Post(chat, says("far", "")); r.Header.Get("x-litellm-cache-key") != "" || !strings.Contains(r.Body, "about far") {
				t.Errorf("a prompt that is below the threshold: %s", r.Body)
			}
			if r := s.Post(chat, says("near", `,"temperature":0.1`)); r.Header.Get("x-litellm-cache-key") != "" {
				t.Error("an answer crossed parameters")
			}
			if r := s.Post(chat, `{"model":"m","messages":[{"role":"system","content":"x"},{"role":"user","content":"near"}]}`); r.Header.Get("x-litellm-cache-key") != "" {
				t.Error("an answer crossed what was said before")
			}
			if r := s.Get("/cache/ping"); r.Status != 200 {
				t.Errorf("ping: %d %s", r.Status, r.Body)
			}
		})
	}
	q := qdranttest.New(t, "c1", "k1")
	run("qdrant", "type: qdrant-semantic", "qdrant_api_base: "+q.URL, "qdrant_api_key: k1", "qdrant_collection_name: c1",
		"qdrant_semantic_cache_embedding_model: e", "qdrant_quantization_config: scalar", "similarity_threshold: 0.8")
	run("memory", "type: local-semantic", "local_semantic_cache_embedding_model: e", "similarity_threshold: 0.8")
}

// A Redis without the search module costs nothing but the hits, and the ping says what is missing.
func TestCacheRedisSemantic(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	v := meaning(t)
	s := apptest.Start(t, semanticConfig(v, "type: redis-semantic", "host: 127.0.0.1", fmt.Sprintf("port: %d", server.Port()),
		"redis_semantic_cache_embedding_model: e", "similarity_threshold: 0.8"))
	miss(t, s, chat, says("first", ""))
	hit(t, s, chat, says("first", "")) // to the letter, from memory
	wantStatus(t, s.Get("/cache/ping"), 503, "search module")
}

// A semantic cache on first run, with no server and no model for vectors.
func TestCacheLexical(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "Paris", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local-semantic"))
	miss(t, s, chat, says("What is the capital of France?", ""))
	learned(t, s, "what is the capital of france, please", "Paris")
	miss(t, s, chat, says("What is the capital of Spain?", ""))
}

// Qdrant is named by variables, of which QDRANT_URL counts first, and asked at the start.
func TestCacheQdrantVariables(t *testing.T) {
	t.Parallel()
	first, second := qdranttest.New(t, "c1", "k1"), qdranttest.New(t, "c1", "k1")
	params := []string{"type: qdrant-semantic", "qdrant_collection_name: c1", "qdrant_semantic_cache_embedding_model: e", "similarity_threshold: 0.8"}
	v := meaning(t)
	s := apptest.Start(t, semanticConfig(v, params...), apptest.Env("QDRANT_URL="+first.URL, "QDRANT_API_BASE="+second.URL, "QDRANT_API_KEY=k1"))
	wantStatus(t, s.Get("/health/readiness"), 200, `"cache":"qdrant-semantic"`)
	eventually(t, func() bool { return strings.Join(first.Calls(), " ") == "GET /collections/c1/exists" })
	if len(second.Calls()) > 0 {
		t.Errorf("QDRANT_API_BASE was asked: %v", second.Calls())
	}
	s = apptest.Start(t, semanticConfig(v, params...), apptest.Env("QDRANT_API_BASE="+second.URL, "QDRANT_API_KEY=k1"))
	wantStatus(t, s.Get("/health/readiness"), 200, `"cache":"qdrant-semantic"`)
	eventually(t, func() bool { return len(second.Calls()) == 1 })
}

// Mistakes are named before anything is served.
func TestCacheMistakes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	wrong := func(want string, params ...string) {
		t.Helper()
		if _, err := apptest.Try(t, cached(v, params...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", params, err, want)
		}
	}
	wrong("local-semantic", "type: nosuch")
	wrong("REDIS_HOST", "type: redis")
	wrong("s3_bucket_name", "type: s3", "s3_aws_access_key_id: a", "s3_aws_secret_access_key: b")
	wrong("s3_aws_secret_access_key", "type: s3", "s3_bucket_name: bkt", "s3_aws_access_key_id: a")
	wrong("s3_path", "type: s3", "s3_bucket_name: bkt", "s3_path: '/a b'", "s3_aws_access_key_id: a", "s3_aws_secret_access_key: b")
	wrong("gcs_bucket_name", "type: gcs")
	wrong("azure_account_url", "type: azure-blob", "azure_blob_container: c")
	wrong("similarity_threshold", "type: qdrant-semantic", "qdrant_api_base: 'http://q'", "qdrant_collection_name: c")
	wrong("qdrant_collection_name", "type: qdrant-semantic", "qdrant_api_base: 'http://q'", "similarity_threshold: 0.8")
	wrong(`no model group "nosuch"`, "type: qdrant-semantic", "qdrant_api_base: 'http://q'", "qdrant_collection_name: c", "similarity_threshold: 0.8",
		"qdrant_semantic_cache_embedding_model: nosuch")
	wrong("nosuch", "type: qdrant-semantic", "qdrant_api_base: 'http://q'", "qdrant_collection_name: c", "similarity_threshold: 0.8", "qdrant_quantization_config: nosuch")
	wrong("scope", "type: local", "scope: nobody")
}

// The cache in a cluster: keys are spread over its nodes.
func TestCacheCluster(t *testing.T) {
	t.Parallel()
	c := storetest.RedisCluster(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: redis", fmt.Sprintf("redis_startup_nodes: [{host: 127.0.0.1, port: %q}]", fmt.Sprint(c.Nodes[0].Port())), "lookup_timeout: 20"))
	for i := range 20 {
		miss(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, i)))
		hit(t, s, chat, ask(fmt.Sprintf(`,"seed":%d`, i)))
	}
	vendorCalls(t, v, 20)
	eventually(t, func() bool {
		nodes, all := 0, int64(0)
		for _, n := range c.Nodes {
			size, err := n.Client().DBSize(t.Context()).Result()
			if err == nil && size > 0 {
				nodes, all = nodes+1, all+size
			}
		}
		return nodes > 1 && all == 20
	})
	r := s.Get("/cache/redis/info")
	if r.Status != 200 || !strings.Contains(r.Body, "redis_version") || !strings.Contains(r.Body, "num_clients") {
		t.Errorf("info: %d %.200s", r.Status, r.Body)
	}
	wantStatus(t, s.Post("/cache/flushall", ""), 200, "success")
	miss(t, s, chat, ask(`,"seed":0`))
}

// The cache at whatever is the primary of the moment.
func TestCacheSentinel(t *testing.T) {
	t.Parallel()
	c := storetest.RedisSentinel(t)
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	var nodes []string
	for _, n := range c.Sentinels {
		nodes = append(nodes, fmt.Sprintf("[127.0.0.1, %d]", n.Port()))
	}
	s := apptest.Start(t, cached(v, "type: redis", "service_name: "+c.Name, "sentinel_nodes: ["+strings.Join(nodes, ", ")+"]", "lookup_timeout: 20"))
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	wantStatus(t, s.Get("/cache/ping"), 200, "healthy")
	c.Sentinels[0].Stop()
	wantStatus(t, s.Get("/cache/ping"), 200, "healthy")
	c.Primary.Kill()
	eventually(t, func() bool { return s.Get("/cache/ping").Status == 200 })
	seed := 100
	eventually(t, func() bool { // hits again, from the new primary
		seed++
		body := ask(fmt.Sprintf(`,"seed":%d`, seed))
		return s.Post(chat, body).Status == 200 && s.Post(chat, body).Header.Get("x-litellm-cache-key") != ""
	})
}
