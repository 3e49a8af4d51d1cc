package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

const limited = "- {model_name: limited, litellm_params: {model: openai/z, api_key: k, mock_response: hello, rpm: 6}}\n" +
	"- {model_name: limited, litellm_params: {model: openai/zz, api_key: k, mock_response: hello, rpm: 4}}\n" +
	"- {model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: k, mock_response: hello, rpm: 2}}\n"

func (d desk) ask(key, model string) *apptest.Response {
	d.Helper()
	return d.Post("/v1/chat/completions", `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}]}`, as(key))
}

// TestPriorityReservation shows that priorities of keys and teams have their part of a group's limit, in one process and,
// with Redis, over all replicas.
func TestPriorityReservation(t *testing.T) {
	t.Parallel()
	const settings = `general_settings: {master_key: sk-1234}
litellm_settings:
  callbacks: [dynamic_rate_limiter_v3]
  priority_reservation: {prod: 0.6, dev: {type: rpm, value: 2}}
  priority_reservation_settings: {default_priority: 0}
`
	f := func(name string, replicas int, env ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var list []desk
			database := ""
			if replicas > 1 {
				database = storetest.Postgres(t)
				env = append(env, "DATABASE_URL="+database, "REDIS_SOCKET_TIMEOUT=20")
			}
			for range replicas {
				list = append(list, withDatabase(t, limited+settings, append(env, "SALLYPORT_STATE_DIR="+t.TempDir())...))
			}
			d := list[0]
			dev, prod, none := d.key(`{"metadata":{"priority":"dev"}}`), d.key(`{"metadata":{"priority":"prod"}}`), d.key(`{}`)
			r := d.Post("/team/new", `{"metadata":{"priority":"prod"}}`)
			wantStatus(t, r, 200, "team_id")
			team := d.key(`{"team_id":"` + member(t, r, "team_id") + `","metadata":{"priority":"dev"}}`)
			n := 0
			call := func(key string, status int, text string) *apptest.Response {
				t.Helper()
				n++
				at := list[n%len(list)]
				r := at.ask(key, "limited")
				at.want(r, status, text)
				return r
			}
			for range 4 {
				call(dev, 200, "hello")
			}
			if r := call(none, 200, "hello"); r.Header.Get("x-litellm-priority") != "default" {
				t.Errorf("%v", r.Header)
			}
			r = call(dev, 429, "Priority-based rate limit exceeded. Priority: dev, Rate limit type: requests")
			if r.Header.Get("Retry-After") == "" {
				t.Errorf("%v", r.Header)
			}
			call(none, 429, "Priority: None")
			for range 3 {
				call(prod, 200, "hello")
			}
			for range 2 {
				call(team, 200, "hello")
			}
			call(prod, 429, "Model capacity reached for limited. Priority: prod, Rate limit type: requests")
			d.want(d.ask(prod, "other"), 200, "hello")
		})
	}
	f("one", 1)
	f("replicas", 2, "REDIS_URL="+storetest.Redis(t).URL())
}

// TestDynamicLimiter shows that without shares the limit of a group holds for all, also of a group that a pattern stands
// for, and that a group with no room falls back.
func TestDynamicLimiter(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, limited+`litellm_settings:
  callbacks: [dynamic_rate_limiter]
  fallbacks: [{limited: [other]}]
router_settings: {model_group_alias: {alias: limited}}
general_settings: {master_key: sk-1234}
`)
	key := d.key(`{}`)
	for range 2 {
		d.want(d.ask(key, "openai/some"), 200, "hello")
	}
	d.want(d.ask(key, "openai/else"), 429, "Model capacity reached for openai/else.")
	for i := range 10 {
		d.want(d.ask(key, []string{"limited", "alias"}[i%2]), 200, "hello")
	}
	r := d.ask(key, "limited")
	d.want(r, 200, "hello")
	if got := r.Header.Get("x-litellm-attempted-fallbacks"); got != "1" {
		t.Errorf("%q fallbacks", got)
	}
}

// TestPriorityMistakes shows what is said of shares that are none.
func TestPriorityMistakes(t *testing.T) {
	t.Parallel()
	f := func(share, want string) {
		t.Helper()
		_, err := apptest.Try(t, "model_list:\n"+limited+"litellm_settings: {callbacks: [dynamic_rate_limiter_v3], priority_reservation: {p: "+share+"}}\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", share, err)
		}
	}
	f("much", "priority_reservation.p")
	f("-1", "not less than 0")
	f("{type: days, value: 1}", `"days" is no type of a share`)
}
