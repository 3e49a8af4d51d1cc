package llm

import "time"

// account is the part of a Live that several replicas keep together.
type account struct {
	birth  uint64  // tells this state from every other one, of this scope too
	total  float64 // settled since the state was made; it never falls
	gave   uint64  // how often money was given back
	floor  float64 // what a database had at least when it was last read; 0 is not known
	read   bool    // a database was read since the last change
	fell   bool    // the spend fell, and nobody knows by which change
	change int64   // number of a change whose effect was not read yet; 0 is none
	rest   float64 // what all had spent when they were last asked, less told
	told   float64 // total then
	seenAt int64   // the change that had begun the period then; -1 if rest is not known
	heard  int64   // when they were asked, unix nanoseconds
	seenIn int64   // when the period had begun then, if it is counted, unix nanoseconds
	reset  int64   // number of the change by which the spend fell, until all replicas know; 0 is none
}

// Account is what a process knows of the money of a scope, for others that count the same scope. Every Account says all
// over again what those before it said: it does not matter if some are lost, repeated or late.
type Account struct {
	Birth   uint64  // tells the state from every other one: also from one of the same scope made before or elsewhere
	Total   float64 // settled here since the state was made, in US dollars; it never falls
	Base    float64 // what a database has of this period, as last known
	Unsaved float64 // what was settled here and no database has
	Floor   float64 // what a database has of this period for certain, as it was read; 0 is not known
	Held    float64 // held by calls under way that were let pass
	Loose   float64 // part of Held that nobody else holds; see Live.Granted
	Gave    uint64  // how often money was given back so far
	Window  int64   // begin of the period of a scope that is Counted, unix nanoseconds; 0 is not begun
	Seen    float64 // what all had spent when they were last asked, Total of then included
	Untold  float64 // settled here since
	SeenAt  int64   // number of the change that had begun the period then; -1 if nobody was asked
	Reset   int64   // number of the change by which the spend fell, if that is to be told; 0 is none
}

// seenLasts is how long what all had spent is worth telling: who counts for all may forget a scope that nobody asks for.
const seenLasts = 50 * time.Minute

// Account returns what is known at a moment, in unix nanoseconds.
func (l *Live) Account(s *Scope, now int64) Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(s, now)
	a := Account{
		Birth: l.birth, Total: l.total, Base: l.spent - l.unsaved, Unsaved: l.unsaved, Floor: l.floor, Held: max(0, l.held-l.asked),
		Loose: max(0, l.held-l.asked-l.shared), Gave: l.gave, Window: l.window, Reset: l.reset, SeenAt: l.seenAt,
	}
	if now-l.heard > int64(seenLasts) {
		a.SeenAt = -1
	} else if l.seenAt >= 0 {
		a.Seen, a.Untold = l.rest+l.told, l.total-l.told
	}
	if l.Kind.Counted() {
		a.Floor = a.Base // nobody lowers it but by a period's end
	}
	return a
}

// Read is Load by whoever reads while nobody writes: the amount is a database's for certain.
func (l *Live) Read(spent float64) {
	l.Load(spent)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.floor, l.read = spent, true
}

// Changed says that the row which has the spend was changed, by a change of this number: what was read before it counts
// for certain no more, and if the spend turns out to have fallen, it was by this change.
func (l *Live) Changed(change int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.floor, l.read, l.seenAt = 0, false, -1
	l.change = max(l.change, change)
	if l.fell {
		l.lowered()
	}
}

// Learned says that the effect of a change, and of those before it, was read if Read was called since. It reports whether
// the spend fell by it, and that is to be told.
func (l *Live) Learned(change int64) (fell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.read && l.change <= change {
		l.change = 0
	}
	return l.reset != 0
}

// Told says that all replicas know that the spend fell by a change.
func (l *Live) Told(change int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reset <= change {
		l.reset = 0
	}
}

// Seen says what all had spent together in the period that began with a change, less the Total told of here. window
// is when the period began, in unix nanoseconds, if it is counted; 0 is not begun. The first to spend begins it for all.
func (l *Live) Seen(others, told float64, change, window int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Kind.Counted() && window != 0 && (l.window == 0 || window < l.window) {
		l.window = window
	}
	l.heard = time.Now().UnixNano()
	switch {
	case change > l.seenAt || window != l.seenIn:
		l.rest, l.told, l.seenAt, l.seenIn = others, told, change, window
	case change == l.seenAt && others+max(told, l.told) >= l.rest+l.told:
		// An answer may come after a later one, which was told more of here: that is not in others either.
		l.rest, l.told = others, max(told, l.told)
	}
}

// Lost says that whoever else holds what is held here has lost it: it is Loose.
func (l *Live) Lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared = 0
	l.lost++
}

// lowered notes that the spend fell.
func (l *Live) lowered() {
	l.floor, l.seenAt = 0, -1
	if l.fell = l.change == 0; !l.fell {
		l.reset, l.change = l.change, 0
	}
}

// Birth tells the state from every other one; see Account.
func (l *Live) Birth() uint64 { return l.birth }
