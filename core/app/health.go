package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/router"
)

// Defaults of health checks.
const (
	healthInterval    = 300 * time.Second
	healthConcurrency = 16
)

// healthResult is what one check found.
type healthResult struct {
	ID      string            `json:"id"` // of the deployment
	Group   string            `json:"group"`
	Healthy bool              `json:"healthy"`
	Error   string            `json:"error,omitempty"`
	Status  int               `json:"status,omitempty"` // HTTP status of the failure
	Took    time.Duration     `json:"took"`
	At      time.Time         `json:"at"`
	By      string            `json:"by"` // the replica, or the user who asked
	Limits  map[string]string `json:"limits,omitempty"`
}

// transient reports whether the failure may be over at once: a timeout or a rate limit.
func (r *healthResult) transient() bool { return r.Status == 408 || r.Status == 429 }

// checks runs health checks and remembers the latest result of each deployment. One check of a deployment runs at a
// time: who asks for another meanwhile gets its result.
type checks struct {
	a     *App
	redis redis.UniversalClient // nil without Redis
	ctx   context.Context       // ends when the gateway stops
	stop  context.CancelFunc
	jobs  sync.WaitGroup

	mu      sync.Mutex
	results map[string]healthResult
	flights map[string]*flight
	round   time.Time // when the last round in the background was
	warned  bool      // sharing does not work, and the log says so
}

// flight is a check under way.
type flight struct {
	done   chan struct{}
	result healthResult
}

func newChecks(a *App) *checks {
	c := &checks{a: a, results: map[string]healthResult{}, flights: map[string]*flight{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

func (c *checks) start() { c.jobs.Go(func() { c.background(c.ctx) }) }

// close ends the checks under way.
func (c *checks) close() {
	c.stop()
	c.jobs.Wait()
}

// one checks a deployment. It goes on when ctx ends, since others may wait for it too.
func (c *checks) one(ctx context.Context, p *probe) healthResult {
	c.mu.Lock()
	f := c.flights[p.d.ID]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flights[p.d.ID] = f
		c.jobs.Go(func() { c.fly(c.ctx, p, f) })
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.result
	case <-ctx.Done():
		return healthResult{ID: p.d.ID, Group: p.d.Group, Error: "The client closed the request.", Status: 499, At: time.Now().UTC()}
	}
}

func (c *checks) fly(ctx context.Context, p *probe, f *flight) {
	f.result = p.run(ctx, c.a)
	c.mu.Lock()
	if ctx.Err() == nil { // else the gateway stops, and nothing was found
		c.results[p.d.ID] = f.result
	}
	delete(c.flights, p.d.ID)
	c.mu.Unlock()
	close(f.done)
}

// all checks deployments, at most room at a time. One that fails or hangs keeps none of the others from being checked.
func (c *checks) all(ctx context.Context, list []*probe, room int) []healthResult {
	out := make([]healthResult, len(list))
	places := make(chan struct{}, max(room, 1))
	var wg sync.WaitGroup
	for i, p := range list {
		places <- struct{}{}
		wg.Go(func() {
			out[i] = c.one(ctx, p)
			<-places
		})
	}
	wg.Wait()
	return out
}

// latest is the last result of a deployment.
func (c *checks) latest(id string) (healthResult, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.results[id]
	return r, ok
}

// adopt takes over what other replicas found, where it is newer.
func (c *checks) adopt(list []healthResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range list {
		if r.At.After(c.results[r.ID].At) {
			c.results[r.ID] = r
		}
	}
}

// forget drops results of deployments that are no more.
func (c *checks) forget(l *loaded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.results, func(id string, _ healthResult) bool {
		return !slices.ContainsFunc(l.checks, func(p *probe) bool { return p.d.ID == id })
	})
}

// background checks all deployments again and again, as long as the configuration of the moment wants it.
func (c *checks) background(ctx context.Context) {
	for {
		pause := time.Second
		if l := c.a.current.Load(); l != nil && l.cfg.GeneralSettings.BackgroundHealthChecks {
			interval := secondsOr(l.cfg.GeneralSettings.HealthCheckInterval, healthInterval)
			if err := c.turn(ctx, l, interval); err != nil && ctx.Err() == nil {
				c.warn(err)
			}
			pause = min(pause, max(interval/10, 5*time.Millisecond))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// turn is one look at whether a round is due. Of several replicas one makes it, and the others read what it found. When
// that cannot be found out, this one makes its own.
func (c *checks) turn(ctx context.Context, l *loaded, interval time.Duration) error {
	s := c.share(l.cfg)
	if s == nil {
		if time.Since(c.round) >= interval {
			c.roundOf(ctx, l)
		}
		return nil
	}
	return c.turnWith(ctx, s, l, interval)
}

func (c *checks) turnWith(ctx context.Context, s share, l *loaded, interval time.Duration) error {
	if time.Since(c.round) < interval {
		return nil
	}
	mine, err := c.claim(ctx, s, l, interval)
	if err != nil {
		c.roundOf(ctx, l)
		return err
	}
	if !mine {
		return nil
	}
	defer s.release(context.WithoutCancel(ctx))
	return s.publish(ctx, c.roundOf(ctx, l))
}

// claim reports whether this replica is to make the round: nobody has made it yet, and nobody is at it.
func (c *checks) claim(ctx context.Context, s share, l *loaded, interval time.Duration) (bool, error) {
	since := func() (bool, error) {
		list, err := s.read(ctx, time.Now().Add(-interval))
		if err != nil || len(list) == 0 {
			return false, err
		}
		c.adopt(list)
		for _, r := range list {
			if r.At.After(c.round) {
				c.round = r.At
			}
		}
		return time.Since(c.round) < interval, nil
	}
	if done, err := since(); done || err != nil {
		return false, err
	}
	mine, err := s.acquire(ctx, l.roundTime())
	if err != nil || !mine {
		return false, err
	}
	done, err := since() // somebody may have finished in between
	if done || err != nil {
		s.release(context.WithoutCancel(ctx))
		return false, err
	}
	return true, nil
}

// roundOf checks everything.
func (c *checks) roundOf(ctx context.Context, l *loaded) []healthResult {
	c.round = time.Now()
	list := slices.DeleteFunc(slices.Clone(l.checks), func(p *probe) bool { return p.skip })
	results := c.all(ctx, list, l.healthRoom())
	c.forget(l)
	if ctx.Err() != nil {
		return nil
	}
	return results
}

// healthRoom is how many checks run at a time.
func (l *loaded) healthRoom() int {
	if n := l.cfg.GeneralSettings.HealthCheckConcurrency; n != nil && *n > 0 {
		return *n
	}
	return healthConcurrency
}

// roundTime is how long a round may take at most.
func (l *loaded) roundTime() time.Duration {
	longest := time.Duration(0)
	for _, p := range l.checks {
		longest = max(longest, p.timeout)
	}
	rounds := (len(l.checks) + l.healthRoom() - 1) / l.healthRoom()
	return time.Duration(rounds)*longest + 10*time.Second
}

// warn says once that results are not shared.
func (c *checks) warn(err error) {
	if !c.warned {
		c.warned = true
		c.a.log.Warn("results of health checks are not shared: this replica makes its own", "error", err)
	}
}

// healthFilter leaves deployments out of routing that failed their check (enable_health_check_routing), as long as that
// leaves one (litellm/router.py, _filter_health_check_unhealthy_deployments).
type healthFilter struct {
	c         *checks
	stale     time.Duration
	transient bool // failures that may be over do not count
}

// Filter implements router.Filter.
func (f *healthFilter) Filter(_ context.Context, _ *llm.Exchange, list []router.Candidate) (keep []int, ordered bool, err error) {
	now := time.Now()
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	for i := range list {
		r, ok := f.c.results[list[i].ID]
		if !ok || r.Healthy || now.Sub(r.At) > f.stale || f.transient && r.transient() {
			keep = append(keep, i)
		}
	}
	if len(keep) == 0 || len(keep) == len(list) {
		return nil, false, nil
	}
	return keep, false, nil
}

// Steady implements router.Steady.
func (*healthFilter) Steady() {}

// healthFilters is the filter, if the configuration wants it.
func (b *builder) healthFilters() []router.Filter {
	g := b.cfg.GeneralSettings
	if i := g.HealthCheckInterval; i != nil && *i <= 0 {
		b.mistake("general_settings.health_check_interval", errors.New("must be more than 0 seconds"))
	}
	if !g.EnableHealthCheckRouting {
		return nil
	}
	if !g.BackgroundHealthChecks {
		b.log.Warn("enable_health_check_routing has nothing to go by", "fix", "set general_settings.background_health_checks: true")
	}
	stale := secondsOr(g.HealthCheckStaleness, 2*secondsOr(g.HealthCheckInterval, healthInterval))
	return []router.Filter{&healthFilter{b.checks, stale, g.HealthCheckIgnoreTransient}}
}
