package toolchain_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/toolchain"
)

// folder makes a folder with empty files.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	is := func(want toolchain.Language, mistake string, dir string) {
		t.Helper()
		got, err := toolchain.Project{Dir: dir}.Language()
		if got != want || (err == nil) != (mistake == "") || err != nil && !strings.Contains(err.Error(), mistake) {
			t.Errorf("got %q, error %v, want %q %q", got, err, want, mistake)
		}
	}
	is(toolchain.Go, "", folder(t, "go.mod"))
	is(toolchain.Go, "", folder(t, "main.go"))
	is(toolchain.Rust, "", folder(t, "Cargo.toml"))
	is("", "neither go.mod, main.go nor Cargo.toml", folder(t))
	is("", "there is no folder", filepath.Join(folder(t), "x"))
	is("", "is not a folder", filepath.Join(folder(t, "main.go"), "main.go"))
}

func TestMissing(t *testing.T) {
	fails := func(want string, p toolchain.Project) {
		t.Helper()
		err := p.Build(t.Context(), filepath.Join(t.TempDir(), "x.wasm"))
		if !errors.Is(err, toolchain.ErrMissing) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	fails("no command go in PATH", toolchain.Project{Dir: folder(t, "go.mod")})
	t.Setenv("CARGO", "/nowhere/cargo")
	t.Setenv("RUSTC", "/nowhere/rustc")
	fails("libstd-rust-dev-wasm32", toolchain.Project{Dir: folder(t, "Cargo.toml")})
	tools := folder(t, "cargo", "rustc")
	t.Setenv("CARGO", filepath.Join(tools, "cargo"))
	t.Setenv("RUSTC", filepath.Join(tools, "rustc"))
	fails("rustup target add wasm32-unknown-unknown", toolchain.Project{Dir: folder(t, "Cargo.toml")})
}

func TestBrokenSource(t *testing.T) {
	t.Parallel()
	dir := folder(t, "go.mod")
	write := func(name, body string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module broken\n")
	write("main.go", "package main\n\nfunc main() { undefined() }\n")
	err := toolchain.Project{Dir: dir, Env: []string{"GOFLAGS=-mod=mod", "GOPROXY=off"}}.Build(t.Context(), filepath.Join(dir, "x.wasm"))
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") || errors.Is(err, toolchain.ErrMissing) {
		t.Errorf("got %v", err)
	}
}
