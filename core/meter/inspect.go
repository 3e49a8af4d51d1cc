package meter

import (
	"fmt"
	"strings"
)

// ValueType is the type of a value, in its binary encoding. The encodings are
// those of wazero's api.ValueType where it has the type.
type ValueType byte

// The value types of WebAssembly 2.0.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

// String returns the name of the text format.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	default:
		return fmt.Sprintf("type %#x", byte(t))
	}
}

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String returns the type in the form "(i32,i32)->i64".
func (t FuncType) String() string {
	var b strings.Builder
	list := func(types []ValueType, brackets bool) {
		if brackets {
			b.WriteByte('(')
		}
		for i, t := range types {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(t.String())
		}
		if brackets {
			b.WriteByte(')')
		}
	}
	list(t.Params, true)
	b.WriteString("->")
	list(t.Results, len(t.Results) != 1)
	return b.String()
}

// Kind says what is imported or exported.
type Kind byte

// The kinds of imports and exports.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

// String returns the name of the text format.
func (k Kind) String() string {
	switch k {
	case KindFunc:
		return "func"
	case KindTable:
		return "table"
	case KindMemory:
		return "memory"
	case KindGlobal:
		return "global"
	default:
		return fmt.Sprintf("kind %d", byte(k))
	}
}

// Limits are the declared size of a memory, in pages of 64 KiB, or of a table,
// in elements. Max means something only with HasMax.
type Limits struct {
	Min, Max uint32
	HasMax   bool
}

// Table is the type of a table.
type Table struct {
	Elem   ValueType
	Limits Limits
}

// Import is one import of a module. Type, Table or Memory is set as Kind says.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         FuncType
	Table        Table
	Memory       Limits

	offset int
}

// Export is one export of a module. Type, Table or Memory is set as Kind says.
type Export struct {
	Name   string
	Kind   Kind
	Type   FuncType
	Table  Table
	Memory Limits
}

// Imports lists what the module imports, in its order. The module's sections
// are checked as by [Rewrite], the bodies of its functions are not read.
func Imports(module []byte) ([]Import, error) {
	m, err := parse(module)
	if err != nil {
		return nil, err
	}
	return m.imports, nil
}

// Exports lists what the module exports, in its order. The module's sections
// are checked as by [Rewrite], the bodies of its functions are not read.
func Exports(module []byte) ([]Export, error) {
	m, err := parse(module)
	if err != nil {
		return nil, err
	}
	return m.exports, nil
}

// CustomSection returns the contents of the custom section called name, and
// whether there is one. When there are several, that is an error: two readers
// could disagree on which one counts. The result is part of module, not a
// copy. Only the section headers are read, so a module that [Rewrite] refuses
// can still be asked for its section.
func CustomSection(module []byte, name string) ([]byte, bool, error) {
	m, err := split(module)
	if err != nil {
		return nil, false, err
	}
	var found *section
	for i, s := range m.sections {
		if s.id != secCustom || s.name != name {
			continue
		}
		if found != nil {
			return nil, false, &Error{
				Kind: ErrMalformed, Section: "custom", Offset: s.start, Func: -1,
				Detail: fmt.Sprintf("section %q occurs twice: remove one", name),
			}
		}
		found = &m.sections[i]
	}
	if found == nil {
		return nil, false, nil
	}
	return module[found.start:found.end:found.end], true, nil
}

// AppendCustomSection returns a copy of module with a custom section added at
// its end. It fails when there is one with that name already.
func AppendCustomSection(module []byte, name string, contents []byte) ([]byte, error) {
	_, ok, err := CustomSection(module, name)
	if err != nil {
		return nil, err
	}
	if ok {
		return nil, fmt.Errorf("meter: the module has a custom section %q already", name)
	}
	body := append(appendName(nil, name), contents...)
	out := make([]byte, 0, len(module)+len(body)+6)
	out = append(out, module...)
	return appendSection(out, secCustom, body), nil
}
