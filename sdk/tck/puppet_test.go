package tck_test

import (
	"os"
	"path/filepath"
	"testing"
)

// puppet assembles a module with the request hook that returns the result, and 0 to configure.
func puppet(t testing.TB, result []byte) string {
	t.Helper()
	const (
		i32, i64       = 0x7f, 0x7e
		manifestAt     = 16
		resultAt       = 4 << 10
		bufferAt       = 64 << 10
		manifest       = `{"sallyport.manifest": 1, "name": "puppet", "abi": {"major": 1}, "hooks": ["request"], "needs": ["texts"]}`
		get, equal     = 0x20, 0x46
		begin, end     = 0x04, 0x0b
		const32        = 0x41
		const64        = 0x42
		leave, noValue = 0x0f, 0x40
	)
	b := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, content ...[]byte) { b = append(append(b, id), sized(content...)...) }
	section(1, []byte{2, 0x60, 1, i32, 1, i32, 0x60, 3, i32, i32, i32, 1, i64})
	section(3, []byte{2, 0, 1})
	section(5, []byte{1, 0, 32})
	section(7, []byte{3}, export("memory", 2, 0), export("sp_buf", 0, 0), export("sp_call", 0, 1))
	out := int64(resultAt)<<32 | int64(len(result))
	section(10, []byte{2},
		sized([]byte{0, const32}, signed(bufferAt), []byte{end}),
		sized([]byte{0, get, 0, const32, 1, equal, begin, noValue, const64, 0, leave, end, const64}, signed(out), []byte{end}))
	section(11, []byte{2}, data(manifestAt, []byte(manifest)), data(resultAt, result))
	file := filepath.Join(t.TempDir(), "puppet.wasm")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func unsigned(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func signed(n int64) (b []byte) {
	for ; n < -64 || n > 63; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n)&0x7f)
}

func sized(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return append(unsigned(len(all)), all...)
}

func export(name string, kind, index byte) []byte {
	return append(append(unsigned(len(name)), name...), kind, index)
}

func data(at int, content []byte) []byte {
	return append(append(append([]byte{0, 0x41}, signed(int64(at))...), 0x0b), sized(content)...)
}
