package meter_test

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/meter"
)

// What the tests need of the binary format, by its names in the text format.
const (
	unreachable, nop, block, loop, if_, else_, end byte = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b
	br, brIf, brTable, return_, call, callIndirect byte = 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11
	drop, select_                                  byte = 0x1a, 0x1b
	localGet, localSet, localTee                   byte = 0x20, 0x21, 0x22
	globalGet, globalSet                           byte = 0x23, 0x24
	i32Load8U, i32Store8                           byte = 0x2d, 0x3a
	memorySize, memoryGrow                         byte = 0x3f, 0x40
	i32Const, i64Const                             byte = 0x41, 0x42
	i32Eqz, i32Eq, i32LtU, i32GtU                  byte = 0x45, 0x46, 0x49, 0x4b
	i32Add, i32Sub, i32Mul, i32And, i32Xor         byte = 0x6a, 0x6b, 0x6c, 0x71, 0x73
	refNull, refFunc                               byte = 0xd0, 0xd2
	misc, simd                                     byte = 0xfc, 0xfd
	i32, i64, funcref, empty                       byte = 0x7f, 0x7e, 0x70, 0x40
)

// fn is a function of a test module, exported when it has a name.
type fn struct {
	name            string
	params, results []byte
	locals          int // of type i32
	code            []byte
}

// wat is a test module. Function i has type i; imports come first and have the
// types before those.
type wat struct {
	imports  []fn // of module "env"
	funcs    []fn
	memory   []byte   // limits
	tables   [][]byte // table types
	globals  [][]byte // with their values
	exports  [][]byte // besides those of functions
	start    []byte
	elements [][]byte
	data     [][]byte
	customs  [][]byte // name and contents
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func u32(v uint32) []byte {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// s32 encodes an operand of i32.const.
func s32(v int32) []byte {
	var b []byte
	for ; v < -64 || v > 63; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v)&0x7f)
}

func vec(items ...[]byte) []byte { return append(u32(uint32(len(items))), cat(items...)...) }
func str(s string) []byte        { return append(u32(uint32(len(s))), s...) }
func sized(b []byte) []byte      { return append(u32(uint32(len(b))), b...) }
func section(id byte, b []byte) []byte {
	return append([]byte{id}, sized(b)...)
}

const magic = "\x00asm\x01\x00\x00\x00"

func (w wat) bytes() []byte {
	var types, imports, funcs, exports, code [][]byte
	for i, f := range append(w.imports[:len(w.imports):len(w.imports)], w.funcs...) {
		types = append(types, cat([]byte{0x60}, sized(f.params), sized(f.results)))
		if i < len(w.imports) {
			imports = append(imports, cat(str("env"), str(f.name), []byte{0}, u32(uint32(i))))
			continue
		}
		funcs = append(funcs, u32(uint32(i)))
		if f.name != "" {
			exports = append(exports, cat(str(f.name), []byte{0}, u32(uint32(i))))
		}
		locals := []byte{0}
		if f.locals > 0 {
			locals = cat([]byte{1}, u32(uint32(f.locals)), []byte{i32})
		}
		code = append(code, sized(cat(locals, f.code, []byte{end})))
	}
	b := []byte(magic)
	add := func(id byte, items [][]byte) {
		if len(items) > 0 {
			b = append(b, section(id, vec(items...))...)
		}
	}
	add(1, types)
	add(2, imports)
	add(3, funcs)
	add(4, w.tables)
	if w.memory != nil {
		add(5, [][]byte{w.memory})
	}
	add(6, w.globals)
	add(7, append(exports, w.exports...))
	if w.start != nil {
		b = append(b, section(8, w.start)...)
	}
	add(9, w.elements)
	if len(w.data) > 0 {
		b = append(b, section(12, u32(uint32(len(w.data))))...)
	}
	add(10, code)
	add(11, w.data)
	for _, c := range w.customs {
		b = append(b, section(0, c)...)
	}
	return b
}

// scanLoop is a module whose function "scan" adds up n bytes of memory.
func scanLoop() []byte {
	return wat{memory: []byte{0, 1}, funcs: []fn{{
		name: "scan", params: []byte{i32}, results: []byte{i32}, locals: 2,
		code: cat(
			[]byte{loop, empty},
			[]byte{localGet, 2, localGet, 1, i32Load8U, 0, 0, i32Add, localSet, 2},
			[]byte{localGet, 1, i32Const, 1, i32Add, localTee, 1, localGet, 0, i32LtU, brIf, 0},
			[]byte{end, localGet, 2},
		),
	}}}.bytes()
}

// fib is a module with the function "fib", by two recursive calls.
func fib() []byte {
	return wat{funcs: []fn{{
		name: "fib", params: []byte{i32}, results: []byte{i32},
		code: []byte{
			localGet, 0, i32Const, 2, i32LtU, if_, empty, localGet, 0, return_, end,
			localGet, 0, i32Const, 1, i32Sub, call, 0,
			localGet, 0, i32Const, 2, i32Sub, call, 0, i32Add,
		},
	}}}.bytes()
}

// copies is a module whose function "copies" copies 32 bytes n times.
func copies() []byte {
	return wat{memory: []byte{0, 1}, funcs: []fn{{
		name: "copies", params: []byte{i32}, results: []byte{i32},
		code: cat(
			[]byte{loop, empty, i32Const}, s32(256), []byte{i32Const, 0, i32Const, 32, misc, 10, 0, 0},
			[]byte{localGet, 0, i32Const, 1, i32Sub, localTee, 0, brIf, 0, end, localGet, 0},
		),
	}}}.bytes()
}

func valueTypes(b ...byte) []meter.ValueType {
	types := make([]meter.ValueType, len(b))
	for i := range b {
		types[i] = meter.ValueType(b[i])
	}
	return types
}
