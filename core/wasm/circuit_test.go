package wasm

import (
	"log/slog"
	"testing"
	"time"
)

func TestCircuit(t *testing.T) {
	t.Parallel()
	var now time.Duration
	c := circuit{now: func() time.Duration { return now }, log: slog.New(slog.DiscardHandler), stats: &stats{}}
	pass := func(want, wantTrial bool) {
		t.Helper()
		if ok, trial := c.pass(); ok != want || trial != wantTrial {
			t.Errorf("at %v: got %v, trial %v", now, ok, trial)
		}
	}
	kill := func(n int) {
		for range n {
			c.killed(false)
		}
	}
	// One caller who breaks the plugin among others who do not cannot switch it off.
	for range 100 {
		c.spared(false)
	}
	kill(99)
	pass(true, false)
	kill(1)
	pass(false, false)

	// After a pause one call decides; each failure doubles the pause, up to a minute.
	for _, seconds := range []int{5, 10, 20, 40, 60, 60} {
		now += time.Duration(seconds)*time.Second - 1
		pass(false, false)
		now++
		pass(true, true)
		pass(false, false)
		c.killed(true)
	}
	// A caller who leaves decides nothing.
	now += time.Minute
	pass(true, true)
	c.undecided(true)
	pass(true, true)
	c.spared(true)
	pass(true, false)
	if c.stats.open.Load() || c.stats.barred.Load() != 13 {
		t.Errorf("open %v, %d calls refused", c.stats.open.Load(), c.stats.barred.Load())
	}
	// Failures of long ago do not count.
	for range 5 {
		kill(9)
		now += 2 * time.Minute
	}
	pass(true, false)
}
