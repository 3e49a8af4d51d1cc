package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/apptest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// await asks for the metrics until they hold a text: exchanges are counted after their answer.
func await(t *testing.T, s *apptest.Server, want string) string {
	t.Helper()
	for {
		r := s.Get("/metrics")
		if r.Status == 200 && strings.Contains(r.Body, want) {
			return r.Body
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("no %s in %d %s", want, r.Status, r.Body)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	v := ut.New(t, ut.JSON(200, ut.Completion("x", "ok", 3, 2)), ut.JSON(200, ut.Completion("x", "ok", 3, 2)))
	const on = "\nlitellm_settings: {callbacks: [prometheus]}\n"
	s := apptest.Start(t, guarded(t, v, "default_on: true", "config: {words: [falcon]}"))
	if r := s.Get("/metrics"); r.Status != 404 {
		t.Fatalf("metrics that nobody asked for: %d %s", r.Status, r.Body)
	}
	yaml := guarded(t, v, "default_on: true", "config: {words: [falcon]}") + on
	s = apptest.Start(t, yaml)
	if r := s.Post(chat, ask("")); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	if r := s.Post(chat, strings.Replace(ask(""), "hi", "falcon", 1)); r.Status != 400 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	await(t, s, `status_code="400"`)
	text := await(t, s, `status_code="200"`)
	for _, want := range []string{
		`requested_model="m",route="/v1/chat/completions",status_code="200"`, "litellm_total_tokens_metric_total{", "go_goroutines ",
		`sallyport_plugin_call_duration_seconds_count{hook="request",plugin="words"} 2`,
		`sallyport_plugin_verdicts_total{hook="request",plugin="words",verdict="reject"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}

	// Counts go on over a reload, and so do the instances of a plugin about which nothing changed.
	s.Write(yaml + "router_settings: {num_retries: 1}\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if r := s.Post(chat, ask("")); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	text = await(t, s, `sallyport_plugin_call_duration_seconds_count{hook="request",plugin="words"} 3`)
	if !strings.Contains(text, `sallyport_plugin_instances{plugin="words"} 1`) {
		t.Errorf("the plugin was loaded again: %s", text)
	}
	s.Write(strings.Replace(yaml, "{callbacks: [prometheus]}", "{callbacks: [prometheus], require_auth_for_metrics_endpoint: true}", 1))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 401 {
		t.Errorf("without a key: %d", r.StatusCode)
	}
	if r := s.Get("/metrics/"); r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("with a key: %d %s", r.Status, r.Header.Get("Content-Type"))
	}
}

// What a plugin is granted reaches it from the configuration, and what is missing stops the start.
func TestGrants(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer service.Close()
	v := ut.New(t)
	guard := func(grants string) string {
		return one(v) + fmt.Sprintf(`
environment_variables: {FETCHER_KEY: the-secret}
guardrails:
  - guardrail_name: fetcher
    litellm_params: {guardrail: %s, mode: pre_call, default_on: true, %s}
`, plugintest.Build(t, "../wasm/testdata/fetcher"), grants)
	}
	says := func(s *apptest.Server, ask, want string) {
		t.Helper()
		r := s.Post(chat, `{"model":"m","messages":[{"role":"user","content":"`+ask+`"}]}`)
		if r.Status != 200 || !strings.Contains(r.Body, want) {
			t.Errorf("%s: %d %s, want %s", ask, r.Status, r.Body, want)
		}
	}
	s := apptest.Start(t, guard("grants: {http: ['"+service.URL+"'], secrets: [FETCHER_KEY], kv: true}"))
	says(s, "secret FETCHER_KEY", "the-secret true")
	says(s, "get "+service.URL+"/", "200  2 ok")
	says(s, "kv-add n 2", "2 <nil>")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	says(s, "kv-add n 3", "5 <nil>")
	says(apptest.Start(t, guard("grants: {}")), "secret FETCHER_KEY", " false")
	_, err := apptest.Try(t, guard("grants: {secrets: [FETCHER_OTHER]}"))
	if err == nil || !strings.Contains(err.Error(), "FETCHER_OTHER is not set") {
		t.Errorf("got %v", err)
	}
}
