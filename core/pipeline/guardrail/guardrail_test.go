package guardrail

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/pipeline"
)

type counter struct{ n int }

func (c *counter) Before(context.Context, *llm.Exchange) (*llm.Reply, error) {
	c.n++
	return nil, nil
}

func exchange(t *testing.T, body string) *llm.Exchange {
	t.Helper()
	x := &llm.Exchange{}
	x.Reset()
	if err := x.Body.Parse([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := openai.Decode(x); err != nil {
		t.Fatal(err)
	}
	return x
}

func TestOn(t *testing.T) {
	t.Parallel()
	f := func(body string, defaultOn bool, want bool, p ...*llm.Principal) {
		t.Helper()
		x := exchange(t, body)
		if len(p) > 0 {
			x.Principal = p[0]
		}
		g := &Guardrail{Name: "guard", DefaultOn: defaultOn, Modes: Modes{Always: []string{PreCall}}}
		if on, err := g.On(x, PreCall); err != nil || on != want {
			t.Fatalf("%s: on %v, %v, want %v", body, on, err, want)
		}
		var c counter
		for _, h := range g.Hooks(Parts{Before: &c}) {
			if _, err := h.Do.(pipeline.Before).Before(t.Context(), x); err != nil || (c.n == 1) != want {
				t.Fatalf("%s: %d runs, %v, want %v", body, c.n, err, want)
			}
		}
		if on, _ := g.On(x, PostCall); on {
			t.Fatal("on in a mode it does not have")
		}
	}
	f(`{}`, true, true)
	f(`{"guardrails":[]}`, true, true)
	f(`{}`, false, false)
	f(`{"guardrails":["other"]}`, false, false)
	f(`{"guardrails":["other","guard"]}`, false, true)
	f(`{"guardrails":[{"guard":{"extra_body":{"a":1}}}]}`, false, true)
	f(`{"metadata":{"guardrails":["guard"]}}`, false, true)
	meta := func(key, team map[string]any) *llm.Principal {
		return &llm.Principal{Metadata: key, TeamMetadata: team}
	}
	list, off := map[string]any{"guardrails": []any{"guard"}}, map[string]any{"disable_global_guardrails": true}
	f(`{}`, false, true, meta(list, nil))
	f(`{}`, false, true, meta(nil, map[string]any{"guardrails": []string{"guard"}}))
	f(`{}`, true, false, meta(off, nil))
	f(`{}`, true, false, meta(nil, off))
	f(`{}`, true, true, meta(map[string]any{"disable_global_guardrails": false}, off))
	f(`{}`, true, false, meta(map[string]any{"opted_out_global_guardrails": []any{"guard"}}, nil))
	permit := func(yes any) *llm.Principal {
		return &llm.Principal{Permissions: map[string]any{"guard": yes}, Metadata: off}
	}
	f(`{}`, true, false, permit(false))
	f(`{"guardrails":["guard"]}`, false, true, permit(false))
	f(`{}`, false, true, permit(true))
	f(`{}`, true, false, permit("yes"))
	f(`{"guardrails":["guard"]}`, true, true, meta(off, nil))
	f(`{"disable_global_guardrails":true,"metadata":{"disable_global_guardrails":true}}`, true, true)
}

func TestModes(t *testing.T) {
	t.Parallel()
	m := Modes{Tags: map[string][]string{"a": {PreCall, PostCall}, "b": {DuringCall}}, Default: []string{PostCall}}
	f := func(body, want string) {
		t.Helper()
		got := ""
		for _, mode := range []string{PreCall, DuringCall, PostCall} {
			if m.on(exchange(t, body), mode) {
				got += " " + mode
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	f(`{}`, " post_call")
	f(`{"tags":["a"]}`, " pre_call post_call")
	f(`{"metadata":{"tags":["b"]}}`, " during_call")
	f(`{"tags":["b","a","c"]}`, " pre_call during_call post_call")
	f(`{"tags":["c"]}`, " post_call")
}

func TestNamedRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	x := exchange(t, `{"metadata":{"guardrails":[1]}}`)
	if _, err := Named(x); !errors.Is(err, &llm.Error{Kind: llm.KindInvalid}) {
		t.Fatalf("got %v", err)
	}
	names, err := Named(exchange(t, `{"guardrails":["a",{"b":{}}]}`))
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Fatalf("got %v, %v", names, err)
	}
}
