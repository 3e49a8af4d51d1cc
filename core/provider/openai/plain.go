package openai

import (
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// plain is the request of a caller who speaks another dialect, in the words that the vendor knows. A gateway of the
// reference's kind gets it as it is: it knows all extensions.
func (e *endpoint) plain(x *llm.Exchange) (*llm.Object, error) {
	s := &e.p.s
	if s.Extended {
		return &x.Body, nil
	}
	p := openai.Plain{
		Vendor: s.Name, Drop: e.d.DropParams || x.Controls.DropParams == 1,
		Reasoning: s.Reasons, Cache: s.Caches, NewLimit: s.NewLimit,
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
