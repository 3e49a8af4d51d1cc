package wasm

import (
	"context"
	"math"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// withMemory makes instances started with ctx keep their memory outside of Go's heap, up to limit bytes: the address
// range is reserved at once and never moves, and the kernel provides a page when it is first touched.
func withMemory(ctx context.Context, limit uint64) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(
		func(_, most uint64) experimental.LinearMemory {
			n := min(most, limit)
			if n == 0 || n > math.MaxInt {
				return &linearMemory{}
			}
			b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
			if err != nil {
				return &linearMemory{}
			}
			return &linearMemory{b}
		}))
}

// linearMemory is the memory of one instance.
type linearMemory struct{ b []byte }

// Reallocate makes the memory size bytes long. It returns nil beyond the limit: the guest's memory.grow then fails.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.b)) {
		return nil
	}
	return m.b[:size:size]
}

// Free gives the memory back. The instance must not run any more.
func (m *linearMemory) Free() {
	if m.b != nil {
		_ = unix.Munmap(m.b) // fails only for a range that is not ours
		m.b = nil
	}
}
