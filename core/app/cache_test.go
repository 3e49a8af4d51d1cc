package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// cached is a configuration with one deployment m and a cache. params are lines below cache_params.
func cached(v *ut.Vendor, params ...string) string {
	return one(v) + cacheLines(params...)
}

func cacheLines(params ...string) string {
	out := "litellm_settings:\n  cache: true\n"
	if len(params) > 0 {
		out += "  cache_params:\n"
	}
	for _, p := range params {
		out += "    " + p + "\n"
	}
	return out
}

// vendorCalls checks how often the vendor was asked.
func vendorCalls(t testing.TB, v *ut.Vendor, want int) {
	t.Helper()
	if got := len(v.Requests()); got != want {
		t.Fatalf("%d calls at the vendor, want %d", got, want)
	}
}

// hit posts a request that the cache is to answer, and miss one that the vendor is to.
func hit(t testing.TB, s *apptest.Server, path, body string, header ...string) *apptest.Response {
	t.Helper()
	r := s.Post(path, body, header...)
	if r.Status != 200 || r.Header.Get("x-litellm-cache-key") == "" || r.Header.Get("x-litellm-response-cost") != "0.0" {
		t.Fatalf("no answer of the cache: status %d, key %q, cost %q: %.300s", r.Status, r.Header.Get("x-litellm-cache-key"),
			r.Header.Get("x-litellm-response-cost"), r.Body)
	}
	return r
}

func miss(t testing.TB, s *apptest.Server, path, body string, header ...string) *apptest.Response {
	t.Helper()
	r := s.Post(path, body, header...)
	if r.Status != 200 || r.Header.Get("x-litellm-cache-key") != "" {
		t.Fatalf("no answer of a model: status %d, key %q: %.300s", r.Status, r.Header.Get("x-litellm-cache-key"), r.Body)
	}
	return r
}

// The two requests of the settings document: the second answer is the same, says that it is from the cache, is free, and
// comes without the wait for the model.
func TestCacheSameRequestTwice(t *testing.T) {
	t.Parallel()
	const wait = 50 * time.Millisecond
	slow := func(c *ut.Conn) {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		<-timer.C
		ut.JSON(200, ut.Completion("gpt-3.5-turbo", "LiteLLM, so light", 12, 7))(c)
	}
	v := ut.New(t, slow)
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - model_name: gpt-3.5-turbo
    litellm_params: {model: openai/gpt-3.5-turbo, api_base: %s/v1, api_key: sk-upstream}
litellm_settings: {cache: true}
`, v.URL), apptest.Env("DATABASE_URL=none"))
	body := `{
     "model": "gpt-3.5-turbo",
     "messages": [{"role": "user", "content": "write a poem about litellm!"}],
     "temperature": 0.7
   }`
	first := miss(t, s, chat, body, "Authorization:")
	fastest := time.Hour
	// Whoever else uses the machine may slow down some of them, not all.
	for n, end := 0, time.Now().Add(20*time.Second); n < 20 || fastest > wait/20 && time.Now().Before(end); n++ {
		begun := time.Now()
		second := hit(t, s, chat, body, "Authorization:")
		fastest = min(fastest, time.Since(begun))
		if second.Body != first.Body {
			t.Fatalf("the second answer is another one:\n%s\n%s", first.Body, second.Body)
		}
	}
	vendorCalls(t, v, 1)
	if fastest > wait/20 {
		t.Errorf("an answer from the cache takes %s, that of the model %s: not 20 times faster", fastest, wait)
	}
	wantStatus(t, s.Get("/health/readiness"), 200, `"cache":"local"`)
	if !strings.Contains(s.Log.String(), "answers are cached") || !strings.Contains(s.Log.String(), "type=local") {
		t.Error("the log does not say which cache there is")
	}
}

// What does not change an answer does not count, and what does, does.
func TestCacheKey(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local"))
	const base = `"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.5`
	miss(t, s, chat, `{`+base+`}`)
	same := func(body string) { t.Helper(); hit(t, s, chat, body) }
	other := func(body string) { t.Helper(); miss(t, s, chat, body) }
	same(`{ "temperature":0.5, "messages":[ {"content":"hi","role":"user"} ], "model":"m" }`)
	same(`{` + base + `,"user":"u1"}`)
	same(`{` + base + `,"metadata":{"a":1},"num_retries":1,"timeout":20,"stream":false,"max_tokens":null}`)
	same(`{"model":"m","messages":[{"role":"user","content":"\u0068i"}],"temperature":0.5}`)
	other(`{"model":"m","messages":[{"role":"user","content":"hi "}],"temperature":0.5}`)
	other(`{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.6}`)
	other(`{` + base + `,"seed":1}`)
	other(`{` + base + `,"n":2}`)
	other(`{` + base + `,"unheard_of":true}`)
	other(`{` + base + `,"extra_body":{"a":1}}`)
	other(`{` + base + `,"tools":[{"type":"function","function":{"name":"f"}}]}`)
	other(`{` + base + `,"response_format":{"type":"json_object"}}`)
	vendorCalls(t, v, 9)
}

func TestCacheControls(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local"))
	with := func(cache string) string { return ask(`,"cache":` + cache) }
	miss(t, s, chat, with(`{"no-store":true}`))
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	miss(t, s, chat, with(`{"no-cache":true}`)) // and stored anew
	hit(t, s, chat, with(`{"s-maxage":600}`))
	miss(t, s, chat, with(`{"s-maxage":0}`))
	miss(t, s, chat, with(`{"namespace":"other"}`))
	if r := hit(t, s, chat, with(`{"namespace":"other"}`)); !strings.HasPrefix(r.Header.Get("x-litellm-cache-key"), "other:") {
		t.Errorf("the key does not begin with the namespace: %s", r.Header.Get("x-litellm-cache-key"))
	}
	miss(t, s, chat, ask(`,"caching":false`))
	wrong := func(cache, param string) {
		t.Helper()
		if r := s.Post(chat, with(cache)); r.Status != 400 || !strings.Contains(r.Body, param) {
			t.Errorf("cache %s: status %d: %s", cache, r.Status, r.Body)
		}
	}
	wrong(`true`, "`cache`")
	wrong(`{"ttl":"soon"}`, "cache.ttl")
	wrong(`{"no-cache":1}`, "cache.no-cache")
	wrong(`{"namespace":"a\nb"}`, "cache.namespace")
}

func TestCacheModes(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local", "mode: default_off"))
	miss(t, s, chat, ask(""))
	miss(t, s, chat, ask(""))
	use := ask(`,"cache":{"use-cache":true}`)
	miss(t, s, chat, use)
	hit(t, s, chat, use)
	vendorCalls(t, v, 3)
}

// Only the kinds of calls that are listed are cached.
func TestCacheCallTypes(t *testing.T) {
	t.Parallel()
	answer := func(c *ut.Conn) {
		ut.JSON(200, ut.Embeddings("m", 3, []float64{0.5, 0.25}))(c)
	}
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)), ut.JSON(200, ut.Completion("m", "x", 1, 1)), answer)
	s := apptest.Start(t, cached(v, "type: local", "supported_call_types: [aembedding]"))
	miss(t, s, chat, ask(""))
	miss(t, s, chat, ask(""))
	miss(t, s, "/v1/embeddings", `{"model":"m","input":"a"}`)
	hit(t, s, "/v1/embeddings", `{"model":"m","input":["a"]}`)
	vendorCalls(t, v, 3)
	if _, err := apptest.Try(t, cached(v, "type: local", "supported_call_types: [aimage]")); err == nil || !strings.Contains(err.Error(), "aimage") {
		t.Errorf("a kind of call that there is not: %v", err)
	}
}

func TestCacheTTL(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, cached(v, "type: local", "ttl: 3"))
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	long := ask(`,"seed":7,"cache":{"ttl":3600}`)
	miss(t, s, chat, long)
	deadline := time.Now().Add(time.Minute)
	for s.Post(chat, ask("")).Header.Get("x-litellm-cache-key") != "" {
		if time.Now().After(deadline) {
			t.Fatal("the answer outlived its time")
		}
		time.Sleep(20 * time.Millisecond)
	}
	hit(t, s, chat, long)
}

// A stream is kept whole. A whole answer serves a stream and a stream a whole answer, with tools, probabilities and usage.
func TestCacheStreams(t *testing.T) {
	t.Parallel()
	stream := []string{
		ut.RoleChunk("m"), ut.ContentChunk("m", "Hel"),
		`{"id":"chatcmpl-test","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"lo"},"logprobs":{"content":[{"token":"lo","logprob":-0.5,"bytes":null,"top_logprobs":[]}]},"finish_reason":null}]}`,
		ut.ToolChunk("m", 0, "call_1", "f"), ut.ArgumentsChunk("m", 0, `{"a":`), ut.ArgumentsChunk("m", 0, `1}`),
		ut.FinishChunk("m", "tool_calls"), ut.UsageChunk("m", 9, 4), ut.Done,
	}
	v := ut.New(t, ut.SSE(stream...), ut.JSON(200, ut.ToolCompletion("m", "call_2", "g", `{"b":2}`, 5, 3)))
	s := apptest.Start(t, cached(v, "type: local"))
	miss(t, s, chat, ask(`,"stream":true`))
	say := func(r *apptest.Response) string {
		var text strings.Builder
		events := apptest.Events(r.Body)
		if len(events) < 2 || events[len(events)-1] != "[DONE]" {
			t.Fatalf("no whole stream: %s", r.Body)
		}
		for _, e := range events[:len(events)-1] {
			var c struct {
				Choices []struct {
					Delta struct {
						Content   string
						ToolCalls []struct{ Function struct{ Arguments string } } `json:"tool_calls"`
					}
					Logprobs json.RawMessage
					Finish   string `json:"finish_reason"`
				}
				Usage struct {
					Total int `json:"total_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(e), &c); err != nil {
				t.Fatal(err)
			}
			for _, ch := range c.Choices {
				text.WriteString(ch.Delta.Content)
				for _, call := range ch.Delta.ToolCalls {
					text.WriteString(call.Function.Arguments)
				}
				if len(ch.Logprobs) > 4 {
					text.WriteString("+p")
				}
				if ch.Finish != "" {
					text.WriteString(" " + ch.Finish)
				}
			}
			if c.Usage.Total > 0 {
				fmt.Fprintf(&text, " %d", c.Usage.Total)
			}
		}
		return text.String()
	}
	if got, want := say(hit(t, s, chat, ask(`,"stream":true,"stream_options":{"include_usage":true}`))), `Hello{"a":1}+p tool_calls 13`; got != want {
		t.Errorf("the stream says %q, want %q", got, want)
	}
	if got, want := say(hit(t, s, chat, ask(`,"stream":true`))), `Hello{"a":1}+p tool_calls`; got != want {
		t.Errorf("the stream without usage says %q, want %q", got, want)
	}
	whole := hit(t, s, chat, ask("")).Body
	for _, want := range []string{`"content":"Hello"`, `"arguments":"{\"a\":1}"`, `"logprob":-0.5`, `"total_tokens":13`, `"object":"chat.completion"`, `"finish_reason":"tool_calls"`} {
		if !strings.Contains(whole, want) {
			t.Errorf("the whole answer lacks %s: %s", want, whole)
		}
	}
	vendorCalls(t, v, 1)
	miss(t, s, chat, ask(`,"seed":2`))
	if got, want := say(hit(t, s, chat, ask(`,"seed":2,"stream":true,"stream_options":{"include_usage":true}`))), `{"b":2} tool_calls 8`; got != want {
		t.Errorf("the stream of a whole answer says %q, want %q", got, want)
	}
	vendorCalls(t, v, 2)
}

// A stream that was cut, or that nobody read to its end, is not kept.
func TestCacheInterrupted(t *testing.T) {
	t.Parallel()
	whole := ut.ChatStream("m", 3, "all", " of", " it")
	v := ut.New(t, ut.CutStream(whole[:3]...), ut.SSE(whole...))
	s := apptest.Start(t, cached(v, "type: local"))
	if r := s.Post(chat, ask(`,"stream":true`)); !strings.Contains(r.Body, "error") {
		t.Fatalf("a stream that was cut: %s", r.Body)
	}
	miss(t, s, chat, ask(`,"stream":true`))
	hit(t, s, chat, ask(`,"stream":true`))
	vendorCalls(t, v, 2)
}

// An error is not kept, nor the answer of another model than the one that was asked for.
func TestCacheFailures(t *testing.T) {
	t.Parallel()
	bad := ut.New(t, ut.ServerError())
	good := ut.New(t, ut.JSON(200, ut.Completion("g", "x", 1, 1)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: openai/a, api_base: %s/v1, api_key: k, num_retries: 0}}
  - {model_name: g, litellm_params: {model: openai/b, api_base: %s/v1, api_key: k}}
router_settings: {fallbacks: [{m: [g]}], num_retries: 0, disable_cooldowns: true}
general_settings: {master_key: sk-1234}
`, bad.URL, good.URL)+cacheLines("type: local"))
	miss(t, s, chat, ask(""))
	miss(t, s, chat, ask(""))
	vendorCalls(t, good, 2)
	miss(t, s, chat, strings.Replace(ask(""), `"m"`, `"g"`, 1))
	hit(t, s, chat, strings.Replace(ask(""), `"m"`, `"g"`, 1))
	if r := s.Post(chat, ask(`,"disable_fallbacks":true`)); r.Status != 500 {
		t.Errorf("status %d: %s", r.Status, r.Body)
	}
}

// Of requests that are under way together only one reaches the model. When its caller leaves, another one takes its place.
func TestCacheSingleFlight(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.JSON(200, ut.Completion("m", "x", 4, 2))))
	s := apptest.Start(t, cached(v, "type: local"))
	var jobs sync.WaitGroup
	var mu sync.Mutex
	hits := 0
	post := func() {
		r := s.Post(chat, ask(""))
		mu.Lock()
		defer mu.Unlock()
		if r.Status != 200 {
			t.Errorf("status %d: %s", r.Status, r.Body)
		}
		if r.Header.Get("x-litellm-cache-key") != "" {
			hits++
		}
	}
	jobs.Go(post)
	<-gate.Reached()
	for range 15 {
		jobs.Go(post)
	}
	gate.Open()
	jobs.Wait()
	vendorCalls(t, v, 1)
	if hits != 15 {
		t.Errorf("%d of 15 were answered by the one under way", hits)
	}
}

// Each vector of a list is kept for itself: only those that are missing are asked for.
func TestCacheEmbeddings(t *testing.T) {
	t.Parallel()
	const path = "/v1/embeddings"
	v := ut.New(t, ut.JSON(200, ut.Embeddings("m", 4, []float64{1}, []float64{2})), ut.JSON(200, ut.Embeddings("m", 3, []float64{3})))
	s := apptest.Start(t, cached(v, "type: local"))
	miss(t, s, path, `{"model":"m","input":["a","b"]}`)
	r := miss(t, s, path, `{"model":"m","input":["b","c","a"]}`)
	want := `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[2]},{"object":"embedding","index":1,"embedding":[3]},` +
		`{"object":"embedding","index":2,"embedding":[1]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":7}}`
	if r.Body != want {
		t.Errorf("got  %s\nwant %s", r.Body, want)
	}
	if sent := string(v.Requests()[1].Body); !strings.Contains(sent, `["c"]`) {
		t.Errorf("the model was asked for %s", sent)
	}
	r = hit(t, s, path, `{"model":"m","input":["c"]}`)
	if !strings.Contains(r.Body, `"embedding":[3]`) || !strings.Contains(r.Body, `"total_tokens":3`) {
		t.Errorf("one of them: %s", r.Body)
	}
	hit(t, s, path, `{"model":"m","input":"a"}`)
	vendorCalls(t, v, 2)
	miss(t, s, path, `{"model":"m","input":"a","dimensions":8}`)
}

// A recording is the same if its bytes are.
func TestCacheTranscription(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, `{"text":"hello"}`), ut.Whole(200, "text/plain; charset=utf-8", "hello\n"), ut.JSON(200, `{"text":"bye"}`))
	s := apptest.Start(t, cached(v, "type: local"))
	form := func(file, content, format string) (body, header string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField("model", "m")
		_ = w.WriteField("response_format", format)
		f, _ := w.CreateFormFile("file", file)
		_, _ = f.Write([]byte(content))
		_ = w.Close()
		return b.String(), "Content-Type: " + w.FormDataContentType()
	}
	const path = "/v1/audio/transcriptions"
	check := func(do func(testing.TB, *apptest.Server, string, string, ...string) *apptest.Response, file, content, format, want string) {
		t.Helper()
		body, header := form(file, content, format)
		r := do(t, s, path, body, header)
		if r.Body != want {
			t.Errorf("%s as %s: %q, want %q", content, format, r.Body, want)
		}
		if format == "text" && !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("content type %q", r.Header.Get("Content-Type"))
		}
	}
	check(miss, "a.wav", "RIFF1", "json", `{"text":"hello"}`)
	check(hit, "b.wav", "RIFF1", "json", `{"text":"hello"}`)
	check(miss, "a.wav", "RIFF1", "text", "hello\n")
	check(hit, "a.wav", "RIFF1", "text", "hello\n")
	check(miss, "a.wav", "RIFF2", "json", `{"text":"bye"}`)
}

func TestCacheDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	yaml := cached(v, "type: disk", "disk_cache_dir: "+dir)
	s := apptest.Start(t, yaml)
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
	if r := s.Get("/cache/ping"); r.Status != 200 || !strings.Contains(r.Body, `"cache_type":"disk"`) {
		t.Errorf("ping: %d %s", r.Status, r.Body)
	}
	// What was written is there for a gateway that starts later.
	if err := s.App.Stop(); err != nil {
		t.Fatal(err)
	}
	hit(t, apptest.Start(t, yaml), chat, ask(""))
	vendorCalls(t, v, 1)
	// A spoilt entry is a miss, and mended.
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.answer"))
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-3] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = apptest.Start(t, yaml)
	miss(t, s, chat, ask(""))
	hit(t, s, chat, ask(""))
}

// The cache in Redis: host, port and password in the settings or in variables, namespaces, and no answer where there is no
// Redis any more.
func TestCacheRedis(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t, "--requirepass", "hunter2")
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	params := []string{"type: redis", "host: 127.0.0.1", fmt.Sprintf("port: %q", fmt.Sprint(server.Port())), "password: hunter2", "lookup_timeout: 20"}
	s := apptest.Start(t, cached(v, append(params, "namespace: ns1")...))
	miss(t, s, chat, ask(""))
	key := hit(t, s, chat, ask("")).Header.Get("x-litellm-cache-key")
	other := apptest.Start(t, cached(v, append(params, "namespace: ns2")...))
	miss(t, other, chat, ask(""))
	eventually(t, func() bool {
		keys, err := server.Client().Keys(t.Context(), "ns1:*").Result()
		return err == nil && len(keys) == 1 && strings.HasPrefix(keys[0], key)
	})
	// Another replica finds what this one wrote.
	hit(t, apptest.Start(t, cached(v, append(params, "namespace: ns1")...)), chat, ask(""))
	variables := apptest.Start(t, cached(v), apptest.Env("REDIS_HOST=127.0.0.1", fmt.Sprint("REDIS_PORT=", server.Port()), "REDIS_PASSWORD=hunter2", "REDIS_SOCKET_TIMEOUT=20"))
	miss(t, variables, chat, ask(""))
	hit(t, variables, chat, ask(""))
	if r := variables.Get("/cache/ping"); r.Status != 200 || !strings.Contains(r.Body, `"cache_type":"redis"`) {
		t.Errorf("ping: %d %s", r.Status, r.Body)
	}
	vendorCalls(t, v, 3)
	server.Stop()
	if r := s.Post(chat, ask(`,"seed":1`)); r.Status != 200 {
		t.Errorf("without Redis: %d %s", r.Status, r.Body)
	}
	if r := s.Get("/cache/ping"); r.Status != 503 || strings.Contains(r.Body, "hunter2") || !strings.Contains(r.Body, "cache_ping_error") {
		t.Errorf("ping without Redis: %d %s", r.Status, r.Body)
	}
	// After some failures requests are served from memory, and again from Redis when it is back.
	eventually(t, func() bool {
		s.Post(chat, ask(`,"seed":2`))
		return strings.Contains(s.Log.String(), "does not answer")
	})
	miss(t, s, chat, ask(`,"seed":3`))
	hit(t, s, chat, ask(`,"seed":3`))
	server.Start()
	eventually(t, func() bool { return strings.Contains(s.Log.String(), "answers again") })
	if n := strings.Count(s.Log.String(), "the store of the cache does not answer"); n != 1 {
		t.Errorf("%d lines about the outage", n)
	}
}
