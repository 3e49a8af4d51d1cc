package plugintest

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/wasm"
)

// LoadExample loads a plugin the way the first configuration in a README says: with the config block, the limits and the
// grants of its first guardrail, or of its first provider. Secrets that are granted have the value "example-NAME". So an
// example that lacks a grant or has a misspelt setting fails the test.
func LoadExample(t testing.TB, path, readme string) *Plugin {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("%s has no block of yaml", readme)
	}
	cfg, _, err := config.Parse(readme, []byte(block), config.Options{Dir: t.TempDir(), Environ: []string{"OPENAI_API_KEY=sk-example"}})
	if err != nil {
		t.Fatal(err)
	}
	var o config.PluginOptions
	switch {
	case len(cfg.Guardrails) > 0:
		o = cfg.Guardrails[0].Params.PluginOptions
	case len(cfg.LiteLLMSettings.CustomProviderMap) > 0:
		o = cfg.LiteLLMSettings.CustomProviderMap[0].PluginOptions
	default:
		t.Fatalf("%s: the first block names no plugin", readme)
	}
	s := wasm.Settings{
		Path: path, Config: maps.Clone(o.Config), Secret: func(name string) (string, bool) { return "example-" + name, true },
		Grants: wasm.Grants{HTTP: o.Grants.HTTP, Networks: o.Grants.Networks, KV: o.Grants.KV, Secrets: o.Grants.Secrets, Metrics: o.Grants.Metrics, Prompts: o.Grants.Prompts},
	}
	if o.Limits.WallMS != nil {
		s.Limits.Wall = time.Duration(*o.Limits.WallMS) * time.Millisecond
	}
	if o.Limits.MemoryMB != nil {
		s.Limits.MemoryMB = *o.Limits.MemoryMB
	}
	return Load(t, s)
}
