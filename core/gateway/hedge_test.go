package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// node is one deployment of a fleet: endpoint and, by the path of its calls, what is behind it.
type node struct {
	mu    sync.Mutex
	name  string
	took  func(call int) time.Duration // until it answers
	fails func(call int) error
	calls int
	gone  int // calls that were cancelled
	open  int // replies that were not closed
}

func (n *node) Encode(_ *llm.Exchange, c *llm.Call) error {
	c.Path = []byte(n.name)
	return nil
}

func (n *node) Decode(_ *llm.Exchange, _ *llm.Answer, r *llm.Reply) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	r.Status, r.First = 200, llm.Part{Data: []byte(`{"by":"` + n.name + `"}`)}
	r.Usage, r.Rest = llm.Usage{Prompt: 10, Completion: 5}, n
	return nil
}

func (n *node) Next(*llm.Part) error { return io.EOF }

func (n *node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open--
	return nil
}

func (n *node) counts() (calls, gone, open int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls, n.gone, n.open
}

// fleet is the transport to all nodes.
type fleet map[string]*node

func (f fleet) Do(ctx context.Context, c *llm.Call, _ *llm.Answer) error {
	n := f[string(c.Path)]
	n.mu.Lock()
	call := n.calls
	n.calls++
	n.mu.Unlock()
	select {
	case <-time.After(n.took(call)):
	case <-ctx.Done():
		n.mu.Lock()
		n.gone++
		n.mu.Unlock()
		return ctx.Err()
	}
	if n.fails != nil {
		return n.fails(call)
	}
	return nil
}

// books keeps what exchanges used.
type books struct {
	mu      sync.Mutex
	replies int
	errs    int
	prompts int64 // of replies
	asides  []llm.Earlier
}

func (b *books) Record(x *llm.Exchange, r *llm.Reply, _ *llm.Deployment, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r == nil || err != nil {
		b.errs++
	} else {
		b.replies, b.prompts = b.replies+1, b.prompts+r.Usage.Prompt
	}
	b.asides = append(b.asides, x.Earlier...)
}

// always takes the same time.
func always(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

// after is the time of all calls from a number on.
func after(n int, before, later time.Duration) func(int) time.Duration {
	return func(call int) time.Duration {
		if call < n {
			return before
		}
		return later
	}
}

// hedged is a gateway in front of nodes, which are called in their order.
func hedged(t *testing.T, h *gateway.Hedging, nodes ...*node) (*gateway.Gateway, *books) {
	t.Helper()
	s := router.Defaults()
	s.Retries = 0
	f := fleet{}
	for i, n := range nodes {
		n.name = string(rune('a' + i))
		f[n.name] = n
		s.Deployments = append(s.Deployments, &llm.Deployment{ID: n.name, Group: "m", Provider: "test", Retries: -1, Order: i + 1, Bound: n})
	}
	r, err := router.New(s)
	if err != nil {
		t.Fatal(err)
	}
	b := &books{}
	return gateway.New(f, &gateway.Snapshot{
		Auth: auth.NewChain("", anybody{}), Pipeline: pipeline.NewChain(), Router: r, Recorder: b, Hedging: h,
		Measure: func(_ *llm.Exchange, r *llm.Reply, _ []byte) { r.Usage, r.Estimated = llm.Usage{Prompt: 7}, true },
	}), b
}

// answer makes a request and returns what answered and how long it took.
func answer(t *testing.T, g *gateway.Gateway) (string, time.Duration, error) {
	t.Helper()
	x := exchange("m")
	begun := time.Now()
	x.Start = begun
	r, err := g.Serve(&x.Life, x)
	if err != nil {
		return "", time.Since(begun), err
	}
	data, took := string(r.First.Data), time.Since(begun)
	if err := r.Rest.Close(); err != nil {
		t.Error(err)
	}
	return data, took, nil
}

func usual() *gateway.Hedging {
	return &gateway.Hedging{Percentile: 95, MinSamples: 20, MaxShare: 0.1, MinDelay: 110 * time.Millisecond}
}

// A request that takes longer than usual is sent to another deployment too, whose answer counts if it comes first. The
// slower call is cancelled, and charged for its prompt.
func TestHedge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &node{took: after(40, 100*time.Millisecond, time.Hour)}, &node{took: always(30 * time.Millisecond)}
		g, ledger := hedged(t, usual(), a, b)
		for range 40 {
			if by, took, err := answer(t, g); err != nil || by != `{"by":"a"}` || took != 100*time.Millisecond {
				t.Fatalf("%s after %v: %v", by, took, err)
			}
		}
		by, took, err := answer(t, g)
		if err != nil || by != `{"by":"b"}` || took != 140*time.Millisecond {
			t.Fatalf("%s after %v: %v", by, took, err)
		}
		if calls, gone, open := a.counts(); calls != 41 || gone != 1 || open != 0 {
			t.Errorf("the slow one: %d calls, %d cancelled, %d replies open", calls, gone, open)
		}
		if calls, gone, open := b.counts(); calls != 1 || gone != 0 || open != 0 {
			t.Errorf("the other: %d calls, %d cancelled, %d replies open", calls, gone, open)
		}
		if ledger.replies != 41 || ledger.prompts != 410 || len(ledger.asides) != 1 {
			t.Fatalf("%+v", ledger)
		}
		if e := ledger.asides[0]; !e.Aside || e.By != "hedging" || e.Deployment.ID != "a" || e.Usage.Prompt != 7 {
			t.Errorf("charged %+v", e)
		}
	})
}

// The first deployment may still win, and then the second is cancelled and charged.
func TestHedgeLoses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &node{took: after(20, 100*time.Millisecond, 150*time.Millisecond)}, &node{took: always(time.Hour)}
		g, ledger := hedged(t, usual(), a, b)
		for range 20 {
			_, _, _ = answer(t, g)
		}
		if by, took, err := answer(t, g); err != nil || by != `{"by":"a"}` || took != 150*time.Millisecond {
			t.Fatalf("%s after %v: %v", by, took, err)
		}
		if calls, gone, _ := b.counts(); calls != 1 || gone != 1 {
			t.Errorf("%d calls, %d cancelled", calls, gone)
		}
		if len(ledger.asides) != 1 || ledger.asides[0].Deployment.ID != "b" {
			t.Errorf("charged %+v", ledger.asides)
		}
	})
}

// While one call fails, the other may still answer; if both fail the caller gets the first one's error.
func TestHedgeFails(t *testing.T) {
	t.Parallel()
	down := func(message string) func(int) error {
		return func(call int) error {
			if call < 20 {
				return nil
			}
			return &llm.Error{Kind: llm.KindUnavailable, Message: message}
		}
	}
	f := func(second func(int) error, by, message string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			a := &node{took: after(20, 100*time.Millisecond, 200*time.Millisecond), fails: down("the first")}
			b := &node{took: always(300 * time.Millisecond), fails: second}
			g, ledger := hedged(t, usual(), a, b)
			for range 20 {
				_, _, _ = answer(t, g)
			}
			got, took, err := answer(t, g)
			var e *llm.Error
			if got != by || err != nil && (!errors.As(err, &e) || !strings.HasPrefix(e.Message, message)) || (err == nil) != (message == "") || took != 410*time.Millisecond {
				t.Errorf("%s after %v: %v", got, took, err)
			}
			if len(ledger.asides) != 0 {
				t.Errorf("a call that failed was charged: %+v", ledger.asides)
			}
		})
	}
	f(nil, `{"by":"b"}`, "")
	f(func(int) error { return &llm.Error{Kind: llm.KindUnavailable, Message: "the second"} }, "", "the first")
}

// A vendor that gets slow altogether is not asked twice for everything: no more than the share gets a second call.
func TestHedgesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &node{took: after(200, 100*time.Millisecond, time.Second)}, &node{took: always(time.Second)}
		h := usual()
		g, _ := hedged(t, h, a, b)
		for range 1200 {
			if _, _, err := answer(t, g); err != nil {
				t.Fatal(err)
			}
		}
		if calls, _, _ := b.counts(); calls == 0 || calls > 110 {
			t.Errorf("%d of 1000 slow requests had a second call", calls)
		}
	})
}

// Nobody is hedged who has nobody else to ask, whose group is not named, or of whom too little is known.
func TestNoHedge(t *testing.T) {
	t.Parallel()
	f := func(change func(*gateway.Hedging), nodes ...*node) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h := usual()
			change(h)
			g, ledger := hedged(t, h, nodes...)
			for range 19 {
				_, _, _ = answer(t, g)
			}
			if by, took, err := answer(t, g); err != nil || by != `{"by":"a"}` || took != time.Second || len(ledger.asides) != 0 {
				t.Errorf("%s after %v: %v", by, took, err)
			}
		})
	}
	slow := func() *node { return &node{took: after(19, 100*time.Millisecond, time.Second)} }
	f(func(*gateway.Hedging) {}, slow(), &node{took: always(0)})
	f(func(h *gateway.Hedging) { h.MinSamples = 1 }, slow())
	f(func(h *gateway.Hedging) { h.MinSamples, h.Groups = 1, []string{"other"} }, slow(), &node{took: always(0)})
	f(func(h *gateway.Hedging) { h.MinSamples, h.MinDelay = 1, 2*time.Second }, slow(), &node{took: always(0)})
}

// A caller who leaves ends both calls.
func TestHedgeLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := &node{took: after(20, 100*time.Millisecond, time.Hour)}, &node{took: always(time.Hour)}
		g, ledger := hedged(t, usual(), a, b)
		for range 20 {
			_, _, _ = answer(t, g)
		}
		x := exchange("m")
		time.AfterFunc(time.Second, func() { x.Life.Cancel(context.Canceled) })
		_, err := g.Serve(&x.Life, x)
		if e := llm.AsError(err); e == nil || e.Kind != llm.KindCanceled {
			t.Fatalf("%v", err)
		}
		_, goneA, _ := a.counts()
		if _, goneB, _ := b.counts(); goneA != 1 || goneB != 1 || ledger.errs != 1 {
			t.Errorf("%d and %d cancelled, %+v", goneA, goneB, ledger)
		}
	})
}

// Hedges under load leave nothing open, and everything is recorded once.
func TestHedgesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jitter := func(seed int) func(int) time.Duration {
			return func(call int) time.Duration {
				return time.Duration((call*7919+seed)%100+1) * time.Millisecond
			}
		}
		a, b, c := &node{took: jitter(1)}, &node{took: jitter(2)}, &node{took: jitter(3)}
		h := usual()
		h.Percentile, h.MaxShare, h.MinDelay = 50, 1, 0
		g, ledger := hedged(t, h, a, b, c)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					if _, _, err := answer(t, g); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, n := range []*node{a, b, c} {
			calls, _, open := n.counts()
			total += calls
			if open != 0 {
				t.Errorf("%s: %d replies were not closed", n.name, open)
			}
		}
		if ledger.replies != 800 || total != 800+len(ledger.asides) || len(ledger.asides) == 0 {
			t.Errorf("%d replies, %d calls, %d charged besides", ledger.replies, total, len(ledger.asides))
		}
	})
}
