package shared

import (
	"context"
	_ "embed"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
)

//go:embed roll.lua
var rollScript string

//go:embed call.lua
var callScript string

//go:embed come.lua
var comeScript string

const (
	// parts is how many parts scopes are in. All keys of a part are on one node of a cluster, with a mark that is lost when
	// they are.
	parts = 64
	// restPatience is how much longer than a roll call may take a request waits for its end, and joinPatience how long a
	// replica that starts waits until the others know it.
	restPatience = 500 * time.Millisecond
	joinPatience = 2 * time.Second
	firstPause   = 2 * time.Millisecond
	lastPause    = 50 * time.Millisecond
)

// errRoll is the error of a request that came while replicas tell Redis what it has lost.
var errRoll = errors.New("redis lost its data and is being told anew")

// epochs are the names of the data that Redis was told everything for, one of each part; "" while it is being told.
type epochs [parts]string

// part is where a scope is counted: beside that which it has a share of.
func part(s *llm.Scope) int {
	if s.Within != nil {
		return part(s.Within)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.Live.ID)) // it never fails
	return int((h.Sum32() ^ uint32(s.Kind)) % parts)
}

func (c *Counts) partName(n int) string { return c.s.Prefix + ":{" + strconv.Itoa(n) + "}:" }

func (c *Counts) markKey(n int) string { return c.partName(n) + "mark" }

// told reports whether Redis knows everything of all scopes, as far as is known here.
func (e *epochs) told(scopes []*llm.Scope) bool {
	return !slices.ContainsFunc(scopes, func(s *llm.Scope) bool { return e[part(s)] == "" })
}

// setEpochs changes some of the names, when no answer to a request is on its way.
func (c *Counts) setEpochs(list []int, name func(i int) string) {
	c.gate.Lock()
	defer c.gate.Unlock()
	for i, n := range list {
		c.epochs[n] = name(i)
	}
}

// attend looks whether Redis lost data of any part, and if so tells all that is known here of it. made is true if nobody
// else had noticed.
func (c *Counts) attend(ctx context.Context) (made bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(settlePatience, c.s.Timeout))
	defer cancel()
	pipe := c.s.Client.Pipeline()
	names := make([]*redis.StringCmd, parts)
	for n := range names {
		names[n] = pipe.HGet(ctx, c.markKey(n), "e")
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	var list []int
	c.gate.RLock()
	for n, cmd := range names {
		if cmd.Val() == "" || cmd.Val() != c.epochs[n] {
			list = append(list, n)
		}
	}
	c.gate.RUnlock()
	if len(list) == 0 {
		return false, nil
	}
	found, made, err := c.call(ctx, list)
	if err != nil {
		return made, err
	}
	c.setEpochs(list, func(int) string { return "" })
	if made {
		c.announce(ctx, "")
	}
	if err := c.tellParts(list, found); err != nil {
		return made, err
	}
	return made, c.come(ctx, list, found)
}

// call begins the roll calls of parts, or learns who has.
func (c *Counts) call(ctx context.Context, list []int) (found []string, made bool, err error) {
	args := []any{strconv.FormatUint(rand.Uint64(), 36), time.Now().Add(c.s.Roll).UnixMilli()}
	for _, name := range c.members() {
		args = append(args, name)
	}
	cmds, err := c.each(ctx, c.begin, list, func(int) []any { return args })
	if err != nil {
		return nil, false, err
	}
	for _, cmd := range cmds {
		answer, err := cmd.Slice()
		if err != nil || len(answer) != 2 {
			return nil, false, errors.Join(errors.New("redis: an answer is not understood"), err)
		}
		name, _ := answer[0].(string)
		found, made = append(found, name), made || answer[1] == int64(1)
	}
	return found, made, nil
}

// come says that all was told.
func (c *Counts) come(ctx context.Context, list []int, found []string) error {
	cmds, err := c.each(ctx, c.finish, list, func(i int) []any { return []any{found[i], c.s.Replica} })
	if err != nil {
		return err
	}
	again := false
	c.setEpochs(list, func(i int) string {
		if n, _ := cmds[i].Int(); n == 1 {
			return found[i]
		}
		again = true
		return ""
	})
	if again {
		c.look()
	}
	return nil
}

// each runs a script for the marks of parts, in one pipeline.
func (c *Counts) each(ctx context.Context, script *redis.Script, list []int, args func(i int) []any) (cmds []*redis.Cmd, err error) {
	run := func() error {
		cmds = cmds[:0]
		pipe := c.s.Client.Pipeline()
		for i, n := range list {
			cmds = append(cmds, script.EvalSha(ctx, pipe, []string{c.markKey(n)}, args(i)...))
		}
		_, err := pipe.Exec(ctx)
		return err
	}
	err = run()
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		c.load(ctx)
		err = run()
	}
	return cmds, err
}

// tellParts tells all that is known of the scopes of parts. What is told from then on is of this data: a settlement that
// reached Redis between the loss and this would count twice with what others have heard of it.
func (c *Counts) tellParts(list []int, found []string) error {
	name := map[int]string{}
	c.sending.Lock()
	for i, n := range list {
		name[n], c.spoken[n] = found[i], found[i]
	}
	c.sending.Unlock()
	var all []*llm.Scope
	c.mu.Lock()
	for _, s := range c.known {
		if name[part(s)] != "" {
			all = append(all, s)
		}
	}
	c.mu.Unlock()
	for some := range slices.Chunk(all, settleBatch) {
		if err := c.tellSome(some, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Counts) tellSome(some []*llm.Scope, name map[int]string) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	var batch []settlement
	now := time.Now().UnixNano()
	c.mu.Lock()
	for _, s := range some {
		t := c.all(owed{scope: s}, now)
		t.number, t.epoch = c.number.Add(1), name[part(s)]
		s.Lost()
		batch = append(batch, t)
	}
	c.mu.Unlock()
	return c.deliver(batch)
}
