package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustParse loads a file from memory and fails the test on a mistake in it.
func mustParse(t *testing.T, yaml string, environ ...string) (*Config, *Report) {
	t.Helper()
	cfg, rep, err := Parse("c.yaml", []byte(yaml), Options{Dir: t.TempDir(), Environ: append([]string{"A=a"}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, rep
}

// write makes files below a new folder and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestIncludeJoinsListsAndReplacesTheRest(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"main.yaml":  "include: [sub/a.yaml]\nmodel_list: [{model_name: m, litellm_params: {model: x}}]\nrouter_settings: {num_retries: 1, timeout: 5}\n",
		"sub/a.yaml": "include: [b.yaml]\nmodel_list: [{model_name: a, litellm_params: {model: x}}]\nrouter_settings: {num_retries: 2}\n",
		"sub/b.yaml": "model_list:\n  - model_name: b\n    litellm_params: {model: x}\n",
	})
	cfg, rep, err := Load(Options{Path: filepath.Join(dir, "main.yaml"), Dir: dir, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range cfg.ModelList {
		names = append(names, m.ModelName)
	}
	if d := cmp.Diff([]string{"m", "a", "b"}, names); d != "" {
		t.Error(d)
	}
	if *cfg.RouterSettings.NumRetries != 2 || cfg.RouterSettings.Timeout != nil {
		t.Errorf("router_settings %+v: the included section must replace the whole", cfg.RouterSettings)
	}
	if got := cfg.Where("model_list[2].model_name"); got != filepath.Join(dir, "sub", "b.yaml")+":2" {
		t.Errorf("Where = %s", got)
	}
	if got := len(cfg.Files()); got != 3 {
		t.Errorf("%d files", got)
	}
	if rep.Count(Warning) == 0 {
		t.Error("the replaced section is not reported")
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	cfg, _ := mustParse(t, "model_list:\n  - model_name: m\n    litellm_params:\n      model: x\n      stop:\n        - a\nguardrails:\n  - guardrail_name: g\n    litellm_params:\n      guardrail: g.wasm\n      mode: pre_call\n      config:\n        deep:\n          er: 1\n")
	f := func(path, want string) {
		t.Helper()
		if got := cfg.Where(path); got != want {
			t.Errorf("Where(%q) = %q, want %q", path, got, want)
		}
	}
	f("model_list", "c.yaml:1")
	f("model_list[0]", "c.yaml:2")
	f("model_list[0].litellm_params.model", "c.yaml:4")
	f("model_list[0].litellm_params.not_there", "c.yaml:3")
	f("guardrails[0].litellm_params.guardrail", "c.yaml:10")
	f("guardrails[0].litellm_params.config.deep.er", "c.yaml:14")
	f("nowhere", "")
}

func TestReferences(t *testing.T) {
	t.Parallel()
	cfg, rep := mustParse(t, `
model_list:
  - model_name: m
    litellm_params:
      model: openai/x
      api_key: os.environ/KEY
      timeout: os.environ/TIMEOUT
      drop_params: os.environ/DROP
      stop: [os.environ/STOP, {deep: [os.environ/STOP]}]
      api_version: os.environ/GONE
      logit_bias: os.environ/GONE
`, "KEY=k", "TIMEOUT=2.5", "DROP=True", "STOP=s")
	p := cfg.ModelList[0].LiteLLMParams
	if p.APIKey.Reveal() != "k" || *p.Timeout != 2.5 || !*p.DropParams {
		t.Errorf("%+v", p)
	}
	if d := cmp.Diff(map[string]any{"stop": []any{"s", map[string]any{"deep": []any{"s"}}}}, p.Extra); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"api_version": "GONE", "logit_bias": "GONE"}, p.Unresolved); d != "" {
		t.Error(d)
	}
	if rep.Count(Warning) < 2 {
		t.Error("missing variables are not reported")
	}
}

func TestEnvironmentVariables(t *testing.T) {
	t.Parallel()
	cfg, _ := mustParse(t, `
environment_variables: {FIRST: os.environ/A, SECOND: os.environ/FIRST, GONE: os.environ/NOT_SET, B: 2, PORT: "81", LITELLM_LOG: INFO}
general_settings: {completion_model: os.environ/SECOND}
`, "B=1", "LITELLM_LOG=ERROR")
	if cfg.GeneralSettings.CompletionModel != "a" {
		t.Errorf("completion_model %q", cfg.GeneralSettings.CompletionModel)
	}
	if *cfg.Variables.Port != 81 || cfg.LogLevel().String() != "INFO" {
		t.Errorf("variables %+v", cfg.Variables)
	}
	applied := map[string]string{}
	if err := cfg.Env().Apply(func(k, v string) error { applied[k] = v; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"FIRST": "a", "SECOND": "a", "B": "2", "PORT": "81", "LITELLM_LOG": "INFO"}
	if d := cmp.Diff(want, applied); d != "" {
		t.Error(d)
	}
	failure := errors.New("refused")
	if err := cfg.Env().Apply(func(string, string) error { return failure }); !errors.Is(err, failure) {
		t.Error("Apply hides the error")
	}
}

func TestDotEnv(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{".env": "FROM_FILE=f\nBOTH=file\n", "bad/.env": "secret-value without a name\n"})
	f := func(environ []string, name, want string) {
		t.Helper()
		cfg, _, err := Parse("c.yaml", []byte("model_list: []"), Options{Dir: dir, Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Env().Get(name); got != want {
			t.Errorf("%v: %s = %q, want %q", environ, name, got, want)
		}
	}
	f([]string{}, "FROM_FILE", "f")
	f([]string{"BOTH=process"}, "BOTH", "process")
	f([]string{"LITELLM_MODE=PRODUCTION"}, "FROM_FILE", "")
	_, _, err := Load(Options{Dir: filepath.Join(dir, "bad"), Environ: []string{}})
	if err == nil || strings.Contains(err.Error(), "secret-value") || !strings.Contains(err.Error(), ".env") {
		t.Errorf("error %v must name the file and not quote it", err)
	}
}

func TestConfigFilePath(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a.yaml": "general_settings: {completion_model: a}", "b.yaml": "general_settings: {completion_model: b}"})
	environ := []string{"CONFIG_FILE_PATH=" + filepath.Join(dir, "a.yaml")}
	f := func(o Options, want string) {
		t.Helper()
		o.Dir = dir
		cfg, _, err := Load(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.GeneralSettings.CompletionModel; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Options{Environ: environ}, "a")
	f(Options{Environ: environ, Path: filepath.Join(dir, "b.yaml")}, "b")
	f(Options{Environ: []string{}}, "")
	if _, _, err := Load(Options{Path: filepath.Join(dir, "none.yaml"), Dir: dir, Environ: []string{}}); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("error %v must name the missing file", err)
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	cfg, _ := mustParse(t, `
_a: &a {rpm: 1, tpm: 2}
_b: &b {tpm: 3, weight: 4}
model_list:
  - model_name: m
    litellm_params: {<<: [*a, *b], model: x, rpm: 9}
`)
	p := cfg.ModelList[0].LiteLLMParams
	if *p.RPM != 9 || *p.TPM != 2 || *p.Weight != 4 {
		t.Errorf("rpm %d, tpm %d, weight %v", *p.RPM, *p.TPM, *p.Weight)
	}
}

func TestDeploymentKeysAreSorted(t *testing.T) {
	t.Parallel()
	cfg, _ := mustParse(t, model("temperature: 1, vendor_switch: true, aws_session_token: t, vertex_project: p, max_budget: 3"))
	p := cfg.ModelList[0].LiteLLMParams
	if d := cmp.Diff(map[string]any{"temperature": 1, "vendor_switch": true}, p.Extra); d != "" {
		t.Error("Extra:", d)
	}
	if d := cmp.Diff(map[string]any{"aws_session_token": Secret("t"), "vertex_project": "p"}, p.Other); d != "" {
		t.Error("Other:", d)
	}
	if p.MaxBudget == nil || *p.MaxBudget != 3 {
		t.Error("max_budget has a field of its own")
	}
}

func TestNullIsAbsent(t *testing.T) {
	t.Parallel()
	cfg, _ := mustParse(t, "litellm_settings:\ngeneral_settings: {master_key: null, completion_model: ~}\nrouter_settings: {timeout: null}\nmodel_list:\n", "LITELLM_MASTER_KEY=k")
	if cfg.GeneralSettings.MasterKey.Reveal() != "k" || cfg.RouterSettings.Timeout != nil || cfg.GeneralSettings.CompletionModel != "" {
		t.Errorf("%+v", cfg.GeneralSettings)
	}
}

func TestForModel(t *testing.T) {
	t.Parallel()
	temperature, timeout := 0.5, Seconds(30)
	cfg, _, err := ForModel(ModelFlags{
		Model: "openai/gpt-4o", Alias: "gpt", APIBase: "http://h", DropParams: true,
		RequestTimeout: &timeout, Temperature: &temperature,
	}, Options{Dir: t.TempDir(), Environ: []string{"CONFIG_FILE_PATH=/none", "LITELLM_MASTER_KEY=k"}})
	if err != nil {
		t.Fatal(err)
	}
	m := cfg.ModelList[0]
	if m.ModelName != "gpt" || m.LiteLLMParams.Model != "openai/gpt-4o" || m.LiteLLMParams.APIBase != "http://h" ||
		m.LiteLLMParams.Extra["temperature"] != 0.5 || !*cfg.LiteLLMSettings.DropParams ||
		*cfg.LiteLLMSettings.RequestTimeout != 30 || cfg.GeneralSettings.MasterKey.Reveal() != "k" {
		t.Errorf("%+v", cfg)
	}
	if _, _, err := ForModel(ModelFlags{Model: "m", APIBase: "h"}, Options{Dir: t.TempDir(), Environ: []string{}}); err == nil {
		t.Error("an api_base without a scheme is accepted")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	f := func(name, yaml, want string) {
		t.Helper()
		_, _, err := Parse("c.yaml", []byte(yaml), Options{Dir: t.TempDir(), Environ: []string{}})
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %.200v, want %q", name, err, want)
		}
	}
	f("size", "a: "+strings.Repeat("x", maxFileBytes), "larger than")
	f("depth", "_a: "+strings.Repeat("[", 200)+strings.Repeat("]", 200), "levels deep")
	f("complex key", "{[a]: b}", "plain word")
	f("merge of text", "_a: {<<: x}", "alias of a map")
	dir := write(t, map[string]string{})
	for i := range maxIncludeDepth + 3 {
		name := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(name, fmt.Appendf(nil, "include: [%d.yaml]", i+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := Load(Options{Path: filepath.Join(dir, "0.yaml"), Dir: dir, Environ: []string{}})
	if err == nil || !strings.Contains(err.Error(), "levels") {
		t.Errorf("deep includes: %v", err)
	}
}

func TestBadVariablesOfTheProcess(t *testing.T) {
	t.Parallel()
	f := func(pair, want string) {
		t.Helper()
		_, _, err := Load(Options{Dir: t.TempDir(), Environ: []string{pair}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", pair, err, want)
		}
	}
	f("LITELLM_LOG=LOUD", "DEBUG, INFO, WARNING, ERROR, CRITICAL")
	f("LITELLM_MODE=TEST", "DEV, PRODUCTION")
	f("PORT=http", "PORT: expected an integer")
	f("PORT=65536", "at most 65535")
	f("PORT=-1", "negative")
	f("SET_VERBOSE=perhaps", "SET_VERBOSE: expected a boolean")
}

func TestAmbientVariablesNeedNoAttention(t *testing.T) {
	t.Parallel()
	_, rep, err := Load(Options{Dir: t.TempDir(), Environ: []string{"HOSTNAME=box", "LITELLM_HOSTED_UI=x"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rep.Entries {
		if e.Path == "HOSTNAME" && e.Severity != Info || e.Path == "LITELLM_HOSTED_UI" && e.Severity != Warning {
			t.Errorf("%+v", e)
		}
	}
}
