package plugintool_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/plugintool"
	"github.com/sallyport-ai/sallyport/core/toolchain"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// offline is the environment of a machine without a network. The checksum database and other proxies are out, too.
func offline() []string {
	return []string{
		"GOFLAGS=-mod=mod -trimpath", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off", "CARGO_NET_OFFLINE=true",
		"RUSTFLAGS=-Dwarnings",
	}
}

func create(t *testing.T, lang toolchain.Language, hook, dir string) (name string) {
	t.Helper()
	name = "my-" + strings.ReplaceAll(hook, "_", "-")
	_, files, err := plugintool.NewProject{Name: name, Lang: lang, Hook: hook, Dir: filepath.Join(dir, name)}.Create()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6 {
		t.Errorf("made %v only", files)
	}
	return name
}

func run(t *testing.T, dir string, cmd *exec.Cmd) {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Dir, cmd.Env = dir, append(cmd.Env, offline()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s in %s: %v\n%s", cmd, filepath.Base(dir), err, out)
	}
}

// TestGoProjects makes a project for each hook without a network, runs its tests, compiles it, and does what its README
// says.
func TestGoProjects(t *testing.T) {
	t.Parallel()
	for _, hook := range plugintool.Hooks() {
		t.Run(hook, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir := filepath.Join(top, create(t, toolchain.Go, hook, top))
			run(t, dir, exec.CommandContext(t.Context(), "go", "vet", "./..."))
			run(t, dir, exec.CommandContext(t.Context(), "go", "test", "./..."))
			if out, err := exec.CommandContext(t.Context(), "gofmt", "-l", dir).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("gofmt: %v\n%s", err, out)
			}
			module := filepath.Join(t.TempDir(), "my.wasm")
			if err := (toolchain.Project{Dir: dir, Env: offline()}).Build(t.Context(), module); err != nil {
				t.Fatal(err)
			}
			explore(t, dir, module)
		})
	}
}

// TestRustProject does the same for one project in Rust, as it is made.
func TestRustProject(t *testing.T) {
	t.Parallel()
	top, target := t.TempDir(), t.TempDir()
	dir := filepath.Join(top, create(t, toolchain.Rust, "request", top))
	test, err := toolchain.Cargo(t.Context(), "test", "--quiet")
	plugintest.NeedCompiler(t, err)
	test.Env = append(test.Env, "CARGO_TARGET_DIR="+target)
	run(t, dir, test)
	module := filepath.Join(t.TempDir(), "my.wasm")
	if err := (toolchain.Project{Dir: dir, Target: target, Env: offline()}).Build(t.Context(), module); err != nil {
		t.Fatal(err)
	}
	explore(t, dir, module)
}

// TestRustProjects does the same for all projects in Rust, which share one copy of the SDK here, so that it is compiled
// once.
func TestRustProjects(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	var names []string
	for _, hook := range plugintool.Hooks() {
		name := create(t, toolchain.Rust, hook, top)
		names = append(names, name)
		file := filepath.Join(top, name, "Cargo.toml")
		toml := string(read(t, file))
		_, profile, _ := strings.Cut(toml, "[profile.release]")
		toml = strings.Replace(toml, `path = "sallyport"`, `path = "../`+names[0]+`/sallyport"`, 1)
		write(t, file, strings.TrimSuffix(toml, "[profile.release]"+profile))
		write(t, filepath.Join(top, "Cargo.toml"),
			fmt.Sprintf("[workspace]\nresolver = \"2\"\nmembers = [\"%s\"]\n\n[profile.release]%s", strings.Join(names, `", "`), profile))
	}
	test, err := toolchain.Cargo(t.Context(), "test", "--workspace", "--exclude", "sallyport", "--quiet")
	plugintest.NeedCompiler(t, err)
	run(t, top, test)
	build, err := toolchain.Cargo(t.Context(), "build", "--workspace", "--exclude", "sallyport", "--quiet", "--release", "--target", toolchain.WasmTarget)
	plugintest.NeedCompiler(t, err)
	run(t, top, build)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			module := strings.ReplaceAll(name, "-", "_") + ".wasm"
			explore(t, filepath.Join(top, name), filepath.Join(top, "target", toolchain.WasmTarget, "release", module))
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// explore does with a compiled project what its README says. What the hooks do is the same in every language: it is in
// testdata/projects.txtar.
func explore(t *testing.T, dir, module string) {
	t.Helper()
	r, err := plugintool.Inspect(module)
	if err != nil || r.Problem != "" {
		t.Fatalf("problem %q, error %v", r.Problem, err)
	}
	golden, err := txtar.ParseFile("testdata/projects.txtar")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(read(t, dir, "README.md"))
	commands := regexp.MustCompile(`(?m)^sallyport plugin test (\S+) (.*)$`).FindAllStringSubmatch(readme, -1)
	if len(commands) == 0 {
		t.Error("the README tries nothing")
	}
	for _, c := range commands {
		trial := plugintool.Trial{Settings: wasm.Settings{Path: module, Name: strings.TrimSuffix(c[1], ".wasm")}}
		flags(t, dir, &trial, strings.Fields(c[2]))
		o, err := trial.Run(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		o.TookUS = 0
		var text strings.Builder
		if err := o.Write(&text); err != nil {
			t.Fatal(err)
		}
		got := regexp.MustCompile(`chatcmpl-[0-9a-f-]{36}|"created":\d+`).ReplaceAllString(text.String(), "...")
		got = strings.ReplaceAll(got, `\u000a`, `\n`) // JSON has both, and each SDK one of them
		want := ""
		for _, f := range golden.Files {
			if f.Name == c[0] {
				want = string(f.Data)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c[0], diff)
		}
		m, err := plugintool.Bench{Trial: trial, Calls: 20}.Run(t.Context())
		if err != nil || m.Verdict != o.Verdict || m.MinUS <= 0 || m.GuestMinUS <= 0 || m.MemoryBytes == 0 || m.HooksPerCall < 1 {
			t.Errorf("%s: measured %+v, error %v", c[0], m, err)
		}
	}
	configured(t, readme)
}

// flags does what the flags of a command do.
func flags(t *testing.T, dir string, trial *plugintool.Trial, args []string) {
	t.Helper()
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "--hook":
			trial.Hook = args[i+1]
		case "--input":
			in, err := plugintool.ReadInput(filepath.Join(dir, args[i+1]))
			if err != nil {
				t.Fatal(err)
			}
			trial.Input = *in
		case "--request":
			trial.Input.Request = read(t, dir, args[i+1])
		case "--response":
			if err := trial.Input.SetResponse(read(t, dir, args[i+1])); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("the README uses the flag %s", args[i])
		}
	}
}

// configured reads the configuration that a README shows. Nothing in it may be unknown or without effect.
func configured(t *testing.T, readme string) {
	t.Helper()
	_, rest, _ := strings.Cut(readme, "```yaml\n")
	block, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Error("the README shows no configuration")
	}
	if !strings.Contains(block, "model_list:") {
		block += "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: none}}]\n"
	}
	_, report, err := config.Parse("config.yaml", []byte(block), config.Options{
		Dir: t.TempDir(), Environ: []string{"OPENAI_API_KEY=sk-1", "VENDOR_API_KEY=key", "LITELLM_MASTER_KEY=sk-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range report.Entries {
		if entry.Severity != config.Info {
			t.Error(entry.OneLine())
		}
	}
}
