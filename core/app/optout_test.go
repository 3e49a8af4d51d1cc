package app_test

import (
	"fmt"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// A guardrail that is on for everybody stays on whatever people ask for, in requests and for keys that they make, until
// an administrator says otherwise.
func TestMandatoryGuardrailStaysOn(t *testing.T) {
	t.Parallel()
	d := withDatabase(t, fmt.Sprintf(`general_settings: {master_key: sk-1234}
guardrails:
- {guardrail_name: strict, litellm_params: {guardrail: '%s', mode: pre_call, default_on: true, config: {words: secret}, limits: {cpu_ms: 5000, wall_ms: 30000}}}
`, plugintest.Build(t, "../../plugins/keyword-guard")))
	own := d.userKey(`{"user_id":"u","user_role":"internal_user"}`)
	blocked := func(more string) {
		t.Helper()
		d.want(d.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"a secret"}]`+more+`}`, as(own)), 400, "")
	}
	blocked(``)
	for _, set := range []string{`"disable_global_guardrails":true`, `"disable_global_guardrail":true`, `"opted_out_global_guardrails":["strict"]`} {
		blocked(`,` + set)
		blocked(`,"metadata":{` + set + `}`)
		blocked(`,"litellm_metadata":{` + set + `}`)
		blocked(`,"metadata":{"user_api_key_metadata":{` + set + `},"user_api_key_team_metadata":{` + set + `}}`)
	}
	blocked(`,"guardrails":[]`)
	blocked(`,"metadata":{"guardrails":[]}`)
	blocked(`,"guardrails":[{"strict":{"extra_body":{"words":"other"}}}]`)

	for _, set := range []string{`"disable_global_guardrails":true`, `"metadata":{"disable_global_guardrails":true}`, `"metadata":{"opted_out_global_guardrails":["strict"]}`} {
		d.want(d.Post("/key/generate", `{`+set+`}`, as(own)), 403, "_global_guardrails")
		d.want(d.Post("/key/update", `{"key":"`+own+`",`+set+`}`, as(own)), 403, "_global_guardrails")
	}
	d.want(d.Post("/key/generate", `{"permissions":{"strict":false}}`, as(own)), 403, "permissions")
	blocked(``)

	spared := d.key(`{"user_id":"u","disable_global_guardrails":true}`)
	d.want(d.Post("/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"a secret"}]}`, as(spared)), 200, "hello")
}
