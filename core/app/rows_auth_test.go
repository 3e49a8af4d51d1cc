package app_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
)

func TestRowMasterKey(t *testing.T) {
	t.Parallel()
	one := withDatabase(t, "", "PROXY_MASTER_KEY=sk-9")
	one.want(one.Post("/key/generate", `{}`, as("sk-9")), 200, `"key"`)
	one.want(one.Post("/key/generate", `{}`, as("sk-1")), 401, "token_not_found_in_db")
	one.want(one.Post("/key/generate", `{}`, "Authorization:"), 401, "auth_error")
	two := withDatabase(t, "", "PROXY_MASTER_KEY=sk-9", "LITELLM_MASTER_KEY=sk-1")
	two.want(two.Post("/key/generate", `{}`, as("sk-1")), 200, `"key"`)
	two.want(two.Post("/key/generate", `{}`, as("sk-9")), 401, "token_not_found_in_db")
	three := withDatabase(t, "general_settings: {master_key: sk-3}\n", "PROXY_MASTER_KEY=sk-9", "LITELLM_MASTER_KEY=sk-1")
	three.want(three.Post("/key/generate", `{}`, as("sk-3")), 200, `"key"`)
	three.want(three.Post("/key/generate", `{}`, as("sk-1")), 401, "token_not_found_in_db")
	open := withDatabase(t, "")
	open.want(open.Post("/key/generate", `{}`, "Authorization:"), 200, `"key"`)
	if log := open.Log.String(); !strings.Contains(log, "master_key") {
		t.Errorf("no warning that everybody is an administrator: %s", log)
	}
}

func TestRowKeyHeader(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, "general_settings: {master_key: sk-1234, litellm_key_header_name: X-LiteLLM-Key}\n")
	const body = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`
	d.want(d.Post("/v1/chat/completions", body, "Authorization:", "X-LiteLLM-Key: Bearer sk-1234"), 200, "hello")
	d.want(d.Post("/v1/chat/completions", body, "Authorization:", "x-litellm-key: sk-1234"), 401, "Ensure Key has `Bearer ` prefix")
	d.want(d.Post("/v1/chat/completions", body, as("sk-1234")), 401, "auth_error")
}

// TestRowModelInfoCost shows that prices in model_info are charged: the header names them, and the key has spent them.
func TestRowModelInfoCost(t *testing.T) {
	t.Parallel()
	f := func(info string) {
		t.Helper()
		s := apptest.Start(t, pricedConfig(vendorWith(t, plainUsage), "openai/x", "", info, ""), apptest.Env("DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db")))
		d := desk{t, s}
		key := d.key(`{}`)
		r := d.chat(key)
		d.want(r, 200, "hi")
		var cost float64
		if _, err := fmt.Sscan(r.Header.Get("x-litellm-response-cost"), &cost); err != nil || !closeTo(cost, 0.01) {
			t.Errorf("%s: the call cost %v: %v", info, cost, err)
		}
		eventually(t, func() bool {
			var v struct{ Info struct{ Spend float64 } }
			r := d.Get("/key/info?key=" + key)
			return json.Unmarshal([]byte(r.Body), &v) == nil && closeTo(v.Info.Spend, 0.01)
		})
	}
	f("input_cost_per_token: 0.001, output_cost_per_token: 0")
	f("input_cost_per_token: 0, output_cost_per_token: 0.002")
}
