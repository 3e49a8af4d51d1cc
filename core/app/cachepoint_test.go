package app_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// A deployment marks what the vendor is to cache, whoever asks, and only its own requests.
func TestCacheControlInjectionPoints(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, claudeMessage))
	s := apptest.Start(t, `
model_list:
  - model_name: m
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_base: "`+v.URL+`"
      api_key: sk-ant-upstream
      cache_control_injection_points:
        - {location: message, role: system}
        - {location: message, index: -1, control: {type: ephemeral, ttl: 1h}}
        - {location: tool_config}
  - model_name: plain
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: "`+v.URL+`", api_key: sk-ant-upstream}
general_settings: {master_key: sk-1234}
`)
	f := func(body string, want ...string) {
		t.Helper()
		if r := s.Post(chat, body); r.Status != 200 {
			t.Fatalf("%s: %d %s", body, r.Status, r.Body)
		}
		got := string(v.Last().Body)
		if n := strings.Count(got, "cache_control"); n != len(want) || strings.Contains(got, "injection") {
			t.Errorf("%s: %d marks, want %d: %s", body, n, len(want), got)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %s, want %s", body, got, w)
			}
		}
	}
	const said = `"messages":[{"role":"system","content":"rules"},{"role":"user","content":"first"},{"role":"assistant","content":"a"},{"role":"user","content":"last"}]`
	const tools = `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`
	system, last := `"text":"rules","cache_control":{"type":"ephemeral"}`, `"text":"last","cache_control":{"ttl":"1h","type":"ephemeral"}`
	f(`{"model":"m",`+said+`}`, system, last)
	f(`{"model":"m",`+said+tools+`}`, system, last, `"cache_control":{"type":"ephemeral"}}]`)
	f(`{"model":"plain",` + said + `}`)
	f(`{"model":"plain","cache_control_injection_points":[{"location":"message","index":1}],`+said+`}`, `"text":"first","cache_control":{"type":"ephemeral"}`)
	if r := s.Post(chat, `{"model":"plain","cache_control_injection_points":[{"location":"there"}],`+said+`}`); r.Status != 400 ||
		!strings.Contains(r.Body, "cache_control_injection_points[0]: location must be message or tool_config") {
		t.Errorf("a wrong point: %d %s", r.Status, r.Body)
	}
}
