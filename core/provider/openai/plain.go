package openai

import (
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// plain is the request of a caller who speaks another dialect, in the words that the vendor knows. A gateway of the
// reference's kind gets it as it is: it knows all extensions.
func (e *endpoint) plain(x *llm.Exchange) (*llm.Object, error) {
	vendor := e.p.s.Name
	if vendor == "litellm_proxy" {
		return &x.Body, nil
	}
	p := openai.Plain{
		Vendor: vendor, Drop: e.d.DropParams || x.Controls.DropParams == 1,
		Reasoning: takesReasoning(vendor), Cache: vendor == "openrouter", NewLimit: vendor == "openai" || vendor == "azure",
	}
	raw := x.Body.Raw()
	body, err := p.Append(make([]byte, 0, len(raw)+64), &x.Body)
	if err != nil {
		return nil, err
	}
	o := new(llm.Object)
	if err := o.Parse(body); err != nil {
		return nil, &llm.Error{Op: "openai.Encode", Kind: llm.KindInternal, Err: err, Message: "The request could not be translated."}
	}
	return o, nil
}

// takesReasoning reports whether a vendor asks for the reasoning_content of earlier answers, or has a use for it:
// https://api-docs.deepseek.com/guides/thinking_mode, https://platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model,
// https://docs.z.ai/guides/capabilities/thinking-mode.
func takesReasoning(vendor string) bool {
	switch vendor {
	case "deepseek", "moonshot", "zai":
		return true
	}
	return false
}
