//go:build !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

var errLinuxOnly = errors.New("the CPU time of another process is read with a Linux clock: run this on Linux")

func cpuTime(int) (time.Duration, error) { return 0, errLinuxOnly }

func residentBytes(int) (int64, error) { return 0, errLinuxOnly }

func availableCPUs() ([]int, error) { return nil, errLinuxOnly }

func execOn([]int, []string, []string) error { return errLinuxOnly }

func childAttributes() *syscall.SysProcAttr { return nil }

func dieWithParent() error { return errLinuxOnly }
