package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// TestHostilePlugin has a guardrail end in every way that a guest can, in front of a gateway that others use meanwhile. Each
// refuses the one request and no other, tells the caller nothing of what went on, and the next call has a fresh instance.
func TestHostilePlugin(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 1, 1)))
	s := apptest.Start(t, one(v)+fmt.Sprintf(`
guardrails:
  - guardrail_name: probe
    litellm_params: {guardrail: %s, mode: pre_call, limits: {cpu_ms: 300, wall_ms: 3000, instances: 2}}
litellm_settings: {callbacks: [prometheus]}
`, plugintest.Build(t, "../wasm/testdata/probe")))
	guarded := func(text string) *apptest.Response { return s.Post(chat, says(text, `,"guardrails":["probe"]`)) }
	for _, ask := range []string{"panic", "exit", "spin", "sleep", "deadlock", "recurse", "hog", "random", "ask", "fail"} {
		var others sync.WaitGroup
		for range 4 {
			others.Go(func() {
				if r := s.Post(chat, says("hello", "")); r.Status != 200 {
					t.Errorf("beside %s: %d %s", ask, r.Status, r.Body)
				}
			})
		}
		r := guarded(ask)
		if e := readError(t, r.Body); r.Status != 500 || e.Error.Message != "Guardrail probe failed, so the request was refused." {
			t.Errorf("%s: %d %s", ask, r.Status, r.Body)
		}
		others.Wait()
		if r := guarded("continue"); r.Status != 200 {
			t.Errorf("after %s: %d %s", ask, r.Status, r.Body)
		}
	}
	text := await(t, s, `sallyport_plugin_failures_total{hook="request",plugin="probe",reason="verdict"} 1`)
	for _, want := range []string{
		`sallyport_plugin_call_duration_seconds_count{hook="request",plugin="probe"} 20`,
		`sallyport_plugin_call_duration_seconds_sum{hook="request",plugin="probe"} `,
		`sallyport_plugin_failures_total{hook="request",plugin="probe",reason="crash"} `,
		`sallyport_plugin_failures_total{hook="request",plugin="probe",reason="cpu"} `,
		`sallyport_plugin_cpu_seconds_total{hook="request",plugin="probe"} `,
		`sallyport_plugin_fuel_total{hook="request",plugin="probe"} `,
		`sallyport_plugin_memory_bytes{plugin="probe"} `,
		`sallyport_plugin_instances{plugin="probe"} `,
		`sallyport_plugin_circuit_open{plugin="probe"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}
