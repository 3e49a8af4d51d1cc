package wasm

import "golang.org/x/sys/unix"

// threadTime is the CPU time of one thread.
type threadTime struct {
	spec   unix.Timespec
	thread int
}

// read takes the time of the calling thread. It costs two system calls.
func (t *threadTime) read() {
	t.thread = unix.Gettid()
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t.spec) != nil {
		t.thread = 0
	}
}

// since returns the CPU time in nanoseconds from earlier to t; ok is false if the two are of different threads.
func (t *threadTime) since(earlier *threadTime) (ns int64, ok bool) {
	return t.spec.Nano() - earlier.spec.Nano(), t.thread == earlier.thread && t.thread != 0
}
