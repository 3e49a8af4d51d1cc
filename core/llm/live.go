package llm

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Live is what a scope has used: requests and tokens of the last minute, requests that are open, money. It is safe for
// concurrent use. One lock guards all of it, so that a request takes of all or of nothing.
//
// A minute is the last 60 seconds, in steps of one: the second that is leaving counts by the part of it that is still
// inside, as if its requests had come evenly. So a limit is exact for whatever comes within one second, and otherwise off
// by no more than a 60th of the minute's requests.
type Live struct {
	Kind ScopeKind
	ID   string

	mu      sync.Mutex
	minute  *minute // nil while no rate is limited
	open    int64
	spent   float64 // this period's, including what no database has yet
	held    float64 // for requests under way
	asked   float64 // part of held that somebody else is yet to say yes to; see Take
	shared  float64 // part of held that somebody else holds as well
	lost    uint32  // how often they lost it; see Lost
	unsaved float64 // part of spent that no database has yet
	window  int64   // begin of the period of a scope that is Counted, unix nanoseconds; 0 not begun
	period  uint32  // rises when spent begins anew: holds of an earlier one are not given back
	warned  uint32  // period whose soft budget somebody was told of, plus one
	used    int64   // when it was last asked, unix seconds
	mean    float64 // tokens of a request, lately
	barred  int64   // until then, in unix nanoseconds, the budget is known to be spent by all replicas together
	others  float64 // what they had spent
	freed   chan struct{}
	account
	recent
}

// NewLive makes the state of a scope that has used nothing.
func NewLive(kind ScopeKind, id string) *Live {
	return &Live{Kind: kind, ID: id, account: account{birth: rand.Uint64(), seenAt: -1}}
}

// tolerance is the part of a budget that the sum of many amounts may be off by.
const tolerance = 1e-9

// Reserve takes what the request asks for, or says why not and takes nothing. wait is how long until it may be worth to
// ask again; 0 is unknown.
func (l *Live) Reserve(s *Scope, ask *Ask, h *Hold) (refusal Refusal, wait time.Duration) {
	*h = Hold{Scope: s, RequestsLeft: -1, TokensLeft: -1}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = ask.Now / int64(time.Second)
	if refusal, wait = l.check(s, ask); refusal != Passed {
		return refusal, wait
	}
	l.take(s, ask, h)
	return Passed, 0
}

// Take takes without a check: somebody else says whether there is room. Its money counts as asked for until Granted.
func (l *Live) Take(s *Scope, ask *Ask, h *Hold) {
	*h = Hold{Scope: s, RequestsLeft: -1, TokensLeft: -1}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = ask.Now / int64(time.Second)
	if s.RPM != 0 || s.TPM != 0 {
		l.turn(ask.Now)
	}
	l.roll(s, ask.Now)
	l.take(s, ask, h)
	l.ask(h)
	if h.money {
		h.asked = true
		l.asked += h.cost
	}
}

// Granted says that what Take took was let pass. shared tells that somebody else holds it, too.
func (l *Live) Granted(h *Hold, shared bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.Shared = shared
	l.answered(h)
	if !h.money || h.period != l.period {
		return
	}
	if h.asked {
		h.asked = false
		l.asked = max(0, l.asked-h.cost)
	}
	if shared {
		h.known = l.lost + 1
		l.shared += h.cost
	}
}

func (l *Live) check(s *Scope, ask *Ask) (Refusal, time.Duration) {
	if r := l.afford(s, ask); r != Passed {
		return r, 0
	}
	if s.Parallel != 0 && l.open >= ask.share(s.Parallel) {
		return OverParallel, 0
	}
	if s.RPM != 0 || s.TPM != 0 {
		m := l.turn(ask.Now)
		if s.Within != nil && s.Within.Used(ask) < s.From {
			return Passed, 0
		}
		if s.RPM != 0 && m.requests.at(ask.Now) >= ask.share(s.RPM) {
			return OverRequests, m.requests.wait(ask.Now, ask.share(s.RPM))
		}
		if s.TPM != 0 {
			if used := m.tokens.at(ask.Now); used >= ask.share(s.TPM) {
				if used-m.reserved < ask.share(s.TPM) {
					return ReservedToken, 0
				}
				return OverTokens, m.tokens.wait(ask.Now, ask.share(s.TPM))
			}
		}
	}
	return Passed, 0
}

// afford says whether there is money left.
func (l *Live) afford(s *Scope, ask *Ask) Refusal {
	l.roll(s, ask.Now)
	if s.Budget.Limited && !ask.Free && !s.Free {
		limit := s.Budget.Cap(ask.Now)
		limit -= max(limit, 0) * tolerance
		if l.spent >= limit {
			return OverBudget
		}
		if ask.Share > 1 {
			if l.seenAt >= 0 {
				// Nor more than its part of what was left when all were last asked.
				spent, since := l.rest+l.told, l.total-l.told
				if spent+since*float64(ask.Share) >= limit {
					return OverBudget
				}
				if spent+(since+l.held)*float64(ask.Share) >= limit {
					return ReservedMoney
				}
			}
			// Alone, a replica may spend its part of what was left when a database last knew.
			room := (limit - l.spent + l.unsaved) / float64(ask.Share)
			if l.unsaved >= room {
				return OverBudget
			}
			if l.unsaved+l.held >= room {
				return ReservedMoney
			}
		}
		if l.spent+l.held >= limit {
			return ReservedMoney
		}
	}
	return Passed
}

func (l *Live) take(s *Scope, ask *Ask, h *Hold) {
	if m := l.minute; m != nil && (s.RPM != 0 || s.TPM != 0) {
		h.counts, h.second, h.tokens = true, m.now, l.expect(ask.Tokens)
		m.requests.add(m.now, 1)
		m.tokens.add(m.now, h.tokens)
		m.reserved += h.tokens
		if s.RPM > 0 {
			h.RequestsLeft = max(0, s.RPM-m.requests.at(ask.Now))
		}
		if s.TPM > 0 {
			h.TokensLeft = max(0, s.TPM-m.tokens.at(ask.Now))
		}
	}
	if s.Parallel != 0 {
		l.open++
		h.open = true
	}
	if s.Budget.Limited && !ask.Free {
		l.held += ask.Cost
		h.money, h.cost, h.period = true, ask.Cost, l.period
	}
}

// expect is how many tokens to hold for a request that may use some: no more than twice what requests use lately, as many
// ask for far more than they get.
func (l *Live) expect(most int64) int64 {
	if l.mean == 0 {
		return most
	}
	return min(most, int64(2*l.mean)+1)
}

// Undo gives back all that Reserve took, as if the request had never come.
func (l *Live) Undo(h *Hold, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.counts {
		l.turn(now)
		l.minute.requests.drop(h.second, 1)
	}
	l.release(h, now)
}

// Settle gives back what was held and counts what was used: tokens, and US dollars.
func (l *Live) Settle(h *Hold, now, tokens int64, cost float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(h, now)
	if h.counts && tokens > 0 {
		l.minute.tokens.add(l.minute.now, tokens)
		if l.mean == 0 {
			l.mean = float64(tokens)
		}
		l.mean += (float64(tokens) - l.mean) / 16
	}
	if cost != 0 {
		if h.Scope != nil {
			l.roll(h.Scope, now)
			if l.Kind.Counted() && l.window == 0 {
				l.window = now
			}
		}
		l.spent += cost
		l.unsaved += cost
		l.total += max(0, cost)
	}
}

// release gives back what is held. Afterwards the minute is up to date, if the request counted.
func (l *Live) release(h *Hold, now int64) {
	l.answered(h)
	if h.counts {
		m := l.turn(now)
		m.tokens.drop(h.second, h.tokens)
		m.reserved = max(0, m.reserved-h.tokens)
	}
	if h.open {
		l.open = max(0, l.open-1)
	}
	if h.money {
		l.gave++
		l.giveBack(h)
	}
	if l.freed != nil && (h.open || h.money || h.counts) {
		close(l.freed)
		l.freed = nil
	}
	*h = Hold{Scope: h.Scope, counts: h.counts, gave: l.gave, RequestsLeft: h.RequestsLeft, TokensLeft: h.TokensLeft}
}

func (l *Live) giveBack(h *Hold) {
	if h.period != l.period {
		return
	}
	l.held = max(0, l.held-h.cost)
	if h.asked {
		l.asked = max(0, l.asked-h.cost)
	}
	if h.known == l.lost+1 {
		l.shared = max(0, l.shared-h.cost)
	}
}

// roll begins a new window if that of a Counted scope is over.
func (l *Live) roll(s *Scope, now int64) {
	if p := int64(s.Budget.Period); p > 0 && l.window != 0 && now-l.window >= p {
		l.restart(0)
	}
}

func (l *Live) restart(spent float64) {
	l.spent, l.held, l.asked, l.shared, l.window, l.floor, l.seenAt = spent, 0, 0, 0, 0, 0, -1
	l.period++
	if l.Kind.Counted() {
		l.unsaved = 0
	}
}

// Freed returns a channel that is closed when a request gives something back.
func (l *Live) Freed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.freed == nil {
		l.freed = make(chan struct{})
	}
	return l.freed
}

// Load says what the database has as spent: everything but what was spent here and not saved yet.
func (l *Live) Load(spent float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if total := spent + l.unsaved; total != l.spent {
		if total < l.spent*(1-tolerance) {
			// The period began anew, or somebody lowered the spend: what is told once a period may be told again.
			l.warned = 0
			l.lowered()
		}
		l.spent = total
	}
}

// LoadWindow is Load for a scope that is Counted. An older window than the one under way is ignored.
func (l *Live) LoadWindow(begin time.Time, spent float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := int64(0)
	if !begin.IsZero() {
		at = begin.UnixNano()
	}
	if l.window == 0 || at >= l.window {
		l.window, l.spent = at, spent+l.unsaved
	}
}

// Saved says that the database has an amount that was settled here.
func (l *Live) Saved(amount float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsaved -= amount; l.unsaved < 1e-15 {
		l.unsaved = 0
	}
	if l.floor > 0 {
		l.floor += amount
	}
}

// Charge counts money that was spent without a hold.
func (l *Live) Charge(s *Scope, now int64, cost float64) {
	h := Hold{Scope: s}
	l.Settle(&h, now, 0, cost)
}

// Spent returns what was spent in this period, and what is held for requests under way.
func (l *Live) Spent() (spent, held float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent, l.held
}

// Window returns when the period of a Counted scope began; 0 if it has not.
func (l *Live) Window() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.window
}

// Over reports whether the budget of the scope lets no further request pass, and what is spent of it. Of ask it needs Now
// and Share.
func (l *Live) Over(s *Scope, ask *Ask) (why Refusal, spent float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ask.Now < l.barred {
		return OverBudget, max(l.spent, l.others)
	}
	why = l.afford(s, &Ask{Now: ask.Now, Share: ask.Share})
	return why, l.spent
}

// Bar says that all replicas together have spent the budget: until a time, in unix nanoseconds, Over need not ask.
func (l *Live) Bar(until int64, spent float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barred, l.others = until, spent
}

// Unsaved returns what a database has of what was spent, and what it has not yet.
func (l *Live) Unsaved() (saved, unsaved float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.spent - l.unsaved, l.unsaved
}

// Open returns how many requests are open, of those that were limited.
func (l *Live) Open() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Unused reports whether nothing would be lost if the state were dropped: nobody asked since a time, nothing is held or
// left to be told, and a database has all that was spent.
func (l *Live) Unused(since int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used < since && l.open == 0 && l.held == 0 && l.unsaved == 0 && l.reset == 0
}

// Warn reports whether the soft budget is reached and nobody was told in this period.
func (l *Live) Warn(s *Scope) bool {
	if s.Budget.Soft <= 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spent+s.Budget.Before < s.Budget.Soft || l.warned == l.period+1 {
		return false
	}
	l.warned = l.period + 1
	return true
}

// turn brings the minute up to a moment.
func (l *Live) turn(now int64) *minute {
	if l.minute == nil {
		l.minute = &minute{}
	}
	l.minute.turn(now / int64(time.Second))
	return l.minute
}
