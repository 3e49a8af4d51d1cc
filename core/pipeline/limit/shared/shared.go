// Package shared counts limits and budgets of several replicas together, in Redis. A request asks for all of its scopes
// in one pipelined round trip; what it used is told afterwards, off its path. While Redis does not answer, each replica
// goes on alone with its share of the limits.
package shared

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit"
)

//go:embed money.lua
var moneyScript string

//go:embed minute.lua
var minuteScript string

//go:embed reserve.lua
var reserveScript string

//go:embed settle.lua
var settleScript string

// Settings of Counts. Client and Replica are required; zero values of the others take the defaults.
type Settings struct {
	Client  redis.UniversalClient
	Replica string        // names this process
	Prefix  string        // of all keys; default "sallyport"
	Timeout time.Duration // of a round trip on a request's path; default 100 ms
	Roll    time.Duration // how long replicas are waited for when Redis lost its data; default two seconds, or Timeout if it is more
	Logger  *slog.Logger
}

const (
	defaultPrefix  = "sallyport"
	defaultTimeout = 100 * time.Millisecond
	defaultRoll    = 2 * time.Second
	breakAfter     = 3 // failures in a row after which Redis is left alone
	probeEvery     = 500 * time.Millisecond
	step           = 5 * time.Second // of a minute, in Redis
	beat           = 2 * time.Second // how often a replica says that it is there
	gone           = 5 * beat
	maxPending     = 100_000 // settlements that wait for Redis
	settleBatch    = 256
	settlePatience = 2 * time.Second
	forgetAtOnce   = 5000            // scopes
	keepKnown      = 2 * time.Minute // since a scope was last asked for: others have read of a database by then what was spent
)

var errBroken = errors.New("redis is left alone for a while")

// Counts implements limit.Shared. It is safe for concurrent use. Close ends it.
type Counts struct {
	s       Settings
	reserve *redis.Script
	settle  *redis.Script
	begin   *redis.Script // a roll call
	finish  *redis.Script

	gate   sync.RWMutex // guards epochs; held for reading until the answer is taken note of
	epochs epochs

	turns    atomic.Uint32 // times that somebody asked
	failures atomic.Int32
	broken   atomic.Bool
	alone    atomic.Int32  // looks until Redis is told what was let pass without it: two, as the first may come in between
	doubt    chan struct{} // Redis may have lost its data
	replicas atomic.Int64  // as last known
	seq      atomic.Int64  // the last change of the database whose effect is known here

	number  atomic.Uint64 // of the last settlement; it rises while the lock is held
	mu      sync.Mutex
	pending []settlement
	dropped int64
	known   map[*llm.Live]*llm.Scope          // scopes whose counts Redis may have to be told again
	owed    map[*llm.Live]owed                // those of them that it is to be told now
	places  map[*llm.Live]map[string]struct{} // names of requests that are open, of scopes that limit these
	others  map[string]time.Time              // replicas, this one too, and since when Redis does not name them
	wake    chan struct{}
	sending sync.Mutex // one batch at a time, so that settlements come in order
	spoken  epochs     // the data that settlements are told to; guarded by sending

	ctx  context.Context
	stop context.CancelFunc
	jobs sync.WaitGroup
}

// New starts counting.
func New(s Settings) *Counts {
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Roll <= 0 {
		s.Roll = max(defaultRoll, s.Timeout)
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Counts{
		s: s, reserve: redis.NewScript(rollScript + moneyScript + minuteScript + reserveScript),
		settle: redis.NewScript(rollScript + moneyScript + minuteScript + settleScript),
		begin:  redis.NewScript(rollScript + callScript), finish: redis.NewScript(rollScript + comeScript),
		known: map[*llm.Live]*llm.Scope{}, owed: map[*llm.Live]owed{}, places: map[*llm.Live]map[string]struct{}{},
		others: map[string]time.Time{s.Replica: {}}, wake: make(chan struct{}, 1), doubt: make(chan struct{}, 1),
	}
	c.replicas.Store(1)
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.load(c.ctx)
	news := c.subscribe()
	c.jobs.Go(func() { c.hear(news) })
	err := c.join(c.ctx)
	if err == nil {
		_, err = c.attend(c.ctx)
	}
	if err != nil {
		c.failures.Store(breakAfter)
		c.failed(err)
	}
	c.jobs.Go(c.send)
	c.jobs.Go(c.watch)
	return c
}

// Share is of how many replicas this is one, as last known: what each may use while Redis is away.
func (c *Counts) Share() int64 { return c.replicas.Load() }

// Alone implements limit.Shared.
func (c *Counts) Alone() int64 {
	if c.broken.Load() {
		return c.replicas.Load()
	}
	return 0
}

// Broken reports whether replicas count alone at the moment.
func (c *Counts) Broken() bool { return c.broken.Load() }

// Reserve implements limit.Shared. What it takes together it takes here as well, so that a replica which must go on alone
// knows what it used.
func (c *Counts) Reserve(ctx context.Context, x *llm.Exchange) (refused int, why llm.Refusal, wait time.Duration, err error) {
	scopes := x.Scopes
	if x.Ahead != nil {
		scopes = append(slices.Clip(scopes), x.Ahead.Scopes...)
	}
	refused, a, err := c.together(ctx, x, scopes, len(x.Scopes))
	return refused, a.code, a.wait, err
}

// Enter implements limit.Shared.
func (c *Counts) Enter(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope) (refused int, why llm.Refusal, spent float64, err error) {
	refused, a, err := c.together(ctx, x, scopes, len(scopes))
	return refused, a.code, a.spent, err
}

// together takes of all scopes for all replicas, or of none, and appends to x.Holds what it took. Of scopes after the first
// so many, which are those of x.Ahead, it takes if it can. While Redis is told what it lost, it waits.
func (c *Counts) together(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope, must int) (refused int, why answer, err error) {
	asked, begun, patience := x.Asked.Now, time.Now(), c.s.Roll+restPatience
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		refused, why, err = c.once(ctx, x, scopes, must)
		if !errors.Is(err, errRoll) {
			return refused, why, err
		}
		if time.Since(begun) > patience {
			c.note(scopes)
			x.Asked.Share = c.replicas.Load()
			return 0, answer{}, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, answer{}, context.Cause(ctx)
		}
		x.Asked.Now = asked + int64(time.Since(begun))
	}
}

// once is together without waiting.
func (c *Counts) once(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope, must int) (refused int, why answer, err error) {
	x.Asked.Share = c.Alone()
	if x.Asked.Share > 0 {
		c.note(scopes)
		return 0, why, errBroken
	}
	// A roll call begins when all answers that are on their way have been taken note of: so what they grant is told in it, and
	// what they tell of others is.
	c.gate.RLock()
	defer c.gate.RUnlock()
	if !c.epochs.told(scopes) {
		c.look()
		return 0, why, errRoll
	}
	from := len(x.Holds)
	c.takeHere(x, scopes, max(1, c.turns.Add(1)))
	at, answers, err := c.ask(ctx, x, scopes, x.Holds[from:])
	if err != nil {
		c.note(scopes)
		c.forgetHolds(x, from)
		c.undoHere(x, from)
		x.Asked.Share = c.replicas.Load()
		return 0, why, err
	}
	refused = slices.IndexFunc(answers, func(a answer) bool { return a.code != llm.Passed })
	if refused >= 0 {
		refused, why = at[refused], answers[refused]
	}
	granted := len(scopes)
	switch {
	case refused >= must:
		granted = must
	case refused >= 0:
		granted = 0
	}
	rolling := slices.ContainsFunc(answers, func(a answer) bool { return a.rolling })
	if rolling {
		granted = 0
	}
	c.remember(scopes[:granted])
	for i, place := range at {
		h, a := &x.Holds[from+place], answers[i]
		switch {
		case place < granted:
			h.Scope.Granted(h, true)
			h.RequestsLeft, h.TokensLeft = a.requests, a.tokens
			c.opened(x, h)
		case a.code == llm.Passed && !a.rolling:
			c.queue(c.giveBack(x, h, x.Asked.Now, 0, true))
		}
	}
	c.undoHere(x, from+granted)
	switch {
	case rolling:
		c.look()
		return 0, answer{}, errRoll
	case refused < 0:
		return 0, why, nil
	case refused < must:
		return refused, why, nil
	}
	x.Ahead = nil
	if why.code == llm.OverBudget {
		scopes[refused].Bar(time.Now().Add(limit.BarTime).UnixNano(), why.spent)
	}
	return 0, answer{}, nil
}

func (c *Counts) takeHere(x *llm.Exchange, scopes []*llm.Scope, turn uint32) {
	for _, s := range scopes {
		x.Holds = append(x.Holds, llm.Hold{})
		h := &x.Holds[len(x.Holds)-1]
		if s.Idle() {
			*h = llm.Hold{Scope: s, RequestsLeft: -1, TokensLeft: -1}
			continue
		}
		s.Take(s, &x.Asked, h)
		h.Turn = turn
	}
}

func (c *Counts) undoHere(x *llm.Exchange, from int) {
	for i := range x.Holds[from:] {
		h := &x.Holds[from+i]
		h.Scope.Undo(h, x.Asked.Now)
	}
	x.Holds = x.Holds[:from]
}

// forgetHolds gives places among the open requests and money back that Redis may have given without being heard. Requests
// and tokens that it may have counted are free again by themselves.
func (c *Counts) forgetHolds(x *llm.Exchange, from int) {
	for i := range x.Holds[from:] {
		h := &x.Holds[from+i]
		if h.Scope.Parallel == 0 && !h.Scope.Budget.Limited {
			continue
		}
		t := c.giveBack(x, h, x.Asked.Now, 0, true)
		t.counts = false
		c.queue(t)
	}
}

// member names one attempt of a request among those that are open.
func member(x *llm.Exchange, h *llm.Hold) string {
	return x.ID.String() + "." + strconv.FormatUint(uint64(h.Turn), 36)
}

// answer is what the script says of one scope.
type answer struct {
	code             llm.Refusal
	rolling          bool // Redis does not have all that replicas know
	wait             time.Duration
	requests, tokens int64
	spent            float64 // of a budget
	others           float64 // of spent, without what was ever told here
	change           int64   // that ended its last period; -1 if there is no budget
	window           int64   // when its counted period began, unix milliseconds; 0 is not begun
}

// ask runs the script for every scope that limits, in one pipeline. at are their places in scopes.
func (c *Counts) ask(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope, holds []llm.Hold) (at []int, answers []answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.s.Timeout)
	defer cancel()
	var told []llm.Account
	run := func() ([]*redis.Cmd, error) {
		pipe := c.s.Client.Pipeline()
		var cmds []*redis.Cmd
		at, told = at[:0], told[:0]
		for i, s := range scopes {
			if s.Idle() || s.Limits == (llm.Limits{}) && !s.Budget.Limited {
				continue
			}
			at = append(at, i)
			args, account := c.arguments(x, s, &holds[i])
			args = append(args, c.epochs[part(s)])
			told = append(told, account)
			cmds = append(cmds, c.reserve.EvalSha(ctx, pipe, c.keys(s), args...))
		}
		if len(cmds) == 0 {
			return nil, nil
		}
		_, err := pipe.Exec(ctx)
		return cmds, err
	}
	cmds, err := run()
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		// Redis was started anew: it does not know the script yet. Some scopes may have been asked on other nodes.
		c.load(context.WithoutCancel(ctx))
		cmds, err = run()
	}
	if err != nil {
		c.failed(err)
		return nil, nil, err
	}
	c.failures.Store(0)
	for _, cmd := range cmds {
		list, err := cmd.Int64Slice()
		if err != nil || len(list) != 8 {
			return nil, nil, errors.Join(errors.New("redis: an answer is not understood"), err)
		}
		answers = append(answers, answer{
			code: codeOf(list[0]), rolling: list[0] == rollCode, wait: time.Duration(list[1]) * time.Millisecond, requests: list[2], tokens: list[3],
			spent: float64(list[4]) / 1e9, change: list[5], others: float64(list[6]) / 1e9, window: list[7],
		})
	}
	for i, place := range at {
		a, s := &answers[i], scopes[place]
		if s.RPM > 0 || s.TPM > 0 {
			a.seen(s, x.Asked.Now)
		}
		if a.change >= 0 {
			s.Seen(a.others, told[i].Total, a.change, a.window*int64(time.Millisecond))
			s.Told(told[i].Reset)
		}
	}
	return at, answers, nil
}

// rollCode is what the script says while Redis does not have all that replicas know. It is no refusal.
const rollCode = 7

// seen notes what all replicas have used of a scope's minute, as far as the answer says.
func (a *answer) seen(s *llm.Scope, now int64) {
	switch a.code {
	case llm.Passed:
		s.SeenMinute(now, s.RPM-max(0, a.requests), s.TPM-max(0, a.tokens))
	case llm.OverRequests, llm.OverTokens:
		s.SeenMinute(now, s.RPM, s.TPM)
	}
}

func codeOf(n int64) llm.Refusal {
	list := []llm.Refusal{
		llm.Passed, llm.OverRequests, llm.OverTokens, llm.OverParallel, llm.OverBudget, llm.ReservedMoney, llm.ReservedToken,
	}
	if n < 0 || int(n) >= len(list) {
		return llm.OverParallel // also while Redis is told what it lost
	}
	return list[n]
}

// keys are where a scope is counted, and last the mark of its part. The name in braces keeps them on one node of a cluster.
func (c *Counts) keys(s *llm.Scope) []string {
	n := part(s)
	tag := c.partName(n)
	whole := ""
	if w := s.Within; w != nil {
		tag += w.Kind.String() + ":" + w.Live.ID + ":"
		whole = tag + "minute"
	}
	tag += s.Kind.String() + ":" + s.Live.ID + ":"
	keys := append(make([]string, 0, 6), tag+"minute", tag+"open", tag+"money", tag+"held")
	if whole != "" {
		keys = append(keys, whole)
	}
	return append(keys, c.markKey(n))
}

// arguments are those of the script that asks, and what they tell of money.
func (c *Counts) arguments(x *llm.Exchange, s *llm.Scope, h *llm.Hold) (args []any, told llm.Account) {
	limit, free := "", "0"
	if s.Budget.Limited && !x.Asked.Free {
		limit = amount(s.Budget.Cap(x.Asked.Now))
	}
	if s.Free {
		free = "1"
	}
	tokens, cost, _, _, _ := h.Taken()
	args = []any{x.Asked.Now / int64(time.Millisecond), s.RPM, s.TPM, s.Parallel, tokens, limit, amount(cost), member(x, h), free, "", 0, 0}
	if w := s.Within; w != nil {
		args[9], args[10], args[11] = amount(s.From), w.RPM, w.TPM
	}
	args = c.recent(args, s, x.Asked.Now)
	if limit == "" {
		return args, told
	}
	return c.account(args, s, x.Asked.Now)
}

// recent appends what is known of a scope's last minute.
func (c *Counts) recent(args []any, s *llm.Scope, now int64) []any {
	number := c.number.Load() // before what it vouches for
	var r llm.Recent
	if s.RPM != 0 || s.TPM != 0 {
		r = s.Recent(now, step)
	}
	return append(args, strconv.FormatUint(s.Birth(), 36), r.Steps, r.Reserved, r.AllRequests, r.AllTokens, number, c.s.Replica)
}

// account appends what is known of a scope's money.
func (c *Counts) account(args []any, s *llm.Scope, now int64) (out []any, told llm.Account) {
	seq := c.seq.Load() // before what it vouches for
	a := s.Account(s, now)
	ends := int64(0)
	if !s.Budget.ResetAt.IsZero() {
		ends = s.Budget.ResetAt.UnixMilli()
	}
	return append(args, strconv.FormatUint(a.Birth, 36), amount(a.Total), amount(a.Unsaved), amount(a.Base), amount(a.Floor),
		amount(a.Held), amount(a.Loose), a.Gave, a.Window/int64(time.Millisecond), max(seq, a.Reset), a.Reset,
		s.Budget.Period.Milliseconds(), ends, amount(a.Seen), a.SeenAt, amount(a.Untold)), a
}

func amount(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
