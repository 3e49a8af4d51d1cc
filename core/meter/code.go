package meter

// Weights: what an instruction counts when the cost of a stretch of code is
// worked out. A call counts for its frame and for a callee too small to be
// charged itself.
const (
	weightCall    = 8
	weightPerUnit = 64 // one unit of fuel
	smallLeaf     = 64 // a function below this that calls nothing is free
)

// editKind says what the rewriter does at a place in a body.
type editKind byte

const (
	editFunc   editKind = iota // replace a function index
	editReturn                 // replace return by a branch to the outer block
	editLoop                   // charge arg weight
	editBulk                   // charge by length, shifted by arg
)

// edit replaces body bytes from:to, which may be empty.
type edit struct {
	kind     editKind
	from, to int
	arg      uint32
}

// frame is an open block. loop is the index of the edit that the instructions
// in it are charged to, or -1 for the function.
type frame struct {
	kind byte // opBlock, opLoop, opIf, opElse
	loop int
}

// function is what was found in the body of a function.
type function struct {
	params, locals    int
	groups            int // number of local declarations
	groupsAt, startAt int // where the declarations and the instructions begin
	end               int
	weight            uint32 // of instructions outside loops
	instructions      int
	calls, bulk       bool
	branched          bool // something before this place may leave the straight path
	entryLoop         int  // edit of a loop that every call goes through first, or -1
	edits             []edit
	frames            []frame
}

// scan reads the body of a function, which is all of r, into f. The slices of
// f are used again.
func (m *module) scan(r *reader, typ FuncType, f *function) {
	*f = function{params: len(typ.Params), entryLoop: -1, edits: f.edits[:0], frames: f.frames[:0]}
	f.scanLocals(r)
	f.startAt, f.end = r.pos, len(r.b)
	f.frames = append(f.frames, frame{kind: opBlock, loop: -1})
	for len(f.frames) > 0 && r.err == nil {
		m.instruction(r, f)
	}
}

func (f *function) scanLocals(r *reader) {
	at := r.pos
	f.groups = r.count()
	f.groupsAt = r.pos
	for range f.groups {
		n := r.u32()
		if int64(f.locals)+int64(n) > maxLocals {
			r.limit(at, "locals", f.locals+int(min(n, maxLocals)), maxLocals)
			return
		}
		f.locals += int(n)
		r.valueType()
	}
}

// charge adds the weight of an instruction to the innermost loop.
func (f *function) charge(weight uint32) {
	if loop := f.frames[len(f.frames)-1].loop; loop >= 0 {
		f.edits[loop].arg += weight
		return
	}
	f.weight += weight
}

func (m *module) instruction(r *reader, f *function) {
	at := r.pos
	op := r.byte()
	imm := immediateOf(op)
	f.instructions++
	f.charge(1)
	switch imm {
	case immNone:
	case immMisc:
		var shift int32
		sub := r.u32()
		if imm, shift = miscOf(sub); imm == immUnknown {
			r.fail(ErrUnsupported, at, "instruction 0xfc %#x is unknown", sub)
		}
		if shift != 0 {
			f.bulk = true
			f.edits = append(f.edits, edit{kind: editBulk, from: at, to: at, arg: uint32(shift)})
		}
		m.immediate(r, imm)
	case immSIMD:
		sub := r.u32()
		if sub >= 0x100 {
			r.unsupported(at, "relaxed SIMD")
		}
		if imm = simdOf(sub); imm == immUnknown {
			r.fail(ErrUnsupported, at, "instruction 0xfd %#x is unknown", sub)
		}
		m.immediate(r, imm)
	case immUnknown:
		if feature := featureOf(op); feature != "" {
			r.unsupported(at, feature)
		}
		r.fail(ErrUnsupported, at, "instruction %#x is unknown", op)
	case immMemory:
		m.immediate(r, imm)
		if op == opMemoryGrow {
			f.charge(weightCall)
		}
	default:
		if !m.control(r, f, op, imm, at) {
			m.immediate(r, imm)
		}
	}
}

// control treats the instructions that open, close or leave blocks or name
// something of the function; it reports whether this was one.
func (m *module) control(r *reader, f *function, op byte, imm immediate, at int) bool {
	top := len(f.frames) - 1
	switch imm {
	case immLabel, immLabels, immReturn, immFunc, immIndirect:
		f.branched = true
	case immBlock:
		f.branched = f.branched || op == opIf
	}
	switch imm {
	case immBlock:
		m.blockType(r)
		fr := frame{kind: op, loop: f.frames[top].loop}
		if op == opLoop {
			fr.loop = len(f.edits)
			if !f.branched && f.entryLoop < 0 {
				f.entryLoop = fr.loop
			}
			f.edits = append(f.edits, edit{kind: editLoop, from: r.pos, to: r.pos})
		}
		f.frames = append(f.frames, fr)
	case immElse:
		if f.frames[top].kind != opIf {
			r.malformed(at, "else without if")
		}
		f.frames[top].kind = opElse
	case immEnd:
		f.frames = f.frames[:top]
		if top == 0 && r.len() != 0 {
			r.malformed(r.pos, "body goes on behind its end")
		}
	case immLabel:
		r.index("label", len(f.frames))
	case immLabels:
		n := r.count()
		if n > maxBranchTable {
			r.limit(at, "branch targets", n, maxBranchTable)
		}
		for i := 0; i <= n && r.err == nil; i++ {
			r.index("label", len(f.frames))
		}
	case immReturn:
		f.edits = append(f.edits, edit{kind: editReturn, from: at, to: r.pos, arg: uint32(top)})
	case immFunc, immRefFunc:
		from := r.pos
		fn := r.index("function", len(m.funcs))
		f.edits = append(f.edits, edit{kind: editFunc, from: from, to: r.pos, arg: fn})
		if imm == immFunc {
			f.calls = true
			f.charge(weightCall)
		}
	case immIndirect:
		f.calls = true
		f.charge(weightCall)
		return false
	case immLocal:
		r.index("local", f.params+f.locals)
	default:
		return false
	}
	return true
}

func (m *module) blockType(r *reader) {
	if r.pos < len(r.b) && r.b[r.pos]&0xc0 == 0x40 { // one byte, negative
		if r.b[r.pos] == typeEmpty {
			r.pos++
			return
		}
		r.valueType()
		return
	}
	at := r.pos
	if t := r.signed(33); r.err == nil && (t < 0 || t >= int64(len(m.types))) {
		r.malformed(at, "block type %d does not exist, there are %d types", t, len(m.types))
	}
}

// immediate reads what follows an instruction that stays as it is. Every index
// is checked here, because the rewritten module has more types, functions,
// globals and locals than this one and the engine could not tell.
func (m *module) immediate(r *reader, imm immediate) {
	switch imm {
	case immIndirect:
		r.index("type", len(m.types))
		r.index("table", len(m.tables))
	case immTypes:
		r.valueTypes("types", maxResults)
	case immRefType:
		r.refType()
	case immGlobal:
		r.index("global", m.globals)
	case immTable:
		r.index("table", len(m.tables))
	case immTables:
		r.index("table", len(m.tables))
		r.index("table", len(m.tables))
	case immMemory:
		r.memory()
	case immMemories:
		r.memory()
		r.memory()
	case immMemArg:
		r.memArg()
	case immMemArgLane:
		r.memArg()
		r.byte()
	case immLane:
		r.byte()
	case immS32:
		r.signed(32)
	case immS64:
		r.signed(64)
	case imm4:
		r.skip(4)
	case imm8:
		r.skip(8)
	case imm16:
		r.skip(16)
	case immDataMemory:
		r.u32() // data comes behind the code; the engine checks it
		r.memory()
	case immData:
		r.u32()
	case immElemTable:
		r.index("element segment", m.elements)
		r.index("table", len(m.tables))
	case immElem:
		r.index("element segment", m.elements)
	}
}

func (r *reader) memory() {
	at := r.pos
	if r.byte() != 0 && r.err == nil {
		r.unsupported(at, "several memories")
	}
}

func (r *reader) memArg() {
	at := r.pos
	switch align := r.u32(); {
	case align >= 0x40 && align < 0x80:
		r.unsupported(at, "several memories")
	case align >= 0x80:
		r.malformed(at, "alignment %d is too large", align)
	}
	r.u32()
}
