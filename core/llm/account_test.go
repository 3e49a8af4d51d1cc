package llm

import (
	"testing"
	"time"
)

// TestAccount shows what is told of a scope's money as it is asked for, settled, saved and lowered.
func TestAccount(t *testing.T) {
	t.Parallel()
	now := time.Now().UnixNano()
	l := NewLive(ScopeKey, "k")
	s := &Scope{Kind: ScopeKey, ID: "k", Live: l, Budget: Budget{Limited: true, Max: 100}}
	birth := l.Account(s, now).Birth
	if birth == NewLive(ScopeKey, "k").Account(s, now).Birth {
		t.Error("two states have one number")
	}
	f := func(what string, want Account) {
		t.Helper()
		want.Birth = birth
		if got := l.Account(s, now); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	f("new", Account{SeenAt: -1})
	ask := &Ask{Now: now, Cost: 2}
	var alone, asked Hold
	l.Reserve(s, ask, &alone)
	l.Take(s, ask, &asked)
	f("one is let pass, one asked for", Account{Held: 2, Loose: 2, SeenAt: -1})
	l.Granted(&asked, true)
	f("both are let pass", Account{Held: 4, Loose: 2, SeenAt: -1})
	l.Settle(&asked, now, 0, 3)
	l.Undo(&alone, now)
	f("both ended", Account{Total: 3, Unsaved: 3, Gave: 2, SeenAt: -1})
	l.Read(10)
	f("read", Account{Total: 3, Unsaved: 3, Base: 10, Floor: 10, Gave: 2, SeenAt: -1})
	l.Saved(2)
	f("saved", Account{Total: 3, Unsaved: 1, Base: 12, Floor: 12, Gave: 2, SeenAt: -1})
	l.Seen(17, 3, 0, 0)
	l.Bar(now, 5)
	l.Seen(16, 3, 0, 0)
	f("seen", Account{Total: 3, Unsaved: 1, Base: 12, Floor: 12, Gave: 2, Seen: 20})
	l.Changed(7)
	if l.Learned(7) {
		t.Error("nothing was read")
	}
	l.Read(0)
	if !l.Learned(7) {
		t.Error("the spend fell")
	}
	f("fell", Account{Total: 3, Unsaved: 1, Gave: 2, SeenAt: -1, Reset: 7})
	if l.Unused(now) {
		t.Error("there is something to tell")
	}
	l.Told(7)
	f("told", Account{Total: 3, Unsaved: 1, Gave: 2, SeenAt: -1})
	// A reading that comes before the change is heard of.
	l.Read(20)
	l.Read(0)
	l.Changed(9)
	f("fell before", Account{Total: 3, Unsaved: 1, Gave: 2, SeenAt: -1, Reset: 9})
}

// TestSeenAlone shows that what others are known to have spent counts while nobody can be asked.
func TestSeenAlone(t *testing.T) {
	t.Parallel()
	l := NewLive(ScopeKey, "k")
	s := &Scope{Kind: ScopeKey, ID: "k", Live: l, Budget: Budget{Limited: true, Max: 10}}
	f := func(share int64, want Refusal) {
		t.Helper()
		var h Hold
		if got, _ := l.Reserve(s, &Ask{Now: time.Now().UnixNano(), Share: share}, &h); got != want {
			t.Errorf("refusal %d, want %d", got, want)
		}
	}
	l.Bar(0, 10)
	f(3, Passed)
	l.Seen(9, 0, 0, 0)
	f(3, Passed)
	l.Seen(10, 0, 0, 0)
	f(3, OverBudget)
}
