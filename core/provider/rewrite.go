package provider

import "github.com/sallyport-ai/sallyport/core/llm"

// Rewrite is a provider that is another one, but for requests, of which edit makes other ones first: it returns the body
// to send in place of x.Body, or nil to leave it as it is. An error of edit is that of the call.
func Rewrite(inner Provider, edit func(d *llm.Deployment, x *llm.Exchange) ([]byte, error)) Provider {
	return &rewriting{inner, edit}
}

type rewriting struct {
	inner Provider
	edit  func(*llm.Deployment, *llm.Exchange) ([]byte, error)
}

// Bind implements Provider.
func (p *rewriting) Bind(d *llm.Deployment) (Endpoint, error) {
	e, err := p.inner.Bind(d)
	if err != nil {
		return nil, err
	}
	return &rewritingEndpoint{Endpoint: e, p: p, d: d}, nil
}

type rewritingEndpoint struct {
	Endpoint
	p *rewriting
	d *llm.Deployment
}

// Encode implements Endpoint. The call borrows the new body, and the exchange gets its own back.
func (e *rewritingEndpoint) Encode(x *llm.Exchange, c *llm.Call) error {
	if x.AsNative {
		return e.Endpoint.Encode(x, c)
	}
	body, err := e.p.edit(e.d, x)
	if err != nil {
		return err
	}
	if body == nil {
		return e.Endpoint.Encode(x, c)
	}
	own := x.Body
	x.Body = llm.Object{}
	defer func() { x.Body = own }()
	if err := x.Body.Parse(body); err != nil {
		return &llm.Error{Op: "provider.Rewrite", Kind: llm.KindInternal, Err: err, Message: "The request could not be rewritten."}
	}
	return e.Endpoint.Encode(x, c)
}

// Speaks implements Speaker.
func (e *rewritingEndpoint) Speaks(d llm.Dialect) bool {
	s, ok := e.Endpoint.(Speaker)
	return ok && s.Speaks(d)
}

// Supported implements Parameters.
func (p *rewriting) Supported(op llm.Operation) ([]string, bool) { return SupportedBy(p.inner, op) }
