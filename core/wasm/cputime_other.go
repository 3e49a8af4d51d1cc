//go:build !linux

package wasm

// threadTime is not known on this system: elapsed time stands in for CPU time.
type threadTime struct{}

func (t *threadTime) read() {}

func (t *threadTime) since(*threadTime) (ns int64, ok bool) { return 0, false }
