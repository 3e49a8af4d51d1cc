package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// fleet is a configuration with a deployment of m for each vendor, with ids d0, d1 and so on, one of n for each other
// vendor, and settings of the router.
func fleet(settings string, vendors []*ut.Vendor, others ...*ut.Vendor) string {
	var b strings.Builder
	b.WriteString("model_list:\n")
	entry := func(group, id string, v *ut.Vendor) {
		fmt.Fprintf(&b, "  - {model_name: %s, model_info: {id: %s}, litellm_params: {model: openai/x, api_key: sk-a, "+
			"api_base: \"%s/v1\"}}\n", group, id, v.URL)
	}
	for i, v := range vendors {
		entry("m", fmt.Sprintf("d%d", i), v)
	}
	for i, v := range others {
		entry("n", fmt.Sprintf("n%d", i), v)
	}
	fmt.Fprintf(&b, "router_settings: {%s}\ngeneral_settings: {master_key: sk-1234}\n", settings)
	return b.String()
}

func okay() ut.Answer { return ut.JSON(200, ut.Completion("x", "ok", 10, 10)) }

func vendors(t *testing.T, answers ...ut.Answer) []*ut.Vendor {
	var list []*ut.Vendor
	for _, a := range answers {
		list = append(list, ut.New(t, a))
	}
	return list
}

// calls asks n times, all of which must succeed, and counts the calls to each vendor.
func calls(t *testing.T, s *apptest.Server, n int, list []*ut.Vendor) (counts []int) {
	t.Helper()
	before := make([]int, len(list))
	for i, v := range list {
		before[i] = len(v.Requests())
	}
	for range n {
		if r := s.Post(chat, ask("")); r.Status != 200 {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	for i, v := range list {
		counts = append(counts, len(v.Requests())-before[i])
	}
	return counts
}

// A deployment that is limited is left alone, what is said about it is logged, and it comes back.
func TestCooldown(t *testing.T) {
	t.Parallel()
	v := vendors(t, ut.RateLimited("7"), okay())
	s := apptest.Start(t, fleet("cooldown_time: 60, num_retries: 2", v))
	if got := calls(t, s, 40, v); got[0] != 1 || got[1] != 40 {
		t.Fatalf("calls %v, want one that was limited", got)
	}
	for _, want := range []string{"a deployment is left alone", "d0", "the vendor limits requests", "7s"} {
		if !strings.Contains(s.Log.String(), want) {
			t.Fatalf("the log does not say %q:\n%s", want, s.Log)
		}
	}
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := calls(t, s, 20, v); got[0] != 0 {
		t.Fatalf("calls %v: a reload forgot the cooldown", got)
	}
}

func TestCooldownEnds(t *testing.T) {
	t.Parallel()
	v := vendors(t, ut.InvalidAPIKey(), okay())
	s := apptest.Start(t, fleet("cooldown_time: 0.05", v))
	if got := calls(t, s, 30, v); got[0] == 0 {
		t.Fatalf("calls %v", got)
	}
	v[0].Script(okay())
	for range 10000 {
		calls(t, s, 1, v)
		if strings.Contains(s.Log.String(), "a deployment is back after its cooldown") {
			return
		}
	}
	t.Fatalf("it does not come back:\n%s", s.Log)
}

// When every deployment is left alone, the caller reads when to come again.
func TestNobodyLeft(t *testing.T) {
	t.Parallel()
	v := vendors(t, ut.RateLimited("30"), ut.RateLimited("40"))
	s := apptest.Start(t, fleet("num_retries: 3", v))
	r := s.Post(chat, ask(""))
	if e := readError(t, r.Body); r.Status != 429 || !strings.HasPrefix(e.Error.Message, "litellm.RateLimitError: ") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	r = s.Post(chat, ask(""))
	e := readError(t, r.Body)
	const text = "No deployments available for selected model, Try again in "
	if r.Status != 429 || !strings.HasPrefix(e.Error.Message, text) || !strings.Contains(e.Error.Message, " seconds. Passed model=m. ") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if after := r.Header.Get("Retry-After"); after != "30" && after != "29" {
		t.Fatalf("Retry-After is %q", after)
	}
	if n := len(v[0].Requests()) + len(v[1].Requests()); n != 2 {
		t.Fatalf("%d calls, want one each", n)
	}
}

func TestCooldownSettings(t *testing.T) {
	t.Parallel()
	check := func(settings string, a ut.Answer, want int) {
		t.Helper()
		v := vendors(t, a, okay())
		s := apptest.Start(t, fleet("cooldown_time: 60, num_retries: 5, "+settings, v))
		got := calls(t, s, 60, v)
		// Failures count by the minute, and one may end meanwhile.
		if want < 0 && got[0] < 10 || want >= 0 && (got[0] < want || got[0] > 2*want) {
			t.Fatalf("%s: calls %v, want %d", settings, got, want)
		}
	}
	check("disable_cooldowns: true", ut.RateLimited(""), -1)
	check("allowed_fails: 2", ut.RateLimited(""), 3)
	check("allowed_fails: 2", ut.ServerError(), 3)
	check("allowed_fails_policy: {RateLimitErrorAllowedFails: 4}", ut.RateLimited(""), 5)
	check("allowed_fails_policy: {RateLimitErrorAllowedFails: 4}", ut.ServerError(), 4)
	check("", ut.ServerError(), 5)
}

func TestRetryPolicies(t *testing.T) {
	t.Parallel()
	check := func(settings string, a ut.Answer, want int) {
		t.Helper()
		v := vendors(t, a)
		s := apptest.Start(t, fleet(settings, v))
		s.Post(chat, ask(""))
		if got := len(v[0].Requests()); got != want {
			t.Fatalf("%s: %d calls, want %d", settings, got, want)
		}
	}
	check("retry_policy: {InternalServerErrorRetries: 1}", ut.ServerError(), 2)
	check("retry_policy: {RateLimitErrorRetries: 0}", ut.RateLimited(""), 1)
	check("retry_policy: {AuthenticationErrorRetries: 1}", ut.InvalidAPIKey(), 2)
	check("retry_policy: {ContentPolicyViolationErrorRetries: 1}", ut.ContentPolicyViolation(), 2)
	check("retry_policy: {InternalServerErrorRetries: 2}, model_group_retry_policy: {m: {InternalServerErrorRetries: 0}}", ut.ServerError(), 1)
}

// Where fallbacks for a kind of failure are listed, they serve it, and nothing else.
func TestFallbacksByKind(t *testing.T) {
	t.Parallel()
	check := func(config string, a ut.Answer, falls bool) {
		t.Helper()
		v, n := vendors(t, a), vendors(t, okay())
		s := apptest.Start(t, config1(fleet("num_retries: 0", v, n...), config))
		r := s.Post(chat, ask(""))
		if got := r.Status == 200 && r.Header.Get("x-litellm-attempted-fallbacks") == "1"; got != falls {
			t.Fatalf("%s: %d %s, want a fallback: %v", config, r.Status, r.Body, falls)
		}
		if len(v[0].Requests()) != 1 {
			t.Fatalf("%s: %d calls", config, len(v[0].Requests()))
		}
	}
	window, content := "context_window_fallbacks: [{m: [n]}]", "content_policy_fallbacks: [{m: [n]}]"
	for _, section := range []string{"litellm_settings", "router_settings"} {
		check(section+": {"+window+"}", ut.ContextLengthExceeded(), true)
		check(section+": {"+window+"}", ut.ServerError(), false)
		check(section+": {"+content+"}", ut.ContentPolicyViolation(), true)
		check(section+": {"+content+"}", ut.ContextLengthExceeded(), false)
	}
}

// config1 adds a section to a configuration, in place of its router_settings if it is that one.
func config1(yaml, section string) string {
	if strings.HasPrefix(section, "router_settings") {
		yaml = strings.Replace(yaml, "router_settings: {num_retries: 0}", strings.Replace(section, "{", "{num_retries: 0, ", 1), 1)
		return yaml
	}
	return yaml + section + "\n"
}

// Each strategy sees what it chooses by: calls under way, latencies, tokens, prices.
func TestStrategies(t *testing.T) {
	t.Parallel()
	t.Run("least-busy", func(t *testing.T) {
		t.Parallel()
		gate := ut.NewGate()
		v := vendors(t, gate.Before(okay()), okay())
		s := apptest.Start(t, fleet("routing_strategy: least-busy", v))
		done := make(chan int)
		go func() { done <- s.Post(chat, strings.Replace(ask(""), `"m"`, `"d0"`, 1)).Status }()
		<-gate.Reached()
		if got := calls(t, s, 20, v); got[0] != 0 {
			t.Errorf("calls %v, although the first one is busy", got)
		}
		gate.Open()
		if status := <-done; status != 200 {
			t.Errorf("status %d", status)
		}
	})
	t.Run("usage", func(t *testing.T) {
		t.Parallel()
		v := vendors(t, ut.JSON(200, ut.Completion("x", "ok", 100, 200)), okay())
		s := apptest.Start(t, fleet("routing_strategy: usage-based-routing-v2", v))
		// 300 tokens against 20: at most one in ten falls on the first one, in whichever minute.
		if got := calls(t, s, 60, v); got[0] > 15 || got[1] < 45 {
			t.Errorf("calls %v", got)
		}
	})
	t.Run("latency", func(t *testing.T) {
		t.Parallel()
		v := vendors(t, okay(), okay(), okay())
		s := apptest.Start(t, fleet("routing_strategy: latency-based-routing, routing_strategy_args: {ttl: 600, max_latency_list_size: 3}", v))
		if got := calls(t, s, 3, v); got[0] != 1 || got[1] != 1 || got[2] != 1 {
			t.Errorf("calls %v, want each one tried first", got)
		}
	})
	t.Run("cost", func(t *testing.T) {
		t.Parallel()
		v := vendors(t, okay(), okay())
		yaml := fleet("routing_strategy: cost-based-routing", v)
		yaml = strings.Replace(yaml, "api_key: sk-a,", "api_key: sk-a, input_cost_per_token: 0.00002, output_cost_per_token: 0,", 1)
		s := apptest.Start(t, yaml) // the other one has no price
		if got := calls(t, s, 10, v); got[0] != 10 {
			t.Errorf("calls %v", got)
		}
	})
	t.Run("adaptive", func(t *testing.T) {
		t.Parallel()
		v := vendors(t, ut.ServerError(), okay(), okay())
		s := apptest.Start(t, fleet("routing_strategy: adaptive, disable_cooldowns: true, num_retries: 5", v))
		if got := calls(t, s, 100, v); got[0] > 40 || got[1] == 0 || got[2] == 0 {
			t.Errorf("calls %v", got)
		}
	})
	t.Run("order", func(t *testing.T) {
		t.Parallel()
		v := vendors(t, okay(), okay())
		s := apptest.Start(t, strings.Replace(fleet("", v), "api_key: sk-a,", "api_key: sk-a, order: 1,", 1))
		if got := calls(t, s, 20, v); got[0] != 20 {
			t.Errorf("calls %v", got)
		}
	})
}

// The router learns the tokens of streams too.
func TestStreamsAreLearned(t *testing.T) {
	t.Parallel()
	v := vendors(t, ut.SSE(ut.ChatStream("x", 1000, "a", "b")...), okay())
	s := apptest.Start(t, fleet("routing_strategy: usage-based-routing", v))
	body := strings.Replace(ask(`,"stream":true,"stream_options":{"include_usage":true}`), `"m"`, `"d0"`, 1)
	if r := s.Post(chat, body); r.Status != 200 || !json.Valid([]byte(apptest.Events(r.Body)[0])) {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if got := calls(t, s, 20, v); got[0] > 1 { // one if a minute ended meanwhile
		t.Errorf("calls %v", got)
	}
}
