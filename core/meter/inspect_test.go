package meter_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sallyport-ai/sallyport/core/meter"
)

func TestImportsAndExports(t *testing.T) {
	t.Parallel()
	module := wat{
		imports: []fn{{name: "log", params: []byte{i32, i64}, results: []byte{i32}}},
		funcs:   []fn{{name: "run", results: []byte{i32, i64}, code: []byte{unreachable}}},
		memory:  []byte{1, 2, 9},
		tables:  [][]byte{{funcref, 0, 3}},
		globals: [][]byte{{i32, 0, i32Const, 0, end}},
		exports: [][]byte{cat(str("memory"), []byte{2, 0}), cat(str("t"), []byte{1, 0}), cat(str("g"), []byte{3, 0}), cat(str("again"), []byte{0, 0})},
	}.bytes()
	imports, err := meter.Imports(module)
	if err != nil {
		t.Fatal(err)
	}
	exports, err := meter.Exports(module)
	if err != nil {
		t.Fatal(err)
	}
	log := meter.FuncType{Params: valueTypes(i32, i64), Results: valueTypes(i32)}
	wantImports := []meter.Import{{Module: "env", Name: "log", Type: log}}
	wantExports := []meter.Export{
		{Name: "run", Type: meter.FuncType{Results: valueTypes(i32, i64)}},
		{Name: "memory", Kind: meter.KindMemory, Memory: meter.Limits{Min: 2, Max: 9, HasMax: true}},
		{Name: "t", Kind: meter.KindTable, Table: meter.Table{Elem: meter.FuncRef, Limits: meter.Limits{Min: 3}}},
		{Name: "g", Kind: meter.KindGlobal},
		{Name: "again", Type: log},
	}
	if d := cmp.Diff(wantImports, imports, cmpopts.IgnoreUnexported(meter.Import{})); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(wantExports, exports); d != "" {
		t.Error(d)
	}
	if got := imports[0].Type.String() + " " + exports[0].Type.String(); got != "(i32,i64)->i32 ()->(i32,i64)" {
		t.Error(got)
	}
}

func TestImportsOfGoGuest(t *testing.T) {
	t.Parallel()
	imports, err := meter.Imports(goGuest(t))
	if err != nil || len(imports) == 0 {
		t.Fatal(imports, err)
	}
	for _, im := range imports {
		if im.Module != "wasi_snapshot_preview1" || im.Kind != meter.KindFunc {
			t.Errorf("%+v", im)
		}
	}
}

func TestCustomSection(t *testing.T) {
	t.Parallel()
	const manifest = `{"name":"x"}`
	module, err := meter.AppendCustomSection(fib(), "sallyport.manifest", []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	reads := func(module []byte, name, want string, wantOK bool) {
		t.Helper()
		got, ok, err := meter.CustomSection(module, name)
		if err != nil || ok != wantOK || string(got) != want {
			t.Errorf("%s: %q, %v, %v, want %q, %v", name, got, ok, err, want, wantOK)
		}
	}
	reads(module, "sallyport.manifest", manifest, true)
	reads(module, "sallyport", "", false)
	reads(rewrite(t, module), "sallyport.manifest", manifest, true)
	reads(body(0x12, 0), "x", "", false) // a module that is refused can be asked

	if _, err := meter.AppendCustomSection(module, "sallyport.manifest", nil); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("appended twice: %v", err)
	}
	twice := append(bytes.Clone(module), module[8:]...)
	if _, _, err := meter.CustomSection(twice, "sallyport.manifest"); !errors.Is(err, meter.ErrMalformed) {
		t.Errorf("two manifests: %v", err)
	}
	if _, _, err := meter.CustomSection([]byte("\x00asm\x0d\x00\x01\x00"), "x"); !errors.Is(err, meter.ErrComponent) {
		t.Errorf("component: %v", err)
	}
}

func TestPositionalSectionsAreDropped(t *testing.T) {
	t.Parallel()
	module := wat{customs: [][]byte{
		cat(str(".debug_info"), []byte{1}), cat(str("sourceMappingURL"), str("x")), cat(str("metadata.code.branch_hint"), []byte{0}),
		cat(str("reloc.CODE"), []byte{0}), cat(str("producers"), []byte{7}),
	}}.bytes()
	out := rewrite(t, module)
	for _, name := range []string{".debug_info", "sourceMappingURL", "metadata.code.branch_hint", "reloc.CODE"} {
		if _, ok, err := meter.CustomSection(out, name); ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if got, _, _ := meter.CustomSection(out, "producers"); !bytes.Equal(got, []byte{7}) {
		t.Errorf("producers became %v", got)
	}
}
