package meter_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
)

// FuzzRewrite checks that Rewrite does not change whether a module is valid.
// A refusal needs no check: what wazero thinks of the rest is TestCorpus's
// concern, and some of what is refused here would make it allocate without
// bound.
func FuzzRewrite(f *testing.F) {
	for _, module := range [][]byte{
		scanLoop(), fib(), copies(), body(nop), countdown(100), importing("a", "b"),
		body(i32Const, 0, i32Const, 0, i32Const, 1, misc, 12, 0, 0),
		body(simd, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, simd, 21, 0, drop),
		wat{customs: [][]byte{cat(str("name"), []byte{1}, sized(vec(cat(u32(0), str("f")))))}}.bytes(),
		[]byte("\x00asm\x0d\x00\x01\x00"),
	} {
		f.Add(module)
	}
	addSpecModules(f)
	valid := validator(f)
	f.Fuzz(func(t *testing.T, module []byte) {
		out, err := meter.Rewrite(module, options())
		if err != nil {
			return
		}
		before, after := valid(module), valid(out)
		if before != nil && strings.Contains(before.Error(), "failed to read custom section") {
			return // wazero refuses an empty section at the end, which is no longer at the end
		}
		if (before == nil) != (after == nil) {
			t.Errorf("validity changed: before %v, after %v", before, after)
		}
	})
}

// addSpecModules adds a few small modules of the specification's test suite.
func addSpecModules(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(wazeroDir(f), "internal/integration_test/spectest/v2/testdata/*.0.wasm"))
	if err != nil || len(files) == 0 {
		f.Fatal("no spec modules", err)
	}
	for _, file := range files {
		module, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(module) < 1000 {
			f.Add(module)
		}
	}
}
