package meter_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
)

// wazeroDir is where the module cache keeps wazero with its test modules.
func wazeroDir(t testing.TB) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestCorpus rewrites every module that wazero ships, most of them from the
// specification's test suite: what is valid stays valid, what is not does not
// become so.
func TestCorpus(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("validates some 8000 modules twice")
	}
	valid := validator(t)
	var files, kept, beyond, refused, stillInvalid int
	err := filepath.WalkDir(wazeroDir(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".wasm" {
			return err
		}
		files++
		module, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		opts := options()
		opts.MaxTable = 1 << 27
		out, rewriteErr := meter.Rewrite(module, opts)
		before := valid(module)
		switch {
		case before == nil && errors.Is(rewriteErr, meter.ErrUnsupported) && strings.Contains(path, "typed-function-references"):
			beyond++ // wazero lets parts of this proposal through
		case before == nil && rewriteErr != nil:
			t.Errorf("%s: valid, but refused: %v", path, rewriteErr)
		case before == nil:
			if after := valid(out); after != nil {
				t.Errorf("%s: no longer valid: %v", path, after)
			}
			kept++
		case rewriteErr != nil:
			refused++
		case valid(out) == nil:
			t.Errorf("%s: became valid, was: %v", path, before)
		default:
			stillInvalid++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files: %d valid and still valid, %d valid beyond core 2.0 and refused, %d invalid and refused here, %d invalid, rewritten and still invalid",
		files, kept, beyond, refused, stillInvalid)
	if kept < 2500 || refused+stillInvalid < 4000 {
		t.Error("the corpus is smaller than it was: the test proves less than it should")
	}
}

// validator returns a function that says whether wazero accepts a module.
func validator(t testing.TB) func([]byte) error {
	t.Helper()
	rt := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter())
	ctx := t.Context()
	t.Cleanup(func() { rt.Close(ctx) })
	return func(module []byte) error {
		c, err := rt.CompileModule(ctx, module)
		if err == nil {
			err = c.Close(ctx)
		}
		return err
	}
}

func options() meter.Options {
	return meter.Options{TickModule: "sallyport", TickName: "tick", DeepName: "deep"}
}
