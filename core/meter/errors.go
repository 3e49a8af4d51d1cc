package meter

import (
	"errors"
	"fmt"
)

// The kinds of [Error], for errors.Is.
var (
	// ErrComponent: the bytes are a component, not a core module.
	ErrComponent = errors.New("core module needed")
	// ErrMalformed: the bytes are not a well-formed module.
	ErrMalformed = errors.New("malformed module")
	// ErrUnsupported: the module uses a feature beyond WebAssembly 2.0.
	ErrUnsupported = errors.New("unsupported feature")
	// ErrLimit: the module is larger in some respect than is allowed.
	ErrLimit = errors.New("limit exceeded")
	// ErrReserved: the module imports a name that only the host adds.
	ErrReserved = errors.New("reserved import")
)

// Error says what in a module was refused and where.
type Error struct {
	Kind    error  // one of the Err values of this package
	Section string // the section, such as "code", or "header"
	Offset  int    // in bytes from the start of the module
	Func    int    // index of the function in the module as given, or -1
	Detail  string // what is wrong and, where there is one, the way out
}

// Error implements error.
func (e *Error) Error() string {
	if e.Func >= 0 {
		return fmt.Sprintf("%v: %s section, offset %#x, function %d: %s", e.Kind, e.Section, e.Offset, e.Func, e.Detail)
	}
	return fmt.Sprintf("%v: %s section, offset %#x: %s", e.Kind, e.Section, e.Offset, e.Detail)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }
