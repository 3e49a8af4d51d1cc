package provider

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Rewrite is a provider that is another one, but for requests, of which edit makes other ones first: it returns the body
// to send in place of x.Body, or nil to leave it as it is. What a fallback or a mark for the vendor's cache sets is in the
// body that edit sees. An error of edit is that of the call.
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
	own, overrides := x.Body, x.Overrides
	defer func() { x.Body, x.Overrides = own, overrides }()
	if len(overrides) > 0 {
		if err := reparse(x, merged(x)); err != nil {
			return err
		}
	}
	body, err := e.p.edit(e.d, x)
	x.Body = own
	if err != nil {
		return err
	}
	if body == nil {
		return e.Endpoint.Encode(x, c)
	}
	if err := reparse(x, body); err != nil {
		return err
	}
	x.Overrides = edited(x, overrides)
	return e.Endpoint.Encode(x, c)
}

func reparse(x *llm.Exchange, body []byte) error {
	x.Body = llm.Object{}
	if err := x.Body.Parse(body); err != nil {
		return &llm.Error{Op: "provider.Rewrite", Kind: llm.KindInternal, Err: err, Message: "The request could not be rewritten."}
	}
	return nil
}

// merged is the body of a request with what is set over it.
func merged(x *llm.Exchange) []byte {
	b := dialect.Build(make([]byte, 0, len(x.Body.Raw())+256))
	b.Open('{')
	set := func(name string) bool {
		return slices.ContainsFunc(x.Overrides, func(o llm.Pair) bool { return o.Name == name })
	}
	for _, m := range x.Body.Members() {
		if key := borrowed(x.Body.Key(m)); !set(key) {
			b.Key(key).Raw(x.Body.Value(m))
		}
	}
	for i := range x.Overrides {
		b.Key(x.Overrides[i].Name).Raw(borrow(x.Overrides[i].Value))
	}
	b.Close('}')
	return b.Bytes()
}

// edited are the settings as the edited body of x has them. One that the body no longer has was taken out on purpose.
func edited(x *llm.Exchange, overrides []llm.Pair) []llm.Pair {
	var out []llm.Pair
	for _, o := range overrides {
		if v := x.Body.Get(o.Name); v != nil {
			out = append(out, llm.Pair{Name: o.Name, Value: string(v)})
		}
	}
	return out
}

// Speaks implements Speaker.
func (e *rewritingEndpoint) Speaks(d llm.Dialect) bool {
	s, ok := e.Endpoint.(Speaker)
	return ok && s.Speaks(d)
}

// Takes implements Picky.
func (e *rewritingEndpoint) Takes(x *llm.Exchange) bool { return Natively(e.Endpoint, x) }

// Supported implements Parameters.
func (p *rewriting) Supported(op llm.Operation) ([]string, bool) { return SupportedBy(p.inner, op) }
