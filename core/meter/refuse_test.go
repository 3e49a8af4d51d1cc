package meter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
)

// raw is a module of the given sections.
func raw(sections ...[]byte) []byte { return append([]byte(magic), cat(sections...)...) }

// body is a module with one function ()->() of the given instructions, a
// memory, a table and a global.
func body(code ...byte) []byte {
	return wat{
		memory: []byte{0, 1}, tables: [][]byte{{funcref, 0, 1}}, globals: [][]byte{{i32, 1, i32Const, 0, end}},
		elements: [][]byte{{1, 0, 0}}, data: [][]byte{{1, 0}},
		funcs: []fn{{code: code}},
	}.bytes()
}

// refusals returns a function that checks one refusal.
func refusals(t *testing.T) func(name string, module []byte, kind error, says string) {
	return func(name string, module []byte, kind error, says string) {
		t.Helper()
		_, err := meter.Rewrite(module, options())
		var e *meter.Error
		if !errors.Is(err, kind) || !errors.As(err, &e) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %v with %q", name, err, kind, says)
		}
	}
}

// typeSection has one type, ()->().
func typeSection() []byte { return section(1, vec([]byte{0x60, 0, 0})) }

func TestOtherFormatsAreRefused(t *testing.T) {
	t.Parallel()
	refused := refusals(t)
	refused("nothing", nil, meter.ErrMalformed, "not a WebAssembly module")
	refused("text", []byte("(module)"), meter.ErrMalformed, "not a WebAssembly module")
	refused("version 2", []byte("\x00asm\x02\x00\x00\x00"), meter.ErrMalformed, "version")
	refused("component", []byte("\x00asm\x0d\x00\x01\x00"), meter.ErrComponent, "core module needed, build without the component model")
}

func TestFeaturesBeyondCore2AreRefusedByName(t *testing.T) {
	t.Parallel()
	refused := refusals(t)
	refused("tag section", raw(section(13, []byte{0})), meter.ErrUnsupported, "exception handling")
	refused("try", body(0x06, empty, end), meter.ErrUnsupported, "exception handling")
	refused("try_table", body(0x1f, empty, 0, end), meter.ErrUnsupported, "exception handling")
	refused("exnref", raw(section(1, vec([]byte{0x60, 1, 0x69, 0}))), meter.ErrUnsupported, "exception handling")
	refused("return_call", body(0x12, 0), meter.ErrUnsupported, "tail calls")
	refused("return_call_indirect", body(0x13, 0, 0), meter.ErrUnsupported, "tail calls")
	refused("call_ref", body(0x14, 0), meter.ErrUnsupported, "typed function references")
	refused("(ref 0)", raw(section(1, vec([]byte{0x60, 1, 0x64, 0, 0}))), meter.ErrUnsupported, "typed function references")
	refused("table with a value", raw(section(4, vec([]byte{0x40, 0, funcref, 0, 1, refNull, funcref, end}))), meter.ErrUnsupported, "typed function references")
	refused("atomic", body(0xfe, 3, 0), meter.ErrUnsupported, "threads")
	refused("shared memory", raw(section(5, vec([]byte{3, 1, 1}))), meter.ErrUnsupported, "threads")
	refused("64-bit memory", raw(section(5, vec([]byte{4, 1}))), meter.ErrUnsupported, "64-bit")
	refused("two memories", raw(section(5, vec([]byte{0, 1}, []byte{0, 1}))), meter.ErrUnsupported, "several memories")
	refused("memory index", body(memorySize, 1, drop), meter.ErrUnsupported, "several memories")
	refused("memory in memarg", body(i32Const, 0, i32Load8U, 0x40, 0, 0, drop), meter.ErrUnsupported, "several memories")
	refused("relaxed SIMD", body(simd, 0x80, 0x02), meter.ErrUnsupported, "relaxed SIMD")
	refused("struct type", raw(section(1, vec([]byte{0x5f, 0}))), meter.ErrUnsupported, "garbage-collected")
	refused("struct.new", body(0xfb, 0, 0), meter.ErrUnsupported, "garbage collection")
	refused("extended const", raw(section(6, vec([]byte{i32, 0, i32Const, 1, i32Const, 2, i32Add, end}))), meter.ErrUnsupported, "extended constant")
	refused("unknown opcode", body(0xff), meter.ErrUnsupported, "0xff")
	refused("unknown 0xfc", body(misc, 18), meter.ErrUnsupported, "0xfc 0x12")
	refused("unknown 0xfd", body(simd, 0x9a, 1), meter.ErrUnsupported, "0xfd 0x9a")
}

// TestGuestCannotNameWhatIsAdded: globals behind the last, functions, types,
// labels and locals, which exist only in the rewritten module.
func TestGuestCannotNameWhatIsAdded(t *testing.T) {
	t.Parallel()
	refused := refusals(t)
	types := typeSection()
	refused("fuel", body(globalGet, 1, drop), meter.ErrMalformed, "global 1 does not exist")
	refused("depth", body(i32Const, 0, globalSet, 2), meter.ErrMalformed, "global 2 does not exist")
	refused("exported fuel", wat{exports: [][]byte{{1, 'g', 3, 0}}}.bytes(), meter.ErrMalformed, "global 0 does not exist")
	refused("fuel in a constant", wat{globals: [][]byte{{i32, 0, globalGet, 1, end}}}.bytes(), meter.ErrMalformed, "global 1 does not exist")
	refused("function", body(call, 1), meter.ErrMalformed, "function 1 does not exist")
	refused("function that wraps", body(call, 0xff, 0xff, 0xff, 0xff, 0x0f), meter.ErrMalformed, "function 4294967295 does not exist")
	refused("ref.func", body(refFunc, 1, drop), meter.ErrMalformed, "function 1 does not exist")
	refused("exported function", wat{exports: [][]byte{{1, 'g', 0, 0}}}.bytes(), meter.ErrMalformed, "function 0 does not exist")
	refused("start", wat{start: []byte{0}}.bytes(), meter.ErrMalformed, "function 0 does not exist")
	refused("element", wat{elements: [][]byte{{1, 0, 1, 0}}}.bytes(), meter.ErrMalformed, "function 0 does not exist")
	refused("type of an import", raw(types, section(2, vec(cat(str("a"), str("b"), []byte{0, 1})))), meter.ErrMalformed, "type 1 does not exist")
	refused("type of a function", raw(types, section(3, vec([]byte{1}))), meter.ErrMalformed, "type 1 does not exist")
	refused("type of a block", body(block, 1, end), meter.ErrMalformed, "block type 1 does not exist")
	refused("type of a call", body(i32Const, 0, callIndirect, 1, 0), meter.ErrMalformed, "type 1 does not exist")
	refused("label", body(call, 0, br, 1), meter.ErrMalformed, "label 1 does not exist")
	refused("label of br_table", body(call, 0, i32Const, 0, brTable, 1, 0, 1), meter.ErrMalformed, "label 1 does not exist")
	refused("local", body(i32Const, 0, i32Const, 0, i32Const, 0, misc, 11, 0, localGet, 0, drop), meter.ErrMalformed, "local 0 does not exist")
	refused("table", body(i32Const, 0, callIndirect, 0, 1), meter.ErrMalformed, "table 1 does not exist")
}

// TestNothingIsRepaired has encodings that a rewriter could put right by
// accident, and then run what the engine would have refused.
func TestNothingIsRepaired(t *testing.T) {
	t.Parallel()
	refused := refusals(t)
	types := typeSection()
	refused("number of six bytes", raw(section(1, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0})), meter.ErrMalformed, "does not fit in 32 bits")
	refused("number with spare bits", raw(section(1, []byte{0x80, 0x80, 0x80, 0x80, 0x10})), meter.ErrMalformed, "does not fit in 32 bits")
	refused("constant of six bytes", body(i32Const, 0x80, 0x80, 0x80, 0x80, 0x80, 0, drop), meter.ErrMalformed, "does not fit in 32 bits")
	refused("constant with spare bits", body(i32Const, 0x80, 0x80, 0x80, 0x80, 0x70, drop), meter.ErrMalformed, "does not fit in 32 bits")
	refused("long constant with spare bits", body(i64Const, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e, drop), meter.ErrMalformed, "does not fit in 64 bits")
	refused("trailing bytes", raw(section(1, []byte{0, 0})), meter.ErrMalformed, "1 bytes are left over")
	refused("truncated section", raw([]byte{1, 5, 0}), meter.ErrMalformed, "section of 5 bytes")
	refused("section twice", raw(types, types), meter.ErrMalformed, "repeated or out of order")
	refused("sections out of order", raw(section(3, []byte{0}), types), meter.ErrMalformed, "repeated or out of order")
	refused("unknown section", raw(section(14, nil)), meter.ErrMalformed, "section id 14")
	refused("name section twice", wat{customs: [][]byte{str("name"), str("name")}}.bytes(), meter.ErrMalformed, "occurs twice")
	refused("name section cut off", wat{customs: [][]byte{cat(str("name"), []byte{1, 2, 1, 0})}}.bytes(), meter.ErrMalformed, "name section")
	refused("name that is not UTF-8", wat{customs: [][]byte{{1, 0xff}}}.bytes(), meter.ErrMalformed, "UTF-8")
	refused("no body", raw(types, section(3, vec([]byte{0}))), meter.ErrMalformed, "0 bodies for 1 functions")
	refused("wrong data count", raw(section(12, []byte{1})), meter.ErrMalformed, "1 data segments are announced")
	refused("second end", body(end), meter.ErrMalformed, "goes on behind its end")
	refused("else without if", body(block, empty, else_, end), meter.ErrMalformed, "else without if")
	refused("else twice", body(i32Const, 0, if_, empty, else_, else_, end), meter.ErrMalformed, "else without if")
	refused("open block", body(block, empty), meter.ErrMalformed, "ends too early")
	refused("padded block type", body(block, 0xc0, 0x7f, end), meter.ErrMalformed, "block type")
}

func TestSizesAndReservedNames(t *testing.T) {
	t.Parallel()
	refused := refusals(t)
	types := typeSection()
	refused("locals", raw(types, section(3, vec([]byte{0})), section(10, vec(sized([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, i32, end})))), meter.ErrLimit, "locals, at most 50000")
	refused("parameters", raw(section(1, vec(cat([]byte{0x60}, sized(slices.Repeat([]byte{i32}, 1001)), []byte{0})))), meter.ErrLimit, "1001 parameters")
	refused("table", wat{tables: [][]byte{{funcref, 0, 0x80, 0x80, 0x80, 0x01}}}.bytes(), meter.ErrLimit, "table elements")

	refused("tick", importing("sallyport", "tick"), meter.ErrReserved, "sallyport.tick")
	refused("deep", importing("sallyport", "deep"), meter.ErrReserved, "sallyport.deep")
}

func importing(module, name string) []byte {
	return raw(section(1, vec([]byte{0x60, 0, 0})), section(2, vec(cat(str(module), str(name), []byte{0, 0}))))
}

func TestErrorNamesThePlace(t *testing.T) {
	t.Parallel()
	module := body(0x12, 0)
	if module[0x33] != 0x12 {
		t.Fatal("the instruction is elsewhere")
	}
	_, err := meter.Rewrite(module, options())
	const want = "unsupported feature: code section, offset 0x33, function 0: uses tail calls: build for WebAssembly 2.0 without it"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	refused := func(o meter.Options) {
		t.Helper()
		if _, err := meter.Rewrite([]byte(magic), o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	refused(meter.Options{})
	refused(meter.Options{TickModule: "a"})
	refused(meter.Options{TickModule: "a", TickName: "b", DeepName: "b"})
	refused(meter.Options{TickModule: "a", TickName: "b", Quantum: -1})
	refused(meter.Options{TickModule: "a", TickName: "b", MaxDepth: -1})
	refused(meter.Options{TickModule: "a", TickName: "b", MaxDepth: 1<<30 + 1})

	// Only the names that are used are reserved.
	if _, err := meter.Rewrite(importing("sallyport", "deep"), meter.Options{TickModule: "sallyport", TickName: "tick"}); err != nil {
		t.Error(err)
	}
}
