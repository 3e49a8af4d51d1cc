package plugintest_test

import (
	"go/build"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// TestTinyGo compiles a guest with TinyGo, where that is installed, and runs its hook. TinyGo has //go:wasmexport, and
// -buildmode=c-shared for wasip1, since 0.34.
func TestTinyGo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tinygo"); err != nil {
		t.Skip(err)
	}
	module := filepath.Join(t.TempDir(), "empty.wasm")
	cmd := exec.CommandContext(t.Context(), "tinygo", "build", "-target=wasip1", "-buildmode=c-shared", "-o", module, ".")
	cmd.Dir = "testdata/empty"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := plugintest.Load(t, wasm.Settings{Path: module})
	if o := p.Request(t, llm.OpChat, []byte(`{"model":"m","messages":[]}`)); o.Err != nil || o.Reply != nil {
		t.Errorf("got %v, %v", o.Reply, o.Err)
	}
}

// TestGuestImports keeps what a guest compiles of the SDK to packages that TinyGo has whole
// (tinygo.org/docs/reference/lang-support/stdlib) and that do without reflection, which it has in part. runtime/debug is
// there for one call, which TinyGo has too (src/runtime/debug/debug.go).
func TestGuestImports(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"bytes", "encoding/binary", "errors", "math", "math/bits", "runtime/debug", "slices", "strconv", "strings", "time", "unicode",
		"unicode/utf8", "unsafe",
	}
	guest := build.Default
	guest.GOOS, guest.GOARCH, guest.CgoEnabled = "wasip1", "wasm", false
	for _, dir := range []string{"../abi", "../go", "../go/scan"} {
		p, err := guest.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Imports {
			if !slices.Contains(allowed, name) && !strings.HasPrefix(name, "github.com/sallyport-ai/sallyport/sdk/") {
				t.Errorf("%s imports %s", dir, name)
			}
		}
	}
}
