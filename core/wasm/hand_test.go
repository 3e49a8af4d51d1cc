package wasm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// hand is a guest put together by hand, so that a test can break every rule. The zero value is a plugin with the
// request hook that lets everything pass.
type hand struct {
	call     []byte   // instructions of sp_call behind the configure hook, which returns 0; nil returns 0
	conf     []byte   // instructions of the configure hook, which leave an i64; nil returns 0
	buf      []byte   // instructions of sp_buf, which leave an i32; nil returns bufferAt
	init     []byte   // instructions of _initialize; nil exports none
	imports  []string // "module.name" with the type of sallyport1.field
	result   []byte   // at resultAt
	manifest string
	pages    int      // of memory; 0 is 32
	without  []string // names not exported
	wrong    bool     // sp_call has the type of sp_buf
	start    bool     // _initialize is the module's start function too
}

const (
	resultAt = 1 << 12
	bufferAt = 1 << 16
)

const handManifest = `{"sallyport.manifest": 1, "name": "hand", "version": "1", "abi": {"major": 1}, "hooks": ["request"], "needs": ["texts"]}`

// Instructions of the guests below.
var (
	trap        = []byte{0x00}
	loopForever = []byte{0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00}
	growForever = []byte{0x03, 0x40, 0x41, 0x10, 0x40, 0x00, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x0c, 0x00, 0x0b, 0x00}
	returnData  = func(b []byte) []byte { return returnAt(resultAt, len(b)) }
)

func returnAt(ptr, n int) []byte { return append([]byte{0x42}, sleb(int64(ptr)<<32|int64(n))...) }

// recurse calls sp_call, function number f, without end. Adding to the result keeps it from being a tail call.
func recurse(f byte) []byte { return []byte{0x20, 0, 0x20, 1, 0x20, 2, 0x10, f, 0x42, 1, 0x7c} }

func leb(n int) []byte {
	var b []byte
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func sleb(n int64) []byte {
	var b []byte
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func vec(items ...[]byte) []byte {
	b := leb(len(items))
	for _, item := range items {
		b = append(b, item...)
	}
	return b
}

func sized(b ...[]byte) []byte {
	var all []byte
	for _, part := range b {
		all = append(all, part...)
	}
	return append(leb(len(all)), all...)
}

func name(s string) []byte { return append(leb(len(s)), s...) }

func otherBytes(b, d []byte) []byte {
	if b == nil {
		return d
	}
	return b
}

// module assembles the guest.
func (h hand) module() []byte {
	const i32, i64 = 0x7f, 0x7e
	b := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, content []byte) { b = append(append(b, id), sized(content)...) }
	section(1, vec(
		[]byte{0x60, 1, i32, 1, i32},
		[]byte{0x60, 3, i32, i32, i32, 1, i64},
		[]byte{0x60, 0, 0},
		[]byte{0x60, 5, i32, i32, i32, i32, i32, 1, i32},
	))
	var imports [][]byte
	for _, im := range h.imports {
		module, field, _ := strings.Cut(im, ".")
		imports = append(imports, append(append(name(module), name(field)...), 0, 3))
	}
	section(2, vec(imports...))
	callType := byte(1)
	callBody := append([]byte{0x20, 0, 0x41, 1, 0x46, 0x04, 0x40}, otherBytes(h.conf, []byte{0x42, 0})...)
	callBody = append(append(callBody, 0x0f, 0x0b), otherBytes(h.call, []byte{0x42, 0})...)
	if h.wrong {
		callType, callBody = 0, []byte{0x41, 0}
	}
	section(3, vec([]byte{0}, []byte{callType}, []byte{2}))
	pages := h.pages
	if pages == 0 {
		pages = 32
	}
	section(5, vec(append([]byte{0}, leb(pages)...)))
	first := len(imports)
	var exports [][]byte
	export := func(s string, kind byte, index int) {
		for _, w := range h.without {
			if w == s {
				return
			}
		}
		exports = append(exports, append(append(name(s), kind), leb(index)...))
	}
	export(abi.Memory, 2, 0)
	export(abi.BufFunc, 0, first)
	export(abi.CallFunc, 0, first+1)
	if h.init != nil {
		export(abi.InitFunc, 0, first+2)
	}
	section(7, vec(exports...))
	if h.start {
		section(8, leb(first+2))
	}
	body := func(code []byte) []byte { return sized([]byte{0}, code, []byte{0x0b}) }
	section(10, vec(body(otherBytes(h.buf, append([]byte{0x41}, sleb(bufferAt)...))), body(callBody), body(h.init)))
	data := func(at int, content []byte) []byte {
		return append(append(append([]byte{0, 0x41}, sleb(int64(at))...), 0x0b), sized(content)...)
	}
	manifest := h.manifest
	if manifest == "" {
		manifest = handManifest
	}
	section(11, vec(data(16, []byte(manifest)), data(resultAt, h.result)))
	return b
}

// file writes the guest to a file.
func (h hand) file(t testing.TB) string { return moduleFile(t, h.module()) }

func moduleFile(t testing.TB, module []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hand.wasm")
	if err := os.WriteFile(path, module, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
