package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Sections are shown as they were written, and no secret with them.
func TestShown(t *testing.T) {
	t.Parallel()
	file := `
model_list: [{model_name: a, litellm_params: {model: openai/a, api_key: sk-very-secret, api_base: "https://user:pw@host/v1"}}]
general_settings: {master_key: os.environ/KEY, database_url: "postgres://u:pw@h/d", public_routes: [/a]}
environment_variables: {ANYTHING: value}
`
	cfg, _, err := Parse("config.yaml", []byte(file), Options{Environ: []string{"KEY=sk-1"}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(section string, want any) {
		t.Helper()
		if d := cmp.Diff(want, cfg.Shown(section)); d != "" {
			t.Errorf("%s (-want +got):\n%s", section, d)
		}
	}
	f("model_list", []any{map[string]any{"model_name": "a", "litellm_params": map[string]any{
		"model": "openai/a", "api_key": "****", "api_base": "https://****@host/v1"}}})
	f("general_settings", map[string]any{"master_key": "os.environ/KEY", "database_url": "****", "public_routes": []any{"/a"}})
	f("environment_variables", map[string]any{"ANYTHING": "****"})
	if cfg.Shown("router_settings") != nil {
		t.Error("an absent section is shown")
	}
}
