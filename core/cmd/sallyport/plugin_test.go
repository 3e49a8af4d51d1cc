package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sallyport runs `sallyport plugin` with the arguments.
func sallyport(t *testing.T, code int, input string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := (plugins{strings.NewReader(input), &out, &errs}).run(t.Context(), args); got != code {
		t.Fatalf("%q: exit status %d, want %d\n%s%s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// TestPluginCommands goes the way of README.md of a new project: new, build, inspect, test, bench.
func TestPluginCommands(t *testing.T) {
	for _, v := range []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off"} {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	dir := filepath.Join(t.TempDir(), "no-secrets")
	module, request := filepath.Join(dir, "no-secrets.wasm"), filepath.Join(dir, "request.json")
	has := func(text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("no %q in\n%s", w, text)
			}
		}
	}
	out, _ := sallyport(t, 0, "", "new", "no-secrets", "--dir", dir)
	has(out, "README.md", "main.go", "cd "+dir)
	out, _ = sallyport(t, 0, "", "build", dir)
	has(out, module, "sha256 ")
	out, _ = sallyport(t, 0, "", "inspect", module)
	has(out, "plugin       no-secrets 0.1.0\n", "hooks        request\n")
	out, _ = sallyport(t, 0, "", "inspect", module, "--json")
	var report struct{ SHA256 string }
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.SHA256) != 64 {
		t.Errorf("got %q, error %v", report.SHA256, err)
	}

	out, _ = sallyport(t, 0, "", "test", module, "--request", request, "--expect", "reject")
	has(out, "request: reject, status 400", "  message: This request holds a word that is not allowed.\n")
	_, errs := sallyport(t, exitFailed, "", "test", module, "--request", request, "--expect", "continue")
	has(errs, "the verdict is reject, not continue")
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("words: [aurora]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = sallyport(t, 0, `{"messages":[{"role":"user","content":"a secret"}]}`, "test", module, "--request", "-", "--config", config, "--trace")
	has(out, "request: continue", "# view of request", "49 text", `# "a secret"`, "# result, 0 bytes")
	out, _ = sallyport(t, 0, "", "test", "--hook", "request", "--example")
	out, _ = sallyport(t, 0, out, "test", module, "--input", "-", "--status", "429", "--header", "X-A: b", "--path", "/v1/chat/completions")
	has(out, "request: reject, status 400")
	out, _ = sallyport(t, 0, "", "bench", module, "--request", request, "-n", "100")
	has(out, "request hook, 100 calls, verdict reject", "units of metering", "MB an instance")
}

func TestPluginUsage(t *testing.T) {
	t.Parallel()
	says := func(want string, code int, args ...string) {
		t.Helper()
		if _, errs := sallyport(t, code, "", args...); !strings.Contains(errs, want) {
			t.Errorf("%q: no %q in\n%s", args, want, errs)
		}
	}
	says("sallyport plugin inspect FILE", exitUsage)
	says("sallyport plugin inspect FILE", exitUsage, "paint")
	says("sallyport plugin inspect FILE", 0, "--help")
	for _, name := range []string{"new", "build", "inspect", "test", "bench"} {
		says("Usage: sallyport plugin "+name, 0, name, "--help")
		says("unknown flag: --paint", exitUsage, name, "--paint")
	}
	says("0 arguments were given", exitUsage, "new")
	says("no such file", exitFailed, "inspect", "nowhere.wasm")
	says("there is no folder nowhere", exitFailed, "build", "nowhere")
	says("no such file", exitFailed, "test", "x.wasm", "--request", "nowhere.json")
	says("--expect maybe: it is one of continue", exitFailed, "test", "x.wasm", "--expect", "maybe")
	says("there is no such file", exitFailed, "test", "nowhere.wasm")
	says("no such file", exitFailed, "test", "x.wasm", "--input", "nowhere.json")
	says("is not of the form 'name: value'", exitFailed, "test", "x.wasm", "--header", "x")
	says(`there is no hook "paint": there are auth, failure`, exitFailed, "test", "--hook", "paint", "--example")
	says("-n 0: it is 1 to", exitFailed, "bench", "x.wasm", "-n", "0")
}
