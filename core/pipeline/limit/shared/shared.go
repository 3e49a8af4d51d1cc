// Package shared counts limits and budgets of several replicas together, in Redis. A request asks for all of its scopes
// in one pipelined round trip; what it used is told afterwards, off its path. While Redis does not answer, each replica
// goes on alone with its share of the limits.
package shared

import (
	"context"
	_ "embed"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
)

//go:embed reserve.lua
var reserveScript string

//go:embed settle.lua
var settleScript string

//go:embed spent.lua
var spentScript string

// Settings of Counts. Client and Replica are required; zero values of the others take the defaults.
type Settings struct {
	Client  redis.UniversalClient
	Replica string        // names this process
	Prefix  string        // of all keys; default "sallyport"
	Timeout time.Duration // of a round trip on a request's path; default 100 ms
	Logger  *slog.Logger
}

const (
	defaultPrefix  = "sallyport"
	defaultTimeout = 100 * time.Millisecond
	breakAfter     = 3 // failures in a row after which Redis is left alone
	probeEvery     = 500 * time.Millisecond
	beat           = 2 * time.Second // how often a replica says that it is there
	gone           = 5 * beat
	maxPending     = 100_000 // settlements that wait for Redis
	settleBatch    = 256
	settlePatience = 2 * time.Second
)

var errBroken = errors.New("redis is left alone for a while")

// Counts implements limit.Shared. It is safe for concurrent use. Close ends it.
type Counts struct {
	s       Settings
	reserve *redis.Script
	settle  *redis.Script
	spent   *redis.Script

	turns    atomic.Uint32 // attempts so far
	failures atomic.Int32
	broken   atomic.Bool
	replicas atomic.Int64 // as last known

	mu      sync.Mutex
	pending []settlement
	dropped int64
	wake    chan struct{}

	ctx  context.Context
	stop context.CancelFunc
	jobs sync.WaitGroup
}

// settlement is what one hold leaves to be told.
type settlement struct {
	keys []string
	args []any
}

// New starts counting.
func New(s Settings) *Counts {
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Counts{
		s: s, reserve: redis.NewScript(reserveScript), settle: redis.NewScript(settleScript), spent: redis.NewScript(spentScript),
		wake: make(chan struct{}, 1),
	}
	c.replicas.Store(1)
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.load(c.ctx)
	if err := c.beat(c.ctx); err != nil {
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
	refused, a, err := c.together(ctx, x, x.Scopes, 0)
	return refused, a.code, a.wait, err
}

// Enter implements limit.Shared.
func (c *Counts) Enter(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope) (refused int, why llm.Refusal, spent float64, err error) {
	refused, a, err := c.together(ctx, x, scopes, max(1, c.turns.Add(1)))
	return refused, a.code, a.spent, err
}

// together takes of all scopes for all replicas, or of none, and appends to x.Holds what it took.
func (c *Counts) together(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope, turn uint32) (refused int, why answer, err error) {
	x.Asked.Share = c.Alone()
	if x.Asked.Share > 0 {
		return 0, why, errBroken
	}
	from := len(x.Holds)
	c.takeHere(x, scopes, turn)
	at, answers, err := c.ask(ctx, x, scopes, x.Holds[from:])
	if err != nil {
		c.forgetPlaces(x, from)
		c.undoHere(x, from)
		x.Asked.Share = c.replicas.Load()
		return 0, why, err
	}
	refused = -1
	for i, place := range at {
		h, a := &x.Holds[from+place], answers[i]
		if a.code != llm.Passed {
			if refused < 0 {
				refused, why = place, a
			}
			continue
		}
		h.Shared, h.RequestsLeft, h.TokensLeft = true, a.requests, a.tokens
	}
	if refused < 0 {
		return 0, why, nil
	}
	for i := range x.Holds[from:] {
		c.tell(x, &x.Holds[from+i], x.Asked.Now, 0, 0, true)
	}
	c.undoHere(x, from)
	return refused, why, nil
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

// forgetPlaces gives places among the open requests back that Redis may have given without being heard. Tokens and money
// that it may hold are free again by themselves.
func (c *Counts) forgetPlaces(x *llm.Exchange, from int) {
	for i := range x.Holds[from:] {
		if h := &x.Holds[from+i]; h.Scope.Parallel != 0 {
			c.queue(settlement{c.keys(h.Scope), []any{0, 0, 0, 0, member(x, h), "0", "0", "0", "0", "0"}})
		}
	}
}

// member names a request, or one attempt of it, among those that are open.
func member(x *llm.Exchange, h *llm.Hold) string {
	if h.Turn == 0 {
		return x.ID.String()
	}
	return x.ID.String() + "." + strconv.FormatUint(uint64(h.Turn), 36)
}

// answer is what the script says of one scope.
type answer struct {
	code             llm.Refusal
	wait             time.Duration
	requests, tokens int64
	spent            float64 // of a budget
}

// ask runs the script for every scope that limits, in one pipeline. at are their places in scopes.
func (c *Counts) ask(ctx context.Context, x *llm.Exchange, scopes []*llm.Scope, holds []llm.Hold) (at []int, answers []answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.s.Timeout)
	defer cancel()
	run := func() ([]*redis.Cmd, error) {
		pipe := c.s.Client.Pipeline()
		var cmds []*redis.Cmd
		at = at[:0]
		for i, s := range scopes {
			if s.Idle() || s.Limits == (llm.Limits{}) && !s.Budget.Limited {
				continue
			}
			at = append(at, i)
			cmds = append(cmds, c.reserve.EvalSha(ctx, pipe, c.keys(s), c.arguments(x, s, &holds[i])...))
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
		if err != nil || len(list) != 5 {
			return nil, nil, errors.Join(errors.New("redis: an answer is not understood"), err)
		}
		answers = append(answers, answer{codeOf(list[0]), time.Duration(list[1]) * time.Millisecond, list[2], list[3], float64(list[4]) / 1e9})
	}
	return at, answers, nil
}

func codeOf(n int64) llm.Refusal {
	list := []llm.Refusal{
		llm.Passed, llm.OverRequests, llm.OverTokens, llm.OverParallel, llm.OverBudget, llm.ReservedMoney, llm.ReservedToken,
	}
	if n < 0 || int(n) >= len(list) {
		return llm.OverParallel
	}
	return list[n]
}

// keys are where a scope is counted. The part in braces keeps them on one node of a cluster.
func (c *Counts) keys(s *llm.Scope) []string {
	tag := c.s.Prefix + ":{" + s.Kind.String() + ":" + strings.NewReplacer("{", "(", "}", ")").Replace(s.ID) + "}:"
	return []string{tag + "minute", tag + "open", tag + "money"}
}

func (c *Counts) arguments(x *llm.Exchange, s *llm.Scope, h *llm.Hold) []any {
	limit, free := "", "0"
	var base, unsaved float64
	if s.Budget.Limited && !x.Asked.Free {
		limit = amount(s.Budget.Cap(x.Asked.Now))
		base, unsaved = s.Unsaved()
	}
	if s.Free {
		free = "1"
	}
	tokens, cost, _, _, _ := h.Taken()
	return []any{
		x.Asked.Now / int64(time.Millisecond), s.RPM, s.TPM, s.Parallel, tokens, limit, amount(cost), member(x, h),
		amount(base), c.s.Replica, amount(unsaved), s.Budget.Period.Milliseconds(), free,
	}
}

func amount(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Undo implements limit.Shared.
func (c *Counts) Undo(x *llm.Exchange, h *llm.Hold) { c.tell(x, h, x.Asked.Now, 0, 0, true) }

// Settle implements limit.Shared.
func (c *Counts) Settle(x *llm.Exchange, now, tokens int64, cost float64) {
	for i := range x.Holds {
		c.tell(x, &x.Holds[i], now, tokens, cost, false)
	}
}

// tell queues what one hold gives back and used.
func (c *Counts) tell(x *llm.Exchange, h *llm.Hold, now, tokens int64, cost float64, undo bool) {
	if !h.Shared {
		return
	}
	h.Shared = false
	held, heldCost, open, counts, _ := h.Taken()
	request := ""
	if open {
		request = member(x, h)
	}
	c.queue(settlement{c.keys(h.Scope), []any{
		now / int64(time.Millisecond), x.Asked.Now / int64(time.Millisecond), held, tokens, request, amount(heldCost), amount(cost),
		flag(undo), flag(counts), flag(h.Scope.Budget.Limited),
	}})
}

func (c *Counts) queue(s settlement) {
	c.mu.Lock()
	if len(c.pending) >= maxPending {
		c.dropped++
		c.mu.Unlock()
		return
	}
	c.pending = append(c.pending, s)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// send tells Redis what requests used, as it comes.
func (c *Counts) send() {
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		for c.sendSome() {
		}
	}
}

// sendSome sends a batch and reports whether there is more. What could not be sent waits until Redis is back.
func (c *Counts) sendSome() bool {
	if c.broken.Load() {
		return false
	}
	c.mu.Lock()
	n := min(len(c.pending), settleBatch)
	batch := c.pending[:n:n]
	c.mu.Unlock()
	if n == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), settlePatience)
	defer cancel()
	pipe := c.s.Client.Pipeline()
	for _, s := range batch {
		c.settle.EvalSha(ctx, pipe, s.keys, s.args...)
	}
	_, err := pipe.Exec(ctx)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		c.load(ctx)
		return true
	}
	if err != nil {
		c.failed(err)
		return !c.broken.Load()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = c.pending[n:]
	if len(c.pending) == 0 {
		c.pending = nil
	}
	return len(c.pending) > 0
}

// Spent says that what a scope has spent was set, or that its period ended: in the change of this number.
func (c *Counts) Spent(ctx context.Context, kind llm.ScopeKind, id string, spent float64, change int64) {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	keys := c.keys(&llm.Scope{Kind: kind, ID: id})
	if err := c.spent.Run(ctx, c.s.Client, keys, amount(spent), change).Err(); err != nil {
		c.failed(err)
	}
}

// failed counts failures, and after some in a row leaves Redis alone.
func (c *Counts) failed(err error) {
	if errors.Is(err, context.Canceled) {
		return // the caller left
	}
	if c.failures.Add(1) < breakAfter || c.broken.Swap(true) {
		return
	}
	c.s.Logger.Error("Redis does not answer: limits are counted by each replica alone, with its share, until it does",
		"replicas", c.replicas.Load(), "error", err)
}

// watch says that this replica is there, learns how many there are, and notices when Redis is back.
func (c *Counts) watch() {
	last := time.Now()
	t := time.NewTicker(probeEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-c.ctx.Done():
			return
		}
		broken := c.broken.Load()
		if !broken && time.Since(last) < beat {
			continue
		}
		last = time.Now()
		if err := c.beat(c.ctx); err != nil {
			c.failed(err)
			continue
		}
		if broken {
			c.load(c.ctx)
			c.failures.Store(0)
			c.broken.Store(false)
			c.s.Logger.Info("Redis answers again: limits are counted by all replicas together")
			select {
			case c.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (c *Counts) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	key := c.s.Prefix + ":replicas"
	now := time.Now()
	pipe := c.s.Client.Pipeline()
	pipe.ZAdd(ctx, key, redis.Z{Score: float64(now.UnixMilli()), Member: c.s.Replica})
	pipe.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(now.Add(-gone).UnixMilli(), 10))
	n := pipe.ZCard(ctx, key)
	pipe.Expire(ctx, key, time.Hour)
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	c.replicas.Store(max(1, n.Val()))
	return nil
}

// load makes the scripts known to every node.
func (c *Counts) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	all := func(ctx context.Context, client redis.Scripter) {
		for _, s := range []*redis.Script{c.reserve, c.settle, c.spent} {
			if err := s.Load(ctx, client).Err(); err != nil {
				return
			}
		}
	}
	if cluster, ok := c.s.Client.(*redis.ClusterClient); ok {
		_ = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			all(ctx, node)
			return nil
		})
		return
	}
	all(ctx, c.s.Client)
}

// Close tells what is left, if Redis answers, and ends.
func (c *Counts) Close() error {
	c.stop()
	c.jobs.Wait()
	for c.sendSome() {
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.s.Client.ZRem(ctx, c.s.Prefix+":replicas", c.s.Replica).Err()
	return c.s.Client.Close()
}
