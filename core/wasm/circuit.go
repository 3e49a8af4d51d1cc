package wasm

import (
	"errors"
	"log/slog"
	"time"
)

// ErrOpen says that the plugin failed so often that it is not called for a while.
var ErrOpen = errors.New("the plugin kept failing and is not called for a while")

const (
	circuitWindow = time.Minute
	circuitKills  = 10 // in a window, and at least half of the calls
	circuitPause  = 5 * time.Second
	circuitMost   = time.Minute
)

// circuit stops calls of a plugin whose instances keep dying: making a new one for each costs more than the answer,
// which is known. Half of all calls must have failed, so that one caller who knows how to break a plugin cannot switch
// it off for the others. After a pause a single call is let through, and decides. The pool's lock guards it.
type circuit struct {
	now    func() time.Duration // monotonic
	log    *slog.Logger
	stats  *stats
	began  time.Duration // of the window
	kills  int           // in the window
	served int           // calls that ended well in the window
	open   bool
	until  time.Duration
	pause  time.Duration
	trial  bool // the call that decides is under way
}

// pass reports whether a call may go ahead, and whether it is the one that decides.
func (c *circuit) pass() (ok, trial bool) {
	if !c.open {
		return true, false
	}
	if c.trial || c.now() < c.until {
		c.stats.barred.Add(1)
		return false, false
	}
	c.trial = true
	return true, true
}

// killed notes a call that broke its instance.
func (c *circuit) killed(trial bool) {
	if c.now == nil {
		return
	}
	now := c.now()
	if trial {
		c.pause = min(2*c.pause, circuitMost)
		c.until, c.trial = now+c.pause, false
		return
	}
	if now-c.began > circuitWindow {
		c.began, c.kills, c.served = now, 0, 0
	}
	c.kills++
	if c.open || c.kills < circuitKills || c.kills < c.served {
		return
	}
	c.open, c.pause, c.until = true, circuitPause, now+circuitPause
	c.stats.open.Store(true)
	c.log.Error("the plugin keeps failing, so it is not called for a while: on_error decides what happens to requests",
		"failed", c.kills, "within", circuitWindow.String(), "pause", circuitPause.String())
}

// spared notes a call that ended well.
func (c *circuit) spared(trial bool) {
	c.served++
	if !trial {
		return
	}
	c.open, c.trial, c.kills, c.served, c.began = false, false, 0, 0, c.now()
	c.stats.open.Store(false)
	c.log.Info("the plugin works again")
}

// undecided notes that the deciding call ended without saying anything about the plugin. The next one decides.
func (c *circuit) undecided(trial bool) {
	if trial {
		c.trial = false
	}
}
