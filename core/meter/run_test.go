package meter_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
)

// outcome is how a call ended.
type outcome struct {
	results []uint64
	err     error
	ticks   int
}

// runWith rewrites a module and calls one of its functions. The host ends the
// guest at the tick after most.
func runWith(t *testing.T, cfg wazero.RuntimeConfig, module []byte, o meter.Options, most int, export string, args ...uint64) outcome {
	t.Helper()
	out, err := meter.Rewrite(module, o)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{most: most, quantum: 100}
	mod := instantiate(t, cfg, out, h)
	h.ticks = 0
	var got outcome
	got.results, got.err = mod.ExportedFunction(export).Call(t.Context(), args...)
	got.ticks = h.ticks
	return got
}

func one(f fn) []byte {
	f.name = "f"
	return wat{memory: []byte{0, 1}, tables: [][]byte{{funcref, 0, 1}}, funcs: []fn{f}, elements: [][]byte{{0, i32Const, 0, end, 1, 0}}}.bytes()
}

func TestEndlessLoopsAreEnded(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		ended := func(code ...byte) {
			t.Helper()
			got := runWith(t, cfg, one(fn{code: code}), options(), 5, "f")
			if !errors.Is(got.err, errKilled) || got.ticks != 6 {
				t.Errorf("% x: %v after %d ticks, want it ended at tick 6", code, firstLine(got.err), got.ticks)
			}
		}
		ended(loop, empty, br, 0, end)
		ended(loop, empty, i32Const, 0, brTable, 0, 0, end)
		ended(block, empty, loop, empty, i32Const, 1, brIf, 0, end, end)
		ended(loop, empty, loop, empty, br, 1, end, end)
		ended(loop, empty, i32Const, 0, if_, empty, else_, br, 1, end, end)
	})
}

// TestBranchingRecursionIsEnded has no loop and is never deep, but calls itself
// 2^200 times.
func TestBranchingRecursionIsEnded(t *testing.T) {
	t.Parallel()
	twice := []byte{
		localGet, 0, i32Eqz, if_, empty, return_, end,
		localGet, 0, i32Const, 1, i32Sub, call, 0,
		localGet, 0, i32Const, 1, i32Sub, call, 0,
	}
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		ended := func(before ...byte) {
			t.Helper()
			module := one(fn{params: []byte{i32}, code: slices.Concat(before, twice)})
			got := runWith(t, cfg, module, options(), 50, "f", 200)
			if !errors.Is(got.err, errKilled) {
				t.Errorf("% x: %v", before, firstLine(got.err))
			}
		}
		ended()
		ended(block, empty, loop, empty, end, end) // charged in the loop, not at the entry
		ended(i32Const, 0, if_, empty, loop, empty, end, end)
		ended(block, empty, br, 0, loop, empty, end, end)
		ended(block, empty, i32Const, 1, brIf, 0, loop, empty, end, end)
		ended(block, empty, i32Const, 0, brTable, 0, 0, loop, empty, end, end)
	})
}

func TestRecursionIsBounded(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		deep := func(f fn, o meter.Options, want string) {
			t.Helper()
			got := runWith(t, cfg, one(f), o, 1<<30, "f")
			if got.err == nil || !strings.Contains(got.err.Error(), want) {
				t.Errorf("% x: %v, want %s", f.code, firstLine(got.err), want)
			}
		}
		o := options()
		o.MaxDepth = 1000 // the interpreter allows 2000 itself
		deep(fn{code: []byte{call, 0}}, o, errDeep.Error())
		deep(fn{code: []byte{i32Const, 0, callIndirect, 0, 0}}, o, errDeep.Error())
		deep(fn{code: []byte{block, empty, loop, empty, call, 0, br, 0, end, end}}, o, errDeep.Error())
		o.DeepName = ""
		deep(fn{code: []byte{call, 0}}, o, "wasm error: unreachable")
	})
}

// countdown recurses n deep with a frame of the given size.
func countdown(locals int) []byte {
	return one(fn{
		params: []byte{i32}, locals: locals,
		code: []byte{localGet, 0, if_, empty, localGet, 0, i32Const, 1, i32Sub, call, 0, end},
	})
}

func TestDepthIsExact(t *testing.T) {
	t.Parallel()
	o := options()
	o.MaxDepth = 100
	depth := func(locals, n int, want error) {
		t.Helper()
		got := runWith(t, wazero.NewRuntimeConfigInterpreter(), countdown(locals), o, 1<<30, "f", uint64(n))
		if !errors.Is(got.err, want) {
			t.Errorf("%d calls with %d locals: %v, want %v", n+1, locals, firstLine(got.err), want)
		}
	}
	depth(0, 99, nil)
	depth(0, 100, errDeep)
	depth(62, 99, nil)
	depth(63, 49, nil) // with the parameter 64: counts for two
	depth(63, 50, errDeep)
	depth(6400, 0, errDeep)
}

// TestDepthIsGivenBack calls a function in a loop that leaves in every way a
// function can be left; were one of them forgotten, the depth would add up.
func TestDepthIsGivenBack(t *testing.T) {
	t.Parallel()
	o := options()
	o.MaxDepth = 3
	leaf := fn{code: []byte{nop}}
	caller := fn{name: "f", code: cat(
		[]byte{i32Const}, s32(1000), []byte{localSet, 0},
		[]byte{loop, empty, call, 0, localGet, 0, i32Const, 1, i32Sub, localTee, 0, brIf, 0, end},
	), locals: 1}
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		given := func(results []byte, drops int, code ...byte) {
			t.Helper()
			c := caller
			c.code = slices.Replace(slices.Clone(c.code), slices.Index(c.code, call)+2, slices.Index(c.code, call)+2, slices.Repeat([]byte{drop}, drops)...)
			module := wat{funcs: []fn{{results: results, code: code}, leaf, c}}.bytes()
			got := runWith(t, cfg, module, o, 1<<30, "f")
			if got.err != nil {
				t.Errorf("% x: %v", code, firstLine(got.err))
			}
		}
		given(nil, 0, call, 1)
		given(nil, 0, call, 1, return_)
		given(nil, 0, call, 1, br, 0)
		given(nil, 0, call, 1, i32Const, 1, brIf, 0, unreachable)
		given(nil, 0, call, 1, i32Const, 0, brTable, 1, 0, 0)
		given(nil, 0, call, 1, block, empty, loop, empty, return_, end, end)
		given(nil, 0, call, 1, i32Const, 1, if_, empty, br, 1, else_, unreachable, end)
		given([]byte{i32}, 1, call, 1, i32Const, 7)
		given([]byte{i32}, 1, call, 1, i32Const, 7, return_)
		given([]byte{i32, i64}, 2, call, 1, i32Const, 7, i64Const, 8)
		given([]byte{i32, i64}, 2, call, 1, i32Const, 7, i64Const, 8, return_)
		given([]byte{i32, i64}, 2, call, 1, block, empty, i32Const, 7, i64Const, 8, br, 1, end, unreachable)
	})
}

func TestFuelIsExact(t *testing.T) {
	t.Parallel()
	ticks := func(quantum, n, want int) {
		t.Helper()
		o := options()
		o.Quantum = int32(quantum)
		got := runWith(t, wazero.NewRuntimeConfigInterpreter(), scanLoop(), o, 1<<30, "scan", uint64(n))
		if got.err != nil || got.ticks != want {
			t.Errorf("%d iterations with a first quantum of %d: %d ticks, %v, want %d", n, quantum, got.ticks, got.err, want)
		}
	}
	ticks(1000, 999, 0)
	ticks(1000, 1000, 1)
	ticks(1000, 1099, 1) // the host of the test gives 100 after the first
	ticks(1000, 1100, 2)
	ticks(0, meter.DefaultQuantum-1, 0)
	ticks(0, meter.DefaultQuantum, 1)
}

// TestLongCodeIsCharged shows that work without loops is paid for.
func TestLongCodeIsCharged(t *testing.T) {
	t.Parallel()
	charged := func(name string, module []byte, arg uint64, atLeast, atMost int) {
		t.Helper()
		o := options()
		o.Quantum = 100
		got := runWith(t, wazero.NewRuntimeConfigInterpreter(), module, o, 1<<30, "f", arg)
		if got.err != nil || got.ticks < atLeast || got.ticks > atMost {
			t.Errorf("%s: %d ticks of 100 units, %v, want %d to %d", name, got.ticks, got.err, atLeast, atMost)
		}
	}
	nops := slices.Repeat([]byte{nop}, 64_000)
	charged("a long leaf", one(fn{params: []byte{i32}, code: nops}), 0, 1, 1)
	charged("a short leaf", one(fn{params: []byte{i32}, code: nops[:60]}), 0, 0, 0)
	charged("a long loop body", one(fn{params: []byte{i32}, code: cat(
		[]byte{loop, empty}, nops[:6400], []byte{localGet, 0, i32Const, 1, i32Sub, localTee, 0, brIf, 0, end},
	)}), 10, 9, 11)
	fill := []byte{i32Const, 0, i32Const, 1}
	fill = cat(fill, []byte{i32Const}, s32(65536), []byte{misc, 11, 0}) // 256 units
	charged("bulk operations", one(fn{params: []byte{i32}, code: slices.Repeat(fill, 10)}), 0, 10, 10)
	charged("memory.grow", one(fn{params: []byte{i32}, code: slices.Repeat([]byte{i32Const, 0, memoryGrow, 0, drop}, 1000)}), 0, 1, 2)
	charged("table.grow", one(fn{params: []byte{i32}, code: []byte{refNull, funcref, i32Const, 0xff, 0x1f, misc, 15, 0, drop}}), 0, 1, 1)
}

func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	grow := func(tables [][]byte, by int32, want int32) {
		t.Helper()
		o := options()
		o.MaxTable = 100
		module := wat{tables: tables, funcs: []fn{{name: "f", results: []byte{i32}, code: cat(
			[]byte{refNull, funcref, i32Const}, s32(by), []byte{misc, 15, 0},
		)}}}.bytes()
		got := runWith(t, wazero.NewRuntimeConfigInterpreter(), module, o, 1<<30, "f")
		if got.err != nil || int32(got.results[0]) != want {
			t.Errorf("%v grown by %d: %v, %v, want %d", tables, by, got.results, got.err, want)
		}
	}
	grow([][]byte{{funcref, 0, 10}}, 90, 10)
	grow([][]byte{{funcref, 0, 10}}, 91, -1)
	grow([][]byte{{funcref, 1, 10, 20}}, 11, -1)
	grow([][]byte{{funcref, 0, 10}, {funcref, 0, 50}}, 20, 10)
	grow([][]byte{{funcref, 0, 10}, {funcref, 0, 50}}, 21, -1)

	_, err := meter.Rewrite(wat{tables: [][]byte{{funcref, 0, 60}, {funcref, 0, 60}}}.bytes(), meter.Options{TickModule: "a", TickName: "b", MaxTable: 100})
	if !errors.Is(err, meter.ErrLimit) {
		t.Errorf("two tables of 60 elements with a limit of 100: %v", err)
	}
}

// TestIndicesAreRenumbered has a function index in every place where there can
// be one, and an import before them.
func TestIndicesAreRenumbered(t *testing.T) {
	t.Parallel()
	number := func(n byte) fn { return fn{results: []byte{i32}, code: []byte{i32Const, n}} }
	start := fn{code: []byte{i32Const, 50, globalSet, 0}}
	sum := fn{name: "f", results: []byte{i32}, code: []byte{
		call, 1, // 1, by name
		i32Const, 0, callIndirect, 2, 0, i32Add, // 2, by an element that is an index
		i32Const, 1, callIndirect, 2, 0, i32Add, // 4, by an element that is an expression
		i32Const, 2, globalGet, 1, 0x26, 0, // table.set from a global with ref.func
		i32Const, 2, callIndirect, 2, 0, i32Add, // 8
		i32Const, 2, refFunc, 5, 0x26, 0,
		i32Const, 2, callIndirect, 2, 0, i32Add, // 16, by ref.func in code
		globalGet, 0, i32Add, // 50, from the start function
	}}
	module := wat{
		imports: []fn{{name: "unused", params: []byte{i64}}},
		funcs:   []fn{number(1), number(2), number(4), number(8), number(16), start, sum},
		tables:  [][]byte{{funcref, 0, 3}},
		globals: [][]byte{{i32, 1, i32Const, 0, end}, {funcref, 0, refFunc, 4, end}},
		start:   []byte{6},
		elements: [][]byte{
			{0, i32Const, 0, end, 1, 2},
			{4, i32Const, 1, end, 1, refFunc, 3, end},
			{3, 0, 1, 5},
		},
		exports: [][]byte{cat(str("four"), []byte{0, 3})},
	}
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		rt := wazero.NewRuntimeWithConfig(t.Context(), cfg)
		defer rt.Close(t.Context())
		h := &host{most: 1 << 30, quantum: 1}
		if _, err := rt.NewHostModuleBuilder("sallyport").NewFunctionBuilder().WithFunc(h.tick).Export("tick").Instantiate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func(int64) {}).Export("unused").Instantiate(t.Context()); err != nil {
			t.Fatal(err)
		}
		out, err := meter.Rewrite(module.bytes(), meter.Options{TickModule: "sallyport", TickName: "tick", Quantum: 1})
		if err != nil {
			t.Fatal(err)
		}
		mod, err := rt.Instantiate(t.Context(), out)
		if err != nil {
			t.Fatal(err)
		}
		returns := func(export string, want uint64) {
			t.Helper()
			got, err := mod.ExportedFunction(export).Call(t.Context())
			if err != nil || got[0] != want {
				t.Errorf("%s() = %v, %v, want %d", export, got, err, want)
			}
		}
		returns("f", 1+2+4+8+16+50)
		returns("four", 4)
	})
}

// TestTraceNames shows that stack traces still name the right functions.
func TestTraceNames(t *testing.T) {
	t.Parallel()
	names := cat(str("name"),
		[]byte{0}, sized(str("guest")),
		[]byte{1}, sized(vec(cat(u32(0), str("outer")), cat(u32(1), str("inner")))),
		[]byte{2}, sized(vec(cat(u32(1), vec(cat(u32(0), str("x")))))),
		[]byte{9}, sized([]byte{1, 2, 3}),
	)
	module := wat{
		funcs:   []fn{{name: "f", code: []byte{call, 1}}, {locals: 1, code: []byte{unreachable}}},
		customs: [][]byte{names},
	}.bytes()
	got := runWith(t, wazero.NewRuntimeConfigInterpreter(), module, options(), 1, "f")
	if got.err == nil || !strings.Contains(got.err.Error(), "guest.inner()\n\tguest.outer()") {
		t.Errorf("trace is %v", got.err)
	}
}
