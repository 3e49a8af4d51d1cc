//go:build !wasm

package abi

import "encoding/binary"

// Load reads the first 8 bytes of b, of which there must be that many, as a number.
func Load(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
