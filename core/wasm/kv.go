package wasm

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// maxValue is the most bytes of one value in the key-value store.
const maxValue = 1 << 20

// hostKVGet is kv_get(key ptr, key len, buf, buf len) -> length or error.
func hostKVGet(in *instance, stack []uint64) {
	in.kv(stack, func(ctx context.Context, key string) int32 {
		v, err := in.p.store.Get(ctx, in.p.name, key)
		switch {
		case err != nil:
			return in.storeFailed(err)
		case v == nil:
			return abi.ErrNotFound
		}
		return in.give(v, stack[2], stack[3])
	})
}

// hostKVSet is kv_set(key ptr, key len, value ptr, value len, ttl in ms) -> 0 or error.
func hostKVSet(in *instance, stack []uint64) {
	in.kv(stack, func(ctx context.Context, key string) int32 {
		ttl, ok := lifetime(stack[4])
		v, inside := in.mem.Read(uint32(stack[2]), uint32(stack[3]))
		switch {
		case !ok || !inside:
			return abi.ErrArgument
		case len(v) > maxValue:
			return abi.ErrLimit
		}
		return in.storeFailed(in.p.store.Set(ctx, in.p.name, key, v, ttl))
	})
}

// hostKVIncr is kv_incr(key ptr, key len, delta, ttl in ms, sum ptr) -> 0 or error.
func hostKVIncr(in *instance, stack []uint64) {
	in.kv(stack, func(ctx context.Context, key string) int32 {
		ttl, ok := lifetime(stack[3])
		out := uint32(stack[4])
		if _, inside := in.mem.Read(out, 8); !ok || !inside {
			return abi.ErrArgument
		}
		sum, err := in.p.store.Add(ctx, in.p.name, key, int64(stack[2]), ttl)
		if err != nil {
			return in.storeFailed(err)
		}
		in.mem.WriteUint64Le(out, uint64(sum))
		return 0
	})
}

// hostKVDel is kv_del(key ptr, key len) -> 0 or error.
func hostKVDel(in *instance, stack []uint64) {
	in.kv(stack, func(ctx context.Context, key string) int32 {
		there, err := in.p.store.Delete(ctx, in.p.name, key)
		if err == nil && !there {
			return abi.ErrNotFound
		}
		return in.storeFailed(err)
	})
}

// kv runs do with the key that the first two arguments give.
func (in *instance) kv(stack []uint64, do func(ctx context.Context, key string) int32) {
	if !in.p.rights.kv {
		stack[0] = code(abi.ErrForbidden)
		return
	}
	key, ok := in.key(stack[0], stack[1])
	if !ok || len(key) == 0 {
		stack[0] = code(abi.ErrArgument)
		return
	}
	if _, here := in.p.store.(*MemoryStore); here {
		stack[0] = code(do(context.Background(), string(key)))
		return
	}
	stack[0] = code(in.remote(func(ctx context.Context) int32 { return do(ctx, string(key)) }))
}

// remote runs do, which waits for another machine: that costs no CPU time, and ends with the call's time.
func (in *instance) remote(do func(ctx context.Context) int32) int32 {
	ctx, cancel := context.WithTimeout(context.Background(), in.clock.pause())
	defer cancel()
	n := do(ctx)
	in.clock.resume()
	in.clock.check()
	return n
}

// lifetime reads how long a value lives, in milliseconds.
func lifetime(ms uint64) (time.Duration, bool) {
	if ms > math.MaxInt64/uint64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(ms) * time.Millisecond, true
}

// storeFailed returns the error code for what a store says, or 0.
func (in *instance) storeFailed(err error) int32 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrNoRoom):
		return abi.ErrLimit
	case errors.Is(err, ErrNoNumber):
		return abi.ErrArgument
	case errors.Is(err, ErrAway): // the store says it once, not for every call
		return abi.ErrFailed
	}
	in.p.log.Warn("the key-value store failed", "error", err)
	return abi.ErrFailed
}
