//go:build !(amd64 || arm64 || wasm)

package scan

import "github.com/sallyport-ai/sallyport/sdk/abi"

// block is the first 72 bytes of b, of which there must be that many, as numbers.
func block(b []byte) *[9]uint64 {
	var w [9]uint64
	for i := range w {
		w[i] = abi.Load(b[8*i:])
	}
	return &w
}
