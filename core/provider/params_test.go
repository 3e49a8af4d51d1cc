package provider_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// TestUnfit checks that a vendor with an API of its own is not sent what its model refuses.
func TestUnfit(t *testing.T) {
	t.Parallel()
	f := func(drop bool, params, want string) {
		t.Helper()
		e, err := provider.Translate(parrot()).Bind(&llm.Deployment{
			Group: "mine", Model: "m", APIKey: "k", DropParams: drop, Unfit: []llm.Unfit{{Name: "temperature", But: "1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if err := x.Body.Parse([]byte(`{"model":"mine","messages":[{"role":"user","content":"Hi"}]` + params + `}`)); err != nil {
			t.Fatal(err)
		}
		if err := openai.Decode(x); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		got := ""
		if err := e.Encode(x, &c); err != nil {
			got, _, _ = strings.Cut(llm.AsError(err).Message, ", for model=")
		} else {
			got = string(bytes.Join(c.Body, nil))
		}
		if got != want {
			t.Errorf("drop %v%s:\ngot  %s\nwant %s", drop, params, got, want)
		}
	}
	f(false, `,"temperature":0.5`, `litellm.UnsupportedParamsError: parrot does not support parameters: ['temperature']`)
	f(true, `,"temperature":0.5`, `{"ask":["Hi"]}`)
	f(false, `,"temperature":1`, `{"ask":["Hi"],"heat":1}`)
	f(false, `,"temperature":0.5,"allowed_openai_params":["temperature"]`, `{"ask":["Hi"],"heat":0.5}`)
}
