package wasm

import (
	"runtime"
	"time"
)

const (
	// quantum is how many units a guest runs between two ticks, some 20 microseconds.
	quantum = 10_000
	// slice is how long a guest runs before other goroutines get a turn. Native code cannot be preempted by Go.
	slice = 200 * time.Microsecond
	// unseen is charged for the time before the first tick, so that a call that never ticks needs no clock.
	unseen = 30 * time.Microsecond
)

// clock bounds one call. A call that stays below one quantum and makes no host calls never reads the time.
type clock struct {
	now       func() time.Duration
	cpu, wall time.Duration // the limits
	running   bool
	touched   bool          // the guest has ticked or called the host
	began     time.Duration // when the call began, give or take one quantum
	resumed   time.Duration // until when used is up to date
	used      time.Duration // CPU time
	yielded   time.Duration // when other goroutines last had their turn
	at, last  threadTime    // last is of the moment resumed
	ticks     uint64        // quanta used up since the instance began
}

func (c *clock) reset(cpu, wall time.Duration) {
	c.cpu, c.wall, c.running, c.touched, c.used = cpu, wall, false, false, 0
}

// tick is called once per quantum. It panics when a limit is passed, which ends the guest.
func (c *clock) tick() {
	c.ticks++
	now := c.check()
	if now-c.yielded < slice {
		return
	}
	c.charge(now)
	runtime.Gosched()
	c.resume()
}

// start begins to look at the time before the guest gives cause for it.
func (c *clock) start() {
	now := c.now()
	c.running, c.began, c.resumed = true, now, now
}

// check panics with the error of a limit that is passed.
func (c *clock) check() time.Duration {
	now := c.now()
	if !c.touched {
		if !c.running {
			c.began = now - unseen
		}
		// The thread's clock is a system call, half a microsecond; most calls end before it matters what it says.
		c.running, c.touched, c.used = true, true, unseen
		c.resumed, c.yielded, c.last = now, now, threadTime{}
		return now
	}
	used := c.used + now - c.resumed
	if used > c.cpu {
		c.charge(now)
		used = c.used
	}
	if used > c.cpu {
		panic(ErrCPU)
	}
	if now-c.began > c.wall {
		panic(ErrWall)
	}
	return now
}

// charge adds to used what the guest used since it was resumed. On a busy machine the time that passed is a bad measure
// of that, because the kernel lets other threads run; so where it matters the thread's own clock is asked. If the
// goroutine has moved to another thread, it did so in Go code, and what it used before is guessed; so is what it used
// before the clock was first asked.
func (c *clock) charge(now time.Duration) {
	passed := now - c.resumed
	c.at.read()
	if ns, ok := c.at.since(&c.last); ok {
		passed = min(passed, time.Duration(ns))
	} else if known := c.last != c.at; known {
		passed = min(passed, slice)
	}
	c.used += passed
	c.resumed, c.last = now, c.at
}

func (c *clock) resume() {
	c.last.read()
	c.resumed = c.now()
	c.yielded = c.resumed
}

// pause stops counting CPU time until resume, and returns how long the call may still take.
func (c *clock) pause() time.Duration {
	now := c.check()
	c.charge(now)
	return c.wall - (now - c.began) + time.Millisecond
}

// left is how long the call may still take.
func (c *clock) left() time.Duration { return max(c.wall-(c.check()-c.began), time.Millisecond) }
