package plugintool_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/plugintool"
	"github.com/sallyport-ai/sallyport/core/toolchain"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// offline is the environment of a machine without a network. The checksum database and other proxies are out, too.
func offline() []string {
	return []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off", "CARGO_NET_OFFLINE=true"}
}

// project makes a project, runs its tests, and compiles it, without a network.
func project(t *testing.T, lang toolchain.Language, hook string) (dir, module string) {
	t.Helper()
	n := plugintool.NewProject{Name: "my-" + hook, Lang: lang, Hook: hook, Dir: filepath.Join(t.TempDir(), "my")}
	dir, files, err := n.Create()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Errorf("made %v only", files)
	}
	target := t.TempDir()
	var test *exec.Cmd
	if lang == toolchain.Rust {
		test, err = toolchain.Cargo(t.Context(), "test", "--quiet")
		plugintest.NeedCompiler(t, err)
		test.Env = append(test.Env, "CARGO_TARGET_DIR="+target, "RUSTFLAGS=-Dwarnings")
	} else {
		test = exec.CommandContext(t.Context(), "go", "test", "./...")
		test.Env = os.Environ()
	}
	test.Dir, test.Env = dir, append(test.Env, offline()...)
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("the tests of the project: %v\n%s", err, out)
	}
	module = filepath.Join(t.TempDir(), "my.wasm")
	if err := (toolchain.Project{Dir: dir, Target: target, Env: offline()}).Build(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	return dir, module
}

func read(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestProjects goes the way of an author with every project there is: new, test, build, inspect, try, measure.
func TestProjects(t *testing.T) {
	t.Parallel()
	for _, lang := range []toolchain.Language{toolchain.Go, toolchain.Rust} {
		t.Run(string(lang)+"/request", func(t *testing.T) {
			t.Parallel()
			dir, module := project(t, lang, "request")
			r, err := plugintool.Inspect(module)
			if err != nil || r.Problem != "" {
				t.Fatalf("problem %q, error %v", r.Problem, err)
			}
			trial := plugintool.Trial{Settings: wasm.Settings{Path: module}, Request: read(t, dir, "request.json")}
			o, err := trial.Run(t.Context())
			if err != nil || o.Verdict != plugintool.Reject || o.Status != 400 || !strings.Contains(o.Message, "not allowed") {
				t.Errorf("got %+v, error %v", o, err)
			}
			trial.Settings.Config = map[string]any{"words": []any{"other"}}
			if o, err := trial.Run(t.Context()); err != nil || o.Verdict != plugintool.Continue {
				t.Errorf("got %+v, error %v", o, err)
			}
			m, err := plugintool.Bench{Trial: trial, Calls: 200}.Run(t.Context())
			if err != nil || m.Verdict != plugintool.Continue || m.MedianUS <= 0 || m.GuestUS <= 0 || m.MemoryBytes == 0 || m.ViewBytes < 100 {
				t.Errorf("got %+v, error %v", m, err)
			}
		})
		t.Run(string(lang)+"/response", func(t *testing.T) {
			t.Parallel()
			dir, module := project(t, lang, "response")
			trial := plugintool.Trial{Settings: wasm.Settings{Path: module}, Response: read(t, dir, "response.json")}
			o, err := trial.Run(t.Context())
			want := []plugintool.Change{{Path: "choices.0.message.content", Before: []string{"The secret is out."}, After: []string{"The *** is out."}}}
			if err != nil || o.Verdict != plugintool.Edit || !cmp.Equal(o.Changes, want) {
				t.Errorf("got %+v, error %v", o, err)
			}
			trial.Response = nil
			if _, err := trial.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--response") {
				t.Errorf("got %v", err)
			}
		})
		t.Run(string(lang)+"/auth", func(t *testing.T) {
			t.Parallel()
			dir, module := project(t, lang, "auth")
			config, err := plugintool.Config(filepath.Join(dir, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			ask := func(header, want string) *plugintool.Outcome {
				t.Helper()
				trial := plugintool.Trial{Settings: wasm.Settings{Path: module, Config: config}}
				if header != "" {
					trial.Headers = []string{header}
				}
				o, err := trial.Run(t.Context())
				if err != nil || o.Verdict != want {
					t.Fatalf("%q: got %+v, error %v", header, o, err)
				}
				return o
			}
			var text bytes.Buffer
			if err := ask("Authorization: Bearer key-of-ada", plugintool.Allow).Write(&text); err != nil || !strings.Contains(text.String(), "UserID\n  + ada\n") {
				t.Errorf("error %v, got\n%s", err, &text)
			}
			if o := ask("Authorization: Bearer x", plugintool.Reject); o.Status != 401 {
				t.Errorf("got %+v", o)
			}
			ask("", plugintool.Pass)
		})
	}
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
	mistake(`the hook "paint": there is one for auth,`, plugintool.NewProject{Name: "x", Hook: "paint"})
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
		"sha256       " + r.SHA256, "plugin       keyword-guard 1.0.0\n", "hooks        request\n", "needs        texts\n",
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
	o, err := plugintool.Trial{Settings: settings, Request: []byte(body)}.Run(t.Context())
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
	fails("the request: ", plugintool.Trial{Request: []byte("{")})
	fails("path /v1/x: ", plugintool.Trial{Path: "/v1/x"})
	fails("is not of the form 'name: value'", plugintool.Trial{Headers: []string{"x"}})
	fails(`there is no hook "paint"`, plugintool.Trial{Hook: "paint"})
	fails("the plugin has no hook auth: its manifest names request", plugintool.Trial{Hook: "auth"})
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
