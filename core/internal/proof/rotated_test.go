package proof

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/core/store/storetest"
	ut "github.com/sallyport-ai/sallyport/core/upstream/upstreamtest"
)

// TestRotatedUnderWay regenerates keys while two replicas have calls of theirs under way, and shows that nothing of what
// these cost is lost, and that the old secret and the new one share one budget, one limit and one budget of a model.
func TestRotatedUnderWay(t *testing.T) {
	t.Parallel()
	for name, urls := range map[string]func(t *testing.T) (database, redis string){
		"sqlite": func(t *testing.T) (string, string) { return "sqlite://" + filepath.Join(t.TempDir(), "gateway.db"), "" },
		"sqlite and redis": func(t *testing.T) (string, string) {
			return "sqlite://" + filepath.Join(t.TempDir(), "gateway.db"), storetest.Redis(t).URL()
		},
		"postgres":           func(t *testing.T) (string, string) { return storetest.Postgres(t), "" },
		"postgres and redis": func(t *testing.T) (string, string) { return storetest.Postgres(t), storetest.Redis(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, redis := urls(t)
			p := newPaused(t, database, redis)
			t.Run("budget", func(t *testing.T) { p.budget(t, object{"max_budget": 10 * callCost}, 400) })
			t.Run("model's budget", func(t *testing.T) {
				p.budget(t, object{"model_max_budget": object{"m": object{"budget_limit": 10 * callCost, "time_period": "30d"}}}, 400)
			})
			t.Run("limit", func(t *testing.T) { p.budget(t, object{"rpm_limit": 10}, 429) })
			t.Run("without grace", p.withoutGrace)
		})
	}
}

// paused is two replicas before a vendor that answers when it is told to.
type paused struct {
	list    []*apptest.Server
	callers []*apptest.Server // those that are called: only one if they do not count together
	at      atomic.Int64      // calls that the vendor has
	gate    atomic.Pointer[chan struct{}]
}

func newPaused(t *testing.T, database, redis string) *paused {
	t.Helper()
	p := &paused{}
	answer := ut.JSON(200, ut.Completion("m", "hello", 10, 20))
	v := ut.New(t, func(c *ut.Conn) {
		gate := p.gate.Load()
		p.at.Add(1)
		if gate != nil {
			<-*gate
		}
		answer(c)
	})
	p.list = fleetOf(t, 2, database, redis, settings(v, "proxy_batch_write_at: 1", "", ""))
	p.callers = p.list
	if redis == "" {
		p.callers = p.list[:1]
	}
	return p
}

// during makes calls of a key, and does something while the vendor has all of them.
func (p *paused) during(t *testing.T, k string, calls int, do func()) {
	t.Helper()
	gate := make(chan struct{})
	p.gate.Store(&gate)
	p.at.Store(0)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() { ok(t, chat(p.callers[i%len(p.callers)], k, "")) })
	}
	eventually(t, "the vendor has all calls", func() bool { return p.at.Load() == int64(calls) })
	do()
	p.gate.Store(nil)
	close(gate)
	wg.Wait()
}

func (p *paused) regenerate(t *testing.T, k, grace string) string {
	t.Helper()
	next, _ := post(t, p.list[1], "/key/regenerate", object{"key": k, "grace_period": grace})["key"].(string)
	if !strings.HasPrefix(next, "sk-") || next == k {
		t.Fatalf("the new key is %q", next)
	}
	return next
}

// budget has 6 of 10 calls under way at a rotation, and checks that the two secrets have 4 together afterwards.
func (p *paused) budget(t *testing.T, params object, status int) {
	k := key(t, p.list[0], params)
	var next string
	p.during(t, k, 6, func() { next = p.regenerate(t, k, "1h") })
	passed := 0
	eventually(t, "what is left is used", func() bool {
		for i, secret := range []string{k, next, next, k} {
			if r := chat(p.callers[i%len(p.callers)], secret, ""); r.Status == 200 {
				passed++
			} else if r.Status != status {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
		}
		return passed >= 4
	})
	for _, s := range p.callers {
		for _, secret := range []string{k, next} {
			if r := chat(s, secret, ""); r.Status != status {
				t.Errorf("after 10 calls: %d %s", r.Status, r.Body)
			}
		}
	}
	if passed != 4 {
		t.Errorf("%d calls passed after the rotation, 4 were left", passed)
	}
	p.whole(t, next, 10)
}

// whole checks that a number of calls is all that the key, its log and its new hash were charged.
func (p *paused) whole(t *testing.T, k string, calls int) {
	t.Helper()
	want := float64(calls) * callCost
	eventually(t, fmt.Sprint("the key was charged for ", calls, " calls"), func() bool { return near(spent(t, p.list[0], k), want) })
}

// withoutGrace shows that calls that are under way when their secret ends are charged.
func (p *paused) withoutGrace(t *testing.T) {
	k := key(t, p.list[0], object{"max_budget": 7 * callCost})
	var next string
	p.during(t, k, 6, func() { next = p.regenerate(t, k, "") })
	p.whole(t, next, 6)
	eventually(t, "both replicas refuse the old secret", func() bool {
		for _, s := range p.list {
			if s.Do("GET", "/v1/models", "", "Authorization: Bearer "+k).Status != 401 {
				return false
			}
		}
		return true
	})
	ok(t, chat(p.callers[0], next, ""))
	refused(t, chat(p.callers[0], next, ""), 400, "budget_exceeded", "")
	p.whole(t, next, 7)
}
