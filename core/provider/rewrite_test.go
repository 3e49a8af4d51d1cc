package provider_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// shown is a provider that sends the body and what is set over it.
type shown struct{}

func (s shown) Bind(*llm.Deployment) (provider.Endpoint, error) { return s, nil }

func (shown) Encode(x *llm.Exchange, c *llm.Call) error {
	c.Body = append(c.Body, bytes.Clone(x.Body.Raw()))
	for _, o := range x.Overrides {
		c.Body = append(c.Body, []byte(" "+o.Name+"="+o.Value))
	}
	return nil
}

func (shown) Decode(*llm.Exchange, *llm.Answer, *llm.Reply) error { return nil }

// TestRewriteOverrides shows that an edit sees what is set over a request, and that what it makes of that is sent.
func TestRewriteOverrides(t *testing.T) {
	t.Parallel()
	var seen string
	shout := func(_ *llm.Deployment, x *llm.Exchange) ([]byte, error) {
		seen = string(x.Body.Raw())
		switch {
		case bytes.Contains(x.Body.Raw(), []byte("bad")):
			return nil, errors.New("refused")
		case !bytes.Contains(x.Body.Raw(), []byte("loud")):
			return nil, nil
		}
		out := bytes.ReplaceAll(x.Body.Raw(), []byte("loud"), []byte("LOUD"))
		return bytes.ReplaceAll(out, []byte(`,"tool_choice":"none"`), nil), nil
	}
	e, err := provider.Rewrite(shown{}, shout).Bind(&llm.Deployment{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(body, edit, want string, overrides ...llm.Pair) {
		t.Helper()
		var x llm.Exchange
		x.Reset()
		if err := x.Body.Parse([]byte(body)); err != nil {
			t.Fatal(err)
		}
		x.Overrides = overrides
		var c llm.Call
		got := ""
		if err := e.Encode(&x, &c); err != nil {
			got = err.Error()
		} else {
			got = string(bytes.Join(c.Body, nil))
		}
		if diff := cmp.Diff(want, got); diff != "" || seen != edit {
			t.Errorf("%s: seen %s (-want +got):\n%s", body, seen, diff)
		}
		if string(x.Body.Raw()) != body || len(x.Overrides) != len(overrides) {
			t.Errorf("%s: the exchange was left with %s and %v", body, x.Body.Raw(), x.Overrides)
		}
	}
	set := func(name, value string) llm.Pair { return llm.Pair{Name: name, Value: value} }
	f(`{"messages":["a"]}`, `{"messages":["a"]}`, `{"messages":["a"]}`)
	f(`{"messages":["loud"]}`, `{"messages":["loud"]}`, `{"messages":["LOUD"]}`)
	f(`{"messages":["a"],"n":1}`, `{"n":1,"messages":["loud"]}`, `{"n":1,"messages":["LOUD"]} messages=["LOUD"]`, set("messages", `["loud"]`))
	f(`{"messages":["a"]}`, `{"messages":["b"]}`, `{"messages":["a"]} messages=["b"]`, set("messages", `["b"]`))
	f(`{"messages":["loud"]}`, `{"messages":["loud"],"top_p":1}`, `{"messages":["LOUD"],"top_p":1} top_p=1`, set("top_p", `1`))
	f(`{"messages":["loud"],"tool_choice":"auto"}`, `{"messages":["loud"],"tool_choice":"none"}`, `{"messages":["LOUD"]}`, set("tool_choice", `"none"`))
	f(`{"messages":["a"]}`, `{"messages":["bad"]}`, "refused", set("messages", `["bad"]`))
}
