package meter

func (m *module) readTypes(r *reader) {
	n := r.count()
	if n > maxTypes {
		r.limit(r.pos, "types", n, maxTypes)
	}
	for range n {
		if r.err != nil {
			return
		}
		at := r.pos
		switch form := r.byte(); form {
		case 0x60:
		case 0x4e, 0x4f, 0x50, 0x5d, 0x5e, 0x5f:
			r.unsupported(at, "garbage-collected or recursive types")
		default:
			r.malformed(at, "type form %#x is unknown", form)
		}
		params := r.valueTypes("parameters", maxParams)
		results := r.valueTypes("results", maxResults)
		m.types = append(m.types, FuncType{Params: params, Results: results})
	}
}

func (r *reader) valueTypes(what string, most int) []ValueType {
	n := r.count()
	if n > most {
		r.limit(r.pos, what, n, most)
	}
	if n == 0 || r.err != nil {
		return nil
	}
	types := make([]ValueType, n)
	for i := range types {
		types[i] = r.valueType()
	}
	return types
}

func (r *reader) valueType() ValueType {
	at := r.pos
	t := ValueType(r.byte())
	switch t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return t
	}
	r.badType(at, byte(t))
	return 0
}

func (r *reader) refType() ValueType {
	at := r.pos
	t := ValueType(r.byte())
	if t != FuncRef && t != ExternRef {
		r.badType(at, byte(t))
	}
	return t
}

func (r *reader) badType(at int, t byte) {
	switch {
	case t == 0x63 || t == 0x64:
		r.unsupported(at, "typed function references")
	case t == 0x69 || t == 0x74:
		r.unsupported(at, "exception handling")
	case t >= 0x65 && t <= 0x78:
		r.unsupported(at, "garbage-collected types")
	default:
		r.malformed(at, "%#x is not a type allowed here", t)
	}
}

func (r *reader) table() Table {
	if r.pos < len(r.b) && r.b[r.pos] == 0x40 {
		r.unsupported(r.pos, "typed function references (a table with an initial value)")
	}
	elem := r.refType()
	return Table{Elem: elem, Limits: r.limits()}
}

func (r *reader) limits() Limits {
	at := r.pos
	switch flag := r.byte(); {
	case flag <= 1:
		l := Limits{Min: r.u32(), HasMax: flag == 1}
		if l.HasMax {
			l.Max = r.u32()
		}
		return l
	case flag <= 3:
		r.unsupported(at, "threads (shared memory)")
	case flag <= 7:
		r.unsupported(at, "64-bit memories or tables")
	default:
		r.malformed(at, "limits flag %#x is unknown", flag)
	}
	return Limits{}
}

// mutability steps over the flag of a global.
func (r *reader) mutability() {
	at := r.pos
	if mut := r.byte(); mut > 1 {
		r.malformed(at, "mutability %#x is unknown", mut)
	}
}

func (m *module) readImports(r *reader) {
	for range r.count() {
		if r.err != nil {
			return
		}
		im := Import{offset: r.pos}
		im.Module, im.Name = r.name(), r.name()
		at := r.pos
		switch kind := r.byte(); kind {
		case 0:
			t := r.index("type", len(m.types))
			if r.err != nil {
				return
			}
			im.Type = m.types[t]
			m.funcs = append(m.funcs, t)
			m.importedFuncs++
		case 1:
			im.Kind, im.Table = KindTable, r.table()
			m.tables = append(m.tables, im.Table)
			m.importedTables++
		case 2:
			im.Kind, im.Memory = KindMemory, r.limits()
			m.memories = append(m.memories, im.Memory)
		case 3:
			im.Kind = KindGlobal
			r.valueType()
			r.mutability()
			m.globals++
			m.importedGlobals++
		case 4:
			r.unsupported(at, "exception handling (an imported tag)")
		default:
			r.malformed(at, "import kind %#x is unknown", kind)
		}
		m.imports = append(m.imports, im)
	}
}

func (m *module) readFunctions(r *reader) {
	n := r.count()
	if n > maxFunctions {
		r.limit(r.pos, "functions", n, maxFunctions)
	}
	for range n {
		m.funcs = append(m.funcs, r.index("type", len(m.types)))
		if r.err != nil {
			return
		}
	}
}

func (m *module) readGlobals(r *reader) {
	n := r.count()
	for range n {
		r.valueType()
		r.mutability()
		m.constExpr(r)
		if r.err != nil {
			return
		}
	}
	m.globals += n
}

// funcIndex reads a function index outside of code and remembers its place, so
// that it can be renumbered.
func (m *module) funcIndex(r *reader) uint32 {
	from := r.pos
	fn := r.index("function", len(m.funcs))
	m.refs = append(m.refs, funcRef{from: from, to: r.pos, fn: fn})
	return fn
}

func (m *module) constExpr(r *reader) {
	at := r.pos
	switch op := r.byte(); op {
	case opI32Const:
		r.signed(32)
	case opI64Const:
		r.signed(64)
	case opF32Const:
		r.skip(4)
	case opF64Const:
		r.skip(8)
	case opGlobalGet:
		r.index("global", m.globals)
	case opRefNull:
		r.refType()
	case opRefFunc:
		m.funcIndex(r)
	case opPrefixSIMD:
		if r.u32() != simdConst {
			r.malformed(at, "instruction is not constant")
		}
		r.skip(16)
	default:
		r.malformed(at, "instruction %#x is not constant", op)
	}
	at = r.pos
	switch op := r.byte(); op {
	case opEnd:
	case opI32Const, opI64Const, opGlobalGet: // the first operand of two
		r.unsupported(at, "extended constant expressions")
	default:
		r.malformed(at, "constant expression goes on with %#x", op)
	}
}

func (m *module) readExports(r *reader) {
	for range r.count() {
		e := Export{Name: r.name()}
		at := r.pos
		kind := r.byte()
		switch kind {
		case 0:
			if fn := m.funcIndex(r); r.err == nil {
				e.Type = m.types[m.funcs[fn]]
			}
		case 1:
			e.Kind = KindTable
			if i := r.index("table", len(m.tables)); r.err == nil {
				e.Table = m.tables[i]
			}
		case 2:
			e.Kind = KindMemory
			if i := r.index("memory", len(m.memories)); r.err == nil {
				e.Memory = m.memories[i]
			}
		case 3:
			e.Kind = KindGlobal
			r.index("global", m.globals)
		case 4:
			r.unsupported(at, "exception handling (an exported tag)")
		default:
			r.malformed(at, "export kind %#x is unknown", kind)
		}
		if r.err != nil {
			return
		}
		m.exports = append(m.exports, e)
	}
}

func (m *module) readElements(r *reader) {
	n := r.count()
	for range n {
		at := r.pos
		flags := r.u32()
		if flags > 7 {
			r.malformed(at, "element segment flags %d are unknown", flags)
			return
		}
		active, explicit, exprs := flags&1 == 0, flags&2 != 0, flags&4 != 0
		if active && explicit {
			r.index("table", len(m.tables))
		}
		if active {
			m.constExpr(r)
		}
		if !active || explicit {
			at = r.pos
			if exprs {
				r.refType()
			} else if kind := r.byte(); kind != 0 {
				r.malformed(at, "element kind %#x is unknown", kind)
			}
		}
		for range r.count() {
			if r.err != nil {
				return
			}
			if exprs {
				m.constExpr(r)
				continue
			}
			m.funcIndex(r)
		}
		if r.err != nil {
			return
		}
	}
	m.elements = n
}

func (m *module) readData(r *reader) {
	n := r.count()
	for range n {
		at := r.pos
		flags := r.u32()
		switch flags {
		case 0:
			m.constExpr(r)
		case 1:
		case 2:
			r.index("memory", len(m.memories))
			m.constExpr(r)
		default:
			r.malformed(at, "data segment flags %d are unknown", flags)
		}
		r.skip(r.count())
		if r.err != nil {
			return
		}
	}
	m.data = n
}
