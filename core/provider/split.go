package provider

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Split is a provider of two parts, for a vendor that speaks OpenAI's API for some operations and one of its own for
// others: further serves the operations that are listed, and main all others.
func Split(main, further Provider, operations ...llm.Operation) Provider {
	return &split{main: main, further: further, operations: operations}
}

type split struct {
	main, further Provider
	operations    []llm.Operation
}

// Bind implements Provider.
func (p *split) Bind(d *llm.Deployment) (Endpoint, error) {
	main, err := p.main.Bind(d)
	if err != nil {
		return nil, err
	}
	further, err := p.further.Bind(d)
	if err != nil {
		return nil, err
	}
	e := &splitEndpoint{main: main}
	for _, op := range p.operations {
		e.further[op] = further
	}
	return e, nil
}

type splitEndpoint struct {
	main    Endpoint
	further [llm.OpRealtime + 1]Endpoint
}

func (e *splitEndpoint) of(op llm.Operation) Endpoint {
	if int(op) < len(e.further) && e.further[op] != nil {
		return e.further[op]
	}
	return e.main
}

// Encode implements Endpoint.
func (e *splitEndpoint) Encode(x *llm.Exchange, c *llm.Call) error { return e.by(x).Encode(x, c) }

// Decode implements Endpoint.
func (e *splitEndpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	return e.by(x).Decode(x, a, r)
}

// by is the part that serves x. A chat in another dialect goes to the one that takes it as it came.
func (e *splitEndpoint) by(x *llm.Exchange) Endpoint {
	part := e.of(x.Op)
	if x.AsNative && part != e.main && !Natively(part, x) {
		return e.main
	}
	return part
}

// Takes implements Picky.
func (e *splitEndpoint) Takes(x *llm.Exchange) bool {
	return Natively(e.of(llm.OpChat), x) || Natively(e.main, x)
}

// Speaks implements Speaker.
func (e *splitEndpoint) Speaks(d llm.Dialect) bool {
	s, ok := e.of(llm.OpChat).(Speaker)
	return ok && s.Speaks(d)
}

// Parameters is implemented by providers that know which parameters of OpenAI's API their vendor takes.
type Parameters interface {
	// Supported returns the parameters that are taken with an operation, in order, and whether it is offered at all. The
	// caller owns the list.
	Supported(op llm.Operation) ([]string, bool)
}

// Supported implements Parameters, by the part that serves the operation.
func (p *split) Supported(op llm.Operation) ([]string, bool) {
	part := p.main
	if slices.Contains(p.operations, op) {
		part = p.further
	}
	return SupportedBy(part, op)
}

// SupportedBy is what p, a provider that others are made of, says as Parameters.
func SupportedBy(p Provider, op llm.Operation) ([]string, bool) {
	if s, ok := p.(Parameters); ok {
		return s.Supported(op)
	}
	return nil, false
}
