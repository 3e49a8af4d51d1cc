// Package toolchain compiles plugins: it knows which compilers a plugin project needs, finds them, and says what to
// install when they are not there. It runs nothing of what it compiles.
package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing is wrapped by errors that say which compiler is missing and how to get it.
var ErrMissing = errors.New("a compiler is missing")

// Language is what a plugin is written in.
type Language string

// The languages with an SDK.
const (
	Go   Language = "go"
	Rust Language = "rust"
)

// Project is a folder with the source of a plugin.
type Project struct {
	Dir    string
	Target string   // where Rust's intermediate files go; empty is "target" in the folder
	Env    []string // added to the environment of the compilers
}

// Language tells the language of a project by its build file.
func (p Project) Language() (Language, error) {
	info, err := os.Stat(p.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no folder %s", p.Dir)
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder: name the one with the plugin's source", p.Dir)
	}
	if p.has("Cargo.toml") {
		return Rust, nil
	}
	if p.has("go.mod") || p.has("main.go") {
		return Go, nil
	}
	return "", fmt.Errorf("%s holds neither go.mod, main.go nor Cargo.toml: name the folder with the plugin's source, or make one with 'sallyport plugin new'", p.Dir)
}

func (p Project) has(name string) bool {
	_, err := os.Stat(filepath.Join(p.Dir, name))
	return err == nil
}

// Build compiles the plugin to the file out. An error of the compiler holds what it printed.
func (p Project) Build(ctx context.Context, out string) error {
	lang, err := p.Language()
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	if lang == Rust {
		return p.buildRust(ctx, out)
	}
	return p.buildGo(ctx, out)
}

func (p Project) buildGo(ctx context.Context, out string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("%w: there is no command go in PATH: install Go (package golang, or the archive from go.dev/dl)", ErrMissing)
	}
	// Without paths and revisions in it, a module depends on its source alone, and so does its hash.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = p.Dir
	cmd.Env = append(append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm"), p.Env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", p.Dir, err, bytes.TrimSpace(text))
	}
	return nil
}

// WasmTarget is the target that Rust plugins are compiled for.
const WasmTarget = "wasm32-unknown-unknown"

// cargo is a pair of commands that belong together.
type cargo struct{ cargo, rustc string }

func (p Project) buildRust(ctx context.Context, out string) error {
	c, err := findCargo(ctx)
	if err != nil {
		return err
	}
	cmd := c.command(ctx, "build", "--release", "--target", WasmTarget, "--message-format", "json-render-diagnostics")
	cmd.Dir, cmd.Env = p.Dir, append(cmd.Env, p.Env...)
	if p.Target != "" {
		cmd.Env = append(cmd.Env, "CARGO_TARGET_DIR="+p.Target)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cargo build in %s: %w\n%s", p.Dir, err, bytes.TrimSpace(stderr.Bytes()))
	}
	module := artifact(stdout.Bytes())
	if module == "" {
		return fmt.Errorf("cargo build in %s made no .wasm file: Cargo.toml needs crate-type = [\"cdylib\"] in its section [lib]", p.Dir)
	}
	b, err := os.ReadFile(module)
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o644)
}

// Cargo returns a command that runs cargo with a compiler that has the WebAssembly target, such as for "test".
func Cargo(ctx context.Context, args ...string) (*exec.Cmd, error) {
	c, err := findCargo(ctx)
	if err != nil {
		return nil, err
	}
	return c.command(ctx, args...), nil
}

func (c cargo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.cargo, args...)
	path := filepath.Dir(c.cargo) + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = append(os.Environ(), "RUSTC="+c.rustc, "PATH="+path)
	return cmd
}

// artifact returns the last WebAssembly module that cargo's messages name: that of the package itself.
func artifact(messages []byte) string {
	found := ""
	for line := range bytes.Lines(messages) {
		var m struct {
			Reason    string
			Filenames []string
		}
		if json.Unmarshal(line, &m) != nil || m.Reason != "compiler-artifact" {
			continue
		}
		for _, name := range m.Filenames {
			if strings.HasSuffix(name, ".wasm") {
				found = name
			}
		}
	}
	return found
}

// findCargo looks for a compiler with the WebAssembly target: the one that CARGO and RUSTC name, else the first in
// PATH that has the target, for a machine may have one from rustup and one from its distribution.
func findCargo(ctx context.Context) (cargo, error) {
	seen := false
	for _, c := range cargos() {
		if !executable(c.cargo) || !executable(c.rustc) {
			continue
		}
		seen = true
		if c.hasTarget(ctx) {
			return c, nil
		}
	}
	const packages = "on Debian and Ubuntu: apt-get install cargo rustc libstd-rust-dev-wasm32 lld"
	if seen {
		return cargo{}, fmt.Errorf("%w: the Rust compiler has no target %s: with rustup: rustup target add %s; %s", ErrMissing, WasmTarget, WasmTarget, packages)
	}
	return cargo{}, fmt.Errorf("%w: there is no cargo and rustc in PATH: install Rust 1.63 or newer with the target %s; %s", ErrMissing, WasmTarget, packages)
}

func cargos() []cargo {
	if c, r := os.Getenv("CARGO"), os.Getenv("RUSTC"); c != "" && r != "" {
		return []cargo{{c, r}}
	}
	var list []cargo
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		if filepath.IsAbs(dir) {
			list = append(list, cargo{filepath.Join(dir, "cargo"), filepath.Join(dir, "rustc")})
		}
	}
	return list
}

func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

func (c cargo) hasTarget(ctx context.Context) bool {
	cmd := exec.CommandContext(ctx, c.rustc, "--print", "target-libdir", "--target", WasmTarget)
	out, err := cmd.Output()
	if err != nil {
		return false
	}
	libs, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "libstd-*.rlib"))
	return err == nil && len(libs) > 0
}
