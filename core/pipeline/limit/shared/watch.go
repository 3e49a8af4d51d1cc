package shared

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

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

// look has it looked at soon whether Redis lost its data.
func (c *Counts) look() {
	select {
	case c.doubt <- struct{}{}:
	default:
	}
}

// watch says that this replica is there, learns how many there are, and notices when Redis is back.
func (c *Counts) watch() {
	last := time.Now()
	t := time.NewTicker(probeEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-c.doubt:
			last = time.Time{}
		case <-c.ctx.Done():
			return
		}
		broken := c.broken.Load()
		if !broken && c.alone.Load() > 0 {
			c.alone.Add(-1)
			c.oweAll(true)
		}
		if !broken && time.Since(last) < beat {
			continue
		}
		last = time.Now()
		lost, err := c.beat(c.ctx)
		if err != nil {
			c.failed(err)
			continue
		}
		switch {
		case broken:
			c.back()
		case lost:
			c.s.Logger.Warn("Redis did not know this replica: it is told anew what was used and spent")
			c.oweAll(false)
			_ = c.s.Client.Publish(c.ctx, c.lostKey(), c.s.Replica).Err() // or the others notice later
		}
		c.forgetKnown()
	}
}

func (c *Counts) lostKey() string { return c.s.Prefix + ":lost" }

// hear looks whether Redis lost its data whenever another replica says so. The client connects again when Redis was away.
func (c *Counts) hear() {
	sub := c.s.Client.Subscribe(c.ctx, c.lostKey())
	defer func() { _ = sub.Close() }()
	news := sub.Channel()
	for {
		select {
		case _, ok := <-news:
			if !ok {
				return
			}
			c.look()
		case <-c.ctx.Done():
			return
		}
	}
}

// back has Redis told first what was spent without it, and then asked again.
func (c *Counts) back() {
	c.load(c.ctx)
	c.oweAll(true)
	c.failures.Store(0)
	for c.sendSome() {
		if c.failures.Load() > 0 || c.ctx.Err() != nil {
			return
		}
	}
	if c.failures.Load() > 0 {
		return
	}
	c.broken.Store(false)
	c.s.Logger.Info("Redis answers again: limits are counted by all replicas together")
	c.awake()
}

// beat tells that this replica is there. lost is true if Redis had forgotten it: then it may have forgotten more.
func (c *Counts) beat(ctx context.Context) (lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, c.s.Timeout))
	defer cancel()
	key := c.s.Prefix + ":replicas"
	now := time.Now()
	pipe := c.s.Client.Pipeline()
	added := pipe.ZAdd(ctx, key, redis.Z{Score: float64(now.UnixMilli()), Member: c.s.Replica})
	pipe.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(now.Add(-gone).UnixMilli(), 10))
	n := pipe.ZCard(ctx, key)
	pipe.Expire(ctx, key, time.Hour)
	if _, err := pipe.Exec(ctx); err != nil {
		return false, err
	}
	c.replicas.Store(max(1, n.Val()))
	return added.Val() > 0, nil
}

// load makes the scripts known to every node.
func (c *Counts) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, c.s.Timeout))
	defer cancel()
	all := func(ctx context.Context, client redis.Scripter) {
		for _, s := range []*redis.Script{c.reserve, c.settle} {
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
	for !c.broken.Load() && c.sendSome() {
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.s.Client.ZRem(ctx, c.s.Prefix+":replicas", c.s.Replica).Err()
	return c.s.Client.Close()
}
