// Package meter rewrites a core WebAssembly module so that its host can bound
// the CPU time and the recursion of the guest, and reads what a host must know
// about a module before it runs: custom sections, imports, exports.
//
// WebAssembly engines without a fuel counter can be stopped only by leaving
// native code at every loop iteration. Here the module counts for itself, in a
// private global, and calls the host once per quantum; the host then looks at
// its clock, yields, and either returns the next quantum or ends the call by a
// panic. README.md lists the instructions inserted and what they cost.
//
// The package refuses every module that it does not understand to the last
// byte, because an index it failed to renumber would silently change meaning,
// and because a guest that could name the private globals would escape the
// limits. What it accepts still has to be validated by the engine: type checks
// are not repeated here.
package meter

import "fmt"

// Defaults of [Options].
const (
	DefaultQuantum  = 10_000
	DefaultMaxDepth = 4_000
	DefaultMaxTable = 1 << 20
)

// Limits on a module that are not options. Those on functions follow the
// implementation limits of the WebAssembly JavaScript interface, so that a
// module that runs in a browser or in Node is not refused.
// https://webassembly.github.io/spec/js-api/#limits
const (
	maxLocals      = 50_000
	maxParams      = 1_000
	maxResults     = 1_000
	maxBody        = 7_654_321
	maxBranchTable = 65_520
	maxTypes       = 1_000_000
	maxFunctions   = 1_000_000
	maxTables      = 100_000
)

// Options of [Rewrite].
type Options struct {
	// TickModule and TickName name the function import of type ()->i32 that
	// the rewritten module calls when its quantum is used up. The result is
	// the next quantum in units and must be at least 1; a smaller one makes
	// the next check call again. To end the guest, the function panics; the
	// instance must then be discarded. Both are required, and the module
	// must not import that name itself.
	TickModule, TickName string

	// DeepName, when set, names a second import of TickModule, of type
	// ()->(), that is called when the guest recurses deeper than MaxDepth,
	// so that the host can panic with an error of its own. Without it, or
	// when it returns, the guest traps with "unreachable".
	DeepName string

	// Quantum is the number of units before the first tick; 0 means
	// DefaultQuantum. One unit is one loop iteration or one call of
	// ordinary size, a few nanoseconds.
	Quantum int32

	// MaxDepth bounds the calls in progress; 0 means DefaultMaxDepth. A
	// function with more than 64 locals or 1024 instructions counts for
	// more than one, because its frame may be larger.
	MaxDepth int32

	// MaxTable bounds the elements of all tables of the module together,
	// because they live on the host's heap; 0 means DefaultMaxTable. A
	// module that declares more is refused, and table.grow fails beyond it.
	MaxTable uint32
}

func (o Options) withDefaults() (Options, error) {
	if o.TickModule == "" || o.TickName == "" {
		return o, fmt.Errorf("meter: Options.TickModule and Options.TickName must be set")
	}
	if o.DeepName == o.TickName {
		return o, fmt.Errorf("meter: Options.DeepName and Options.TickName are both %q, they have different types", o.TickName)
	}
	if o.Quantum < 0 || o.MaxDepth < 0 || o.MaxDepth > 1<<30 { // depth + units of a frame must not overflow
		return o, fmt.Errorf("meter: Options.Quantum is %d and MaxDepth %d, they must be 0 to 1<<30", o.Quantum, o.MaxDepth)
	}
	if o.Quantum == 0 {
		o.Quantum = DefaultQuantum
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxTable == 0 {
		o.MaxTable = DefaultMaxTable
	}
	return o, nil
}

// Rewrite returns a copy of module that counts its work and its depth as
// described by o. The result computes what the module computes, except that it
// is interrupted or ends when it exceeds its limits. module is not changed and
// not retained.
//
// Errors are of type [*Error] when they concern the module; errors.Is tells
// [ErrComponent], [ErrMalformed], [ErrUnsupported], [ErrLimit] and
// [ErrReserved] apart.
func Rewrite(module []byte, o Options) ([]byte, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	m, err := parse(module)
	if err != nil {
		return nil, err
	}
	if err := m.checkReserved(o); err != nil {
		return nil, err
	}
	w, err := newRewriter(m, o)
	if err != nil {
		return nil, err
	}
	return w.module()
}

// checkReserved refuses a module that imports the names the rewriter adds: it
// could call them itself, and the host could not tell.
func (m *module) checkReserved(o Options) error {
	for _, im := range m.imports {
		if im.Module != o.TickModule || im.Name != o.TickName && (im.Name != o.DeepName || o.DeepName == "") {
			continue
		}
		return &Error{
			Kind: ErrReserved, Section: "import", Offset: im.offset, Func: -1,
			Detail: fmt.Sprintf("imports %s.%s, which only the host adds: remove this import from the guest", im.Module, im.Name),
		}
	}
	return nil
}
