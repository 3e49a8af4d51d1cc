package shared

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// join tells that this replica is there, and waits until all others know it: they have to wait for it if Redis loses its data.
func (c *Counts) join(ctx context.Context) error {
	begun := time.Now()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err := c.meetAll(ctx); err != nil {
			return err
		}
		if pause == firstPause {
			c.announce(ctx, "")
		}
		if known, err := c.isKnown(ctx); err != nil || known || time.Since(begun) > joinPatience {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}

// isKnown reports whether all others know this replica.
func (c *Counts) isKnown(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, c.s.Timeout))
	defer cancel()
	pipe := c.s.Client.Pipeline()
	var known []*redis.StringCmd
	for _, name := range c.members() {
		if name != c.s.Replica {
			known = append(known, pipe.Get(ctx, c.knowsKey(name)))
		}
	}
	if len(known) == 0 {
		return true, nil
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	return !slices.ContainsFunc(known, func(names *redis.StringCmd) bool {
		return !slices.Contains(strings.Fields(names.Val()), c.s.Replica)
	}), nil
}

// knowsKey is where a replica says which ones it knows.
func (c *Counts) knowsKey(name string) string { return c.s.Prefix + ":knows:" + name }

// meetAll learns which replicas there are, and says so.
func (c *Counts) meetAll(ctx context.Context) error {
	fresh, err := c.beat(ctx)
	if err == nil && fresh {
		_, err = c.beat(ctx)
	}
	return err
}

// beat tells that this replica is there and which it knows, and learns which there are. fresh reports whether it did not know
// one.
func (c *Counts) beat(ctx context.Context) (fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, c.s.Timeout))
	defer cancel()
	key := c.s.Prefix + ":replicas"
	now := time.Now()
	pipe := c.s.Client.Pipeline()
	pipe.ZAdd(ctx, key, redis.Z{Score: float64(now.UnixMilli()), Member: c.s.Replica})
	pipe.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(now.Add(-gone).UnixMilli(), 10))
	pipe.Set(ctx, c.knowsKey(c.s.Replica), strings.Join(c.members(), " "), gone)
	names := pipe.ZRange(ctx, key, 0, -1)
	pipe.Expire(ctx, key, time.Hour)
	if _, err := pipe.Exec(ctx); err != nil {
		return false, err
	}
	c.replicas.Store(max(1, int64(len(names.Val()))))
	return c.meet(names.Val(), now), nil
}

// announce has the others look: something was lost, or a replica came or left. gone is one that left.
func (c *Counts) announce(ctx context.Context, gone string) {
	_ = c.s.Client.Publish(ctx, c.newsKey(), gone).Err() // or the others notice later
}

func (c *Counts) newsKey() string { return c.s.Prefix + ":news" }

// subscribe listens to what replicas announce.
func (c *Counts) subscribe() *redis.PubSub {
	sub := c.s.Client.Subscribe(c.ctx, c.newsKey())
	_, _ = sub.ReceiveTimeout(c.ctx, max(time.Second, c.s.Timeout)) // without Redis it begins later
	return sub
}

// hear looks whether Redis lost its data, and who is there, whenever another replica says so. The client connects again when Redis was away.
func (c *Counts) hear(sub *redis.PubSub) {
	defer func() { _ = sub.Close() }()
	news := sub.Channel()
	for {
		select {
		case m, ok := <-news:
			if !ok {
				return
			}
			if m.Payload != "" {
				c.left(m.Payload)
				continue
			}
			c.look()
		case <-c.ctx.Done():
			return
		}
	}
}

// members are the replicas that may know of counts: those that Redis names, and for a while those that it named.
func (c *Counts) members() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.others))
}

// meet notes which replicas Redis names at a moment, this one included. fresh reports whether there is one among them that
// was not known.
func (c *Counts) meet(names []string, now time.Time) (fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if _, ok := c.others[name]; !ok {
			fresh = true
		}
		c.others[name] = time.Time{}
	}
	for name, since := range c.others {
		switch {
		case slices.Contains(names, name):
		case since.IsZero():
			c.others[name] = now
		case now.Sub(since) > gone:
			delete(c.others, name)
		}
	}
	return fresh
}

// left forgets a replica that ended.
func (c *Counts) left(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.others, name)
}
