package shared

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
)

// scene is a world whose budget is 10.
func scene(t *testing.T, replicas int) *world {
	t.Helper()
	w := newWorld(t, 1, storetest.Redis(t).URL(), replicas, 0)
	for _, p := range w.all {
		p.scope.Budget.Max = 10
	}
	return w
}

// ask asks for a call that may cost as much. Of one that is refused nothing is kept.
func (w *world) ask(p *process, cost float64) llm.Refusal {
	x := &llm.Exchange{}
	x.Reset()
	x.Start = time.Now()
	x.ID = llm.NewID(x.Start)
	x.Asked = llm.Ask{Now: x.Start.UnixNano(), Cost: cost}
	x.Scopes = append(x.Scopes, p.scope)
	_, why, _, err := p.Reserve(w.t.Context(), x)
	if err != nil {
		x.Holds = append(x.Holds[:0], llm.Hold{})
		why, _ = p.scope.Reserve(p.scope, &x.Asked, &x.Holds[0])
	}
	if why == llm.Passed {
		p.open = append(p.open, x)
	}
	return why
}

// want asks for a call and says if the answer is another one.
func (w *world) want(p *process, cost float64, want llm.Refusal) {
	w.t.Helper()
	if got := w.ask(p, cost); got != want {
		w.t.Errorf("refusal %d, want %d", got, want)
	}
}

// cost ends the oldest call of a replica.
func (w *world) cost(p *process, cost float64) {
	x := p.open[0]
	p.open = p.open[1:]
	w.unsaved[p.scope.Live] += cost
	p.Settle(x, &x.Holds[0], time.Now().UnixNano(), 1, cost)
}

func (w *world) has(wantSpent, wantHeld float64) {
	w.t.Helper()
	w.quiet()
	if spent, held, _ := w.inRedis(); math.Abs(spent-wantSpent) > 1e-9 || math.Abs(held-wantHeld) > 1e-9 {
		w.t.Errorf("Redis has %v as spent and %v as held, want %v and %v", spent, held, wantSpent, wantHeld)
	}
}

func (w *world) back(p *process) {
	w.t.Helper()
	p.line.state.Store(well)
	w.quiet()
}

// TestLossKeepsHolds shows that what requests under way hold when Redis loses its data is held again, and given back once.
func TestLossKeepsHolds(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	a, b := w.all[0], w.all[1]
	w.want(a, 3, llm.Passed)
	w.want(a, 3, llm.Passed)
	w.want(b, 2, llm.Passed)
	w.lose()
	w.want(a, 1, llm.Passed) // 6 and this
	w.want(b, 1, llm.Passed) // 2 and this: all 10 are held
	w.want(a, 1, llm.ReservedMoney)
	w.has(0, 10)
	w.cost(a, 1)
	w.has(1, 7)
	w.cost(b, 0.5)
	w.has(1.5, 5)
	w.cost(a, 1)
	w.cost(a, 0)
	w.cost(b, 0)
	w.has(2.5, 0)
}

// TestAloneIsTold shows that what a replica used while it could not reach Redis is told when it can, also of a scope that
// nobody asks for any more.
func TestAloneIsTold(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	a, b := w.all[0], w.all[1]
	w.want(a, 1, llm.Passed)
	w.want(b, 1, llm.Passed)
	w.cost(a, 0.5)
	w.has(0.5, 1)
	a.line.state.Store(cut)
	for range 4 {
		w.want(a, 1, llm.Passed)
	}
	w.cost(a, 1)
	w.cost(a, 1)
	w.back(a)
	w.has(2.5, 3) // two of its requests are under way, and one of the other replica
	w.cost(a, 1)
	w.cost(a, 1)
	w.cost(b, 1)
	w.has(5.5, 0)
}

// TestUnheard shows that a request whose answer from Redis was lost holds nothing there, and that one which came twice
// holds once.
func TestUnheard(t *testing.T) {
	t.Parallel()
	w := scene(t, 1)
	a := w.all[0]
	a.line.state.Store(deaf)
	w.want(a, 4, llm.Passed)
	w.back(a)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		// It holds what the replica let pass alone.
		if _, held, _ := w.inRedis(); held == 4 || time.Now().After(end) {
			break
		}
	}
	a.line.state.Store(twice)
	w.want(a, 3, llm.Passed)
	a.line.state.Store(well)
	w.want(a, 4, llm.Passed)
	w.want(a, 1, llm.ReservedMoney)
	a.line.state.Store(twice)
	w.cost(a, 1)
	w.cost(a, 1)
	w.cost(a, 1)
	w.quiet()
	w.has(3, 0)
}

// TestOthersOutliveLoss shows that what others spent counts after a loss, before the first request passes.
func TestOthersOutliveLoss(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	a, b := w.all[0], w.all[1]
	w.want(b, 1, llm.Passed)
	w.cost(b, 6)
	w.quiet()
	w.want(a, 1, llm.Passed)
	w.cost(a, 2)
	w.quiet()
	w.lose()
	w.want(a, 1, llm.Passed)
	w.cost(a, 2)
	w.has(10, 0)
	w.want(a, 1, llm.OverBudget)
	w.want(b, 1, llm.OverBudget)
	w.has(10, 0)
}

// TestOldPeriod shows what becomes of amounts on both sides of a period's end: what no database had at the end counts in
// the new period, what it had does not, and a message that is late changes nothing.
func TestOldPeriod(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	a, b := w.all[0], w.all[1]
	for _, p := range w.all {
		w.want(p, 1, llm.Passed)
		w.want(p, 1, llm.Passed)
		w.cost(p, 3)
	}
	w.has(6, 2)
	for _, p := range w.all {
		w.save(p)
	}
	w.cost(b, 1) // of the old period, and too late for the database
	w.has(7, 1)
	w.reset()
	w.hear(a)
	w.has(0, 1)
	w.want(b, 1, llm.Passed) // it has not heard: what it spent is not counted twice, nor forgotten
	w.has(0, 2)
	w.hear(b)
	w.want(b, 1, llm.Passed)
	w.has(1, 3)
	w.cost(a, 2) // of the old period, too
	w.has(3, 2)
	w.hear(a)
	w.hear(b)
	w.has(3, 2)
}

// TestEndUnheard shows that a period which ended while no replica had the scope is over for the next one that has.
func TestEndUnheard(t *testing.T) {
	t.Parallel()
	w := scene(t, 1)
	a := w.all[0]
	ends := time.Now()
	a.scope.Budget.ResetAt = ends
	w.want(a, 1, llm.Passed)
	w.cost(a, 10)
	w.save(a)
	w.quiet()
	w.want(a, 1, llm.OverBudget)
	w.reset()
	a.Learned(w.change)
	a.seen = w.change
	w.renew(a)
	a.scope.Budget.Max, a.scope.Budget.ResetAt = 10, ends.Add(time.Hour)
	w.want(a, 1, llm.Passed)
	w.has(0, 1)
}

// TestRaised shows that a spend which somebody raised in the database is raised for all.
func TestRaised(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	a, b := w.all[0], w.all[1]
	w.want(a, 1, llm.Passed)
	w.cost(a, 1)
	w.has(1, 0)
	w.spent, w.change = 9, w.change+1
	w.hear(a)
	w.want(a, 0, llm.OverBudget)
	w.want(b, 0, llm.OverBudget)
}

// TestWindow shows that the period of a scope that is counted ends with its window, also if Redis lost when it began.
func TestWindow(t *testing.T) {
	t.Parallel()
	w := scene(t, 1)
	a := w.all[0]
	live := llm.NewLive(llm.ScopeProvider, w.key)
	begun := time.Now().Add(-59 * time.Minute)
	live.LoadWindow(begun, 9)
	s := &llm.Scope{Kind: llm.ScopeProvider, ID: w.key, Budget: llm.Budget{Limited: true, Max: 10, Period: time.Hour}, Live: live}
	f := func(at time.Duration, cost float64, want llm.Refusal) {
		t.Helper()
		x := &llm.Exchange{}
		x.Reset()
		x.Asked = llm.Ask{Now: begun.Add(at).UnixNano(), Cost: 1}
		x.Scopes = []*llm.Scope{s}
		_, why, _, err := a.Reserve(t.Context(), x)
		if err != nil || why != want {
			t.Fatalf("after %v: refusal %d, want %d; %v", at, why, want, err)
		}
		if why == llm.Passed {
			a.Settle(x, &x.Holds[0], x.Asked.Now, 1, cost)
			w.quiet()
		}
	}
	f(59*time.Minute, 1, llm.Passed)
	f(59*time.Minute, 0, llm.OverBudget)
	f(61*time.Minute, 10, llm.Passed)
	f(62*time.Minute, 0, llm.OverBudget)
	f(120*time.Minute, 0, llm.OverBudget)
	f(122*time.Minute, 1, llm.Passed)
}

// TestProcessesAreForgotten shows that Redis does not keep what it knows of processes that are gone.
func TestProcessesAreForgotten(t *testing.T) {
	t.Parallel()
	w := scene(t, 1)
	a := w.all[0]
	w.want(a, 1, llm.Passed)
	w.cost(a, 1)
	w.quiet()
	key, ctx := a.keys(a.scope)[2], t.Context()
	hour := time.Now().Unix() / 3600
	for i := range 50 {
		for _, age := range []int64{2, 30} {
			value := "1 1 1 " + strconv.FormatInt(hour-age, 10)
			if err := a.s.Client.HSet(ctx, key, "u:gone"+strconv.Itoa(i)+"."+strconv.FormatInt(age, 10), value).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.forget(a)
	a.scope.Budget.Max = 10
	w.want(a, 1, llm.Passed)
	if _, _, known := w.inRedis(); known != 52 {
		t.Errorf("Redis knows %d processes, want 52", known)
	}
}

// TestCharged shows that money which is charged without a hold is told.
func TestCharged(t *testing.T) {
	t.Parallel()
	w := scene(t, 2)
	w.all[0].Charge(w.all[0].scope, time.Now().UnixNano(), 10)
	w.has(10, 0)
	w.want(w.all[1], 1, llm.OverBudget)
}

// TestForeignData shows that other data under the name of a count does not keep the rest from being told.
func TestForeignData(t *testing.T) {
	t.Parallel()
	w := scene(t, 1)
	a := w.all[0]
	w.want(a, 1, llm.Passed)
	spoilt := &llm.Scope{Kind: llm.ScopeKey, ID: "spoilt", Budget: a.scope.Budget, Live: llm.NewLive(llm.ScopeKey, "spoilt")}
	if err := a.s.Client.Set(t.Context(), a.keys(spoilt)[2], "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	a.Charge(spoilt, time.Now().UnixNano(), 1)
	w.quiet()
	w.cost(a, 1)
	w.has(1, 0)
}
