package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the CPU time a process has used in all its threads, to the
// nanosecond. The clock's id is made from the process id as in the kernel's
// posix-timers.h: all bits of the id inverted, then the kind of clock.
func cpuTime(pid int) (time.Duration, error) {
	const scheduled = 2
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduled), &now); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(now.Nano()), nil
}

// residentBytes returns the memory of a process that is in RAM.
func residentBytes(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "\nVmRSS:")
	kilobytes, _, found := strings.Cut(rest, " kB")
	if !found {
		return 0, fmt.Errorf("no VmRSS in the status of process %d", pid)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(kilobytes), 10, 64)
	return n * 1024, err
}

// availableCPUs are those this process may run on.
func availableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var cpus []int
	for cpu := range len(set) * 64 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// execOn replaces this process by a program that runs on the given CPUs only.
// The caller's goroutine is locked to its thread, and the affinity of the thread
// that calls exec is that of the new program.
func execOn(cpus []int, argv, env []string) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return fmt.Errorf("exec %s: %w", argv[0], syscall.Exec(argv[0], argv, env))
}

// childAttributes make the kernel end a child when this process ends, however it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// dieWithParent is the same, asked for by the child. A child that execs needs it:
// the attribute above is one of its first thread, and another may be the one to exec.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	return nil
}
