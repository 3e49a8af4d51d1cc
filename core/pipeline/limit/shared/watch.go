package shared

import (
	"context"
	"errors"
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
		if err := c.round(&last); err != nil {
			c.failed(err)
			continue
		}
		if broken {
			c.back()
		}
		c.forgetKnown()
	}
}

// round looks whether Redis has what it was told, and now and then says that this replica is there.
func (c *Counts) round(last *time.Time) error {
	if c.broken.Load() || time.Since(*last) >= beat {
		if err := c.meetAll(c.ctx); err != nil {
			return err
		}
		*last = time.Now()
	}
	made, err := c.attend(c.ctx)
	if made {
		c.s.Logger.Warn("Redis lost its counts: all replicas tell it anew what was used and spent")
	}
	return err
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

// load makes the scripts known to every node.
func (c *Counts) load(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, c.s.Timeout))
	defer cancel()
	all := func(ctx context.Context, client redis.Scripter) {
		for _, s := range []*redis.Script{c.reserve, c.settle, c.begin, c.finish} {
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
	c.announce(ctx, c.s.Replica)
	return c.s.Client.Close()
}
