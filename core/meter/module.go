package meter

// Section ids of the binary format.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
)

// sectionName returns the name of a section for errors and whether core 2.0
// has it.
func sectionName(id byte) (string, bool) {
	names := [...]string{
		"custom", "type", "import", "function", "table", "memory", "global",
		"export", "start", "element", "code", "data", "data count",
	}
	if int(id) < len(names) {
		return names[id], true
	}
	return "unknown", false
}

// sectionRank returns the position of a section in a module: the ids are not
// in order, because data count came later.
func sectionRank(id byte) int {
	switch id {
	case secCode, secData:
		return int(id) + 1
	case secDataCount:
		return secCode
	default:
		return int(id)
	}
}

// section is one section of the module: body is module[start:end].
type section struct {
	id         byte
	name       string // of a custom section
	start, end int    // start is behind the name of a custom section
}

// funcRef is the encoding of a function index outside of code.
type funcRef struct {
	from, to int
	fn       uint32
}

// module is what is known of a module before its code is looked at.
type module struct {
	bytes    []byte
	sections []section

	types    []FuncType
	imports  []Import
	funcs    []uint32 // type index of every function, imported ones first
	tables   []Table
	memories []Limits
	globals  int
	exports  []Export

	refs []funcRef // in order of their place

	importedFuncs, importedTables, importedGlobals int

	elements, code, data int // number of items
	hasDataCount         bool
	dataCount            int
}

// reader returns a reader of a section.
func (m *module) reader(s section) *reader {
	name, _ := sectionName(s.id)
	return &reader{b: m.bytes[:s.end], pos: s.start, section: name, fn: -1}
}

// split finds the sections and checks their order; it does not look inside.
func split(b []byte) (*module, error) {
	r := &reader{b: b, section: "header", fn: -1}
	if err := header(r); err != nil {
		return nil, err
	}
	m := &module{bytes: b}
	rank := 0
	for r.len() > 0 {
		at := r.pos
		r.section, r.fn = "header", -1
		id := r.byte()
		if id == secTag {
			r.unsupported(at, "exception handling (a tag section)")
			return nil, r.err
		}
		name, ok := sectionName(id)
		if !ok {
			r.malformed(at, "section id %d is unknown", id)
			return nil, r.err
		}
		r.section = name
		if id != secCustom {
			if sectionRank(id) <= rank {
				r.malformed(at, "section is repeated or out of order")
				return nil, r.err
			}
			rank = sectionRank(id)
		}
		size := r.u32()
		start := r.pos
		if int64(size) > int64(r.len()) {
			r.malformed(at, "section of %d bytes, %d are left", size, r.len())
		}
		if r.err != nil {
			return nil, r.err
		}
		s := section{id: id, start: start, end: start + int(size)}
		if id == secCustom {
			cr := m.reader(s)
			s.name = cr.name()
			if cr.err != nil {
				return nil, cr.err
			}
			s.start = cr.pos
		}
		m.sections = append(m.sections, s)
		r.pos = s.end
	}
	return m, r.err
}

func header(r *reader) error {
	b := r.b
	switch {
	case len(b) < 8 || string(b[:4]) != "\x00asm":
		r.malformed(0, `not a WebAssembly module, it does not begin with "\0asm"`)
	case b[6] == 1 && b[7] == 0:
		r.fail(ErrComponent, 4, "this is a component: core module needed, build without the component model (target wasip1 or wasm32-unknown-unknown)")
	case string(b[4:8]) != "\x01\x00\x00\x00":
		r.malformed(4, "version %#x is unknown, it must be 1", b[4:8])
	default:
		r.pos = 8
	}
	return r.err
}

// parse reads every section but the bodies of functions.
func parse(b []byte) (*module, error) {
	m, err := split(b)
	if err != nil {
		return nil, err
	}
	for _, s := range m.sections {
		if s.id == secCustom {
			continue
		}
		r := m.reader(s)
		m.section(r, s.id)
		if err := r.done(); err != nil {
			return nil, err
		}
	}
	return m, m.consistent()
}

func (m *module) section(r *reader, id byte) {
	switch id {
	case secType:
		m.readTypes(r)
	case secImport:
		m.readImports(r)
	case secFunction:
		m.readFunctions(r)
	case secTable:
		for range r.count() {
			m.tables = append(m.tables, r.table())
		}
		if len(m.tables) > maxTables {
			r.limit(r.pos, "tables", len(m.tables), maxTables)
		}
	case secMemory:
		for range r.count() {
			m.memories = append(m.memories, r.limits())
		}
	case secGlobal:
		m.readGlobals(r)
	case secExport:
		m.readExports(r)
	case secStart:
		m.funcIndex(r)
	case secElement:
		m.readElements(r)
	case secCode:
		m.code = r.count()
		r.pos = len(r.b) // bodies are read by the rewriter
	case secData:
		m.readData(r)
	case secDataCount:
		m.hasDataCount = true
		m.dataCount = int(r.u32())
	}
}

// consistent checks what concerns more than one section.
func (m *module) consistent() error {
	r := &reader{b: m.bytes, section: "code", fn: -1}
	if defined := len(m.funcs) - m.importedFuncs; m.code != defined {
		r.malformed(len(m.bytes), "%d bodies for %d functions", m.code, defined)
	}
	if m.hasDataCount && m.dataCount != m.data {
		r.section = "data count"
		r.malformed(len(m.bytes), "%d data segments are announced, there are %d", m.dataCount, m.data)
	}
	if len(m.memories) > 1 {
		r.section = "memory"
		r.unsupported(len(m.bytes), "several memories")
	}
	return r.err
}
