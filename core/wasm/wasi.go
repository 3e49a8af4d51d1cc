package wasm

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"

	"github.com/tetratelabs/wazero/sys"
)

// The part of WASI preview 1 that a sandbox without files, arguments, environment and sockets can have: clocks, random
// numbers, two output streams, sleep and exit. The other functions exist, so that every toolchain links, and answer
// that there is no such descriptor. It is written here because the time a guest spends in it has to be bounded: no
// call copies more than ioChunk bytes or looks at more than maxVectors structures between two looks at the clock.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	wasiOK      = 0
	wasiBadFD   = 8
	wasiFault   = 21
	wasiInvalid = 28
	wasiNoSys   = 52
	wasiNotSup  = 58
)

const (
	ioChunk    = 64 << 10
	maxVectors = 1024
	maxEvents  = 64
)

// wasiFuncs lists every function of WASI preview 1.
func wasiFuncs() []hostFunc {
	list := []hostFunc{
		wasi("args_get", "ii", func(*instance, []uint64) uint64 { return wasiOK }),
		wasi("args_sizes_get", "ii", wasiNoneOf),
		wasi("environ_get", "ii", func(*instance, []uint64) uint64 { return wasiOK }),
		wasi("environ_sizes_get", "ii", wasiNoneOf),
		wasi("clock_res_get", "ii", wasiClockRes),
		wasi("clock_time_get", "iIi", wasiClockTime),
		wasi("fd_fdstat_get", "ii", wasiFdstat),
		wasi("fd_read", "iiii", wasiRead),
		wasi("fd_write", "iiii", wasiWrite),
		wasi("poll_oneoff", "iiii", wasiPoll),
		wasi("random_get", "ii", wasiRandom),
		wasi("sched_yield", "", func(*instance, []uint64) uint64 { return wasiOK }),
		{"proc_exit", []valueType{i32}, nil, func(_ *instance, a []uint64) { panic(sys.NewExitError(uint32(a[0]))) }},
	}
	badFD := []struct{ name, params string }{
		{"fd_advise", "iIIi"}, {"fd_allocate", "iII"}, {"fd_close", "i"}, {"fd_datasync", "i"},
		{"fd_fdstat_set_flags", "ii"}, {"fd_fdstat_set_rights", "iII"}, {"fd_filestat_get", "ii"},
		{"fd_filestat_set_size", "iI"}, {"fd_filestat_set_times", "iIIi"}, {"fd_pread", "iiiIi"},
		{"fd_prestat_get", "ii"}, {"fd_prestat_dir_name", "iii"}, {"fd_pwrite", "iiiIi"}, {"fd_readdir", "iiiIi"},
		{"fd_renumber", "ii"}, {"fd_seek", "iIii"}, {"fd_sync", "i"}, {"fd_tell", "ii"},
		{"path_create_directory", "iii"}, {"path_filestat_get", "iiiii"}, {"path_filestat_set_times", "iiiiIIi"},
		{"path_link", "iiiiiii"}, {"path_open", "iiiiiIIii"}, {"path_readlink", "iiiiii"},
		{"path_remove_directory", "iii"}, {"path_rename", "iiiiii"}, {"path_symlink", "iiiii"},
		{"path_unlink_file", "iii"}, {"sock_accept", "iii"}, {"sock_recv", "iiiiii"}, {"sock_send", "iiiii"},
		{"sock_shutdown", "ii"},
	}
	for _, f := range badFD {
		list = append(list, wasi(f.name, f.params, func(*instance, []uint64) uint64 { return wasiBadFD }))
	}
	return append(list, wasi("proc_raise", "i", func(*instance, []uint64) uint64 { return wasiNoSys }))
}

// wasi makes a function that returns an error number. In params, i is an i32 and I an i64.
func wasi(name, params string, run func(in *instance, a []uint64) uint64) hostFunc {
	f := hostFunc{name: name, results: []valueType{i32}}
	for _, c := range params {
		if c == 'I' {
			f.params = append(f.params, i64)
			continue
		}
		f.params = append(f.params, i32)
	}
	f.run = func(in *instance, stack []uint64) { stack[0] = run(in, stack) }
	return f
}

func wasiNoneOf(in *instance, a []uint64) uint64 {
	if !in.mem.WriteUint32Le(uint32(a[0]), 0) || !in.mem.WriteUint32Le(uint32(a[1]), 0) {
		return wasiFault
	}
	return wasiOK
}

const (
	clockReal      = 0
	clockMonotonic = 1
)

func (in *instance) time(clock uint32) (uint64, bool) {
	switch clock {
	case clockReal:
		return uint64(time.Now().UnixNano()), true
	case clockMonotonic:
		return uint64(in.p.now()) + 1, true
	}
	return 0, false
}

func wasiClockRes(in *instance, a []uint64) uint64 {
	if a[0]&0xffffffff > clockMonotonic {
		return wasiInvalid
	}
	if !in.mem.WriteUint64Le(uint32(a[1]), 1000) {
		return wasiFault
	}
	return wasiOK
}

func wasiClockTime(in *instance, a []uint64) uint64 {
	now, ok := in.time(uint32(a[0]))
	if !ok {
		return wasiInvalid
	}
	if !in.mem.WriteUint64Le(uint32(a[2]), now) {
		return wasiFault
	}
	return wasiOK
}

// wasiFdstat says that the three standard streams are character devices.
func wasiFdstat(in *instance, a []uint64) uint64 {
	if uint32(a[0]) > 2 {
		return wasiBadFD
	}
	var stat [24]byte
	stat[0] = 2
	binary.LittleEndian.PutUint64(stat[8:], 1<<1|1<<6) // may read and write
	if !in.mem.Write(uint32(a[1]), stat[:]) {
		return wasiFault
	}
	return wasiOK
}

// wasiRead finds standard input at its end.
func wasiRead(in *instance, a []uint64) uint64 {
	if uint32(a[0]) != 0 {
		return wasiBadFD
	}
	if !in.mem.WriteUint32Le(uint32(a[3]), 0) {
		return wasiFault
	}
	return wasiOK
}

func wasiWrite(in *instance, a []uint64) uint64 {
	fd, vectors, n := uint32(a[0]), uint32(a[1]), uint32(a[2])
	if fd != 1 && fd != 2 {
		return wasiBadFD
	}
	if n > maxVectors {
		return wasiInvalid
	}
	written := uint32(0)
	for i := range n {
		ptr, ok1 := in.mem.ReadUint32Le(vectors + 8*i)
		size, ok2 := in.mem.ReadUint32Le(vectors + 8*i + 4)
		size = min(size, ioChunk-written)
		b, ok3 := in.mem.Read(ptr, size)
		if !ok1 || !ok2 || !ok3 {
			return wasiFault
		}
		in.output[fd-1].write(in, b)
		written += size
	}
	if !in.mem.WriteUint32Le(uint32(a[3]), written) {
		return wasiFault
	}
	return wasiOK
}

func wasiRandom(in *instance, a []uint64) uint64 {
	b, ok := in.mem.Read(uint32(a[0]), uint32(a[1]))
	if !ok {
		return wasiFault
	}
	for len(b) > 0 {
		n := min(len(b), ioChunk)
		_, _ = rand.Read(b[:n]) // never returns an error
		b = b[n:]
		in.clock.check()
	}
	return wasiOK
}

// wasiPoll waits for clocks. Descriptors are ready at once, with an error, because none of them can be waited for.
func wasiPoll(in *instance, a []uint64) uint64 {
	subs, events, n := uint32(a[0]), uint32(a[1]), uint32(a[2])
	if n == 0 || n > maxEvents {
		return wasiInvalid
	}
	list, ok := in.mem.Read(subs, 48*n)
	if !ok {
		return wasiFault
	}
	var due [maxEvents]uint64 // how long until the event, 0 for descriptors
	first := uint64(math.MaxInt64)
	for i := range n {
		sub := list[48*i:]
		if sub[8] == 0 {
			if due[i], ok = in.timeout(sub); !ok {
				return wasiInvalid
			}
		}
		first = min(first, due[i])
	}
	if first > 0 {
		in.await(nil, time.Duration(first))
	}
	count := uint32(0)
	for i := range n {
		if due[i] > first {
			continue
		}
		sub := list[48*i:]
		var event [32]byte
		copy(event[:8], sub[:8])
		event[10] = sub[8]
		if sub[8] != 0 {
			event[8] = wasiNotSup
		}
		if !in.mem.Write(events+32*count, event[:]) {
			return wasiFault
		}
		count++
	}
	if !in.mem.WriteUint32Le(uint32(a[3]), count) {
		return wasiFault
	}
	return wasiOK
}

// timeout reads how long a clock subscription waits from now, in nanoseconds.
func (in *instance) timeout(sub []byte) (uint64, bool) {
	at := binary.LittleEndian.Uint64(sub[24:])
	absolute := binary.LittleEndian.Uint16(sub[40:])&1 == 1
	now, ok := in.time(binary.LittleEndian.Uint32(sub[16:]))
	switch {
	case !ok:
		return 0, false
	case absolute && at <= now:
		return 0, true
	case absolute:
		at -= now
	}
	return min(at, math.MaxInt64), true
}
