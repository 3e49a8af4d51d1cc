package meter

// Opcodes the rewriter treats by name or writes itself.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opLocalGet     = 0x20
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32GtS       = 0x4a
	opI32LeS       = 0x4c
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opRefNull      = 0xd0
	opRefFunc      = 0xd2
	opPrefixMisc   = 0xfc
	opPrefixSIMD   = 0xfd
	simdConst      = 12
	typeEmpty      = 0x40
)

// immediate says what follows an opcode.
type immediate byte

const (
	immUnknown    immediate = iota
	immNone                 // nothing
	immBlock                // a block type; opens a frame
	immElse                 // turns the frame of an if
	immEnd                  // closes a frame
	immLabel                // a label
	immLabels               // br_table
	immReturn               // nothing; leaves the function
	immFunc                 // a function that is called
	immRefFunc              // a function that is not called
	immIndirect             // a type and a table
	immTypes                // a vector of value types
	immRefType              // a reference type
	immLocal                // a local
	immGlobal               // a global
	immTable                // a table
	immTables               // two tables
	immMemArg               // alignment and offset
	immMemory               // a zero byte, the only memory
	immMemories             // two of them
	immS32                  // a constant
	immS64                  // a constant
	imm4                    // four bytes
	imm8                    // eight bytes
	imm16                   // sixteen bytes
	immLane                 // a lane
	immMemArgLane           // alignment, offset and a lane
	immDataMemory           // a data segment and a zero byte
	immData                 // a data segment
	immElemTable            // an element segment and a table
	immElem                 // an element segment
	immMisc                 // an opcode of opPrefixMisc
	immSIMD                 // an opcode of opPrefixSIMD
)

// immediateOf returns what follows a one-byte opcode of core 2.0.
// https://www.w3.org/TR/wasm-core-2/#instructions%E2%91%A8
func immediateOf(op byte) immediate {
	switch {
	case op >= 0x45 && op <= 0xc4: // comparisons, arithmetic, conversions
		return immNone
	case op >= 0x28 && op <= 0x3e: // loads and stores
		return immMemArg
	}
	switch op {
	case 0x00, 0x01, 0x1a, 0x1b, 0xd1: // unreachable, nop, drop, select, ref.is_null
		return immNone
	case opBlock, opLoop, opIf:
		return immBlock
	case opElse:
		return immElse
	case opEnd:
		return immEnd
	case opBr, 0x0d:
		return immLabel
	case 0x0e:
		return immLabels
	case opReturn:
		return immReturn
	case opCall:
		return immFunc
	case opCallIndirect:
		return immIndirect
	case 0x1c: // select with types
		return immTypes
	case 0x20, 0x21, 0x22:
		return immLocal
	case 0x23, 0x24:
		return immGlobal
	case 0x25, 0x26: // table.get, table.set
		return immTable
	case 0x3f, opMemoryGrow:
		return immMemory
	case opI32Const:
		return immS32
	case opI64Const:
		return immS64
	case opF32Const:
		return imm4
	case opF64Const:
		return imm8
	case opRefNull:
		return immRefType
	case opRefFunc:
		return immRefFunc
	case opPrefixMisc:
		return immMisc
	case opPrefixSIMD:
		return immSIMD
	}
	return immUnknown
}

// Shifts that turn the length of a bulk operation into units: 256 bytes or 32
// table elements cost one.
const (
	shiftBytes    = 8
	shiftElements = 5
)

// miscOf returns what follows an opcode with the prefix 0xfc, and for an
// operation whose topmost operand is a length the shift to units.
func miscOf(op uint32) (imm immediate, shift int32) {
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
		return immNone, 0
	case 8: // memory.init
		return immDataMemory, shiftBytes
	case 9: // data.drop
		return immData, 0
	case 10: // memory.copy
		return immMemories, shiftBytes
	case 11: // memory.fill
		return immMemory, shiftBytes
	case 12: // table.init
		return immElemTable, shiftElements
	case 13: // elem.drop
		return immElem, 0
	case 14: // table.copy
		return immTables, shiftElements
	case 15, 17: // table.grow, table.fill
		return immTable, shiftElements
	case 16: // table.size
		return immTable, 0
	}
	return immUnknown, 0
}

// simdOf returns what follows an opcode with the prefix 0xfd.
func simdOf(op uint32) immediate {
	switch {
	case op <= 11, op == 92, op == 93: // loads and stores
		return immMemArg
	case op == simdConst, op == 13: // v128.const, i8x16.shuffle
		return imm16
	case op <= 20: // swizzle, splat
		return immNone
	case op <= 34: // extract_lane, replace_lane
		return immLane
	case op >= 84 && op <= 91: // loads and stores of a lane
		return immMemArgLane
	}
	switch op {
	case 0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb,
		0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2, 0xee: // unassigned
		return immUnknown
	}
	if op <= 0xff {
		return immNone
	}
	return immUnknown
}

// featureOf names the proposal that an unknown opcode belongs to, or "".
func featureOf(op byte) string {
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		return "exception handling"
	case 0x12, 0x13:
		return "tail calls"
	case 0x14, 0x15, 0xd4, 0xd5, 0xd6:
		return "typed function references"
	case 0xd3, 0xfb:
		return "garbage collection"
	case 0xfe:
		return "threads (atomic instructions)"
	}
	return ""
}
