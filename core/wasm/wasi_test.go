package wasm

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"
)

// sandbox is an instance whose host functions are called directly.
func sandbox(t *testing.T) *instance {
	t.Helper()
	p := hand{}.load(t)
	in, err := p.pool.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.pool.put(in) })
	in.clock.reset(time.Minute, time.Minute)
	return in
}

func wasiCall(t *testing.T, in *instance, name string, args ...uint64) uint64 {
	t.Helper()
	for _, f := range wasiFuncs() {
		if f.name == name {
			stack := append(args, 0)
			if len(args) != len(f.params) {
				t.Fatalf("%s takes %d arguments", name, len(f.params))
			}
			f.run(in, stack)
			return stack[0]
		}
	}
	t.Fatalf("no function %s", name)
	return 0
}

// TestWasiRefusesBadAddresses calls every function with arguments outside of memory: none may panic or write.
func TestWasiRefusesBadAddresses(t *testing.T) {
	t.Parallel()
	in := sandbox(t)
	for _, f := range wasiFuncs() {
		if f.name == "proc_exit" {
			continue
		}
		for _, v := range []uint64{0xffffffff, 0xfffffff0, uint64(in.mem.Size()) - 1, 1 << 63} {
			args := make([]uint64, len(f.params))
			for i := range args {
				args[i] = v
			}
			wasiCall(t, in, f.name, args...)
		}
	}
}

func TestWasi(t *testing.T) {
	t.Parallel()
	in := sandbox(t)
	is := func(want uint64, name string, args ...uint64) {
		t.Helper()
		if got := wasiCall(t, in, name, args...); got != want {
			t.Errorf("%s%v: got %d, want %d", name, args, got, want)
		}
	}
	const at = 1 << 17
	is(wasiOK, "args_sizes_get", at, at+4)
	is(wasiOK, "clock_time_get", 0, 0, at)
	if ns, _ := in.mem.ReadUint64Le(at); time.Since(time.Unix(0, int64(ns))) > time.Minute {
		t.Errorf("the clock says %d", ns)
	}
	is(wasiInvalid, "clock_time_get", 7, 0, at)
	is(wasiOK, "fd_fdstat_get", 1, at)
	is(wasiBadFD, "fd_fdstat_get", 3, at)
	is(wasiBadFD, "path_open", 3, 0, 0, 0, 0, 0, 0, 0, 0)
	is(wasiOK, "fd_read", 0, at, 1, at+16)
	is(wasiFault, "random_get", uint64(in.mem.Size())-4, 8)
	is(wasiOK, "random_get", at, 64)
	if b, _ := in.mem.Read(at, 64); strings.Count(string(b), "\x00") > 32 {
		t.Error("random_get left zeros")
	}

	// A vector as long as memory is written in part.
	in.mem.WriteUint32Le(at, 0)
	in.mem.WriteUint32Le(at+4, in.mem.Size())
	is(wasiOK, "fd_write", 1, at, 1, at+8)
	if n, _ := in.mem.ReadUint32Le(at + 8); n != ioChunk {
		t.Errorf("wrote %d", n)
	}
	is(wasiInvalid, "fd_write", 1, at, maxVectors+1, at+8)
	is(wasiBadFD, "fd_write", 0, at, 1, at+8)

	// Two clocks: the earlier one is reported, with its user data.
	sub := func(i int, user uint64, ns uint64) {
		b := make([]byte, 48)
		binary.LittleEndian.PutUint64(b, user)
		binary.LittleEndian.PutUint32(b[16:], clockMonotonic)
		binary.LittleEndian.PutUint64(b[24:], ns)
		in.mem.Write(uint32(at+48*i), b)
	}
	sub(0, 11, 1<<62)
	sub(1, 22, 1000)
	is(wasiOK, "poll_oneoff", at, at+4096, 2, at+8192)
	count, _ := in.mem.ReadUint32Le(at + 8192)
	user, _ := in.mem.ReadUint64Le(at + 4096)
	if count != 1 || user != 22 {
		t.Errorf("%d events, the first with user data %d", count, user)
	}
	is(wasiInvalid, "poll_oneoff", at, at+4096, maxEvents+1, at+8192)
}
