package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// two is a gateway with a database and a cache.
func two(t *testing.T, v *ut.Vendor, params ...string) *apptest.Server {
	t.Helper()
	return apptest.Start(t, strings.Replace(cached(v, params...), "{master_key: sk-1234}", "{master_key: sk-1234, proxy_batch_write_at: 1}", 1),
		apptest.Env("DATABASE_URL=sqlite://"+t.TempDir()+"/s.db", "LITELLM_SALT_KEY=salt"))
}

func newKey(t *testing.T, s *apptest.Server, body string) string {
	t.Helper()
	return "Authorization: Bearer " + member(t, s.Post("/key/generate", body), "key")
}

// The same prompt of two teams reaches the model twice; members of one team share the answer.
func TestCacheTeams(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "for the first", 1, 1)), ut.JSON(200, ut.Completion("m", "for the second", 1, 1)))
	s := two(t, v, "type: local")
	for _, team := range []string{"t1", "t2"} {
		wantStatus(t, s.Post("/team/new", `{"team_id":"`+team+`"}`), 200, team)
	}
	a, b := newKey(t, s, `{"team_id":"t1"}`), newKey(t, s, `{"team_id":"t1"}`)
	c, alone := newKey(t, s, `{"team_id":"t2"}`), newKey(t, s, `{}`)
	miss(t, s, chat, ask(""), a)
	if r := hit(t, s, chat, ask(""), b); !strings.Contains(r.Body, "for the first") {
		t.Errorf("the team's answer: %s", r.Body)
	}
	if r := miss(t, s, chat, ask(""), c); !strings.Contains(r.Body, "for the second") {
		t.Errorf("another team's answer: %s", r.Body)
	}
	miss(t, s, chat, ask(""), alone)
	hit(t, s, chat, ask(""), alone)
	vendorCalls(t, v, 3)
	// A namespace that both choose does not join them.
	miss(t, s, chat, ask(`,"cache":{"namespace":"x"}`), a)
	miss(t, s, chat, ask(`,"cache":{"namespace":"x"}`), c)
	// Who is not an administrator sees nothing of the cache and empties nothing.
	for _, path := range []string{"/cache/ping", "/cache/redis/info", "/cache/settings"} {
		if r := s.Get(path, a); r.Status != 403 && r.Status != 401 {
			t.Errorf("%s for a team's key: %d %s", path, r.Status, r.Body)
		}
	}
	for _, path := range []string{"/cache/flushall", "/cache/delete", "/cache/settings", "/cache/settings/test"} {
		if r := s.Post(path, `{"keys":["x"]}`, a); r.Status != 403 && r.Status != 401 {
			t.Errorf("%s for a team's key: %d %s", path, r.Status, r.Body)
		}
	}
	hit(t, s, chat, ask(""), a)
}

// A hit is recorded as one, and costs nothing, although the model has a price.
func TestCacheSpend(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1000, 1000)))
	s := apptest.Start(t, strings.Replace(one(v, "input_cost_per_token: 0.001", "output_cost_per_token: 0.002"), "{master_key: sk-1234}", "{master_key: sk-1234, proxy_batch_write_at: 1}", 1)+
		cacheLines("type: local"), apptest.Env("DATABASE_URL=sqlite://"+t.TempDir()+"/s.db", "LITELLM_SALT_KEY=salt", "LITELLM_PRINT_STANDARD_LOGGING_PAYLOAD=1"))
	key := newKey(t, s, `{}`)
	if r := miss(t, s, chat, ask(""), key); r.Header.Get("x-litellm-response-cost") != "3.0" {
		t.Errorf("cost %s", r.Header.Get("x-litellm-response-cost"))
	}
	entry := hit(t, s, chat, ask(""), key).Header.Get("x-litellm-cache-key")
	var rows []struct {
		Spend    float64
		CacheHit string `json:"cache_hit"`
		CacheKey string `json:"cache_key"`
		Total    int    `json:"total_tokens"`
	}
	eventually(t, func() bool {
		_ = json.Unmarshal([]byte(s.Get("/spend/logs").Body), &rows)
		return len(rows) == 2
	})
	seen := map[string]float64{}
	for _, r := range rows {
		seen[r.CacheHit] = r.Spend
		if r.CacheKey != entry || r.Total != 2000 {
			t.Errorf("row %+v, want key %s", r, entry)
		}
	}
	if len(seen) != 2 || seen["True"] != 0 || seen["False"] != 3 {
		t.Errorf("rows %+v", rows)
	}
	eventually(t, func() bool {
		return strings.Contains(s.Out.String(), `"cache_hit":true,"cache_key":"`+entry+`","saved_cache_cost":3`)
	})
	// The entry is named, and can be removed by its name.
	wantStatus(t, s.Post("/cache/delete", `{"keys":["`+entry+`"]}`), 200, `"deleted":1`)
	miss(t, s, chat, ask(""), key)
	hit(t, s, chat, ask(""), key)
	wantStatus(t, s.Post("/cache/flushall", ""), 200, "success")
	miss(t, s, chat, ask(""), key)
	wantStatus(t, s.Post("/cache/delete", `{}`), 400, "keys")
}

// A key may be kept from some controls.
func TestCacheControlsOfKeys(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := two(t, v, "type: local")
	key := newKey(t, s, `{"allowed_cache_controls":["no-store"]}`)
	miss(t, s, chat, ask(`,"cache":{"no-store":true}`), key)
	wantStatus(t, s.Post(chat, ask(`,"cache":{"no-cache":true}`), key), 403, "Not allowed to set no-cache as a cache control. Contact admin to change permissions.")
}

// Guardrails see an answer of the cache as they see a model's. What is kept is what the model said.
func TestCacheGuardrails(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "a secret word", 1, 1)), ut.JSON(200, ut.Completion("x", "reject", 1, 1)))
	s := apptest.Start(t, with(t, v, "mode: [pre_call, post_call], default_on: true")+cacheLines("type: local"))
	for range 3 {
		r := s.Post(chat, says("hi", ""))
		if r.Status != 200 || !strings.Contains(r.Body, "a *** word") || r.Header.Get("x-litellm-applied-guardrails") != "g0" {
			t.Fatalf("%d %v %s", r.Status, r.Header, r.Body)
		}
	}
	if text, _ := content(t, s.Post(chat, says("hi", `,"stream":true`)).Body); text != "a *** word" {
		t.Errorf("a stream from the cache: %q", text)
	}
	vendorCalls(t, v, 1)
	for range 2 {
		if r := s.Post(chat, says("other", "")); r.Status == 200 {
			t.Errorf("a refused answer: %s", r.Body)
		}
	}
	vendorCalls(t, v, 2)
}

// Messages of Anthropic's, at a vendor of theirs and at others: kept in the form they have, replayed as either.
func TestCacheMessages(t *testing.T) {
	t.Parallel()
	const whole = `{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"tu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":7}}`
	v := ut.New(t, ut.JSON(200, whole))
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: anthropic/claude-3-haiku-20240307, api_base: %s, api_key: k}}]
general_settings: {master_key: sk-1234}
`, v.URL)+cacheLines("type: local"))
	body := func(more string) string {
		return `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]` + more + `}`
	}
	first := miss(t, s, messages, body(""))
	if r := hit(t, s, messages, body(`,"metadata":{"user_id":"u"}`)); r.Body != first.Body {
		t.Errorf("got %s, want %s", r.Body, first.Body)
	}
	stream := hit(t, s, messages, body(`,"stream":true`)).Body
	for _, want := range []string{
		"event: message_start", `"thinking_delta","thinking":"hm"`, `"signature_delta","signature":"sig"`, `"text_delta","text":"Hello"`,
		`"input_json_delta","partial_json":"{\"a\":1}"`, `"stop_reason":"tool_use"`, "event: message_stop",
	} {
		if !strings.Contains(stream, want) {
			t.Errorf("the stream lacks %s:\n%s", want, stream)
		}
	}
	vendorCalls(t, v, 1)
	event := func(name, data string) string { return ut.NamedEvent(name, data) }
	v.Script(ut.SSERaw(
		event("message_start", `{"type":"message_start","message":{"id":"msg_2","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}`),
		event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`),
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}`),
		event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}`),
		event("content_block_stop", `{"type":"content_block_stop","index":0}`),
		event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}`),
		event("message_stop", `{"type":"message_stop"}`)))
	miss(t, s, messages, body(`,"stream":true,"temperature":0`))
	if r := hit(t, s, messages, body(`,"temperature":0`)); !strings.Contains(r.Body, `"Hello"`) || !strings.Contains(r.Body, `"end_turn"`) {
		t.Errorf("the whole of a stream: %s", r.Body)
	}
	hit(t, s, messages, body(`,"stream":true,"temperature":0`))
}

// Responses, where the vendor has chats only and where it has responses.
func TestCacheResponses(t *testing.T) {
	t.Parallel()
	const path = "/v1/responses"
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "Hello", 3, 2)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: m, litellm_params: {model: deepseek/x, api_base: %[1]s/v1, api_key: k}}
  - {model_name: o, litellm_params: {model: openai/x, api_base: %[1]s/v1, api_key: k}}
general_settings: {master_key: sk-1234}
`, v.URL)+cacheLines("type: local"))
	miss(t, s, path, `{"model":"m","input":"hi"}`)
	if r := hit(t, s, path, `{"model":"m","input":"hi"}`); !strings.Contains(r.Body, "Hello") {
		t.Errorf("%s", r.Body)
	}
	if r := hit(t, s, path, `{"model":"m","input":"hi","stream":true}`); !strings.Contains(r.Body, "response.completed") {
		t.Errorf("%s", r.Body)
	}
	miss(t, s, path, `{"model":"m","input":"hi","conversation":null,"temperature":0}`)
	const response = `{"id":"resp_1","object":"response","status":"completed","model":"x","output":[{"type":"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Native","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}}`
	v.Script(ut.SSERaw(
		ut.NamedEvent("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","output":[]}}`),
		ut.NamedEvent("response.output_text.delta", `{"type":"response.output_text.delta","sequence_number":1,"item_id":"m1","output_index":0,"content_index":0,"delta":"Native"}`),
		ut.NamedEvent("response.completed", `{"type":"response.completed","sequence_number":2,"response":`+response+`}`)))
	first := miss(t, s, path, `{"model":"o","input":"hi","stream":true}`)
	if r := hit(t, s, path, `{"model":"o","input":"hi","stream":true}`); r.Body != first.Body {
		t.Errorf("got %s\nwant %s", r.Body, first.Body)
	}
	if r := hit(t, s, path, `{"model":"o","input":"hi"}`); !strings.Contains(r.Body, "Native") || !strings.Contains(r.Body, `"status":"completed"`) {
		t.Errorf("the whole of a stream: %s", r.Body)
	}
}

// Model groups that share answers, and ones that do not.
func TestCacheGroups(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: a, litellm_params: {model: openai/x, api_base: %[1]s/v1, api_key: k}}
  - {model_name: b, litellm_params: {model: openai/y, api_base: %[1]s/v1, api_key: k}}
  - {model_name: c, litellm_params: {model: openai/z, api_base: %[1]s/v1, api_key: k}}
router_settings: {caching_groups: [[a, b]], model_group_alias: {d: a}}
general_settings: {master_key: sk-1234}
`, v.URL)+cacheLines("type: local"))
	of := func(model string) string { return strings.Replace(ask(""), `"m"`, `"`+model+`"`, 1) }
	miss(t, s, chat, of("a"))
	hit(t, s, chat, of("b"))
	hit(t, s, chat, of("d"))
	miss(t, s, chat, of("c"))
}

// An answer whose time is over is still given while a new one is fetched, once.
func TestCacheStale(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "old", 1, 1)), gate.Before(ut.JSON(200, ut.Completion("m", "new", 1, 1))))
	s := apptest.Start(t, cached(v, "type: local", "ttl: 0.1", "stale_while_revalidate: 600"))
	miss(t, s, chat, ask(""))
	eventually(t, func() bool {
		if r := hit(t, s, chat, ask("")); !strings.Contains(r.Body, "old") {
			t.Fatalf("%s", r.Body)
		}
		return len(v.Requests()) == 2 // somebody found it old
	})
	hit(t, s, chat, ask(""))
	gate.Open()
	eventually(t, func() bool { return strings.Contains(hit(t, s, chat, ask("")).Body, "new") })
}

// When the request that others wait for fails, or its caller leaves, one of those who wait takes its place.
func TestCacheTakesOver(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	v := ut.New(t, gate.Before(ut.ServerError()), ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := apptest.Start(t, strings.Replace(cached(v, "type: local"), "general_settings", "router_settings: {num_retries: 0, disable_cooldowns: true}\ngeneral_settings", 1))
	var jobs sync.WaitGroup
	var mu sync.Mutex
	status := map[int]int{}
	post := func() {
		r := s.Post(chat, ask(""))
		mu.Lock()
		status[r.Status]++
		mu.Unlock()
	}
	jobs.Go(post)
	<-gate.Reached()
	for range 5 {
		jobs.Go(post)
	}
	time.Sleep(50 * time.Millisecond) // most of them wait by then; the outcome is the same if they do not
	gate.Open()
	jobs.Wait()
	if status[500] != 1 || status[200] != 5 {
		t.Errorf("statuses %v", status)
	}
	vendorCalls(t, v, 2)
}

// Settings are shown without secrets, and can be tried before they are used.
func TestCacheSettings(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("m", "x", 1, 1)))
	s := two(t, v, "type: local", "password: hunter2")
	r := s.Get("/cache/settings")
	if r.Status != 200 || strings.Contains(r.Body, "hunter2") || !strings.Contains(r.Body, `"cache_type":"local"`) || !strings.Contains(r.Body, `"field_name":"namespace"`) {
		t.Errorf("%d %.300s", r.Status, r.Body)
	}
	dir := t.TempDir()
	wantStatus(t, s.Post("/cache/settings/test", `{"cache_settings":{"type":"disk","disk_cache_dir":"`+dir+`"}}`), 200, `"status":"success"`)
	wantStatus(t, s.Post("/cache/settings/test", `{"cache_settings":{"type":"redis","host":"127.0.0.1","port":1}}`), 200, `"status":"failed"`)
	wantStatus(t, s.Post("/cache/settings/test", `{}`), 400, "cache_settings")
	wantStatus(t, s.Get("/cache/nothing"), 404, "")
	wantStatus(t, s.Get("/cache/flushall"), 405, "")
	without := apptest.Start(t, one(v))
	wantStatus(t, without.Get("/cache/ping"), 503, "Cache not initialized")
}
