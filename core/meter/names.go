package meter

import (
	"math"
	"strings"
)

// custom copies a custom section, unless it holds positions in the code, which
// are wrong now.
func (w *rewriter) custom(s section) error {
	if s.name == "name" {
		if w.named {
			return &Error{Kind: ErrMalformed, Section: "name", Offset: s.start, Func: -1, Detail: "section occurs twice"}
		}
		w.named = true
		names, err := w.names(s)
		if err != nil {
			return err
		}
		w.out = appendSection(w.out, secCustom, append(appendName(nil, "name"), names...))
		return nil
	}
	if positional(s.name) {
		return nil
	}
	body := appendName(nil, s.name)
	w.out = appendSection(w.out, secCustom, append(body, w.m.bytes[s.start:s.end]...))
	return nil
}

func positional(name string) bool {
	switch name {
	case "sourceMappingURL", "external_debug_info", "linking":
		return true
	}
	for _, prefix := range []string{".debug_", "reloc.", "metadata.code."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// names renumbers the functions in the name section, which traces are made of.
// https://www.w3.org/TR/wasm-core-2/#name-section%E2%91%A0
func (w *rewriter) names(s section) ([]byte, error) {
	r := w.m.reader(s)
	r.section = "name"
	var out []byte
	for r.len() > 0 && r.err == nil {
		id := r.byte()
		size := r.count()
		if r.err != nil {
			break
		}
		sub := &reader{b: r.b[:r.pos+size], pos: r.pos, section: r.section, fn: -1}
		r.pos += size
		var body []byte
		switch id {
		case 0: // the module
			start := sub.pos
			sub.name()
			body = append(body, sub.b[start:]...)
		case 1: // functions
			body = w.nameMap(sub, func() { sub.name() })
		case 2, 3: // locals and labels of functions
			body = w.nameMap(sub, func() {
				for range sub.count() {
					sub.u32()
					sub.name()
				}
			})
		default:
			body = sub.skip(sub.len())
		}
		if err := sub.done(); err != nil {
			return nil, err
		}
		out = appendU32(append(out, id), uint32(len(body)))
		out = append(out, body...)
	}
	return out, r.err
}

// nameMap copies a map from function indices to what value reads.
func (w *rewriter) nameMap(r *reader, value func()) []byte {
	n := r.count()
	out := appendU32(nil, uint32(n))
	for range n {
		if r.err != nil {
			return nil
		}
		// A name may be that of a function that does not exist; the engine
		// does not mind, and it must not become the name of one that does.
		at := r.pos
		fn := r.u32()
		if fn > math.MaxUint32-w.added {
			r.malformed(at, "name of function %d, there are %d", fn, len(w.m.funcs))
		}
		out = appendU32(out, w.function(fn))
		start := r.pos
		value()
		out = append(out, r.b[start:r.pos]...)
	}
	return out
}
