package openai

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// GuardrailParams returns what the request says to one guardrail, the extra_body of an item {name: {"extra_body": {}}}
// of its guardrails, as a raw JSON object; nil if it says nothing. The slice is borrowed.
func GuardrailParams(x *llm.Exchange, name string) []byte {
	raw := Guardrails(x)
	if raw == nil {
		return nil
	}
	for c := dialect.Array(raw); c.Next(); {
		if c.First() != '{' {
			continue
		}
		in := c.Enter()
		for in.Next() {
			if !dialect.KeyIs(in.Key(), name) || in.First() != '{' {
				continue
			}
			if body := dialect.Get(in.Value(), "extra_body"); len(body) > 0 && body[0] == '{' {
				return body
			}
		}
		c.Leave(&in)
	}
	return nil
}
