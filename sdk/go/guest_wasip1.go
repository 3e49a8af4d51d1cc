package sallyport

import (
	"runtime/debug"
	"unsafe"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

//go:wasmimport sallyport1 field
//go:noescape
func hostField(field uint32, key string, buf unsafe.Pointer, size uint32) int32

//go:wasmimport sallyport1 log
func hostLog(level int32, message string)

//go:wasmexport sp_buf
func spBuf(n uint32) uint32 {
	if registered == nil {
		return 0
	}
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(registered.buffer(n)))))
}

//go:wasmexport sp_call
func spCall(hook uint32, ptr uint32, n uint32) uint64 {
	if registered == nil {
		panic("sallyport: the plugin did not call Register")
	}
	out := registered.call(abi.Hook(hook), registered.in[:n])
	if out == nil {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(out))))<<32 | uint64(len(out))
}

// load is abi.Load of a text.
func load(s string) uint64 { return *(*uint64)(unsafe.Pointer(unsafe.StringData(s))) }

// tuneMemory makes the collector run at half of Go's usual heap: an instance has a cap of some ten megabytes, and
// memory it took once is not given back.
func tuneMemory() { debug.SetGCPercent(50) }

// More stands for what a hook reads from the gateway during a call.
type More struct{}

// field reads a field into memory of its own.
func (More) field(field uint32, key string) ([]byte, bool) {
	buf := make([]byte, 256)
	for {
		n := hostField(field, key, unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
		if n < 0 {
			return nil, false
		}
		if int(n) <= len(buf) {
			return buf[:n], true
		}
		buf = make([]byte, n)
	}
}

func (More) metadata() (map[string]any, error) { return nil, nil }

// Log writes a line to the gateway's log, at abi.LogDebug to abi.LogError. Lines beyond the gateway's rate limit are
// dropped. A line must not hold a key or a prompt.
func Log(level int32, message string) { hostLog(level, message) }
