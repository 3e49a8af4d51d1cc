package shared

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// settlement is what one hold leaves to be told. What is spent of its scope's money is looked up when it is told, so that
// an old settlement tells nothing old.
type settlement struct {
	scope         *llm.Scope
	number        uint64
	now, then     int64 // unix nanoseconds
	tokens, used  int64
	place, money  string // names among the open requests and the holds of money; empty if it is not there
	cost          string // held
	gave          uint64
	undo, counts  bool
	account, back bool   // what is spent is told; the scope was used alone
	minute        bool   // only what is known of the minute is told
	places        string // names of requests that are open, with spaces between
	epoch         string // of a roll call in which all is told
}

// owed is a scope whose money Redis is to be told.
type owed struct {
	scope *llm.Scope
	back  bool // it was used alone
	money bool // what is spent is told whether a budget limits it or not
}

// report is what was told of a scope's money, and by which command.
type report struct {
	live *llm.Live
	told llm.Account
	cmd  *redis.Cmd
}

// nobody is a name that no hold of money has: what Redis holds for the whole process becomes less.
const nobody = "-"

// Settle implements limit.Shared.
func (c *Counts) Settle(x *llm.Exchange, h *llm.Hold, now, tokens int64, cost float64) {
	c.end(x, h, now, tokens, cost, false)
}

// Undo implements limit.Shared.
func (c *Counts) Undo(x *llm.Exchange, h *llm.Hold) { c.end(x, h, x.Asked.Now, 0, 0, true) }

// Charge implements limit.Shared.
func (c *Counts) Charge(s *llm.Scope, now int64, cost float64) {
	s.Charge(s, now, cost)
	if s.Budget.Limited && cost != 0 {
		c.queue(settlement{scope: s, now: now, then: now, account: true})
	}
}

// end gives a hold back here, counts here what it used, and queues both to be told. What is told of money is read later:
// so it holds at least what this hold used.
func (c *Counts) end(x *llm.Exchange, h *llm.Hold, now, tokens int64, cost float64, undo bool) {
	s, together := h.Scope, h.Shared
	t := c.giveBack(x, h, now, tokens, undo)
	if together && t.place != "" {
		c.closed(s, t.place)
	}
	if undo {
		s.Undo(h, now)
	} else {
		s.Settle(h, now, tokens, cost)
	}
	h.Shared = false
	if together {
		t.gave = h.Gave()
		c.queue(t)
		return
	}
	if s.Idle() || !s.Budget.Limited || t.money == "" && cost == 0 {
		return
	}
	// Redis has never heard of this hold by name.
	t.place, t.counts, t.gave = "", false, h.Gave()
	if t.money != "" {
		t.money = nobody
	}
	c.queue(t)
}

// giveBack is what is told of a hold when it ends, taken before it ends here.
func (c *Counts) giveBack(x *llm.Exchange, h *llm.Hold, now, tokens int64, undo bool) settlement {
	held, cost, open, counts, money := h.Taken()
	t := settlement{
		scope: h.Scope, now: now, then: x.Asked.Now, tokens: held, used: tokens, undo: undo, counts: counts,
		account: h.Scope.Budget.Limited, cost: amount(cost),
	}
	if open {
		t.place = member(x, h)
	}
	if money && cost > 0 {
		t.money = member(x, h)
	}
	return t
}

// opened notes that a request has a place, which Redis knows by its name.
func (c *Counts) opened(x *llm.Exchange, h *llm.Hold) {
	if _, _, open, _, _ := h.Taken(); !open {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.places[h.Scope.Live]
	if names == nil {
		names = map[string]struct{}{}
		c.places[h.Scope.Live] = names
	}
	names[member(x, h)] = struct{}{}
}

// closed notes that a request gave its place back.
func (c *Counts) closed(s *llm.Scope, place string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := c.places[s.Live]
	if delete(names, place); len(names) == 0 {
		delete(c.places, s.Live)
	}
}

// queue leaves a settlement to be told. If too many wait, what is spent is told all the same, but not what is given back:
// that is free again by itself.
func (c *Counts) queue(t settlement) {
	c.mu.Lock()
	if t.account || t.counts {
		c.known[t.scope.Live] = t.scope
	}
	switch {
	case len(c.pending) < maxPending:
		t.number = c.number.Add(1)
		c.pending = append(c.pending, t)
	default:
		c.dropped++
		if t.account {
			c.owe(t.scope, false, true)
		}
	}
	c.mu.Unlock()
	c.awake()
}

func (c *Counts) awake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// note remembers scopes that are used without Redis.
func (c *Counts) note(scopes []*llm.Scope) {
	c.alone.Store(2)
	c.remember(scopes)
}

// remember keeps scopes in mind that Redis has to be told again if it loses its data.
func (c *Counts) remember(scopes []*llm.Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range scopes {
		if s.Budget.Limited || s.Limits != (llm.Limits{}) {
			c.known[s.Live] = s
		}
	}
}

// owe has Redis told what is used of a scope. The lock is held.
func (c *Counts) owe(s *llm.Scope, back, money bool) {
	old := c.owed[s.Live]
	c.owed[s.Live] = owed{s, back || old.back, money || old.money}
}

// oweAll has Redis told what is spent of all scopes that it may not know all of.
func (c *Counts) oweAll(back bool) {
	c.mu.Lock()
	for _, s := range c.known {
		c.owe(s, back, false)
	}
	c.mu.Unlock()
	c.awake()
}

// forgetKnown forgets scopes that nobody asked for lately, and of which a database has everything. It looks at some of them, any, so that nobody waits long
// for the lock.
func (c *Counts) forgetKnown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	since, left := time.Now().Add(-keepKnown).Unix(), forgetAtOnce
	for live := range c.known {
		if left--; left < 0 {
			return
		}
		if live.Unused(since) {
			delete(c.known, live)
		}
	}
}

// Tell has all replicas told what is spent of a scope: also that it fell, if it did.
func (c *Counts) Tell(l *llm.Live) {
	c.mu.Lock()
	s := c.known[l]
	if s == nil {
		s = &llm.Scope{Kind: l.Kind, ID: l.ID, Live: l}
	}
	c.owe(s, false, true)
	c.mu.Unlock()
	c.awake()
}

// Learned says that the effects of all changes of the database up to this one are known here; see llm.Live.Changed.
func (c *Counts) Learned(change int64) {
	for {
		old := c.seq.Load()
		if change <= old || c.seq.CompareAndSwap(old, change) {
			return
		}
	}
}

// send tells Redis what requests used, as it comes.
func (c *Counts) send() {
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		for !c.broken.Load() && c.sendSome() {
		}
	}
}

// sendSome sends a batch and reports whether there is more that may be sent. What could not be sent waits.
func (c *Counts) sendSome() (more bool) {
	c.sending.Lock()
	defer c.sending.Unlock()
	batch, n, list := c.batch()
	if len(batch) == 0 {
		return false
	}
	if err := c.deliver(batch); err != nil {
		c.mu.Lock()
		for _, o := range list {
			c.owe(o.scope, o.back, o.money)
		}
		c.mu.Unlock()
		c.failed(err)
		return !c.broken.Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = c.pending[n:]
	if len(c.pending) == 0 {
		c.pending = nil
	}
	return len(c.pending) > 0 || len(c.owed) > 0
}

// deliver tells Redis, and notes what it answers. The lock for sending is held.
func (c *Counts) deliver(batch []settlement) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), max(settlePatience, c.s.Timeout))
	defer cancel()
	cmds, reports, err := c.tell(ctx, batch)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		c.load(ctx)
		cmds, reports, err = c.tell(ctx, batch)
	}
	if err != nil && !c.hopeless(cmds) {
		return err
	}
	for _, r := range reports {
		r.heard()
	}
	if slices.ContainsFunc(cmds, unknown) {
		c.look()
	}
	return nil
}

// unknown reports whether what was told was of no use, as Redis lost what it was told before.
func unknown(cmd *redis.Cmd) bool {
	list, err := cmd.Int64Slice()
	return err == nil && len(list) == 1
}

// all is all that is known of a scope. The lock is held.
func (c *Counts) all(o owed, now int64) settlement {
	t := settlement{scope: o.scope, now: now, then: now, account: o.money || o.scope.Budget.Limited, back: o.back, minute: true}
	t.places = strings.Join(slices.Collect(maps.Keys(c.places[o.scope.Live])), " ")
	return t
}

// batch is what is to be told next: n settlements that wait, and list of scopes that are owed.
func (c *Counts) batch() (batch []settlement, n int, list []owed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = min(len(c.pending), settleBatch)
	batch = append(batch, c.pending[:n]...)
	now := time.Now().UnixNano()
	for live, o := range c.owed {
		if len(list) >= settleBatch {
			break
		}
		delete(c.owed, live)
		list = append(list, o)
		t := c.all(o, now)
		if o.back {
			// As if it were settled last: what was held up to now is in what is told.
			t.number = c.number.Add(1)
		}
		batch = append(batch, t)
	}
	return batch, n, list
}

// tell sends settlements in one pipeline.
func (c *Counts) tell(ctx context.Context, batch []settlement) (cmds []*redis.Cmd, reports []report, err error) {
	pipe := c.s.Client.Pipeline()
	for i := range batch {
		t := &batch[i]
		args := []any{
			t.now / int64(time.Millisecond), t.then / int64(time.Millisecond), t.tokens, t.used, t.place, flag(t.undo), t.counting(),
			t.number, c.s.Replica, t.money, t.cost, t.gave, flag(t.back),
			t.places, t.epoch, c.spoken[part(t.scope)],
		}
		args = c.recent(args, t.scope, t.now)
		if t.account {
			var told llm.Account
			args, told = c.account(args, t.scope, t.now)
			reports = append(reports, report{live: t.scope.Live, told: told})
		}
		cmd := c.settle.EvalSha(ctx, pipe, c.keys(t.scope), args...)
		if t.account {
			reports[len(reports)-1].cmd = cmd
		}
		cmds = append(cmds, cmd)
	}
	_, err = pipe.Exec(ctx)
	return cmds, reports, err
}

// heard notes that Redis knows what was told, and what all have spent.
func (r *report) heard() {
	if unknown(r.cmd) {
		return
	}
	if r.told.Reset != 0 {
		r.live.Told(r.told.Reset)
	}
	if list, err := r.cmd.Int64Slice(); err == nil && len(list) == 3 {
		r.live.Seen(float64(list[0])/1e9, r.told.Total, list[1], list[2]*int64(time.Millisecond))
	}
}

// counting says whether a settlement counts in the minute: 0 no, 1 yes, 2 if only what is known is told.
func (t *settlement) counting() int {
	switch {
	case t.counts:
		return 1
	case t.minute && (t.scope.RPM != 0 || t.scope.TPM != 0):
		return 2
	}
	return 0
}

// hopeless reports whether all that failed will fail again: Redis has something else in the place of the counts.
func (c *Counts) hopeless(cmds []*redis.Cmd) bool {
	var last error
	for _, cmd := range cmds {
		err := cmd.Err()
		if err == nil {
			continue
		}
		var reply redis.Error
		if !errors.As(err, &reply) {
			return false
		}
		if text := err.Error(); !strings.Contains(text, "WRONGTYPE") && !(strings.HasPrefix(text, "ERR ") && strings.Contains(text, "script")) {
			return false
		}
		last = err
	}
	if last != nil {
		c.s.Logger.Error("what requests used cannot be counted for all replicas: Redis has other data under the names of the counts",
			"prefix", c.s.Prefix, "error", last)
	}
	return last != nil
}
