package wasm

import "github.com/sallyport-ai/sallyport/sdk/abi"

// hostSecret is secret(name ptr, name len, buf, buf len) -> length or error.
func hostSecret(in *instance, stack []uint64) {
	name, ok := in.key(stack[0], stack[1])
	if !ok {
		stack[0] = code(abi.ErrArgument)
		return
	}
	value, ok := in.p.rights.secrets[string(name)]
	if !ok {
		stack[0] = code(abi.ErrForbidden)
		return
	}
	stack[0] = code(in.give([]byte(value), stack[2], stack[3]))
}

// key reads a name that a guest gives.
func (in *instance) key(ptr, n uint64) ([]byte, bool) {
	if n&0xffffffff > maxKey {
		return nil, false
	}
	return in.mem.Read(uint32(ptr), uint32(n))
}

// give writes a value to the guest's buffer if it fits there, and returns its length.
func (in *instance) give(value []byte, buf, size uint64) int32 {
	if uint64(len(value)) <= uint64(uint32(size)) && !in.mem.Write(uint32(buf), value) {
		return abi.ErrArgument
	}
	return int32(len(value))
}
