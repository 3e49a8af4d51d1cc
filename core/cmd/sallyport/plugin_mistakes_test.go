package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// TestPluginMistakes makes the mistakes of a newcomer. What is said names the thing and what to do about it.
func TestPluginMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	module, err := os.ReadFile(plugintest.Build(t, "../../wasm/testdata/version"))
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := put("good.wasm", module)
	says := func(code int, want string, args ...string) {
		t.Helper()
		out, errs := sallyport(t, code, "", args...)
		if all := out + errs; !strings.Contains(all, want) || strings.Contains(all, "goroutine ") {
			t.Errorf("%q: no %q in\n%s", args, want, all)
		}
	}
	// What is no module, for each command that takes one.
	for _, command := range []string{"inspect", "test", "bench"} {
		says(exitFailed, "there is no such file: nowhere.wasm; sallyport plugin build makes one", command, "nowhere.wasm")
		says(exitFailed, "is a folder: sallyport plugin build", command, dir)
		says(exitFailed, "text.wasm is not a WebAssembly module: sallyport plugin build makes one", command, put("text.wasm", []byte("(module)")))
		says(exitFailed, "is not a WebAssembly module", command, put("zero.wasm", nil))
		says(exitFailed, "section of ", command, put("cut.wasm", module[:1000]))
		says(exitFailed, "does not export sp_call: it is no plugin", command, put("empty.wasm", []byte("\x00asm\x01\x00\x00\x00")))
		says(exitFailed, "this is a component", command, put("component.wasm", []byte("\x00asm\x0d\x00\x01\x00")))
	}
	// A manifest with a mistake. Each change has the length of what it replaces.
	manifest := func(want, from, to string) {
		t.Helper()
		if bytes.Count(module, []byte(from)) != 1 || len(to) > len(from) {
			t.Fatalf("%s is not in the module once", from)
		}
		path := put("manifest.wasm", bytes.Replace(module, []byte(from), []byte(to+strings.Repeat(" ", len(from)-len(to))), 1))
		for _, command := range []string{"inspect", "test", "bench"} {
			says(exitFailed, want, command, path)
		}
	}
	manifest(`hook "stare": this gateway has auth, `, `"hooks": ["request", "stream_chunk"]`, `"hooks": ["request", "stare"]`)
	manifest(`"hooks" is empty`, `"hooks": ["request", "stream_chunk"]`, `"hooks": []`)
	manifest(`need "text"`, `"needs": ["texts"],`, `"needs": ["text"],`)
	manifest(`unknown field "caps2"`, `"needs": ["texts"],`, `"caps2": {},`)
	manifest(`unknown field "x"`, `"needs": ["texts"],`, `"caps":{"x":true},`)
	manifest("built for ABI 9", `"major": 1`, `"major": 9`)
	manifest(`this gateway reads 1`, `"sallyport.manifest": 1`, `"sallyport.manifest": 7`)
	manifest(`"name" is missing`, `"name": "version",`, ``)
	manifest("the module has no manifest", `"name": "version",`, `"name": version,`)

	// What a plugin is tried on.
	request := put("request.json", []byte(`{"model":"m","messages":[{"role":"user","content":"which"}]}`))
	config := func(want, content string) {
		t.Helper()
		says(exitFailed, want, "test", good, "--request", request, "--config", put("config.yaml", []byte(content)))
	}
	config("a plugin's config is a block of settings, such as {words: [secret]}", "[1]")
	config("neither JSON nor YAML", "{")
	config(`unknown setting "colour"`, "colour: red")
	says(exitFailed, "no such file", "test", good, "--request", request, "--config", "nowhere.yaml")
	says(exitFailed, "ends too early", "test", good, "--request", put("r.json", []byte(`{"messages":`)))
	says(exitFailed, "not a JSON object", "test", good, "--request", put("r.json", []byte(`[]`)))
	says(exitFailed, `there is no member "model"`, "test", good, "--input", request)
	says(exitFailed, "the plugin has no hook response: its manifest names request", "test", good, "--hook", "response")
	says(exitFailed, `there is no hook "paint": there are auth`, "test", good, "--hook", "paint")
	says(exitFailed, "the hook sees requests to chat/completions", "test", good, "--path", "/nope")
	says(exitFailed, "limits.memory_mb is -1: it must be at least 1", "test", good, "--memory-mb", "-1")
	says(exitFailed, "to start, it is given 1: set limits.memory_mb", "test", good, "--memory-mb", "1")
	says(exitFailed, "limits.cpu_ms is -1: it must be at least 1", "test", good, "--cpu-ms", "-1")
	says(exitUsage, "must be an integer", "bench", good, "-n", "many")
	says(exitUsage, "2 arguments were given", "test", good, good)

	// Projects.
	says(exitFailed, "is not a folder: name the one with the plugin's source", "build", good)
	says(exitFailed, "holds neither go.mod, main.go nor Cargo.toml", "build", dir)
	says(exitFailed, `the name "My Plugin": a plugin's name is made of lower case letters`, "new", "My Plugin", "--dir", filepath.Join(dir, "x"))
	says(exitFailed, `"python": it is go or rust`, "new", "x", "--lang", "python", "--dir", filepath.Join(dir, "x"))
	says(exitFailed, "exists and is not empty: name another folder with --dir", "new", "x", "--dir", dir)
	says(exitUsage, `there is no command "plugin biuld"`, "biuld")
}
