package price_test

import (
	"math"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

func TestCost(t *testing.T) {
	t.Parallel()
	check := func(d *llm.Deployment, u llm.Usage, want float64, known bool) {
		t.Helper()
		got, ok := price.Cost(d, u)
		if math.Abs(got-want) > 1e-12 || ok != known {
			t.Errorf("%+v: got %v, %v; want %v, %v", u, got, ok, want, known)
		}
	}
	usage := llm.Usage{Prompt: 1000, Completion: 500, Total: 1500, Cached: 800}
	d := &llm.Deployment{HasPrice: true, InputCost: 2e-6, OutputCost: 8e-6}
	check(d, usage, 0.006, true)
	check(d, llm.Usage{Prompt: 10}, 2e-5, true)
	check(d, llm.Usage{}, 0, false)
	check(&llm.Deployment{}, usage, 0, false)
	check(nil, usage, 0, false)
	check(&llm.Deployment{HasPrice: true, OutputCost: 1e-6}, usage, 5e-4, true)
	check(d, llm.Usage{Prompt: -5, Completion: -5, Total: 1}, 0, true)

	d.Info = map[string]any{"cache_read_input_token_cost": 5e-7}
	check(d, usage, 200*2e-6+800*5e-7+500*8e-6, true)
	check(d, llm.Usage{Prompt: 10, Cached: 50}, 10*5e-7, true) // no more cached than there were
	check(d, llm.Usage{Prompt: 10, Cached: -50}, 10*2e-6, true)
	d.Info["cache_read_input_token_cost"] = 0
	check(d, usage, 200*2e-6+500*8e-6, true)
	d.Info["cache_read_input_token_cost"] = -1.0
	check(d, usage, 0.006, true)
	d.Info["cache_read_input_token_cost"] = "cheap"
	check(d, usage, 0.006, true)

	check(&llm.Deployment{RequestCost: 0.5}, llm.Usage{}, 0.5, true)
	check(&llm.Deployment{HasPrice: true, RequestCost: 0.5, InputCost: 1e-3}, llm.Usage{Prompt: 1}, 0.501, true)
}

func TestAllocations(t *testing.T) {
	d := &llm.Deployment{HasPrice: true, InputCost: 1e-6, Info: map[string]any{"cache_read_input_token_cost": 1e-7}}
	if n := testing.AllocsPerRun(100, func() { price.Cost(d, llm.Usage{Prompt: 3, Cached: 1}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
