package plugintool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/plugintool"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
	"github.com/sallyport-ai/sallyport/sdk/tck"
)

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNewMistakes(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mistake := func(want string, n plugintool.NewProject) {
		t.Helper()
		if _, _, err := n.Create(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", n, err, want)
		}
	}
	mistake(`the name ""`, plugintool.NewProject{})
	mistake(`the name "../x"`, plugintool.NewProject{Name: "../x"})
	mistake(`the name "Plugin"`, plugintool.NewProject{Name: "Plugin"})
	mistake(`the language "python": it is go or rust`, plugintool.NewProject{Name: "x", Lang: "python"})
	mistake(`the hook "paint": there is one for auth, failure, key_generate`, plugintool.NewProject{Name: "x", Hook: "paint"})
	mistake("is not empty", plugintool.NewProject{Name: "x", Dir: full})
}

// TestGoVersion compares what a project demands with what this repository is built with.
func TestGoVersion(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(read(t, "..", "..", "go.mod"))
	if m == nil || string(m[1]) != plugintool.GoVersion {
		t.Errorf("go.mod says %s, projects say %s", m, plugintool.GoVersion)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	module := plugintest.Build(t, "../../plugins/keyword-guard")
	r, err := plugintool.Inspect(module)
	if err != nil {
		t.Fatal(err)
	}
	var text, asJSON bytes.Buffer
	if err := errors.Join(r.Write(&text), r.WriteJSON(&asJSON)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"sha256       " + r.SHA256, "plugin       keyword-guard 1.", "hooks        request, stream_chunk\n", "needs        texts, media\n",
		"capabilities none asked for\n", "imports      wasi_snapshot_preview1: ", "exports      ", "sp_call",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	for _, want := range []string{`"sp_call(i32,i32,i32)->i64"`, `"random_get(i32,i32)->i32"`, `"start_bytes": `} {
		if !strings.Contains(asJSON.String(), want) {
			t.Errorf("no %q in\n%s", want, &asJSON)
		}
	}

	file := filepath.Join(t.TempDir(), "x.wasm")
	problem := func(want string, module []byte) {
		t.Helper()
		if err := os.WriteFile(file, module, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := plugintool.Inspect(file)
		if err == nil {
			err = errors.New(r.Problem)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	problem("sp_call", []byte("\x00asm\x01\x00\x00\x00"))
	problem(file, []byte("not a module"))
	problem(file, nil)
}

// TestTrial shows what the tool says of edits, of broken requests, and of hooks it cannot run.
func TestTrial(t *testing.T) {
	t.Parallel()
	module := plugintest.Build(t, "../../plugins/keyword-guard")
	body := "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"one\\na secret\\nthree\"}]}"
	settings := wasm.Settings{Path: module, Config: map[string]any{"words": "secret", "action": "mask"}}
	o, err := plugintool.Trial{Settings: settings, Input: plugintool.Input{Request: []byte(body)}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.TookUS = 0
	var text bytes.Buffer
	if err := o.Write(&text); err != nil {
		t.Fatal(err)
	}
	want := "request: edit (0 µs)\n  messages.0.content\n  - a secret\n  + a ***\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	o, err = plugintool.Trial{Settings: settings, View: []byte{}, Hook: "request"}.Run(t.Context())
	if err != nil || o.Verdict != plugintool.Continue || o.Records != "" {
		t.Errorf("an empty view: %+v, error %v", o, err)
	}
	o, err = plugintool.Trial{Settings: settings, View: []byte{1, 2}, Hook: "request"}.Run(t.Context())
	if err != nil || o.Verdict != plugintool.Failed || !strings.Contains(o.Message, "cut off") || !strings.Contains(o.Records, "64 verdict") {
		t.Errorf("a broken view: %+v, error %v", o, err)
	}

	fails := func(want string, tr plugintool.Trial) {
		t.Helper()
		tr.Settings = settings
		if _, err := tr.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", tr, err, want)
		}
	}
	fails("the request: ", plugintool.Trial{Input: plugintool.Input{Request: []byte("{")}})
	fails("path /v1/x: ", plugintool.Trial{Input: plugintool.Input{Path: "/v1/x"}})
	fails(`there is no hook "paint": there are auth, `, plugintool.Trial{Hook: "paint"})
	fails("the plugin has no hook auth: its manifest names request", plugintool.Trial{Hook: "auth"})
	settings.Path = "nowhere.wasm"
	fails("there is no such file: nowhere.wasm; sallyport plugin build makes one", plugintool.Trial{})
}

// TestTrialRetry shows a hook that has a model asked again, whole, in a stream and by itself.
func TestTrialRetry(t *testing.T) {
	t.Parallel()
	schema := map[string]any{"schema": map[string]any{"type": "object", "required": []any{"a"}}, "action": "retry"}
	settings := wasm.Settings{Path: plugintest.Build(t, "../../plugins/json-schema"), Config: schema}
	answer := `{"choices":[{"index":0,"message":{"role":"assistant","content":"{}"},"finish_reason":"stop"}]}`
	o, err := plugintool.Trial{Settings: settings, Hook: "response", Input: plugintool.Input{Response: json.RawMessage(answer)}}.Run(t.Context())
	if err != nil || o.Verdict != plugintool.Retry || o.Status != 422 || len(o.Changes) == 0 || o.Changes[0].Path != "ask" {
		t.Errorf("got %+v, %v", o, err)
	}
	if !slices.Contains(plugintool.Verdicts(), plugintool.Retry) {
		t.Error("--expect retry is not known")
	}
	o, err = plugintool.Trial{Settings: wasm.Settings{Path: plugintest.Build(t, "../../sdk/tck/guests/go")}, Hook: "response", View: view(t, "response", "retry")}.Run(t.Context())
	if err != nil || o.Verdict != plugintool.Retry {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = plugintool.Trial{
		Settings: wasm.Settings{Path: plugintest.Build(t, "../../sdk/tck/guests/go")}, Hook: "stream_chunk",
		Input: plugintool.Input{Request: json.RawMessage(`{"model":"retry","messages":[]}`), Stream: []json.RawMessage{json.RawMessage(`"hello"`)}},
	}.Run(t.Context())
	said := fmt.Sprint(o)
	if err != nil || len(o.Steps) == 0 || !strings.Contains(fmt.Sprint(o.Steps), "retry") || o.Verdict != plugintool.Reject {
		t.Errorf("got %s, %v", said, err)
	}
}

func view(t *testing.T, hook, name string) []byte {
	t.Helper()
	cases, err := tck.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.Hook.String() == hook && c.Name == name {
			return c.View
		}
	}
	t.Fatalf("there is no case %s %s", hook, name)
	return nil
}

// TestTrialAuth shows whom an auth hook lets in, with all limits.
func TestTrialAuth(t *testing.T) {
	t.Parallel()
	o, err := plugintool.Trial{
		Settings: wasm.Settings{Path: plugintest.Build(t, "../../sdk/tck/guests/go")}, Hook: "auth",
		Input: plugintool.Input{Headers: map[string]string{"Authorization": "Bearer limits"}},
	}.Run(t.Context())
	if err != nil || o.Verdict != plugintool.Allow {
		t.Fatalf("got %+v, %v", o, err)
	}
	var text bytes.Buffer
	if err := o.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"limits.api_key.max_budget\n  + 4.5", "limits.api_key.budget_duration\n  + 30d", "limits.api_key.budget_reset_at\n  + 2023-11-14T22:13:20.000001Z",
		"limits.api_key.spend\n  + 0.25", "limits.user.rpm_limit\n  + 0", "limits.team.max_budget\n  + 0", "limits.model_per_key m2.rpm_limit\n  + 14",
		"limits.model_per_end_user m1.max_budget\n  + 17", "expires\n  + 2023-11-14T", "blocked\n  + true", "aliases.a\n  + m1", "allowed_model_region\n  + eu",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s\nlacks %q", text.String(), want)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	is := func(before, after string, want ...plugintool.Change) {
		t.Helper()
		if diff := cmp.Diff(want, plugintool.Diff([]byte(before), []byte(after))); diff != "" {
			t.Errorf("%s to %s: -want +got\n%s", before, after, diff)
		}
	}
	change := func(path, before, after string) plugintool.Change {
		c := plugintool.Change{Path: path}
		if before != "" {
			c.Before = strings.Split(before, "|")
		}
		if after != "" {
			c.After = strings.Split(after, "|")
		}
		return c
	}
	is(`{"a":1}`, `{"a":1}`)
	is(`{"a":1}`, `{ "a" : 1 }`)
	is(`{"a":1}`, `{"a":2}`, change("a", "1", "2"))
	is(`{"a":"x","b.c":[1,2]}`, `{"b.c":[1,3,{}],"d":null}`,
		change("a", "x", ""), change(`b\.c.1`, "2", "3"), change(`b\.c.2`, "", "{}"), change("d", "", "null"))
	is(`{"a":"1\n2\n3"}`, `{"a":"1\nx\ny\n3"}`, change("a", "2", "x|y"))
	is(`not json`, `neither`, change("body", "not json", "neither"))
	is(``, `{"a":[]}`, change("a", "", "[]"))
}

// FuzzDiff compares foreign documents: nothing panics, and equal ones do not differ.
func FuzzDiff(f *testing.F) {
	f.Add(`{"a":[1,{"b":null}]}`, `{"a":[1,{"b":"x"}]}`)
	f.Fuzz(func(t *testing.T, before, after string) {
		plugintool.Diff([]byte(before), []byte(after))
		if c := plugintool.Diff([]byte(before), []byte(before)); c != nil {
			t.Fatalf("%q differs from itself: %v", before, c)
		}
	})
}
