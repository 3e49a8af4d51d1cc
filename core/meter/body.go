package meter

// bodies writes the new code section.
func (w *rewriter) bodies() error {
	for _, s := range w.m.sections {
		if s.id != secCode {
			continue
		}
		r := w.m.reader(s)
		w.code = make([]byte, 0, (s.end-s.start)+(s.end-s.start)/8)
		w.code = appendU32(w.code, uint32(r.count()))
		var f function
		var scratch []byte
		for i := w.m.importedFuncs; i < len(w.m.funcs); i++ {
			body, err := w.nextBody(r, i)
			if err != nil {
				return err
			}
			w.m.scan(body, w.m.types[w.m.funcs[i]], &f)
			if body.err != nil {
				return body.err
			}
			scratch = w.body(scratch[:0], &f, w.m.types[w.m.funcs[i]])
			w.code = appendU32(w.code, uint32(len(scratch)))
			w.code = append(w.code, scratch...)
		}
		return r.done()
	}
	return nil
}

// nextBody returns a reader of the next body in r.
func (w *rewriter) nextBody(r *reader, fn int) (*reader, error) {
	r.fn = fn
	at := r.pos
	size := r.count()
	if size > maxBody {
		r.limit(at, "bytes in one function", size, maxBody)
	}
	if r.err != nil {
		return nil, r.err
	}
	body := &reader{b: r.b[:r.pos+size], pos: r.pos, section: r.section, fn: fn}
	r.pos += size
	return body, nil
}

// body appends the rewritten body of f. The function is laid out as
//
//	locals, and one i32 for lengths when there are bulk operations
//	charge                      when it calls something or is long, unless
//	                            a loop comes first, which is charged anyway
//	depth += d; depth > max?    when it calls something, up to the end
//	block results
//	  the instructions, with a return as a branch out of the block
//	end
//	depth -= d
//	end
//
// A label of the function becomes one of the block, with the same number.
func (w *rewriter) body(b []byte, f *function, typ FuncType) []byte {
	length := uint32(f.params + f.locals)
	if f.bulk {
		b = appendU32(b, uint32(f.groups)+1)
		b = append(b, w.m.bytes[f.groupsAt:f.startAt]...)
		b = append(b, 1, byte(I32))
	} else {
		b = appendU32(b, uint32(f.groups))
		b = append(b, w.m.bytes[f.groupsAt:f.startAt]...)
	}
	switch charged := f.calls || f.weight > smallLeaf; {
	case charged && f.entryLoop >= 0: // as in most functions of the Go compiler
		f.edits[f.entryLoop].arg += f.weight
	case charged:
		b = w.charge(b, f.weight)
	}
	d := f.frameUnits()
	if f.calls {
		b = w.enter(b, d, typ)
	}
	from := f.startAt
	for _, e := range f.edits {
		b = append(b, w.m.bytes[from:e.from]...)
		from = e.to
		switch e.kind {
		case editFunc:
			b = appendU32(b, w.function(e.arg))
		case editReturn:
			if f.calls {
				b = appendU32(append(b, opBr), e.arg)
			} else {
				b = append(b, opReturn)
			}
		case editLoop:
			b = w.charge(b, e.arg)
		case editBulk:
			b = w.chargeLength(b, length, e.arg)
		}
	}
	b = append(b, w.m.bytes[from:f.end]...)
	if f.calls {
		b = w.addGlobal(b, w.depth, opI32Sub, d)
		b = append(b, opEnd)
	}
	return b
}

// frameUnits returns what a call of f counts towards MaxDepth. A frame holds
// locals and intermediate values, of which there are no more than
// instructions.
func (f *function) frameUnits() int32 {
	return int32(1 + (f.params+f.locals)/64 + f.instructions/1024)
}

// charge appends: fuel -= units; if fuel <= 0 { fuel = tick() }.
func (w *rewriter) charge(b []byte, weight uint32) []byte {
	b = w.addGlobal(b, w.fuel, opI32Sub, int32(1+weight/weightPerUnit))
	return w.refill(b)
}

// refill appends: if fuel <= 0 { fuel = tick() }.
func (w *rewriter) refill(b []byte) []byte {
	b = appendU32(append(b, opGlobalGet), w.fuel)
	b = append(b, opI32Const, 0, opI32LeS, opIf, typeEmpty)
	b = appendU32(append(b, opCall), w.tick())
	b = appendU32(append(b, opGlobalSet), w.fuel)
	return append(b, opEnd)
}

// chargeLength appends, before an operation whose topmost operand is a length:
// fuel -= length >> shift; fuel -= 1; if fuel <= 0 { fuel = tick() }.
func (w *rewriter) chargeLength(b []byte, local, shift uint32) []byte {
	b = appendU32(append(b, opLocalTee), local)
	b = appendU32(append(b, opGlobalGet), w.fuel)
	b = appendU32(append(b, opLocalGet), local)
	b = append(b, opI32Const, byte(shift), opI32ShrU, opI32Sub)
	b = append(b, opI32Const, 1, opI32Sub)
	b = appendU32(append(b, opGlobalSet), w.fuel)
	return w.refill(b)
}

// enter appends: depth += d; if depth > max { deep(); unreachable } block.
func (w *rewriter) enter(b []byte, d int32, typ FuncType) []byte {
	b = w.addGlobal(b, w.depth, opI32Add, d)
	b = appendU32(append(b, opGlobalGet), w.depth)
	b = appendS32(append(b, opI32Const), w.o.MaxDepth)
	b = append(b, opI32GtS, opIf, typeEmpty)
	if w.o.DeepName != "" {
		b = appendU32(append(b, opCall), w.tick()+1)
	}
	b = append(b, opUnreachable, opEnd, opBlock)
	switch len(typ.Results) {
	case 0:
		return append(b, typeEmpty)
	case 1:
		return append(b, byte(typ.Results[0]))
	default:
		return appendS32(b, int32(w.addType(typ.Results)))
	}
}

// addGlobal appends: global = global op n.
func (w *rewriter) addGlobal(b []byte, global uint32, op byte, n int32) []byte {
	b = appendU32(append(b, opGlobalGet), global)
	b = appendS32(append(b, opI32Const), n)
	b = append(b, op)
	return appendU32(append(b, opGlobalSet), global)
}
