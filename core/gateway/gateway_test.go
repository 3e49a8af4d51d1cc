package gateway_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport-ai/sallyport/core/auth"
	"github.com/sallyport-ai/sallyport/core/gateway"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
	"github.com/sallyport-ai/sallyport/core/router"
)

// vendor is transport and endpoint in one: each call takes the next result.
type vendor struct {
	mu      sync.Mutex
	results []error
	calls   int
	closed  int
	panics  bool
}

func (v *vendor) Do(context.Context, *llm.Call, *llm.Answer) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls++
	if len(v.results) == 0 {
		return nil
	}
	err := v.results[0]
	v.results = v.results[1:]
	return err
}

func (v *vendor) Encode(*llm.Exchange, *llm.Call) error {
	if v.panics {
		panic("a bug")
	}
	return nil
}

func (v *vendor) Decode(_ *llm.Exchange, _ *llm.Answer, r *llm.Reply) error {
	r.Status, r.First, r.Rest = 200, llm.Part{Data: []byte(`{"ok":true}`)}, v
	return nil
}

func (v *vendor) Next(*llm.Part) error { return io.EOF }
func (v *vendor) Close() error         { v.closed++; return nil }

// anybody lets everybody in.
type anybody struct{}

func (anybody) Authenticate(context.Context, *llm.Exchange, auth.Credential) (*llm.Principal, error) {
	return &llm.Principal{Role: llm.RoleProxyAdmin}, nil
}

// record counts what the recorder is told.
type record struct{ ok, failed int }

func (r *record) Record(_ *llm.Exchange, reply *llm.Reply, _ *llm.Deployment, err error) {
	if err == nil && reply != nil {
		r.ok++
		return
	}
	r.failed++
}

func snapshot(t *testing.T, v *vendor, hooks ...pipeline.Hook) *gateway.Snapshot {
	t.Helper()
	s := router.Defaults()
	s.Deployments = []*llm.Deployment{{ID: "d", Group: "m", Provider: "test", Model: "x", Retries: 1, Bound: v}}
	r, err := router.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return &gateway.Snapshot{
		Auth: auth.NewChain("", anybody{}), Pipeline: pipeline.NewChain(hooks...), Router: r, Recorder: &record{},
	}
}

func exchange(model string) *llm.Exchange {
	x := &llm.Exchange{}
	x.Reset()
	x.Op, x.Model = llm.OpChat, model
	return x
}

func TestServe(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	s := snapshot(t, v)
	g := gateway.New(v, s)
	x := exchange("m")
	r, err := g.Serve(&x.Life, x)
	if err != nil || string(r.First.Data) != `{"ok":true}` || r.Deployment.ID != "d" || x.Principal == nil {
		t.Fatalf("%v %v", r, err)
	}
	var p llm.Part
	if err := r.Rest.Next(&p); err != io.EOF {
		t.Fatalf("the rest of a whole reply: %v", err)
	}
	if err := r.Rest.Close(); err != nil || v.closed != 1 {
		t.Fatalf("%v, closed %d times", err, v.closed)
	}
	if rec := s.Recorder.(*record); rec.ok != 1 || rec.failed != 0 {
		t.Fatalf("records: %+v", rec)
	}
}

func TestServeFails(t *testing.T) {
	t.Parallel()
	f := func(v *vendor, model string, kind llm.Kind, calls int, hooks ...pipeline.Hook) {
		t.Helper()
		s := snapshot(t, v, hooks...)
		g := gateway.New(v, s)
		x := exchange(model)
		r, err := g.Serve(&x.Life, x)
		if r != nil || !errors.Is(err, &llm.Error{Kind: kind}) && llm.AsError(err).Kind != kind || v.calls != calls {
			t.Fatalf("%v %v after %d calls, want kind %d after %d", r, err, v.calls, kind, calls)
		}
		if rec := s.Recorder.(*record); rec.failed != 1 || rec.ok != 0 {
			t.Fatalf("records: %+v", rec)
		}
	}
	broken := &llm.Error{Kind: llm.KindBadRequest, Message: "no"}
	f(&vendor{}, "nope", llm.KindInvalid, 0)
	f(&vendor{results: []error{broken}}, "m", llm.KindBadRequest, 1)
	f(&vendor{panics: true}, "m", llm.KindInternal, 0)
	f(&vendor{}, "m", llm.KindRejected, 0, pipeline.Hook{Do: refuse{}, Guard: true})
}

type refuse struct{}

func (refuse) Before(context.Context, *llm.Exchange) (*llm.Reply, error) {
	return nil, &llm.Error{Kind: llm.KindRejected, Message: "no"}
}

// late refuses beside the call, after the answer is there.
type late struct{ answered chan struct{} }

func (l late) During(context.Context, *llm.Exchange) (bool, error) {
	<-l.answered
	return true, &llm.Error{Kind: llm.KindRejected, Message: "too late for the model, in time for the caller"}
}

// answering closes its channel when the vendor was called.
type answering struct {
	*vendor
	answered chan struct{}
}

func (a answering) Do(ctx context.Context, c *llm.Call, an *llm.Answer) error {
	defer close(a.answered)
	return a.vendor.Do(ctx, c, an)
}

func TestRefusalBesideTheCall(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	answered := make(chan struct{})
	g := gateway.New(answering{v, answered}, snapshot(t, v, pipeline.Hook{Name: "late", Do: late{answered}}))
	x := exchange("m")
	r, err := g.Serve(&x.Life, x)
	if r != nil || err == nil || !strings.Contains(err.Error(), "in time") || v.closed != 1 {
		t.Fatalf("%v %v, the answer was closed %d times", r, err, v.closed)
	}
}

// A snapshot is closed once, when the last exchange that began with it has ended.
func TestSwapClosesWhenUnused(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	old, closed := snapshot(t, v), 0
	old.Close = func() { closed++ }
	g := gateway.New(v, old)
	x := exchange("m")
	r, err := g.Serve(&x.Life, x)
	if err != nil {
		t.Fatal(err)
	}
	g.Swap(snapshot(t, v))
	if closed != 0 {
		t.Fatal("the snapshot was closed under a reply")
	}
	if err := r.Rest.Close(); err != nil || closed != 1 {
		t.Fatalf("%v, closed %d times", err, closed)
	}
}

func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	var mu sync.Mutex
	open := 0
	next := func() *gateway.Snapshot {
		s := snapshot(t, v)
		mu.Lock()
		open++
		mu.Unlock()
		s.Recorder = nil
		s.Close = func() { mu.Lock(); open--; mu.Unlock() }
		return s
	}
	g := gateway.New(&vendor{}, next())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			x := exchange("nope")
			for range 500 {
				_, _ = g.Serve(&x.Life, x)
				_ = g.Edge()
			}
		})
	}
	for range 100 {
		g.Swap(next())
	}
	wg.Wait()
	if open != 1 {
		t.Fatalf("%d snapshots are open, want the current one", open)
	}
}

func TestModelsAndProbe(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	s := snapshot(t, v)
	g := gateway.New(v, s)
	x := exchange("m")
	if err := g.Authenticate(&x.Life, x); err != nil || len(g.Models(x)) != 1 {
		t.Fatalf("%v %v", err, g.Models(x))
	}
	x.Pinned = &llm.Deployment{ID: "p", Bound: v}
	r, err := g.Probe(&x.Life, x)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Rest.Close(); err != nil || s.Recorder.(*record).ok != 0 {
		t.Fatalf("%v, or a probe was recorded", err)
	}
}
