package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// doorman is a gateway whose callers an auth plugin knows: header-auth with the keys sk-NAME. A call costs a cent.
type doorman struct {
	*testing.T
	vendor *ut.Vendor
	plugin string
	keys   map[string]map[string]any
	lite   string // further litellm_settings
}

func newDoorman(t *testing.T, keys map[string]map[string]any) *doorman {
	t.Helper()
	return &doorman{
		T: t, vendor: ut.New(t, ut.JSON(200, ut.Completion("m", "hello", 10, 20))), keys: keys,
		plugin: plugintest.Build(t, "../../plugins/header-auth"),
	}
}

func (d *doorman) yaml() string {
	d.Helper()
	var keys []map[string]any
	for name, k := range d.keys {
		all := map[string]any{"key": "sk-" + name}
		maps.Copy(all, k)
		keys = append(keys, all)
	}
	list, err := json.Marshal(keys)
	if err != nil {
		d.Fatal(err)
	}
	model := func(name string) string {
		return fmt.Sprintf("  - {model_name: %s, litellm_params: {model: openai/gpt-4o-mini, api_base: %s/v1, api_key: k, input_cost_per_token: 0.0001, output_cost_per_token: 0.00045}}\n", name, d.vendor.URL)
	}
	return "model_list:\n" + model("m") + model("other") + fmt.Sprintf(`
general_settings:
  master_key: sk-1234
  proxy_batch_write_at: 1
  disable_retry_on_max_parallel_request_limit_error: true
  custom_auth: %s
  custom_auth_settings: {mode: auto, config: {keys: %s}}
litellm_settings: {%s}
`, d.plugin, list, d.lite)
}

// call asks a model in the name of a key and checks status, type and parts of the message.
func (d *doorman) call(s *apptest.Server, name, model, more string, status int, kind string, parts ...string) *apptest.Response {
	d.Helper()
	r := s.Post(chat, `{"model":"`+model+`","messages":[{"role":"user","content":"hi"}],"max_tokens":20`+more+`}`, "Authorization: Bearer sk-"+name)
	if r.Status != status {
		d.Errorf("%s: got %d %s, want %d", name, r.Status, r.Body, status)
		return r
	}
	if status == 200 {
		return r
	}
	var e struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal([]byte(r.Body), &e); err != nil || e.Error.Type != kind || e.Error.Code != fmt.Sprint(status) {
		d.Errorf("%s: got %d %s, want type %s", name, r.Status, r.Body, kind)
	}
	for _, p := range parts {
		if !regexp.MustCompile(p).MatchString(e.Error.Message) {
			d.Errorf("%s: got %q, want %s", name, e.Error.Message, p)
		}
	}
	return r
}

func limits(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return map[string]any{"limits": m, "user_id": "u", "team_id": "blue", "org_id": "acme"}
}

// An auth plugin's limits refuse as those of virtual keys do.
func TestAuthPluginRates(t *testing.T) {
	t.Parallel()
	d := newDoorman(t, map[string]map[string]any{
		"rpm": limits("rpm_limit", 2), "tpm": limits("tpm_limit", 25), "none": limits("rpm_limit", 0), "free": {"user_id": "f"},
		"model": limits("model_rpm_limit", map[string]any{"m": 1}), "user": limits("user_rpm_limit", 1), "org": limits("organization_rpm_limit", 1),
		"team1": limits("team_rpm_limit", 2), "team2": limits("team_rpm_limit", 2), "team-model": limits("team_model_rpm_limit", map[string]any{"m": 0}),
		"member": limits("team_member_rpm_limit", 1), "meta": {"metadata": map[string]any{"model_rpm_limit": map[string]any{"m": 1}}},
		"end-user": limits("end_user_rpm_limit", 1),
		"named":    {"end_user": "eve", "limits": map[string]any{"end_user_rpm_limit": 1}},
	})
	s := apptest.Start(t, d.yaml())
	const over = "^Rate limit exceeded for %s: %s\\. Limit type: %s\\. Current limit: %d, Remaining: 0\\. Limit resets at: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC$"
	refuses := func(name, model, more, of, id, limit string, n int) *apptest.Response {
		t.Helper()
		return d.call(s, name, model, more, 429, "None", fmt.Sprintf(over, of, id, limit, n))
	}
	const hash = "[0-9a-f]{64}"

	begun := time.Now()
	r := d.call(s, "rpm", "m", "", 200, "")
	if r.Header.Get("x-ratelimit-api_key-limit-requests") != "2" || r.Header.Get("x-ratelimit-api_key-remaining-requests") != "1" || r.Header.Get("x-litellm-key-rpm-limit") != "2" {
		t.Errorf("headers %v", r.Header)
	}
	d.call(s, "rpm", "other", "", 200, "")
	r = refuses("rpm", "m", "", "api_key", hash, "requests", 2)
	if r.Header.Get("retry-after") == "" || r.Header.Get("rate_limit_type") != "requests" || !strings.HasSuffix(r.Header.Get("reset_at"), " UTC") {
		t.Errorf("headers %v", r.Header)
	}
	d.call(s, "free", "m", "", 200, "")
	d.call(s, "tpm", "m", "", 200, "")
	refuses("tpm", "m", "", "api_key", hash, "tokens", 25)
	refuses("none", "m", "", "api_key", hash, "requests", 0)
	for _, key := range []string{"model", "meta"} {
		d.call(s, key, "m", "", 200, "")
		refuses(key, "m", "", "model_per_key", hash+":m", "requests", 1)
		d.call(s, key, "other", "", 200, "")
	}
	d.call(s, "user", "m", "", 200, "")
	refuses("user", "m", "", "user", "u", "requests", 1)
	d.call(s, "org", "m", "", 200, "")
	refuses("org", "m", "", "organization", "acme", "requests", 1)
	d.call(s, "member", "m", "", 200, "")
	refuses("member", "m", "", "team_member", "blue:u", "requests", 1)
	d.call(s, "team1", "m", "", 200, "") // what keys of a team use adds up
	d.call(s, "team2", "m", "", 200, "")
	refuses("team1", "m", "", "team", "blue", "requests", 2)
	refuses("team2", "m", "", "team", "blue", "requests", 2)
	refuses("team-model", "m", "", "model_per_team", "blue:m", "requests", 0)
	d.call(s, "team-model", "other", "", 200, "")

	d.call(s, "end-user", "m", `,"user":"ann"`, 200, "")
	refuses("end-user", "m", `,"user":"ann"`, "end_user", "ann", "requests", 1)
	d.call(s, "end-user", "m", `,"user":"bob"`, 200, "")
	d.call(s, "end-user", "m", "", 200, "")
	d.call(s, "named", "m", "", 200, "")
	refuses("named", "m", `,"user":"mallory"`, "end_user", "eve", "requests", 1)

	// A reload forgets nothing.
	s.Write(d.yaml() + "\n# again\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if time.Since(begun) > 30*time.Second {
		return // a minute may be over before the last call
	}
	refuses("rpm", "m", "", "api_key", hash, "requests", 2)
	refuses("team1", "m", "", "team", "blue", "requests", 2)
}

// What an auth plugin says of a principal's rights holds, too.
func TestAuthPluginRights(t *testing.T) {
	t.Parallel()
	long := map[string]any{"expires": "2020-01-31T00:00:00Z"}
	d := newDoorman(t, map[string]map[string]any{
		"old": long, "young": {"expires": "2999-01-31T00:00:00Z"}, "routes": {"allowed_routes": []string{"/v1/models"}},
		"alias": {"aliases": map[string]any{"best": "m"}}, "team": {"team_id": "blue", "team_models": []string{"other"}},
		"tags": {"tags": []string{"red"}, "metadata": map[string]any{"tags": []string{"green"}, "enforced_params": []string{"seed"}}},
	})
	s := apptest.Start(t, d.yaml())
	d.call(s, "old", "m", "", 401, "expired_key",
		`^Authentication Error - Expired Key\. Key Expiry time 2020-01-31 00:00:00\+00:00 and current time 20\d\d-`)
	d.call(s, "young", "m", "", 200, "")
	d.call(s, "routes", "m", "", 403, "auth_error", `^Virtual key is not allowed to call this route\. Only allowed to call routes: \['/v1/models'\]`)
	d.call(s, "alias", "best", "", 200, "")
	d.call(s, "team", "m", "", 401, "team_model_access_denied", `Team=blue, Model=m\. Allowed team models = \['other'\]`)
	d.call(s, "team", "other", "", 200, "")
	d.call(s, "tags", "m", "", 400, "None", `param=seed`)
	d.call(s, "tags", "m", `,"seed":1`, 200, "")
}

// A budget is kept over calls of the plugin, reloads and restarts, with a database that is made when it is needed.
func TestAuthPluginBudgets(t *testing.T) {
	t.Parallel()
	d := newDoorman(t, map[string]map[string]any{
		"key":   limits("max_budget", 0.015, "budget_duration", "30d"),
		"spend": limits("max_budget", 1, "spend", 0.995), "none": limits("max_budget", 0),
		"team":  limits("team_max_budget", 0.005),
		"model": limits("model_max_budget", map[string]any{"m": 0.005}),
		"reset": limits("max_budget", 0.005, "budget_reset_at", "2999-01-31T00:00:00Z"),
		"user":  limits("user_max_budget", 0.005), "end": limits("end_user_max_budget", 0.005),
		"soft": limits("soft_budget", 0.005),
	})
	env := apptest.Env("SALLYPORT_STATE_DIR=" + t.TempDir())
	run := func(name string, what func(*doorman, *apptest.Server)) {
		t.Run(name, func(t *testing.T) {
			here := *d
			here.T = t
			what(&here, apptest.Start(t, d.yaml(), env))
		})
	}
	run("first", spendAll)
	run("restarted", spentAll)
}

func spendAll(d *doorman, s *apptest.Server) {
	d.Helper()
	d.call(s, "none", "m", "", 400, "budget_exceeded", `^Budget has been exceeded! Current cost: 0\.0, Max budget: 0\.0`)
	// The first budget has the database made. What was spent before is not in it.
	eventually(d.T, func() bool { return s.Post(chat, ask(""), "Authorization: Bearer sk-nobody").Status == 401 })
	d.call(s, "key", "m", "", 200, "")
	for _, name := range []string{"key", "spend", "team", "model", "reset", "user"} {
		d.call(s, name, "m", "", 200, "")
	}
	d.call(s, "end", "m", `,"user":"ann"`, 200, "")
	d.call(s, "soft", "m", "", 200, "")
	spentAll(d, s)
	eventually(d.T, func() bool { return strings.Contains(s.Log.String(), "a soft budget is reached") })
	s.Write(d.yaml() + "\n# again\n")
	if err := s.Reload(); err != nil {
		d.Fatal(err)
	}
	spentAll(d, s)
}

// spentAll finds all budgets spent.
func spentAll(d *doorman, s *apptest.Server) {
	d.Helper()
	const ends = `; it does not reset by itself\.$`
	d.call(s, "key", "m", "", 400, "budget_exceeded", `^Budget has been exceeded! Current cost: 0\.02, Max budget: 0\.015`, `Budget of key [0-9a-f]{64}: 0\.015 US dollars in 30d; it resets at 20`)
	d.call(s, "spend", "m", "", 400, "budget_exceeded", `^Budget has been exceeded! Current cost: 1\.005, Max budget: 1\.0`, ends)
	d.call(s, "team", "m", "", 400, "budget_exceeded", `^Budget has been exceeded! Team=blue Current cost: 0\.01, Max budget: 0\.005`, ends)
	d.call(s, "model", "m", "", 400, "budget_exceeded", `^LiteLLM Virtual Key: [0-9a-f]{64}, key_alias: None, exceeded budget for model=m\. Current cost: 0\.01, Max budget: 0\.005`)
	d.call(s, "model", "other", "", 200, "")
	d.call(s, "reset", "m", "", 400, "budget_exceeded", `it resets at 2999-01-31T00:00:00Z\.$`)
	d.call(s, "user", "m", "", 400, "budget_exceeded", `^ExceededBudget: User=u over budget\. Spend=0\.01, Budget=0\.005`)
	d.call(s, "end", "m", `,"user":"ann"`, 400, "budget_exceeded", `^ExceededBudget: End User=ann over budget\. Spend=0\.01, Budget=0\.005`)
	d.call(s, "end", "m", "", 200, "")
}

// What the database has for those whom a principal names holds besides.
func TestAuthPluginAndDatabase(t *testing.T) {
	t.Parallel()
	d := newDoorman(t, map[string]map[string]any{
		"loose": {"team_id": "tight", "limits": map[string]any{"team_rpm_limit": 100}}, "tight": {"team_id": "loose", "limits": map[string]any{"team_rpm_limit": 1}},
		"bare": {"team_id": "spent"}, "blocked": {"team_id": "blocked"}, "models": {"team_id": "models", "team_models": []string{"m", "else"}},
		"user": {"user_id": "ann"}, "later": {"team_id": "later"},
	})
	s := apptest.Start(t, d.yaml(), apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "x.db")))
	post := func(path, body string) {
		t.Helper()
		if r := s.Post(path, body); r.Status != 200 {
			t.Fatalf("%s: %d %s", path, r.Status, r.Body)
		}
	}
	d.call(s, "later", "m", "", 200, "")
	post("/team/new", `{"team_id":"tight","rpm_limit":1}`)
	post("/team/new", `{"team_id":"loose","rpm_limit":100}`)
	post("/team/new", `{"team_id":"spent","max_budget":0.005}`)
	post("/team/new", `{"team_id":"blocked"}`)
	post("/team/block", `{"team_id":"blocked"}`)
	post("/team/new", `{"team_id":"models","models":["m","other"]}`)
	post("/user/new", `{"user_id":"ann","rpm_limit":1}`)
	const over = "^Rate limit exceeded for %s\\. Limit type: requests\\. Current limit: 1,"
	for key, who := range map[string]string{"loose": "team: tight", "tight": "team: loose", "user": "user: ann"} {
		d.call(s, key, "m", "", 200, "")
		d.call(s, key, "m", "", 429, "None", fmt.Sprintf(over, who))
	}
	d.call(s, "bare", "m", "", 200, "")
	d.call(s, "bare", "m", "", 400, "budget_exceeded", "^Budget has been exceeded! Team=spent Current cost: 0\\.01, Max budget: 0\\.005")
	d.call(s, "blocked", "m", "", 401, "auth_error", "Team=blocked is blocked")
	d.call(s, "models", "m", "", 200, "")
	d.call(s, "models", "other", "", 401, "team_model_access_denied", "Model=other")
	d.call(s, "models", "else", "", 401, "team_model_access_denied", "Model=else")
	// What was looked up in vain is looked up again when it is there.
	post("/team/new", `{"team_id":"later","rpm_limit":0}`)
	d.call(s, "later", "m", "", 429, "None", "^Rate limit exceeded for team: later\\. ")
}

// Replicas count together through Redis.
func TestAuthPluginReplicas(t *testing.T) {
	t.Parallel()
	d := newDoorman(t, map[string]map[string]any{"rpm": limits("rpm_limit", 3), "budget": limits("max_budget", 0.095)})
	redis := storetest.Redis(t).URL()
	var list []*apptest.Server
	for range 2 {
		env := apptest.Env("REDIS_URL="+redis, "REDIS_SOCKET_TIMEOUT=20", "SALLYPORT_STATE_DIR="+t.TempDir(), "DATABASE_URL=none")
		list = append(list, apptest.Start(t, d.yaml(), env))
	}
	crowd := func(name string, status int) int64 {
		t.Helper()
		var passed atomic.Int64
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for range 6 {
					r := list[i%2].Post(chat, ask(`,"max_tokens":20`), "Authorization: Bearer sk-"+name)
					switch r.Status {
					case 200:
						passed.Add(1)
					case status:
					default:
						t.Errorf("%s: %d %s", name, r.Status, r.Body)
					}
				}
			})
		}
		wg.Wait()
		return passed.Load()
	}
	begun := time.Now()
	if n := crowd("rpm", 429); n != 3 && time.Since(begun) < time.Minute {
		t.Errorf("%d of 3 requests passed", n)
	}
	if n := crowd("budget", 400); n != 10 {
		t.Errorf("%d of 10 calls passed", n)
	}
	for _, s := range list {
		d.call(s, "budget", "m", "", 400, "budget_exceeded", "Max budget: 0\\.095")
	}
}
