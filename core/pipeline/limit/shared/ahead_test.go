package shared_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline/limit/shared"
)

// trips counts the pipelines on the path of requests.
type trips struct{ n atomic.Int64 }

func (*trips) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		// A new connection greets Redis in a pipeline, too.
		if _, marked := ctx.Value(onPath{}).(bool); marked && cmds[0].Name() == "evalsha" {
			h.n.Add(1)
		}
		return next(ctx, cmds)
	}
}

// onPath marks the context of requests.
type onPath struct{}

// aheadTest is one replica whose round trips on the path of requests are counted.
type aheadTest struct {
	testing.TB
	*replica
	trips  trips
	ctx    context.Context
	client redis.UniversalClient // of the test itself
}

func newAhead(t *testing.T) *aheadTest {
	t.Helper()
	_, client := single(t)
	a := &aheadTest{TB: t, ctx: context.WithValue(t.Context(), onPath{}, true), client: client()}
	t.Cleanup(func() { _ = a.client.Close() })
	hooked := func() redis.UniversalClient {
		c := client()
		c.AddHook(&a.trips)
		return c
	}
	a.replica = replicas(t, 1, hooked, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{RPM: 1000}, llm.Budget{Limited: true, Max: 100})}
	})[0]
	return a
}

func deployment(name string, parallel int64, budget float64) *llm.Deployment {
	return &llm.Deployment{ID: name, Scopes: []*llm.Scope{
		scope(llm.ScopeDeployment, name, llm.Limits{Parallel: parallel}, llm.Budget{Limited: budget > 0, Max: budget}),
	}}
}

// ask lets a request come as far as a deployment, and checks how many round trips that took.
func (a *aheadTest) ask(expected, d *llm.Deployment, want int64) *llm.Exchange {
	a.Helper()
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Scopes = append(x.Scopes, a.scopes...)
	a.next = expected
	before := a.trips.n.Load()
	if _, err := a.Before(a.ctx, x); err != nil {
		a.Fatal(err)
	}
	if err := a.Enter(a.ctx, x, d); err != nil {
		a.Error(err)
	}
	if got := a.trips.n.Load() - before; got != want {
		a.Errorf("%d round trips, want %d", got, want)
	}
	return x
}

// open is how many calls Redis knows to be open at a deployment.
func (a *aheadTest) open(d *llm.Deployment, want int64) {
	a.Helper()
	eventually(a, d.ID+" has the places that are in use", func() bool {
		n, err := a.client.ZCard(a.Context(), shared.Keys(d.Scopes[0])[1]).Result()
		return err == nil && n == want && d.Scopes[0].Open() == want
	})
}

// TestAhead shows that the limits of the caller and of the deployment are asked for in one round trip, that what was taken
// at a deployment which is not called is given back, and that one without room does not refuse the caller.
func TestAhead(t *testing.T) {
	t.Parallel()
	a := newAhead(t)
	one, two, plain := deployment("one", 2, 0), deployment("two", 2, 1), &llm.Deployment{ID: "plain"}

	x := a.ask(one, one, 1)
	a.open(one, 1)
	a.Settle(x, &llm.Reply{Deployment: one}, nil)
	a.open(one, 0)

	x = a.ask(one, two, 2) // the router chose another one
	a.open(one, 0)
	a.open(two, 1)
	a.Settle(x, &llm.Reply{Deployment: two}, nil)
	a.open(two, 0)
	if spent, held := two.Scopes[0].Spent(); spent != price || held != 0 {
		t.Errorf("spent %v, held %v", spent, held)
	}

	x = a.ask(two, plain, 1) // one without limits
	a.open(two, 0)
	a.Settle(x, &llm.Reply{Deployment: plain}, nil)
	if spent, _ := two.Scopes[0].Spent(); spent != price {
		t.Errorf("a deployment that was not called has spent %v", spent)
	}

	x = a.ask(one, one, 1)
	if x.Ahead != nil {
		t.Error("the deployment is called, and still foreseen")
	}
	a.Settle(x, nil, nil)
	a.open(one, 0)

	x = a.ask(nil, one, 2)
	y := a.ask(one, one, 1)
	z := a.ask(one, two, 2) // one has no place left, and the caller is not refused for it
	a.open(one, 2)
	for _, x := range []*llm.Exchange{x, y, z} {
		a.Settle(x, nil, nil)
	}
	a.open(one, 0)
	a.open(two, 0)
}

// TestAheadAnswered shows that a request which never gets to the deployment, as a hook answered or refused it, holds nothing
// there and costs it nothing.
func TestAheadAnswered(t *testing.T) {
	t.Parallel()
	a := newAhead(t)
	d := deployment("d", 1, 10*price)
	for range 3 {
		x := &llm.Exchange{}
		x.Reset()
		x.Start = time.Now()
		x.ID = llm.NewID(x.Start)
		x.Scopes = append(x.Scopes, a.scopes...)
		a.next = d
		if _, err := a.Before(a.ctx, x); err != nil {
			t.Fatal(err)
		}
		a.open(d, 1)
		x.Charged = price
		a.Settle(x, nil, nil)
		a.open(d, 0)
	}
	if spent, held := d.Scopes[0].Spent(); spent != 0 || held != 0 {
		t.Errorf("spent %v, held %v", spent, held)
	}
}

// TestAheadSpent shows that a deployment whose budget others have spent is passed over for a while without being asked for,
// and does not refuse the caller.
func TestAheadSpent(t *testing.T) {
	t.Parallel()
	a := newAhead(t)
	spent, other := deployment("spent", 0, price), deployment("other", 0, 100)
	theirs := scope(llm.ScopeDeployment, "spent", llm.Limits{}, spent.Scopes[0].Budget)
	a.counts.Charge(theirs, time.Now().UnixNano(), price) // as another replica would
	eventually(t, "it is told", func() bool {
		f, _ := a.client.HGet(t.Context(), shared.Keys(spent.Scopes[0])[2], "s").Float64()
		return f > 0
	})
	x := a.ask(spent, other, 2)
	if why, _ := spent.Scopes[0].Over(spent.Scopes[0], &x.Asked); why != llm.OverBudget {
		t.Errorf("refusal %d, want %d", why, llm.OverBudget)
	}
	a.Settle(x, &llm.Reply{Deployment: other}, nil)
	if got, held := spent.Scopes[0].Spent(); got != 0 || held != 0 {
		t.Errorf("spent %v, held %v", got, held)
	}
}

// TestAheadExact shows that three replicas which ask ahead, and are wrong half of the time, let through what the limits of
// caller and deployments allow.
func TestAheadExact(t *testing.T) {
	t.Parallel()
	_, client := single(t)
	const calls = 60
	list := replicas(t, 3, client, func() []*llm.Scope {
		return []*llm.Scope{scope(llm.ScopeKey, "k", llm.Limits{RPM: 1 << 40}, llm.Budget{})}
	})
	var passed, turn atomic.Int64
	deployments := make([][2]*llm.Deployment, len(list))
	for i, r := range list {
		deployments[i] = [2]*llm.Deployment{deployment("d0", 0, calls*price), deployment("d1", 0, calls*price)}
		r.next = deployments[i][0]
	}
	one := func(i int) bool {
		r := list[i]
		x := &llm.Exchange{}
		x.Reset()
		x.Start = time.Now()
		x.ID = llm.NewID(x.Start)
		x.Scopes = append(x.Scopes, r.scopes...)
		if _, err := r.Before(t.Context(), x); err != nil {
			t.Error(err)
			return false
		}
		d := deployments[i][turn.Add(1)%2]
		if err := r.Enter(t.Context(), x, d); err != nil {
			r.Settle(x, nil, err)
			return false
		}
		passed.Add(1)
		r.Settle(x, &llm.Reply{Deployment: d}, nil)
		return true
	}
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			for range 20 {
				one(i % 3)
			}
		})
	}
	wg.Wait()
	if n := passed.Load(); n > 2*calls {
		t.Fatalf("%d calls passed, the budgets are for %d", n, 2*calls)
	}
	eventually(t, "all of the budgets is used", func() bool {
		one(0)
		return passed.Load() == 2*calls
	})
	for i := range 30 {
		one(i % 3)
	}
	if n := passed.Load(); n != 2*calls {
		t.Errorf("%d calls passed, the budgets are for %d", n, 2*calls)
	}
}
