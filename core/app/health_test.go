package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// healthAnswer is what GET /health says.
type healthAnswer struct {
	Healthy   []map[string]any `json:"healthy_endpoints"`
	Unhealthy []map[string]any `json:"unhealthy_endpoints"`
	Good      int              `json:"healthy_count"`
	Bad       int              `json:"unhealthy_count"`
}

func health(t *testing.T, s *apptest.Server, query string, header ...string) (h healthAnswer) {
	t.Helper()
	r := s.Get("/health"+query, header...)
	if err := json.Unmarshal([]byte(r.Body), &h); err != nil || r.Status != 200 {
		t.Fatalf("GET /health%s: %d %s (%v)", query, r.Status, r.Body, err)
	}
	if len(h.Healthy) != h.Good || len(h.Unhealthy) != h.Bad || strings.Contains(r.Body, "sk-upstream") {
		t.Fatalf("GET /health%s: %s", query, r.Body)
	}
	return h
}

// pair is two deployments, a and b, with lines for general_settings.
func pair(a, b *ut.Vendor, general string, info ...string) string {
	info = append(info, "", "")
	return fmt.Sprintf(`
model_list:
  - {model_name: a, litellm_params: {model: openai/x, api_base: "%s/v1", api_key: sk-upstream, rpm: 7}, model_info: {id: da%s}}
  - {model_name: b, litellm_params: {model: openai/y, api_base: "%s/v1", api_key: sk-upstream}, model_info: {id: db%s}}
general_settings: {master_key: sk-1234%s}
`, a.URL, info[0], b.URL, info[1], general)
}

func fine() ut.Answer {
	return ut.JSON(200, ut.Completion("x", "pong", 1, 1), "x-ratelimit-remaining-requests: 99")
}

func TestHealthReport(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, fine()), ut.New(t, ut.InvalidAPIKey())
	s := apptest.Start(t, pair(a, b, ""))
	h := health(t, s, "")
	if h.Good != 1 || h.Bad != 1 {
		t.Fatalf("%+v", h)
	}
	good, bad := h.Healthy[0], h.Unhealthy[0]
	if good["model"] != "openai/x" || good["model_id"] != "da" || good["api_base"] != a.URL+"/v1" || good["rpm"] != 7.0 || good["mode"] != "chat" ||
		good["x-ratelimit-remaining-requests"] != "99" || good["error"] != nil {
		t.Errorf("healthy: %v", good)
	}
	if e, _ := bad["error"].(string); !strings.HasPrefix(e, "litellm.AuthenticationError: ") || bad["model_id"] != "db" {
		t.Errorf("unhealthy: %v", bad)
	}
	var sent struct {
		Max int `json:"max_tokens"`
	}
	if err := json.Unmarshal(a.Last().Body, &sent); err != nil || sent.Max != 1 || len(a.Requests()) != 1 || len(b.Requests()) != 1 {
		t.Errorf("the probe asked for more than one token: %s", a.Last().Body)
	}
	for query, want := range map[string][2]int{
		"?model=a": {1, 0}, "?model=openai/y": {0, 1}, "?model_id=da": {1, 0}, "?model_id=db&model=a": {0, 1}, "?model=none": {0, 0},
	} {
		if h := health(t, s, query); h.Good != want[0] || h.Bad != want[1] {
			t.Errorf("%s: %+v", query, h)
		}
	}
	wantStatus(t, s.Get("/health?model_id=none"), 404, "Model with ID none not found")
	wantStatus(t, s.Do("POST", "/health", ""), 405, "Method Not Allowed")
	if strings.Contains(s.Log.String(), "a call to a model failed") {
		t.Error("a failed probe counts as a failed request")
	}
}

// A deployment that hangs, or whose settings cannot be used, is unhealthy by itself: the others are checked all the same.
func TestHealthChecksAreIndependent(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, ut.Hang()), ut.New(t, fine())
	s := apptest.Start(t, pair(a, b, ", health_check_concurrency: 1", ", health_check_timeout: 0.05"))
	h := health(t, s, "")
	if h.Good != 1 || h.Bad != 1 || h.Unhealthy[0]["model_id"] != "da" || !strings.Contains(fmt.Sprint(h.Unhealthy[0]["error"]), "longer than 50ms") {
		t.Fatalf("%+v", h)
	}
	s = apptest.Start(t, pair(a, b, "", ", mode: dance"))
	if h = health(t, s, ""); h.Good != 1 || !strings.Contains(fmt.Sprint(h.Unhealthy[0]["error"]), `mode "dance" has no health check`) {
		t.Fatalf("%+v", h)
	}
}

// Many who ask at once share one probe.
func TestHealthChecksAreShared(t *testing.T) {
	t.Parallel()
	gate := ut.NewGate()
	a, b := ut.New(t, gate.Before(fine())), ut.New(t, fine())
	s := apptest.Start(t, pair(a, b, ""))
	done := make(chan healthAnswer, 5)
	for range 5 {
		go func() { done <- health(t, s, "?model=a") }()
	}
	<-gate.Reached()
	gate.Open()
	for range 5 {
		if h := <-done; h.Good != 1 {
			t.Errorf("%+v", h)
		}
	}
	if n := len(a.Requests()); n > 5 {
		t.Errorf("%d probes", n)
	}
}

// A model that thinks longer than the one token that the probe pays for is healthy: it is there and takes the key.
func TestHealthOfReasoning(t *testing.T) {
	t.Parallel()
	short := ut.JSON(400, ut.ErrorBody("Could not finish the message because max_tokens or model output limit was reached. Please try again with higher max_tokens.", "invalid_request_error", "", ""))
	a, b := ut.New(t, short), ut.New(t, fine())
	s := apptest.Start(t, pair(a, b, "", "", ", health_check_max_tokens: 5"))
	if h := health(t, s, ""); h.Good != 2 || !strings.Contains(string(b.Last().Body), `"max_tokens":5`) {
		t.Fatalf("%+v, sent %s", h, b.Last().Body)
	}
}

func TestHealthCheckModel(t *testing.T) {
	t.Parallel()
	v := ut.New(t, fine())
	f := func(model, info, want string, good int) {
		t.Helper()
		s := apptest.Start(t, fmt.Sprintf(`
model_list:
  - {model_name: "w/*", litellm_params: {model: "%s", api_base: "%s/v1", api_key: sk-upstream}, model_info: {id: d%s}}
general_settings: {master_key: sk-1234}
`, model, v.URL, info))
		h := health(t, s, "")
		if h.Good != good || good == 1 && !strings.Contains(string(v.Last().Body), want) || good == 0 && !strings.Contains(fmt.Sprint(h.Unhealthy), want) {
			t.Errorf("%s {%s}: %+v, sent %s", model, info, h, v.Last().Body)
		}
	}
	f("openai/*", ", health_check_model: openai/gpt-4o-mini", `"model":"gpt-4o-mini"`, 1)
	f("openai/*", ", health_check_model: gpt-4o", `"model":"gpt-4o"`, 1)
	f("openai/gpt-4o", ", health_check_model: hosted_vllm/other", `"model":"other"`, 1)
	f("openai/gpt-*", "", `"model":"gpt-`, 1) // the cheapest there is
	f("hosted_vllm/*", "", "set model_info.health_check_model", 0)
	f("openai/*", `, health_check_model: "openai/*"`, "name one model", 0)
}

// The kind of call follows the mode, also where only the price map knows it.
func TestHealthFurtherModes(t *testing.T) {
	t.Parallel()
	v := ut.New(t)
	f := func(model, mode, sent, holds string, answer ut.Answer) {
		t.Helper()
		v.Script(answer)
		if mode != "" {
			mode = ", mode: " + mode
		}
		s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: %s, api_base: "%s/v1", api_key: sk-upstream}, model_info: {id: d, health_check_voice: nova%s}}]
general_settings: {master_key: sk-1234}
`, model, v.URL, mode))
		h := health(t, s, "")
		if last := v.Last(); h.Good != 1 || last.Path != sent || !strings.Contains(string(last.Body), holds) {
			t.Errorf("%s%s: %+v, sent %s %s %.200s", model, mode, h, last.Method, last.Path, last.Body)
		}
	}
	f("openai/text-embedding-3-small", "", "/v1/embeddings", `"input":["ping"]`, ut.JSON(200, ut.Embeddings("x", 1, []float64{0})))
	f("openai/x", "embedding", "/v1/embeddings", `"ping"`, ut.JSON(200, ut.Embeddings("x", 1, []float64{0})))
	f("openai/x", "completion", "/v1/completions", `"max_tokens":1`, ut.JSON(200, `{"choices":[{"text":"p"}]}`))
	f("openai/whisper-1", "", "/v1/audio/transcriptions", "WAVEfmt", ut.JSON(200, `{"text":""}`))
	f("openai/tts-1", "audio_speech", "/v1/audio/speech", `"voice":"nova"`, ut.Whole(200, "audio/mpeg", "ID3"))
	f("openai/x", "responses", "/v1/responses", `"max_output_tokens":16`, ut.JSON(200, `{"id":"r","object":"response","status":"completed","output":[]}`))
	f("openai/x", "batch", "/v1/batches?limit=1", "", ut.JSON(200, `{"object":"list","data":[]}`))
	f("openai/omni-moderation-latest", "moderation", "/v1/moderations", `"ping"`, ut.JSON(200, `{"results":[]}`))

	talk := newVoice(t)
	s := apptest.Start(t, fmt.Sprintf(`
model_list: [{model_name: m, litellm_params: {model: openai/gpt-realtime, api_base: "%s/v1", api_key: sk-upstream}, model_info: {mode: realtime}}]
general_settings: {master_key: sk-1234}
`, talk.URL))
	if h := health(t, s, ""); h.Good != 1 {
		t.Errorf("realtime: %+v", h)
	}
	expectClosed(t, <-talk.talks, 1000, "health check")
}

// With health_check_details false a report says which models are healthy, and nothing else.
func TestHealthCheckDetails(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, fine()), ut.New(t, ut.ServerError())
	s := apptest.Start(t, pair(a, b, ", health_check_details: false"))
	r := s.Get("/health")
	if want := `{"healthy_endpoints":[{"model":"openai/x"}],"unhealthy_endpoints":[{"model":"openai/y"}],"healthy_count":1,"unhealthy_count":1}`; strings.TrimSpace(r.Body) != want {
		t.Fatalf("got  %s\nwant %s", r.Body, want)
	}
	s = apptest.Start(t, pair(a, b, ", health_check_details: true"))
	if h := health(t, s, ""); h.Healthy[0]["api_base"] == nil || h.Healthy[0]["x-ratelimit-remaining-requests"] == nil {
		t.Fatalf("%+v", h)
	}
}

// While checks run in the background, GET /health calls no model.
func TestBackgroundHealthChecks(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, fine()), ut.New(t, ut.ServerError())
	s := apptest.Start(t, pair(a, b, ", background_health_checks: true, health_check_interval: 3600"))
	eventually(t, func() bool { h := health(t, s, ""); return h.Good == 1 && h.Bad == 1 })
	for range 20 {
		health(t, s, "")
	}
	if len(a.Requests()) != 1 || len(b.Requests()) != 1 {
		t.Errorf("%d and %d probes, want one each", len(a.Requests()), len(b.Requests()))
	}
	if h := health(t, s, "?model=b"); h.Good != 0 || h.Bad != 1 {
		t.Errorf("%+v", h)
	}

	c := ut.New(t, fine())
	s = apptest.Start(t, pair(a, c, ", background_health_checks: true, health_check_interval: 0.02", ", disable_background_health_check: true"))
	eventually(t, func() bool { return len(c.Requests()) > 3 })
	if h := health(t, s, ""); h.Good != 1 || len(a.Requests()) != 1 {
		t.Errorf("%+v; a deployment that is to be left out was probed", h)
	}
	if _, err := apptest.Try(t, pair(a, c, ", health_check_interval: 0")); err == nil || !strings.Contains(err.Error(), "health_check_interval: must be more than 0") {
		t.Errorf("an interval of nothing: %v", err)
	}
}

// Of several replicas one checks, and the others show what it found.
func TestHealthChecksOfReplicas(t *testing.T) {
	t.Parallel()
	f := func(name, general string, env ...string) {
		t.Helper()
		a, b := ut.New(t, fine()), ut.New(t, ut.ServerError())
		yaml := pair(a, b, ", background_health_checks: true, health_check_interval: 3600"+general)
		var replicas []*apptest.Server
		for range 3 {
			replicas = append(replicas, apptest.Start(t, yaml, apptest.Env(env...)))
		}
		for _, s := range replicas {
			eventually(t, func() bool { h := health(t, s, ""); return h.Good == 1 && h.Bad == 1 })
		}
		if len(a.Requests()) != 1 || len(b.Requests()) != 1 {
			t.Errorf("%s: %d and %d probes by three replicas", name, len(a.Requests()), len(b.Requests()))
		}
		if r := replicas[1].Get("/health/shared-status"); !strings.Contains(r.Body, `"shared_health_check_enabled":true`) || !strings.Contains(r.Body, `"shared_through":"`+name+`"`) {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
	f("database", "", "DATABASE_URL="+storetest.Postgres(t))
	f("redis", ", use_shared_health_check: true, database_url: none", "REDIS_URL="+storetest.Redis(t).URL())
}

func TestHealthHistory(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, fine()), ut.New(t, ut.ServerError())
	s := apptest.Start(t, pair(a, b, ""), apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db")))
	health(t, s, "")
	health(t, s, "") // the same again makes no new rows
	a.Script(ut.ServerError())
	health(t, s, "?model=a")
	var history struct {
		Total  int `json:"total_records"`
		Checks []struct {
			ID, Status string
			ModelID    string  `json:"model_id"`
			Error      string  `json:"error_message"`
			Took       float64 `json:"response_time_ms"`
		} `json:"health_checks"`
	}
	read := func(path string, into any) {
		t.Helper()
		if r := s.Get(path); r.Status != 200 || json.Unmarshal([]byte(r.Body), into) != nil {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	if read("/health/history", &history); history.Total != 3 || history.Checks[0].ModelID != "da" || history.Checks[0].Status != "unhealthy" ||
		history.Checks[0].Error == "" || history.Checks[0].Took <= 0 {
		t.Fatalf("%+v", history)
	}
	if read("/health/history?model=a&status_filter=healthy&limit=5", &history); history.Total != 1 {
		t.Fatalf("%+v", history)
	}
	wantStatus(t, s.Get("/health/history?limit=0"), 422, "from 1 to 1000")
	var latest struct {
		Total int                       `json:"total_models"`
		By    map[string]map[string]any `json:"latest_health_checks"`
	}
	if read("/health/latest", &latest); latest.Total != 2 || latest.By["da"]["status"] != "unhealthy" || latest.By["db"]["status"] != "unhealthy" {
		t.Fatalf("%+v", latest)
	}
}

// Who may ask what: everybody for the health of models that they may use, administrators for the rest.
func TestHealthPermissions(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234}\n")
	callers := map[string]string{
		"admin": "sk-1234", "viewer": d.userKey(`{"user_role":"proxy_admin_viewer"}`), "user": d.userKey(`{"user_role":"internal_user"}`),
		"key": d.key(`{"models":["m"]}`),
	}
	f := func(method, path, body string, in string) {
		t.Helper()
		for name, key := range callers {
			r := d.Do(method, path, body, as(key))
			refused := r.Status == 401 || r.Status == 403
			if refused == strings.Contains(in, name) || r.Status >= 500 {
				t.Errorf("%s %s as %s: %d %s", method, path, name, r.Status, r.Body)
			}
		}
		wantStatus(t, d.Do(method, path, body, "Authorization:"), 401, "No api key passed in")
	}
	f("GET", "/health", "", "admin viewer user key")
	f("GET", "/health/history", "", "admin viewer")
	f("GET", "/health/latest", "", "admin viewer")
	f("GET", "/health/shared-status", "", "admin viewer")
	f("GET", "/health/services?service=prometheus", "", "admin")
	f("POST", "/health/test_connection", `{"litellm_params":{"model":"m"}}`, "admin")

	if h := health(t, d.Server, "", as(callers["key"])); h.Good != 1 || h.Healthy[0]["model_group"] != "m" || h.Healthy[0]["api_base"] != nil {
		t.Errorf("a key sees %+v", h)
	}
	if h := health(t, d.Server, ""); h.Good != 3 || h.Healthy[0]["api_base"] == nil {
		t.Errorf("the administrator sees %+v", h)
	}
	for _, path := range []string{"/health/liveliness", "/health/liveness"} {
		wantStatus(t, d.Get(path, "Authorization:"), 200, `"I'm alive!"`)
	}
	wantStatus(t, d.Get("/health/readiness", "Authorization:"), 200, `"db":"connected"`)
}

func TestHealthTestConnection(t *testing.T) {
	t.Parallel()
	a, b := ut.New(t, fine()), ut.New(t, ut.InvalidAPIKey())
	s := apptest.Start(t, pair(a, b, "", ", colour: red"))
	f := func(body string, status int, want string) {
		t.Helper()
		r := s.Post("/health/test_connection", body)
		if r.Status != status || !strings.Contains(r.Body, want) || strings.Contains(r.Body, "sk-") {
			t.Errorf("%s: %d %s, want %d %s", body, r.Status, r.Body, status, want)
		}
	}
	f(`{"litellm_params":{"model":"a"}}`, 200, `"status":"success"`)
	if h := a.Last().Header.Get("Authorization"); h != "Bearer sk-upstream" {
		t.Errorf("sent %q", h)
	}
	f(`{"litellm_params":{"model":"openai/y"}}`, 200, `"status":"error"`)
	// An address of one's own gets no key of the operator's.
	f(fmt.Sprintf(`{"mode":"chat","litellm_params":{"model":"a","api_base":"%s/v1","api_key":"sk-other"}}`, b.URL), 200, `"status":"error"`)
	if h := b.Last().Header.Get("Authorization"); h != "Bearer sk-other" {
		t.Errorf("sent %q", h)
	}
	f(fmt.Sprintf(`{"litellm_params":{"model":"a","api_base":"%s/v1"}}`, b.URL), 200, "there is no API key for openai")
	f(`{"litellm_params":{"model":"openai/new","api_key":"sk-new","api_base":"`+a.URL+`/v1"},"mode":"embedding"}`, 200, `"status":"`)
	if a.Last().Path != "/v1/embeddings" {
		t.Errorf("called %s", a.Last().Path)
	}
	f(`{}`, 422, "Field required")
	f(`[`, 400, "not a JSON object")
	f(`{"litellm_params":{"model":"no_such_vendor_at_all/x"}}`, 400, "Failed to test connection")
}

func TestHealthServices(t *testing.T) {
	t.Parallel()
	v := ut.New(t, fine())
	s := apptest.Start(t, strings.Replace(one(v), "general_settings", "litellm_settings: {callbacks: [prometheus]}\ngeneral_settings", 1))
	wantStatus(t, s.Get("/health/services?service=prometheus"), 200, `"message":"Mock LLM request made - check prometheus."`)
	eventually(t, func() bool {
		return strings.Contains(s.Get("/metrics").Body, "litellm-mock-response-model")
	})
	wantStatus(t, s.Get("/health/services?service=langfuse"), 422, `Those that are: [prometheus]`)
	wantStatus(t, s.Get("/health/services"), 422, "Field required")
	if len(v.Requests()) != 0 {
		t.Error("a vendor was called")
	}
}

// Deployments that failed their check are left out of routing, unless that would leave none.
func TestHealthCheckRouting(t *testing.T) {
	t.Parallel()
	f := func(answer ut.Answer, general string, left bool) {
		t.Helper()
		a, b := ut.New(t, fine()), ut.New(t, answer)
		yaml := strings.Replace(pair(a, b, ", background_health_checks: true, health_check_interval: 3600"+general), "model_name: b", "model_name: a", 1)
		yaml = strings.Replace(yaml, ", rpm: 7", "", 1) // it would be the only one with a share
		s := apptest.Start(t, yaml+"router_settings: {disable_cooldowns: true, num_retries: 3}\n")
		eventually(t, func() bool { h := health(t, s, ""); return h.Good+h.Bad == 2 })
		before := len(b.Requests())
		for range 30 {
			if r := s.Post(chat, strings.Replace(ask(""), `"m"`, `"a"`, 1)); r.Status != 200 {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		if used := len(b.Requests()) > before; used == left {
			t.Errorf("%s: the unhealthy deployment was called: %v", general, used)
		}
	}
	f(ut.ServerError(), ", enable_health_check_routing: true", true)
	f(ut.ServerError(), "", false)
	f(ut.RateLimited("0"), ", enable_health_check_routing: true, health_check_ignore_transient_errors: true", false)
	f(ut.ServerError(), ", enable_health_check_routing: true, health_check_staleness_threshold: 0.000001", false)
}
