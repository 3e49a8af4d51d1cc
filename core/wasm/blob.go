package wasm

import (
	"context"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// hostBlobWait is blob_wait(handle, timeout in ms) -> status or error. A timeout below 0 waits as long as the call may
// take.
func hostBlobWait(in *instance, stack []uint64) {
	f := in.fetch(stack[0])
	if f == nil {
		stack[0] = code(abi.ErrNotFound)
		return
	}
	timeout := time.Duration(int32(stack[1])) * time.Millisecond
	if !isClosed(f.done) && (timeout == 0 || !in.await(f.done, timeout)) {
		stack[0] = code(abi.ErrPending)
		return
	}
	stack[0] = code(f.status)
}

func code(n int32) uint64 { return uint64(uint32(n)) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// hostBlobLen is blob_len(handle) -> bytes or error.
func hostBlobLen(in *instance, stack []uint64) {
	f := in.fetch(stack[0])
	switch {
	case f == nil:
		stack[0] = code(abi.ErrNotFound)
	case !isClosed(f.done):
		stack[0] = code(abi.ErrPending)
	default:
		stack[0] = code(int32(len(f.blob)))
	}
}

// hostBlobRead is blob_read(handle, offset, buf, len) -> bytes copied or error.
func hostBlobRead(in *instance, stack []uint64) {
	f, offset, n := in.fetch(stack[0]), uint64(uint32(stack[1])), uint64(uint32(stack[3]))
	switch {
	case f == nil:
		stack[0] = code(abi.ErrNotFound)
		return
	case !isClosed(f.done):
		stack[0] = code(abi.ErrPending)
		return
	case offset > uint64(len(f.blob)):
		stack[0] = code(abi.ErrArgument)
		return
	}
	part := f.blob[offset:min(offset+n, uint64(len(f.blob)))]
	if !in.mem.Write(uint32(stack[2]), part) {
		stack[0] = code(abi.ErrArgument)
		return
	}
	stack[0] = code(int32(len(part)))
}

// hostBlobClose is blob_close(handle) -> 0 or error. A request that is under way is abandoned.
func hostBlobClose(in *instance, stack []uint64) {
	f := in.fetch(stack[0])
	if f == nil {
		stack[0] = code(abi.ErrNotFound)
		return
	}
	f.cancel()
	if isClosed(f.done) {
		in.fetches.held.Add(-f.held)
	}
	delete(in.fetches.open, int32(uint32(stack[0])))
	stack[0] = 0
}

func (in *instance) fetch(handle uint64) *fetch {
	if in.fetches == nil {
		return nil
	}
	return in.fetches.open[int32(uint32(handle))]
}

// closeBlobs ends what a call began and did not end itself.
func (in *instance) closeBlobs() {
	if in.fetches != nil {
		in.fetches.cancel()
		in.fetches = nil
	}
}

// await waits until ready is closed, for at most d; below 0 is as long as the call may take. It costs no CPU time. It
// ends the guest when the call's time is over or its caller has left.
func (in *instance) await(ready <-chan struct{}, d time.Duration) bool {
	left := in.clock.pause()
	if d < 0 || d > left {
		d = left
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	var gone <-chan struct{}
	if in.caller != nil {
		gone = in.caller.Done()
	}
	select {
	case <-ready:
	case <-timer.C:
	case <-gone:
		panic(&goneError{context.Cause(in.caller)})
	}
	in.clock.resume()
	in.clock.check()
	return ready != nil && isClosed(ready)
}

// goneError ends a guest whose caller has left.
type goneError struct{ cause error }

// Error implements error.
func (e *goneError) Error() string { return "the caller has left" }

// Unwrap returns why the caller's context ended.
func (e *goneError) Unwrap() error { return e.cause }
