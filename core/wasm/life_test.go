package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/telemetry"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// host makes a host whose metrics the test reads.
func host(t testing.TB) (*wasm.Host, func() string) {
	t.Helper()
	m := telemetry.NewMetrics()
	h, err := wasm.NewHost(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return h, func() string {
		text, _, err := m.Text()
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
}

// hosted loads a plugin with a host, and closes it when the test ends.
func hosted(t testing.TB, h *wasm.Host, s wasm.Settings) *plugintest.Plugin {
	t.Helper()
	p, err := h.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return plugintest.Wrap(p)
}

func contains(t testing.TB, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains(text, l) {
			t.Errorf("no %q in\n%s", l, text)
		}
	}
}

// ours keeps the lines of metrics that are ours.
func ours(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, "sallyport_") {
			b.WriteString(l)
		}
	}
	return b.String()
}

func TestKV(t *testing.T) {
	t.Parallel()
	h, _ := host(t)
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/fetcher"), Name: "a", Grants: wasm.Grants{KV: true}}
	p := hosted(t, h, s)
	s.Name = "b"
	other := hosted(t, h, s)
	s.Name, s.Grants.KV = "a", false
	without := hosted(t, h, s)
	says := func(p *plugintest.Plugin, ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says(p, "kv-get k", "false <nil>")
	says(p, "kv-set k "+strings.Repeat("v", 1000)+" 0", "<nil>")
	says(p, "kv-get k", strings.Repeat("v", 1000)+" true <nil>")
	says(other, "kv-get k", "false <nil>")
	says(p, "kv-add n 5", "5 <nil>")
	says(p, "kv-add n -7", "-2 <nil>")
	says(p, "kv-get n", "-2 true <nil>")
	says(p, "kv-add k 1", "0 kv: the key is empty or too long, or the value is not a number")
	says(p, "kv-get "+strings.Repeat("k", 2000), "false kv: the key is empty or too long, or the value is not a number")
	says(p, "kv-big", "kv: the value is too large, or the store is full")
	says(p, "kv-del k", "<nil>")
	says(p, "kv-del k", "<nil>")
	says(p, "kv-get k", "false <nil>")
	says(without, "kv-get n", "false kv: the store is not granted, or the manifest does not ask for it (caps.kv)")

	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { p.Chat(t, "m", "kv-many sum") })
	}
	all.Wait()
	says(p, "kv-add sum 0", "2000 <nil>")
}

func TestGuestMetrics(t *testing.T) {
	t.Parallel()
	h, text := host(t)
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/fetcher"), Name: "a", Grants: wasm.Grants{Metrics: true}}
	p := hosted(t, h, s)
	s.Name = "b"
	other := hosted(t, h, s)
	says := func(p *plugintest.Plugin, ask, want string) {
		t.Helper()
		if got := reply(p.Chat(t, "m", ask)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
	says(p, "metric count seen 2", "true")
	says(p, "metric count seen 0.5", "true")
	says(other, "metric count seen 1", "true")
	says(p, "metric gauge level -3", "true")
	says(p, "metric observe took 0.02", "true")
	says(p, "metric count seen -1", "false")
	says(p, "metric count seen NaN", "false")
	says(p, "metric gauge seen 1", "false")
	says(p, "metric count Bad-Name 1", "false")
	says(p, "metric count 9lives 1", "false")
	says(other, "metric observe level 1", "false")
	says(p, "metric-many", "61")
	contains(t, ours(text()),
		`sallyport_guest_seen_total{plugin="a"} 2.5`, `sallyport_guest_seen_total{plugin="b"} 1`, `sallyport_guest_level{plugin="a"} -3`,
		`sallyport_guest_took_count{plugin="a"} 1`)
	s.Name, s.Grants.Metrics = "c", false
	says(hosted(t, h, s), "metric count seen 1", "false")
}

func TestPluginMetrics(t *testing.T) {
	t.Parallel()
	h, text := host(t)
	s := wasm.Settings{Path: plugintest.Build(t, "testdata/fetcher"), Name: "a", Limits: wasm.Limits{Instances: 1, CPU: time.Second, Wall: time.Second}}
	p := hosted(t, h, s)
	for range 200 {
		if o := p.Chat(t, "m", "pass"); o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	p.Chat(t, "m", "clock")
	p.Chat(t, "m", "tell x")
	p.Chat(t, "m", "die")
	contains(t, ours(text()),
		`sallyport_plugin_call_duration_seconds_count{hook="request",plugin="a"} 203`,
		`sallyport_plugin_failures_total{hook="request",plugin="a",reason="crash"} 1`,
		`sallyport_plugin_failures_total{hook="request",plugin="a",reason="verdict"} 1`,
		`sallyport_plugin_verdicts_total{hook="request",plugin="a",verdict="respond"} 1`,
		`sallyport_plugin_fuel_total{hook="request",plugin="a"} `, `sallyport_plugin_cpu_seconds_total{hook="request",plugin="a"} `,
		`sallyport_plugin_circuit_open{plugin="a"} 0`) // the successor of the instance that died is being made
	p.Chat(t, "m", "pass")
	if got := ours(text()); strings.Contains(got, `memory_bytes{plugin="a"} 0`) || strings.Contains(got, `call_duration_seconds_sum{hook="request",plugin="a"} 0`+"\n") ||
		strings.Contains(got, `fuel_total{hook="request",plugin="a"} 0`) {
		t.Errorf("nothing was measured:\n%s", got)
	}
	contains(t, ours(text()), `sallyport_plugin_instances{plugin="a"} 1`)
}

// A reload that changes nothing about a plugin keeps it; whatever changes, however small, makes another.
func TestSharing(t *testing.T) {
	t.Parallel()
	h, text := host(t)
	path := plugintest.Build(t, "testdata/fetcher")
	secret := "one"
	settings := func(change ...func(*wasm.Settings)) wasm.Settings {
		s := wasm.Settings{
			Path: path, Name: "a", Config: map[string]any{},
			Grants: wasm.Grants{Secrets: []string{"FETCHER_KEY"}}, Secret: func(string) (string, bool) { return secret, true },
		}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	load := func(change ...func(*wasm.Settings)) *wasm.Plugin {
		t.Helper()
		p, err := h.Load(t.Context(), settings(change...))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := load()
	if again, third := load(), load(); again != first || third != first {
		t.Error("the same plugin was loaded twice")
	}
	differs := func(what string, change func(*wasm.Settings)) {
		t.Helper()
		p := load(change)
		if p == first {
			t.Errorf("another %s, the same plugin", what)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	differs("limit", func(s *wasm.Settings) { s.Limits.MemoryMB = 33 })
	differs("grant", func(s *wasm.Settings) { s.Grants.KV = true })
	differs("policy", func(s *wasm.Settings) { s.OnError = wasm.FailOpen })
	differs("secret", func(s *wasm.Settings) { s.Secret = func(string) (string, bool) { return "two", true } })
	differs("header", func(s *wasm.Settings) { s.Secrets = []string{"x"} })
	differs("file", func(s *wasm.Settings) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Path = t.TempDir() + "/f.wasm"
		b = append(b, 0, 3, 1, 'x', 'y') // a custom section
		if err := os.WriteFile(s.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := h.Load(t.Context(), settings(func(s *wasm.Settings) { s.SHA256 = strings.Repeat("0", 64) })); err == nil {
		t.Error("a plugin that is loaded escapes its pin")
	}
	for range 2 {
		if err := first.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	p := plugintest.Wrap(first)
	if o := p.Chat(t, "m", "pass"); o.Err != nil {
		t.Errorf("in use, and closed: %v", o.Err)
	}
	contains(t, text(), `sallyport_plugin_instances{plugin="a"} 1`)
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if o := p.Chat(t, "m", "pass"); !errors.Is(o.Err, wasm.ErrClosed) {
		t.Errorf("got %v", o.Err)
	}
	contains(t, text(), `sallyport_plugin_instances{plugin="a"} 0`)
	again := load()
	if again == first {
		t.Error("a closed plugin was handed out")
	}
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// WASI gives every plugin clocks, sleep and random numbers.
func TestClockAndRandom(t *testing.T) {
	t.Parallel()
	if got := reply(fetcher(t).Chat(t, "m", "clock")); got != "true true true" {
		t.Errorf("got %q", got)
	}
}

// A plugin that keeps dying is not called for a while, and says so once.
func TestCircuitOpens(t *testing.T) {
	t.Parallel()
	h, text := host(t)
	var log bytes.Buffer
	p := hosted(t, h, wasm.Settings{
		Path: plugintest.Build(t, "testdata/fetcher"), Name: "a", Limits: wasm.Limits{CPU: time.Second},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	for range 9 {
		p.Chat(t, "m", "pass")
	}
	for range 10 {
		if o := p.Chat(t, "m", "die"); !errors.Is(o.Err, wasm.ErrTrap) {
			t.Fatalf("got %v", o.Err)
		}
	}
	for range 3 {
		if o := p.Chat(t, "m", "pass"); !errors.Is(o.Err, wasm.ErrOpen) {
			t.Fatalf("got %v", o.Err)
		}
	}
	if n := strings.Count(log.String(), "keeps failing"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, log.String())
	}
	contains(t, text(), `sallyport_plugin_circuit_open{plugin="a"} 1`, `sallyport_plugin_refused_total{plugin="a",reason="circuit"} 3`)
}
