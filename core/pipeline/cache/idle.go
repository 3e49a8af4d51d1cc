package cache

import "github.com/sallyport-ai/sallyport/core/llm"

// Idle implements llm.Idler: what a guardrail lets out while the vendor is silent is kept like the rest.
func (c *recorder) Idle(p *llm.Part) (bool, error) {
	ok, err := llm.Idle(c.rest, p)
	if ok {
		c.add(p)
	}
	return ok, err
}
