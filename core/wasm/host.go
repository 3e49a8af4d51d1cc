package wasm

import (
	"context"
	"log/slog"

	"github.com/tetratelabs/wazero/api"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// The module that the metering pass makes a guest import.
const (
	meterModule = "sallyport.meter"
	tickFunc    = "tick"
	deepFunc    = "deep"
)

type valueType = api.ValueType

const (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// hostFunc is a function that a guest can import.
type hostFunc struct {
	name    string
	params  []valueType
	results []valueType
	run     func(in *instance, stack []uint64)
}

func hostFuncs() []hostFunc {
	return []hostFunc{
		{"log", []valueType{i32, i32, i32}, nil, hostLog},
		{"field", []valueType{i32, i32, i32, i32, i32}, []valueType{i32}, hostField},
		{"secret", []valueType{i32, i32, i32, i32}, []valueType{i32}, hostSecret},
		{"kv_get", []valueType{i32, i32, i32, i32}, []valueType{i32}, hostKVGet},
		{"kv_set", []valueType{i32, i32, i32, i32, i64}, []valueType{i32}, hostKVSet},
		{"kv_incr", []valueType{i32, i32, i64, i64, i32}, []valueType{i32}, hostKVIncr},
		{"kv_del", []valueType{i32, i32}, []valueType{i32}, hostKVDel},
		{"metric", []valueType{i32, i32, i32, api.ValueTypeF64}, []valueType{i32}, hostMetric},
		{"http_start", []valueType{i32, i32}, []valueType{i32}, hostHTTPStart},
		{"blob_wait", []valueType{i32, i32}, []valueType{i32}, hostBlobWait},
		{"blob_len", []valueType{i32}, []valueType{i32}, hostBlobLen},
		{"blob_read", []valueType{i32, i32, i32, i32}, []valueType{i32}, hostBlobRead},
		{"blob_close", []valueType{i32}, []valueType{i32}, hostBlobClose},
	}
}

func hostNames() []string {
	var names []string
	for _, f := range hostFuncs() {
		names = append(names, f.name)
	}
	return names
}

// hostTypes are the functions of a module with their types, in the notation of meter.FuncType.
func hostTypes(module string) map[string]string {
	var list []hostFunc
	switch module {
	case abi.HostModule:
		list = hostFuncs()
	case wasiModule:
		list = wasiFuncs()
	}
	types := make(map[string]string, len(list))
	for _, f := range list {
		types[f.name] = f.signature()
	}
	return types
}

func (f hostFunc) signature() string {
	s := "("
	for i, t := range f.params {
		if i > 0 {
			s += ","
		}
		s += api.ValueTypeName(t)
	}
	s += ")->"
	if len(f.results) == 0 {
		return s + "()"
	}
	return s + api.ValueTypeName(f.results[0])
}

// hostModules instantiates what a guest may import.
func (p *Plugin) hostModules(ctx context.Context) error {
	metering := []hostFunc{
		{tickFunc, nil, []valueType{i32}, func(in *instance, stack []uint64) { in.clock.tick(); stack[0] = quantum }},
		{deepFunc, nil, nil, func(*instance, []uint64) { panic(ErrDepth) }},
	}
	modules := []struct {
		name  string
		funcs []hostFunc
		check bool
	}{{meterModule, metering, false}, {abi.HostModule, hostFuncs(), true}, {wasiModule, wasiFuncs(), true}}
	for _, m := range modules {
		b := p.runtime.NewHostModuleBuilder(m.name)
		for _, f := range m.funcs {
			b.NewFunctionBuilder().WithGoModuleFunction(f.bind(m.check), f.params, f.results).Export(f.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bind makes the function one that the runtime can call. A guest could stay in host functions without ever using up a
// quantum, so each of them looks at the clock.
func (f hostFunc) bind(check bool) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		in := ctx.Value(instanceKey{}).(*instance)
		if in.mem == nil { // a start function runs before the instance is complete
			in.mem = mod.Memory()
		}
		if check {
			in.clock.check()
		}
		f.run(in, stack)
	}
}

// hostLog is log(level, ptr, len).
func hostLog(in *instance, stack []uint64) {
	level := slog.Level(int32(stack[0]))
	n := min(uint32(stack[2]), abi.MaxMessage)
	line, ok := in.mem.Read(uint32(stack[1]), n)
	if !ok {
		return
	}
	in.p.line(max(slog.LevelDebug, min(slog.LevelError, level)), line)
}

// hostField is field(field, key ptr, key len, buf ptr, buf len) -> length or error.
func hostField(in *instance, stack []uint64) {
	stack[0] = api.EncodeI32(in.field(stack))
}

const maxKey = 1 << 10

func (in *instance) field(stack []uint64) int32 {
	field, size := uint32(stack[0]), uint32(stack[4])
	keyLen := uint32(stack[2])
	key, ok := in.mem.Read(uint32(stack[1]), keyLen)
	if !ok || keyLen > maxKey {
		return abi.ErrArgument
	}
	if in.x == nil {
		return abi.ErrForbidden
	}
	value, code := in.lookup(field, string(key))
	if code < 0 {
		return code
	}
	if uint64(len(value)) <= uint64(size) && !in.mem.Write(uint32(stack[3]), value) {
		return abi.ErrArgument
	}
	return int32(len(value))
}

// body is what the guest may read: the request, or what it is asked to look at in its place.
func (in *instance) body() *llm.Object {
	if in.doc != nil {
		return in.doc
	}
	return &in.x.Body
}

func (in *instance) lookup(field uint32, key string) ([]byte, int32) {
	switch field {
	case abi.FieldHeader:
		if in.hook != abi.HookAuth && in.p.secretHeader(key) {
			return nil, abi.ErrForbidden
		}
		if !in.x.Header.Has(key) {
			return nil, abi.ErrNotFound
		}
		return in.x.Header.Get(key), 0
	case abi.FieldBody:
		if !in.p.mayRead(in.hook) {
			return nil, abi.ErrForbidden
		}
		if in.body().Raw() == nil {
			return nil, abi.ErrNotFound
		}
		return in.body().Raw(), 0
	case abi.FieldJSON, abi.FieldValue:
		if !in.p.mayRead(in.hook) && !harmless(key) {
			return nil, abi.ErrForbidden
		}
		raw, err := dialect.Lookup(in.body(), key)
		if err != nil {
			return nil, abi.ErrArgument
		}
		if raw == nil {
			return nil, abi.ErrNotFound
		}
		if field == abi.FieldJSON || raw[0] != '"' {
			return raw, 0
		}
		var ok bool
		if in.scratch, ok = llm.AppendUnescaped(in.scratch[:0], raw[1:len(raw)-1]); !ok {
			return nil, abi.ErrArgument
		}
		return in.scratch, 0
	}
	if field == abi.FieldMedia || field == abi.FieldMediaSum {
		return in.lookupMedia(field, key)
	}
	return in.lookupAnswer(field, key)
}
