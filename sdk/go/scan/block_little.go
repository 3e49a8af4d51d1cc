//go:build amd64 || arm64 || wasm

package scan

import "unsafe"

// block is the first 72 bytes of b, of which there must be that many, as numbers. These processors are little-endian and read
// from any address.
func block(b []byte) *[9]uint64 { return (*[9]uint64)(unsafe.Pointer(unsafe.SliceData(b))) }
