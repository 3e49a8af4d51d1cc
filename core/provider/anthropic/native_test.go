package anthropic_test

import (
	"bytes"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// A request that goes out as it came is changed only where the deployment or a control says so.
func TestNativeRequest(t *testing.T) {
	t.Parallel()
	f := func(d *llm.Deployment, in, want string) {
		t.Helper()
		x := new(llm.Exchange)
		x.Reset()
		x.Op, x.Dialect, x.AsNative = llm.OpChat, llm.DialectMessages, true
		if err := x.Native.Parse([]byte(in)); err != nil {
			t.Fatal(err)
		}
		if err := openai.DecodeNative(x); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := bind(t, d).Encode(x, &c); err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if got := string(bytes.Join(c.Body, nil)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
	set := deployment(func(d *llm.Deployment) {
		d.AdditionalDrop = []string{"top_k"}
		d.ExtraBody = []llm.Pair{{Name: "speed", Value: `"fast"`}}
		d.Defaults = []llm.Pair{{Name: "temperature", Value: "0.5"}}
	})
	f(deployment(), `{}`, `{"model":"claude-3-5-haiku"}`)
	f(deployment(), ` { "a": 1 } `, ` { "a": 1,"model":"claude-3-5-haiku" } `)
	f(deployment(), `{"timeout":1,"model":"x","tags":[]}`, `{"model":"claude-3-5-haiku"}`)
	f(deployment(), `{"metadata":{"user_id":"u"}, "litellm_metadata":{} ,"model":"x"}`, `{"metadata":{"user_id":"u"} ,"model":"claude-3-5-haiku"}`)
	f(deployment(), `{"additional_drop_params":["b"],"b":1,"c":2,"model":"x"}`, `{"c":2,"model":"claude-3-5-haiku"}`)
	f(set, `{"top_k":1,"model":"x"}`, `{"model":"claude-3-5-haiku","speed":"fast","temperature":0.5}`)
	f(set, `{"model":"x","temperature":1,"speed":"standard"}`, `{"model":"claude-3-5-haiku","temperature":1,"speed":"fast"}`)
}

// A deployment that sets a parameter in OpenAI's words gets translated requests.
func TestSpeaks(t *testing.T) {
	t.Parallel()
	f := func(want bool, name, value string) {
		t.Helper()
		e := bind(t, deployment(func(d *llm.Deployment) { d.Defaults, d.DropParams = []llm.Pair{{Name: name, Value: value}}, true }))
		if got := e.(provider.Speaker).Speaks(llm.DialectMessages); got != want {
			t.Errorf("%s: %v", name, got)
		}
		if e.(provider.Speaker).Speaks(llm.DialectResponses) {
			t.Errorf("%s: it speaks everything", name)
		}
	}
	f(true, "temperature", "1")
	f(true, "max_tokens", "10")
	f(false, "reasoning_effort", `"low"`)
	f(false, "stop", `["x"]`)
	f(false, "seed", "1")
}
