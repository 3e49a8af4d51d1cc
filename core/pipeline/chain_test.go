package pipeline_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

// spy implements every kind of hook and notes that it was called.
type spy struct {
	name  string
	calls *[]string
	reply *llm.Reply
	err   error
}

func (s *spy) note(kind string) { *s.calls = append(*s.calls, kind+" "+s.name) }

func (s *spy) Before(context.Context, *llm.Exchange) (*llm.Reply, error) {
	s.note("before")
	return s.reply, s.err
}

func (s *spy) After(context.Context, *llm.Exchange, *llm.Reply) error {
	s.note("after")
	return s.err
}

func (s *spy) Stream(context.Context, *llm.Exchange, *llm.Reply) error {
	s.note("stream")
	return s.err
}

func (s *spy) Failure(_ context.Context, _ *llm.Exchange, e *llm.Error) *llm.Error {
	s.note("failure")
	return &llm.Error{Kind: e.Kind, Message: e.Message + s.name}
}

// closer is a stream that notes that it was closed.
type closer struct{ closed int }

func (c *closer) Next(*llm.Part) error { return io.EOF }
func (c *closer) Close() error         { c.closed++; return nil }

func TestOrder(t *testing.T) {
	t.Parallel()
	var calls []string
	hook := func(name string) pipeline.Hook { return pipeline.Hook{Name: name, Do: &spy{name: name, calls: &calls}} }
	c := pipeline.NewChain(hook("a"), hook("b"))
	x := &llm.Exchange{}
	if r, err := c.Before(t.Context(), x); r != nil || err != nil {
		t.Fatal(r, err)
	}
	if err := errors.Join(c.Back(t.Context(), x, &llm.Reply{}), c.Back(t.Context(), x, &llm.Reply{Streamed: true})); err != nil {
		t.Fatal(err)
	}
	e := c.Failure(t.Context(), x, &llm.Error{Kind: llm.KindTimeout})
	want := "before a, before b, after b, after a, stream b, stream a, failure b, failure a"
	if got := strings.Join(calls, ", "); got != want || e.Message != "ba" || e.Kind != llm.KindTimeout {
		t.Fatalf("got %s and %q, want %s", got, e.Message, want)
	}
}

// After a reply only guardrails are still asked, and one that refuses closes the reply.
func TestGuardsSeeAnsweredRequests(t *testing.T) {
	t.Parallel()
	var calls []string
	var rest closer
	cached := &llm.Reply{Rest: &rest}
	c := pipeline.NewChain(
		pipeline.Hook{Do: &spy{name: "cache", calls: &calls, reply: cached}},
		pipeline.Hook{Do: &spy{name: "plain", calls: &calls}},
		pipeline.Hook{Do: &spy{name: "guard", calls: &calls}, Guard: true},
	)
	r, err := c.Before(t.Context(), &llm.Exchange{})
	if r != cached || err != nil || !slices.Equal(calls, []string{"before cache", "before guard"}) || rest.closed != 0 {
		t.Fatalf("%v %v %v", r, err, calls)
	}
	refusal := errors.New("no")
	c = pipeline.NewChain(
		pipeline.Hook{Do: &spy{name: "cache", calls: &calls, reply: cached}},
		pipeline.Hook{Do: &spy{name: "guard", calls: &calls, err: refusal}, Guard: true},
	)
	if r, err := c.Before(t.Context(), &llm.Exchange{}); r != nil || !errors.Is(err, refusal) || rest.closed != 1 {
		t.Fatalf("%v %v, closed %d times", r, err, rest.closed)
	}
}

// beside is a hook that runs beside the call.
type beside struct {
	wait time.Duration
	err  error
}

func (b beside) During(ctx context.Context, _ *llm.Exchange) (bool, error) {
	select {
	case <-time.After(b.wait):
		return true, b.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusal := errors.New("no")
		c := pipeline.NewChain(
			pipeline.Hook{Name: "slow", Do: beside{wait: time.Second}},
			pipeline.Hook{Name: "quick", Do: beside{wait: time.Millisecond, err: refusal}},
		)
		x := &llm.Exchange{}
		start := time.Now()
		w := c.Watch(t.Context(), x)
		<-w.Context(t.Context()).Done()
		if time.Since(start) != time.Millisecond {
			t.Fatalf("the call was aborted after %v, want as soon as a hook refused", time.Since(start))
		}
		if err := w.Wait(x); !errors.Is(err, refusal) || !slices.Equal(x.Applied, []string{"quick"}) {
			t.Fatalf("%v %v", err, x.Applied)
		}
		if err := w.Wait(x); err != nil || len(x.Applied) != 1 {
			t.Fatal("a second Wait did something")
		}
		w.Close()
	})
}

func TestNobodyCostsNothing(t *testing.T) {
	c := pipeline.NewChain()
	x, r, ctx := &llm.Exchange{}, &llm.Reply{}, t.Context()
	n := testing.AllocsPerRun(100, func() {
		w := c.Watch(ctx, x)
		_, _ = c.Before(w.Context(ctx), x)
		_ = w.Wait(x)
		_ = c.Back(ctx, x, r)
		w.Close()
	})
	if n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
