package guardrail

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
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

func TestWhen(t *testing.T) {
	t.Parallel()
	f := func(body string, defaultOn bool, want int) {
		t.Helper()
		var c counter
		if _, err := When("guard", defaultOn, &c).Before(t.Context(), exchange(t, body)); err != nil || c.n != want {
			t.Fatalf("%s: %d runs, %v, want %d", body, c.n, err, want)
		}
	}
	f(`{}`, true, 1)
	f(`{"guardrails":[]}`, true, 1)
	f(`{}`, false, 0)
	f(`{"guardrails":["other"]}`, false, 0)
	f(`{"guardrails":["other","guard"]}`, false, 1)
	f(`{"guardrails":[{"guard":{"extra_body":{"a":1}}}]}`, false, 1)
	f(`{"metadata":{"guardrails":["guard"]}}`, false, 1)
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
