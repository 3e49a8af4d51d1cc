package abi

import "unsafe"

// Load reads the first 8 bytes of b, of which there must be that many, as a number. WebAssembly is little-endian and
// reads from any address, but the compiler does not know that and would put the bytes together one by one.
func Load(b []byte) uint64 { return *(*uint64)(unsafe.Pointer(unsafe.SliceData(b))) }
