package app_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// entry is a deployment of a group at a vendor, with further parameters and model_info.
func entry(group, id string, v *ut.Vendor, params, info string) string {
	return fmt.Sprintf("- {model_name: %s, model_info: {id: %s%s}, litellm_params: {model: openai/x, api_key: sk-a, api_base: \"%s/v1\"%s}}\n",
		group, id, info, v.URL, params)
}

func choiceConfig(settings string, entries ...string) string {
	return "model_list:\n" + strings.Join(entries, "") + "router_settings: {" + settings + "}\ngeneral_settings: {master_key: sk-1234}\n"
}

// A prompt longer than the model takes is refused without a call, or goes where it fits.
func TestContextSize(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay())
	long := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("word ", 100) + `"}]}`
	check := func(settings, info string, status int, called ...int) {
		t.Helper()
		s := apptest.Start(t, choiceConfig(settings, entry("m", "a", v[0], "", info), entry("big", "b", v[1], "", "")))
		before := []int{len(v[0].Requests()), len(v[1].Requests())}
		r := s.Post(chat, long)
		if r.Status != status {
			t.Fatalf("%s: %d %s", settings, r.Status, r.Body)
		}
		for i, n := range called {
			if got := len(v[i].Requests()) - before[i]; got != n {
				t.Errorf("%s: %d calls of %d, want %d", settings, got, i, n)
			}
		}
		if status == 400 && !strings.Contains(readError(t, r.Body).Error.Message, "Context Window exceeded for given call") {
			t.Errorf("got %s", r.Body)
		}
	}
	check("enable_pre_call_checks: true", ", max_tokens: 10", 400, 0, 0)
	check("enable_pre_call_checks: true", ", max_tokens: 1000", 200, 1, 0)
	check("enable_pre_call_checks: true", ", max_tokens: 10, max_input_tokens: 1000", 200, 1, 0)
	check("enable_pre_call_checks: true", ", base_model: gpt-4o", 200, 1, 0)
	check("", ", max_tokens: 10", 200, 1, 0)
	check("enable_pre_call_checks: true, context_window_fallbacks: [{m: [big]}]", ", max_tokens: 10", 200, 0, 1)
}

// The tags of a request, of its key and of its team decide.
func TestTagRouting(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay(), okay())
	d := withDatabase(t, entry("g", "free", v[0], ", tags: [free]", "")+entry("g", "paid", v[1], ", tags: [paid, eu]", "")+
		entry("g", "rest", v[2], ", tags: [default]", "")+
		"router_settings: {enable_tag_filtering: true}\ngeneral_settings: {master_key: sk-1234}\n")
	goes := func(key, more string, want int, header ...string) {
		t.Helper()
		before := len(v[want].Requests())
		r := d.Post(chat, `{"model":"g","messages":[{"role":"user","content":"hi"}]`+more+`}`, append(header, as(key))...)
		wantStatus(t, r, 200, "ok")
		if len(v[want].Requests()) != before+1 {
			t.Errorf("%s %v did not go to %d", more, header, want)
		}
	}
	team := member(t, d.Post("/team/new", `{"metadata":{"tags":["paid"]}}`), "team_id")
	plain, tagged, teams := d.key(`{}`), d.key(`{"metadata":{"tags":["free"]}}`), d.key(`{"team_id":"`+team+`"}`)
	for range 5 {
		goes(plain, "", 2)
		goes(plain, `,"metadata":{"tags":["free"]}`, 0)
		goes(plain, `,"tags":["eu"]`, 1)
		goes(plain, "", 1, "x-litellm-tags: nobody, paid")
		goes(plain, `,"metadata":{"tags":["nobody"]}`, 2)
		goes(tagged, "", 0)
		goes(teams, "", 1)
	}
	strict := apptest.Start(t, choiceConfig("enable_tag_filtering: true, tag_filtering_match_any: false",
		entry("m", "a", v[0], ", tags: [x, y]", ""), entry("m", "b", v[1], ", tags: [x]", "")))
	before := len(v[0].Requests())
	for range 5 {
		wantStatus(t, strict.Post(chat, ask(`,"metadata":{"tags":["x","y"]}`)), 200, "ok")
	}
	if n := len(v[0].Requests()) - before; n != 5 {
		t.Errorf("%d of 5 went to the one with both tags", n)
	}
	wantStatus(t, strict.Post(chat, ask(`,"metadata":{"tags":["z"]}`)), 401, "Not allowed to access model due to tags configuration")
}

// A customer's region holds for all of its requests.
func TestRegionRouting(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay())
	d := withDatabase(t, entry("g", "here", v[0], ", region_name: eu", "")+entry("g", "there", v[1], ", region_name: us", "")+
		"router_settings: {enable_pre_call_checks: true}\ngeneral_settings: {master_key: sk-1234}\n")
	wantStatus(t, d.Post("/customer/new", `{"user_id":"carl","allowed_model_region":"eu"}`), 200, "carl")
	key := d.key(`{}`)
	for range 10 {
		r := d.Post(chat, `{"model":"g","user":"carl","messages":[{"role":"user","content":"hi"}]}`, as(key))
		wantStatus(t, r, 200, "ok")
	}
	if n := len(v[1].Requests()); n > 0 {
		t.Errorf("%d requests left the region", n)
	}
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay())
	yaml := choiceConfig("", entry("m", "a", v[0], "", ", supported_environments: [staging, production]"), entry("n", "b", v[0], "", ""))
	check := func(environment string, status int) {
		t.Helper()
		s := apptest.Start(t, yaml, apptest.Env("LITELLM_ENVIRONMENT="+environment))
		if r := s.Post(chat, ask("")); r.Status != status {
			t.Errorf("%s: %d %s", environment, r.Status, r.Body)
		}
	}
	check("staging", 200)
	check("development", 400)
	if _, err := apptest.Try(t, yaml); err == nil || !strings.Contains(err.Error(), "LITELLM_ENVIRONMENT is not set") {
		t.Errorf("got %v", err)
	}
}

// A team's model is for the team, by the name the team gave it.
func TestTeamModels(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, store_model_in_db: true}\n")
	team := member(t, d.Post("/team/new", `{"team_alias":"t"}`), "team_id")
	r := d.Post("/model/new", `{"model_name":"ours","litellm_params":{"model":"openai/z","api_key":"k","mock_response":"team"},"model_info":{"team_id":"`+team+`"}}`)
	wantStatus(t, r, 200, "")
	asks := func(key string) *apptest.Response {
		return d.Post(chat, `{"model":"ours","messages":[{"role":"user","content":"hi"}]}`, as(key))
	}
	inside, outside := d.key(`{"team_id":"`+team+`"}`), d.key(`{}`)
	wantStatus(t, asks(inside), 200, "team")
	wantStatus(t, asks(outside), 400, "Invalid model name")
	if list := d.Get("/v1/models", as(inside)).Body; !strings.Contains(list, `"ours"`) || strings.Contains(list, "model_name_") {
		t.Errorf("the team sees %s", list)
	}
	if list := d.Get("/v1/models", as(outside)).Body; strings.Contains(list, "ours") || strings.Contains(list, "model_name_") {
		t.Errorf("others see %s", list)
	}
}

func TestPassThroughAllModels(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay())
	s := apptest.Start(t, choiceConfig("router_general_settings: {pass_through_all_models: true}"), apptest.Env("OPENAI_API_KEY=k", "OPENAI_API_BASE="+v[0].URL+"/v1"))
	r := s.Post(chat, strings.Replace(ask(""), `"m"`, `"openai/gpt-4o"`, 1))
	wantStatus(t, r, 200, "ok")
	if got := v[0].Requests(); len(got) != 1 || !strings.Contains(string(got[0].Body), `"gpt-4o"`) {
		t.Errorf("called with %v", got)
	}
}

// gated is a vendor that answers when it is told to.
func gated(t *testing.T) (v *ut.Vendor, open func()) {
	gate := make(chan struct{})
	v = ut.New(t, func(c *ut.Conn) {
		<-gate
		ut.JSON(200, ut.Completion("x", "ok", 1, 1))(c)
	})
	var once sync.Once
	open = func() { once.Do(func() { close(gate) }) }
	t.Cleanup(open)
	return v, open
}

// Calls beyond the places of a deployment wait, or are refused when too many do or it takes too long.
func TestDeploymentPlaces(t *testing.T) {
	t.Parallel()
	v, open := gated(t)
	s := apptest.Start(t, choiceConfig("default_max_parallel_requests: 2, max_queue_length: 1, queue_timeout: 30, num_retries: 0", entry("m", "a", v, "", "")))
	var wg sync.WaitGroup
	var served atomic.Int64
	post := func() {
		for s.Post(chat, ask("")).Status == 429 { // the one below has the place in line
		}
		served.Add(1)
	}
	wg.Go(post)
	wg.Go(post)
	awaits(t, "two calls are open", func() bool { return len(v.Requests()) == 2 })
	wg.Go(post)
	awaits(t, "the queue is full", func() bool {
		r := s.Post(chat, ask(`,"timeout":0.2`))
		return r.Status == 429 && strings.Contains(r.Body, "the queue for it is full: 1 requests wait")
	})
	if n := len(v.Requests()); n != 2 {
		t.Errorf("%d calls are open", n)
	}
	open()
	wg.Wait()
	if served.Load() != 3 {
		t.Errorf("%d of 3 were served", served.Load())
	}

	slow, release := gated(t)
	s = apptest.Start(t, choiceConfig("queue_timeout: 0.05, num_retries: 0", entry("m", "a", slow, ", max_parallel_requests: 1", "")))
	wg.Go(func() { s.Post(chat, ask("")) })
	awaits(t, "a call is open", func() bool { return len(slow.Requests()) == 1 })
	wantStatus(t, s.Post(chat, ask("")), 408, "Request timed out while polling queue")
	release()
	wg.Wait()
	wantStatus(t, s.Post(chat, ask(`,"priority":"high"`)), 400, "priority")
}

func awaits(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in half a minute: %s", what)
}

// A session stays where it was, whoever else asks.
func TestSessionsStay(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay(), okay())
	s := apptest.Start(t, fleet("optional_pre_call_checks: [session_affinity, prompt_caching, router_budget_limiting]", v))
	for i := range 6 {
		counts := []int{0, 0, 0}
		for range 5 {
			before := []int{len(v[0].Requests()), len(v[1].Requests()), len(v[2].Requests())}
			wantStatus(t, s.Post(chat, ask(""), fmt.Sprint("x-litellm-session-id: s", i)), 200, "ok")
			for n := range counts {
				counts[n] += len(v[n].Requests()) - before[n]
			}
		}
		if !slices.Contains(counts, 5) {
			t.Errorf("session %d went to %v", i, counts)
		}
	}
	if _, err := apptest.Try(t, fleet("optional_pre_call_checks: [sessions]", v)); err == nil || !strings.Contains(err.Error(), "optional_pre_call_checks") {
		t.Errorf("got %v", err)
	}
}

// Callers may see what happens after a failure, without one.
func TestMockTesting(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay(), okay(), okay())
	s := apptest.Start(t, choiceConfig("fallbacks: [{m: [f]}], context_window_fallbacks: [{m: [w]}], content_policy_fallbacks: [{m: [p]}]",
		entry("m", "m", v[0], "", ""), entry("f", "f", v[1], "", ""), entry("w", "w", v[2], "", ""), entry("p", "p", v[3], "", "")))
	f := func(member string, at int, fallbacks, retries string) {
		t.Helper()
		before := len(v[at].Requests())
		r := s.Post(chat, ask(member))
		wantStatus(t, r, 200, "ok")
		sent := v[at].Requests()
		if len(sent) != before+1 || strings.Contains(string(sent[before].Body), "mock_testing") {
			t.Errorf("%s: not called, or with %s", member, sent[len(sent)-1].Body)
		}
		if got := r.Header.Get("x-litellm-attempted-fallbacks"); got != fallbacks {
			t.Errorf("%s: %q fallbacks, want %s", member, got, fallbacks)
		}
		if got := r.Header.Get("x-litellm-attempted-retries"); got != retries {
			t.Errorf("%s: %q retries, want %s", member, got, retries)
		}
	}
	f(`,"mock_testing_fallbacks":true`, 1, "1", "0")
	f(`,"mock_testing_context_fallbacks":true`, 2, "1", "0")
	f(`,"mock_testing_content_policy_fallbacks":true`, 3, "1", "0")
	f(`,"mock_testing_rate_limit_error":true`, 0, "0", "1")
	f(`,"mock_testing_fallbacks":false`, 0, "0", "0")
	f(`,"mock_testing_fallbacks":true,"fallbacks":["w"]`, 2, "1", "0")
	wantStatus(t, s.Post(chat, ask(`,"mock_testing_fallbacks":true,"disable_fallbacks":true`)), 500, "This is a mock exception for model=m, to trigger a fallback. Fallbacks=[{'m': ['f']}]")
	wantStatus(t, s.Post(chat, ask(`,"mock_testing_fallbacks":"yes"`)), 400, "mock_testing_fallbacks")
}

// What one gateway learns about a deployment another one knows, through Redis.
func TestGatewaysShareCooldowns(t *testing.T) {
	t.Parallel()
	v := vendors(t, ut.RateLimited("60"), okay())
	redis := storetest.Redis(t)
	yaml := fleet("cooldown_time: 60, num_retries: 2, redis_url: \""+redis.URL()+"\"", v)
	a, b := apptest.Start(t, yaml), apptest.Start(t, yaml)
	awaits(t, "one of them finds out", func() bool {
		calls(t, a, 1, v)
		return len(v[0].Requests()) == 1
	})
	awaits(t, "the other one knows", func() bool { return !b.App.Learned("d0").Until.IsZero() })
	if got := calls(t, b, 20, v); got[0] != 0 {
		t.Errorf("the other gateway calls it %d times", got[0])
	}
}

// Changes of the configuration and of models, while requests are under way: none is lost, and what is known about the
// deployments that stay is kept.
func TestLiveChanges(t *testing.T) {
	t.Parallel()
	v := vendors(t, okay(), okay(), ut.RateLimited("600"))
	d := withDatabase(t, entry("g", "a", v[0], "", "")+entry("g", "b", v[1], "", "")+entry("g", "limited", v[2], "", "")+
		"router_settings: {routing_strategy: adaptive, num_retries: 3}\ngeneral_settings: {master_key: sk-1234, store_model_in_db: true}\n")
	wantStatus(t, d.Post("/model/new", `{"model_name":"g","litellm_params":{"model":"openai/z","api_key":"k","mock_response":"ok"},"model_info":{"id":"new"}}`), 200, "new")
	body := `{"model":"g","messages":[{"role":"user","content":"hi"}]}`
	awaits(t, "the limited one is known", func() bool {
		wantStatus(t, d.Post(chat, body), 200, "ok")
		return len(v[2].Requests()) > 0
	})
	limited := d.App.Learned("limited").Until
	var done atomic.Bool
	var asked atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for !done.Load() {
				if r := d.Post(chat, body); r.Status != 200 {
					t.Errorf("lost: %d %s", r.Status, r.Body)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i := range 6 {
		wantStatus(t, d.Post("/model/update", fmt.Sprintf(`{"model_info":{"id":"new"},"litellm_params":{"mock_response":"ok %d"}}`, i)), 200, "")
		wantStatus(t, d.Post("/model/new", fmt.Sprintf(`{"model_name":"g","litellm_params":{"model":"openai/z","api_key":"k","mock_response":"ok"},"model_info":{"id":"n%d"}}`, i)), 200, "")
		wantStatus(t, d.Post("/config/update", fmt.Sprintf(`{"router_settings":{"num_retries":%d}}`, 3+i)), 200, "")
		if err := d.Reload(); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, d.Post("/model/delete", fmt.Sprintf(`{"id":"n%d"}`, i)), 200, "")
	}
	done.Store(true)
	wg.Wait()
	if n := asked.Load(); n == 0 {
		t.Error("nobody asked")
	}
	if got := d.App.Learned("limited").Until; got.IsZero() || !got.Equal(limited) {
		t.Errorf("the cooldown until %v became %v", limited, got)
	}
	if n := len(v[2].Requests()); n > 1 {
		t.Errorf("the limited one was called %d times", n)
	}
	if l := d.App.Learned("a"); l.Latency == 0 {
		t.Error("what was learned about an unchanged deployment is gone")
	}
	if l := d.App.Learned("n0"); l.Requests != 0 {
		t.Errorf("a deployment that is gone is still known: %+v", l)
	}
}
