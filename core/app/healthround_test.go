package app

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// patient is a vendor that takes its time, and notes when it was called.
type patient struct {
	mu    sync.Mutex
	took  time.Duration
	times []time.Duration
	begun time.Time
}

func (v *patient) Do(ctx context.Context, _ *llm.Call, _ *llm.Answer) error {
	v.mu.Lock()
	v.times = append(v.times, time.Since(v.begun))
	v.mu.Unlock()
	select {
	case <-time.After(v.took):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *patient) Encode(*llm.Exchange, *llm.Call) error { return nil }
func (v *patient) Decode(_ *llm.Exchange, _ *llm.Answer, r *llm.Reply) error {
	r.Rest = v
	return nil
}
func (v *patient) Next(*llm.Part) error { return io.EOF }
func (v *patient) Close() error         { return nil }

// checked is an app that does nothing but check one deployment, every two seconds.
func checked(t *testing.T, v *patient) *App {
	t.Helper()
	d := &llm.Deployment{ID: "d", Group: "m", Retries: -1, Bound: v}
	s := router.Defaults()
	s.Deployments = []*llm.Deployment{d}
	r, err := router.New(s)
	if err != nil {
		t.Fatal(err)
	}
	a := &App{gateway: gateway.New(v, &gateway.Snapshot{Pipeline: pipeline.NewChain(), Router: r})}
	interval := config.Seconds(2)
	cfg := &config.Config{}
	cfg.GeneralSettings.BackgroundHealthChecks, cfg.GeneralSettings.HealthCheckInterval = true, &interval
	a.current.Store(&loaded{cfg: cfg, checks: []*probe{{d: d, call: d, mode: "chat", timeout: time.Minute}}})
	a.checks = newChecks(a)
	v.begun = time.Now()
	a.checks.start()
	return a
}

// A deployment is probed at once and then every interval, however long an answer takes within it.
func TestHealthCheckInterval(t *testing.T) {
	t.Parallel()
	f := func(took time.Duration, least, most int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			v := &patient{took: took}
			a := checked(t, v)
			time.Sleep(9 * time.Second)
			a.checks.close()
			if n := len(v.times); n < least || n > most {
				t.Errorf("%d probes in 9 s: %v", n, v.times)
			}
			if r, ok := a.checks.latest("d"); !ok || !r.Healthy || r.Took < took {
				t.Errorf("%+v", r)
			}
		})
	}
	f(0, 4, 5)
	f(time.Second, 4, 5)
	f(3*time.Second, 2, 3)
}

// ledger is a share in memory.
type ledger struct {
	mu     sync.Mutex
	holder string
	list   []healthResult
	down   bool
}

type clerk struct {
	*ledger
	name string
}

var errDown = errors.New("down")

func (c clerk) kind() string { return "memory" }
func (c clerk) acquire(context.Context, time.Duration) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return false, errDown
	}
	if c.holder == "" {
		c.holder = c.name
	}
	return c.holder == c.name, nil
}
func (c clerk) release(context.Context) { c.mu.Lock(); c.holder = ""; c.mu.Unlock() }
func (c clerk) publish(_ context.Context, list []healthResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = list
	return nil
}
func (c clerk) read(_ context.Context, since time.Time) (out []healthResult, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errDown
	}
	for _, r := range c.list {
		if !r.At.Before(since) {
			out = append(out, r)
		}
	}
	return out, nil
}

// Two replicas make one round in each interval between them; when they cannot share, each makes its own.
func TestHealthRoundsAreShared(t *testing.T) {
	t.Parallel()
	f := func(down bool, least, most int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			v, l := &patient{took: 300 * time.Millisecond}, &ledger{down: down}
			a, b := checked(t, v), checked(t, v)
			a.checks.close()
			b.checks.close()
			v.times = nil
			a.checks, b.checks = newChecks(a), newChecks(b)
			var both sync.WaitGroup
			for i, one := range []*App{a, b} {
				both.Go(func() {
					for end := time.Now().Add(9 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
						_ = one.checks.turnWith(t.Context(), clerk{l, string(rune('a' + i))}, one.current.Load(), 2*time.Second)
					}
				})
			}
			both.Wait()
			if n := len(v.times); n < least || n > most {
				t.Errorf("%d probes by two replicas in 9 s: %v", n, v.times)
			}
			for _, one := range []*App{a, b} {
				if r, ok := one.checks.latest("d"); !ok || !r.Healthy {
					t.Errorf("a replica does not know: %+v", r)
				}
			}
		})
	}
	f(false, 4, 5)
	f(true, 8, 10)
}
