package openai_test

import (
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
)

// TestUnfit checks what becomes of parameters that the model refuses although its vendor takes them.
func TestUnfit(t *testing.T) {
	t.Parallel()
	unfit := []llm.Unfit{
		{Name: "stop"}, {Name: "top_p", Idle: true}, {Name: "temperature", But: "1", Idle: true}, {Name: "seed", But: "7"},
		{Name: "max_tokens", As: "max_completion_tokens"},
	}
	f := func(drop bool, in, want string) {
		t.Helper()
		d := deployment(func(d *llm.Deployment) { d.Unfit, d.DropParams = unfit, drop })
		var c llm.Call
		got := ""
		if err := bind(t, openai.Settings{}, d).Encode(request(t, in), &c); err != nil {
			got, _, _ = strings.Cut(llm.AsError(err).Message, ", for model=")
			got = strings.TrimPrefix(got, "litellm.UnsupportedParamsError: openai does not support parameters: ")
		} else {
			got = sent(&c)
		}
		if got != want {
			t.Errorf("drop %v: %s\ngot  %s\nwant %s", drop, in, got, want)
		}
	}
	f(false, `{"model":"gpt-4o","stop":"x","seed":1,"top_p":1}`, `['stop', 'seed']`)
	f(true, `{"model":"gpt-4o","stop":"x","seed":1,"top_p":1}`, `{"model":"gpt-4o","top_p":1}`)
	f(false, `{"model":"gpt-4o","stop":null,"seed":7.0}`, `{"model":"gpt-4o","seed":7.0}`)
	f(false, `{"model":"gpt-4o","max_tokens":5,"n":2}`, `{"model":"gpt-4o","max_completion_tokens":5,"n":2}`)
	f(false, `{"model":"gpt-4o","top_p":0.5,"temperature":0.5,"reasoning_effort":"none"}`, `{"model":"gpt-4o","top_p":0.5,"temperature":0.5,"reasoning_effort":"none"}`)
	f(false, `{"model":"gpt-4o","top_p":0.5,"temperature":0.5,"reasoning_effort":"low"}`, `['top_p', 'temperature']`)
	f(false, `{"model":"gpt-4o","temperature":1,"reasoning_effort":"low"}`, `{"model":"gpt-4o","temperature":1,"reasoning_effort":"low"}`)
	f(false, `{"model":"gpt-4o","stop":"x","allowed_openai_params":["stop"]}`, `{"model":"gpt-4o","stop":"x"}`)

	// Other operations than chats have parameters of their own with these names.
	x := request(t, `{"model":"gpt-4o","prompt":"x","stop":"y","max_tokens":3}`)
	x.Op = llm.OpCompletion
	var c llm.Call
	if err := bind(t, openai.Settings{}, deployment(func(d *llm.Deployment) { d.Unfit = unfit })).Encode(x, &c); err != nil || sent(&c) != `{"model":"gpt-4o","prompt":"x","stop":"y","max_tokens":3}` {
		t.Errorf("a completion: %v, %s", err, sent(&c))
	}

	// What a deployment sets obeys the same rules.
	e, err := openai.New(openai.Settings{}).Bind(deployment(func(d *llm.Deployment) {
		d.Unfit, d.Defaults = unfit, []llm.Pair{{Name: "seed", Value: "7"}, {Name: "max_tokens", Value: "9"}}
	}))
	if err != nil {
		t.Fatal(err)
	}
	c = llm.Call{}
	if err := e.Encode(request(t, `{"model":"gpt-4o"}`), &c); err != nil || sent(&c) != `{"model":"gpt-4o","seed":7,"max_completion_tokens":9}` {
		t.Errorf("defaults: %v, %s", err, sent(&c))
	}
	_, err = openai.New(openai.Settings{}).Bind(deployment(func(d *llm.Deployment) {
		d.Unfit, d.Defaults = unfit, []llm.Pair{{Name: "stop", Value: `"x"`}}
	}))
	if err == nil || !strings.Contains(err.Error(), "stop is not supported by openai: remove it or set drop_params") {
		t.Errorf("a default that is refused: %v", err)
	}
}
