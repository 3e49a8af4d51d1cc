package meter

import "math"

// rewriter writes the metered module. Added imports come behind the module's
// imported functions, so every other function moves up by their number; added
// types and globals come last.
type rewriter struct {
	m *module
	o Options

	added       uint32 // functions imported in addition
	fuel, depth uint32 // private globals

	tickType, deepType uint32
	moreTypes          [][]byte          // encoded types, behind those of the module
	blocks             map[string]uint32 // types without parameters, by results

	code  []byte // the new code section
	named bool   // the name section was written
	out   []byte
}

func newRewriter(m *module, o Options) (*rewriter, error) {
	w := &rewriter{m: m, o: o, blocks: map[string]uint32{}, added: 1}
	w.fuel, w.depth = uint32(m.globals), uint32(m.globals)+1
	w.tickType = w.addType([]ValueType{I32})
	if o.DeepName != "" {
		w.added++
		w.deepType = w.addType(nil)
	}
	return w, m.checkTables(o)
}

// addType returns the index of the type ()->results.
func (w *rewriter) addType(results []ValueType) uint32 {
	key := string(valueTypeBytes(results))
	if i, ok := w.blocks[key]; ok {
		return i
	}
	i := uint32(len(w.m.types) + len(w.moreTypes))
	b := appendU32([]byte{0x60, 0}, uint32(len(results)))
	w.moreTypes = append(w.moreTypes, append(b, key...))
	w.blocks[key] = i
	return i
}

func valueTypeBytes(types []ValueType) []byte {
	b := make([]byte, len(types))
	for i, t := range types {
		b[i] = byte(t)
	}
	return b
}

// function returns the new index of a function.
func (w *rewriter) function(i uint32) uint32 {
	if i < uint32(w.m.importedFuncs) {
		return i
	}
	return i + w.added
}

func (w *rewriter) tick() uint32 { return uint32(w.m.importedFuncs) }

func (w *rewriter) module() ([]byte, error) {
	if err := w.bodies(); err != nil {
		return nil, err
	}
	b := w.m.bytes
	w.out = make([]byte, 0, len(b)+len(w.code)/4+256)
	w.out = append(w.out, b[:8]...)
	due := []byte{secType, secImport, secGlobal} // must be there in the end
	for _, s := range w.m.sections {
		for s.id != secCustom && len(due) > 0 && sectionRank(due[0]) <= sectionRank(s.id) {
			if due[0] != s.id {
				if err := w.section(section{id: due[0]}); err != nil {
					return nil, err
				}
			}
			due = due[1:]
		}
		if err := w.section(s); err != nil {
			return nil, err
		}
	}
	for _, id := range due {
		if err := w.section(section{id: id}); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

// section writes a section, or an added one when s has no extent.
func (w *rewriter) section(s section) error {
	var body []byte
	switch s.id {
	case secCustom:
		return w.custom(s)
	case secType:
		body = w.extend(s, len(w.moreTypes), w.moreTypes...)
	case secImport:
		body = w.extend(s, int(w.added), w.addedImports())
	case secGlobal:
		body = w.extend(s, 2, w.addedGlobals())
	case secTable:
		body = w.tables()
	case secCode:
		body = w.code
	default:
		body = w.renumber(s.start, s.end)
	}
	if uint64(len(body)) > math.MaxUint32 {
		return &Error{Kind: ErrLimit, Section: "code", Offset: s.start, Func: -1, Detail: "section would exceed 4 GiB"}
	}
	w.out = appendSection(w.out, s.id, body)
	return nil
}

// extend writes a section that is a vector, with n more items.
func (w *rewriter) extend(s section, n int, items ...[]byte) []byte {
	var count int
	start := s.start
	if s.end > s.start {
		r := w.m.reader(s)
		count = r.count()
		start = r.pos
	}
	body := appendU32(nil, uint32(count+n))
	body = append(body, w.renumber(start, s.end)...)
	for _, item := range items {
		body = append(body, item...)
	}
	return body
}

// renumber copies bytes from:to of the module with new function indices.
func (w *rewriter) renumber(from, to int) []byte {
	body := make([]byte, 0, to-from+16)
	for _, ref := range w.m.refs {
		if ref.from < from || ref.to > to {
			continue
		}
		body = append(body, w.m.bytes[from:ref.from]...)
		body = appendU32(body, w.function(ref.fn))
		from = ref.to
	}
	return append(body, w.m.bytes[from:to]...)
}

func (w *rewriter) addedImports() []byte {
	b := w.addedImport(nil, w.o.TickName, w.tickType)
	if w.o.DeepName != "" {
		b = w.addedImport(b, w.o.DeepName, w.deepType)
	}
	return b
}

func (w *rewriter) addedImport(b []byte, name string, typ uint32) []byte {
	b = appendName(b, w.o.TickModule)
	b = appendName(b, name)
	return appendU32(append(b, byte(KindFunc)), typ)
}

func (w *rewriter) addedGlobals() []byte {
	b := []byte{byte(I32), 1, opI32Const}
	b = append(appendS32(b, w.o.Quantum), opEnd)
	return append(b, byte(I32), 1, opI32Const, 0, opEnd)
}

// checkTables refuses tables that are too large as declared.
func (m *module) checkTables(o Options) error {
	var sum uint64
	for _, t := range m.tables[m.importedTables:] {
		sum += uint64(t.Limits.Min)
	}
	if sum <= uint64(o.MaxTable) {
		return nil
	}
	r := &reader{section: "table", fn: -1}
	for _, s := range m.sections {
		if s.id == secTable {
			r.pos = s.start
		}
	}
	r.limit(r.pos, "table elements", int(sum), int(o.MaxTable))
	return r.err
}

// tables writes the table section with maximums, so that the tables together
// cannot outgrow MaxTable.
func (w *rewriter) tables() []byte {
	defined := w.m.tables[w.m.importedTables:]
	room := w.o.MaxTable
	for _, t := range defined {
		room -= t.Limits.Min
	}
	body := appendU32(nil, uint32(len(defined)))
	for _, t := range defined {
		most := t.Limits.Min + room/uint32(len(defined))
		if t.Limits.HasMax {
			most = min(most, t.Limits.Max)
		}
		body = append(body, byte(t.Elem), 1)
		body = appendU32(body, t.Limits.Min)
		body = appendU32(body, most)
	}
	return body
}

func appendSection(out []byte, id byte, body []byte) []byte {
	out = appendU32(append(out, id), uint32(len(body)))
	return append(out, body...)
}
