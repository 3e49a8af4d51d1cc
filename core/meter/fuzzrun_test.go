package meter_test

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// program writes a valid module that ends by itself, directed by bytes: every
// construct that the rewriter touches, in every nesting. Loops run twice, and
// functions call only functions before them.
type program struct {
	seed  []byte
	code  []byte
	depth int // labels around the current place, not counting the function's
	fn    int
	typ   int // 0: (i32,i32)->i32, 1: (i32,i32)->(i32,i32)
	spent int // expressions and statements written in this function
	calls int // calls written in this function, which multiply through the levels
}

const (
	numFuncs   = 4
	progParams = 2
	progLocals = 4 // and one counter for every depth
	maxNesting = 3
)

// pick takes a byte of the seed and reduces it to a choice of n.
func (p *program) pick(n int) int {
	if len(p.seed) == 0 {
		return 0
	}
	c := int(p.seed[0])
	p.seed = p.seed[1:]
	return c % n
}

func (p *program) op(b ...byte) { p.code = append(p.code, b...) }

func (p *program) constant() {
	p.op(i32Const)
	p.op(s32(int32(p.pick(256))*257 - 100)...)
}

// local names one that is not a counter.
func (p *program) local() byte { return byte(p.pick(progParams + progLocals)) }

// expr writes code that leaves one i32.
func (p *program) expr(fuel int) {
	p.spent++
	if fuel <= 0 || p.spent > 300 {
		p.op(localGet, p.local())
		return
	}
	switch p.pick(10) {
	case 0:
		p.constant()
	case 1:
		p.op(localGet, p.local())
	case 2:
		p.op(globalGet, 0)
	case 3:
		p.expr(fuel - 1)
		p.op(i32Const, 63, i32And, i32Load8U, 0, 0)
	case 4, 5:
		p.expr(fuel - 1)
		p.expr(fuel - 1)
		p.op([]byte{i32Add, i32Sub, i32Mul, i32Xor, i32Eq, i32GtU}[p.pick(6)])
	case 6:
		p.call(fuel)
	case 7:
		p.expr(fuel - 1)
		p.op(if_, i32)
		p.depth++
		p.expr(fuel - 1)
		p.op(else_)
		p.expr(fuel - 1)
		p.depth--
		p.op(end)
	case 8:
		p.op(i32Const, byte(p.pick(2)), memoryGrow, 0)
	case 9:
		p.expr(fuel - 1)
		p.expr(fuel - 1)
		p.op(localGet, p.local(), select_)
	}
}

// call writes a call of an earlier function, direct or through the table.
func (p *program) call(fuel int) {
	if p.fn == 0 || p.calls >= 3 {
		p.constant()
		return
	}
	p.calls++
	callee := p.pick(p.fn)
	p.expr(fuel - 1)
	p.expr(fuel - 1)
	if p.pick(2) == 0 {
		p.op(call, byte(callee))
	} else {
		p.op(i32Const, byte(callee), callIndirect, byte(callee), 0)
	}
	if callee%2 == 1 {
		p.op(i32Xor)
	}
}

// results leaves the results of the current function.
func (p *program) results() {
	for range 1 + p.typ {
		p.expr(2)
	}
}

func (p *program) statements(fuel int) {
	for range 1 + p.pick(3) {
		p.statement(fuel)
	}
}

func (p *program) statement(fuel int) {
	p.spent++
	if p.spent > 300 {
		return
	}
	choice := p.pick(12)
	if p.depth >= maxNesting && choice >= 8 {
		choice -= 8
	}
	switch choice {
	case 0:
		p.expr(fuel)
		p.op(localSet, p.local())
	case 1:
		p.expr(fuel)
		p.op(globalSet, 0)
	case 2:
		p.op(i32Const, byte(p.pick(64)))
		p.expr(fuel)
		p.op(i32Store8, 0, 0)
	case 3:
		p.bulk()
	case 4:
		p.expr(1)
		p.op(brIf, byte(p.label()))
	case 5: // leave the function, perhaps
		p.expr(1)
		p.op(if_, empty)
		p.depth++
		p.results()
		p.op([][]byte{{return_}, {br, byte(p.depth)}}[p.pick(2)]...)
		p.depth--
		p.op(end)
	case 6:
		p.op(block, empty)
		p.depth++
		p.expr(1)
		p.op(brTable, 1, byte(p.label()), byte(p.label()))
		p.depth--
		p.op(end)
	case 7:
		p.expr(fuel)
		p.op(drop)
	case 8, 9:
		p.loop(fuel - 1)
	case 10:
		p.expr(fuel)
		p.op(if_, empty)
		p.depth++
		p.statements(fuel - 1)
		p.depth--
		p.op(end)
	case 11:
		p.op(block, empty)
		p.depth++
		p.statements(fuel - 1)
		p.depth--
		p.op(end)
	}
}

// label names a block around the current place; there is one always, because
// the body of every function is in a block.
func (p *program) label() int { return p.pick(p.depth) }

// loop writes a loop that runs at most twice, also when something in it
// branches to it.
func (p *program) loop(fuel int) {
	counter := byte(progParams + progLocals + p.depth)
	p.op(i32Const, 3, localSet, counter, block, empty, loop, empty)
	p.op(localGet, counter, i32Const, 1, i32Sub, localTee, counter, i32Eqz, brIf, 1)
	p.depth += 2
	p.statements(fuel)
	p.depth -= 2
	p.op(br, 0, end, end)
}

// bulk writes a bulk operation; a length may be out of bounds and trap.
func (p *program) bulk() {
	length := func() {
		p.op(i32Const)
		p.op(s32([]int32{0, 1, 16, 64, 500, 1000, 20_000, 70_000}[p.pick(8)])...)
	}
	switch p.pick(5) {
	case 0:
		p.op(i32Const, 0)
		p.expr(1)
		length()
		p.op(misc, 11, 0) // memory.fill
	case 1:
		p.op(i32Const, 8, i32Const, 0)
		length()
		p.op(misc, 10, 0, 0) // memory.copy
	case 2:
		p.op(i32Const, 40, i32Const, 0, i32Const, byte(p.pick(8)), misc, 8, 0, 0) // memory.init, there are 6 bytes
	case 3:
		p.op(i32Const, 0, i32Const, 0, i32Const, byte(p.pick(6)), misc, 14, 0, 0) // table.copy
	case 4:
		p.op(refNull, funcref, i32Const, byte(p.pick(3)), misc, 15, 0, drop) // table.grow
	}
}

func generate(seed []byte) []byte {
	w := wat{
		memory:  []byte{1, 1, 3},
		tables:  [][]byte{{funcref, 1, numFuncs, 20}},
		globals: [][]byte{{i32, 1, i32Const, 5, end}},
		data:    [][]byte{cat([]byte{1}, str("abcdef"))},
		exports: [][]byte{cat(str("memory"), []byte{2, 0}), cat(str("global"), []byte{3, 0})},
	}
	w.elements = [][]byte{{0, i32Const, 0, end, numFuncs, 0, 1, 2, 3}}
	p := program{seed: seed}
	for i := range numFuncs {
		p.code, p.depth, p.fn, p.typ, p.spent, p.calls = nil, 1, i, i%2, 0, 0
		p.op(block, empty)
		p.statements(3)
		p.op(end)
		p.depth = 0
		p.results()
		results := []byte{i32, i32}[:1+p.typ]
		w.funcs = append(w.funcs, fn{
			name: fmt.Sprint("f", i), params: []byte{i32, i32}, results: results,
			locals: progLocals + maxNesting + 3, code: p.code,
		})
	}
	return w.bytes()
}

// state is what can be seen of an instance after some calls.
type state struct {
	calls  string
	memory uint32
	size   uint32
	global uint64
}

func observe(t *testing.T, mod api.Module) state {
	var s state
	for i := range numFuncs {
		got, err := mod.ExportedFunction(fmt.Sprint("f", i)).Call(t.Context(), 3, uint64(i))
		s.calls += fmt.Sprintln(got, firstLine(err))
		if err != nil {
			break // an instance that trapped is not used again
		}
	}
	b, _ := mod.Memory().Read(0, mod.Memory().Size())
	s.memory, s.size = crc32.ChecksumIEEE(b), uint32(len(b))
	s.global = mod.ExportedGlobal("global").Get()
	return s
}

// compare runs the program of a seed as it is and rewritten.
func compare(t *testing.T, cfg wazero.RuntimeConfig, seed []byte) (s state, ticks int) {
	t.Helper()
	module := generate(seed)
	o := options()
	o.Quantum = 3
	out, err := meter.Rewrite(module, o)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{most: 1 << 30, quantum: 2}
	want := observe(t, instantiate(t, cfg, module, &host{}))
	got := observe(t, instantiate(t, cfg, out, h))
	if got != want {
		t.Errorf("seed %x: became %+v, was %+v", seed, got, want)
	}
	return got, h.ticks
}

func randomSeed(n uint64) []byte {
	r := rand.New(rand.NewPCG(n, 7))
	seed := make([]byte, 400)
	for i := range seed {
		seed[i] = byte(r.Uint32())
	}
	return seed
}

func TestRandomPrograms(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, cfg wazero.RuntimeConfig) {
		var ticked, trapped int
		const programs = 150
		for i := range uint64(programs) {
			s, ticks := compare(t, cfg, randomSeed(i))
			if ticks > 0 {
				ticked++
			}
			if strings.Contains(s.calls, "wasm error") {
				trapped++
			}
		}
		t.Logf("%d programs, %d called the host, %d trapped", programs, ticked, trapped)
		if ticked < programs/2 || trapped < programs/20 || trapped > programs/2 {
			t.Error("the programs no longer show much")
		}
	})
}

// FuzzRun checks that a rewritten module does what it did before.
func FuzzRun(f *testing.F) {
	for i := range uint64(20) {
		f.Add(randomSeed(1000 + i))
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		cfg := wazero.NewRuntimeConfigInterpreter()
		if len(seed)%4 == 1 {
			cfg = wazero.NewRuntimeConfig() // the compiler, where there is one
		}
		compare(t, cfg, seed)
	})
}
