package main

import (
	"os"
	"testing"
	"time"
)

// The CPU clock of this process moves with what it computes.
func TestCPUTime(t *testing.T) {
	t.Parallel()
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); time.Since(start) < 5*time.Millisecond; {
		if prose(10_000) == "" {
			t.Fatal("no prose")
		}
	}
	after, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after <= before || after > time.Hour {
		t.Errorf("CPU time went from %s to %s", before, after)
	}
	if _, err := cpuTime(1 << 23); err == nil {
		t.Error("no error for a process that is not there")
	}
}

func TestResidentBytes(t *testing.T) {
	t.Parallel()
	got, err := residentBytes(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got < 1e6 || got > 1e11 {
		t.Errorf("resident memory of %d bytes", got)
	}
}

func TestAvailableCPUs(t *testing.T) {
	t.Parallel()
	cpus, err := availableCPUs()
	if err != nil || len(cpus) == 0 {
		t.Fatalf("got %v, %v", cpus, err)
	}
	back, err := parseCPUs(formatCPUs(cpus))
	if err != nil || len(back) != len(cpus) {
		t.Errorf("%v became %v, %v", cpus, back, err)
	}
}
