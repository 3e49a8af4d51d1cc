package bridge

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Beside is the provider main, with chats and text completions translated for the Responses API. Requests for responses
// stay main's, and go to the vendor as they came.
func Beside(main provider.Provider, s Settings) provider.Provider { return &beside{main, New(s)} }

type beside struct{ main, chats provider.Provider }

// Bind implements provider.Provider.
func (p *beside) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	main, err := p.main.Bind(d)
	if err != nil {
		return nil, err
	}
	chats, err := p.chats.Bind(d)
	if err != nil {
		return nil, err
	}
	return &endpoint{main, chats}, nil
}

// Supported implements provider.Parameters.
func (p *beside) Supported(op llm.Operation) ([]string, bool) {
	if op == llm.OpChat || op == llm.OpCompletion {
		return provider.SupportedBy(p.chats, op)
	}
	return provider.SupportedBy(p.main, op)
}

type endpoint struct{ main, chats provider.Endpoint }

func (e *endpoint) of(x *llm.Exchange) provider.Endpoint {
	if (x.Op == llm.OpChat || x.Op == llm.OpCompletion) && !x.AsNative {
		return e.chats
	}
	return e.main
}

// Encode implements provider.Endpoint.
func (e *endpoint) Encode(x *llm.Exchange, c *llm.Call) error { return e.of(x).Encode(x, c) }

// Decode implements provider.Endpoint.
func (e *endpoint) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	return e.of(x).Decode(x, a, r)
}

// Speaks implements provider.Speaker.
func (e *endpoint) Speaks(d llm.Dialect) bool {
	s, ok := e.main.(provider.Speaker)
	return ok && s.Speaks(d)
}

// Takes implements provider.Picky.
func (e *endpoint) Takes(x *llm.Exchange) bool { return provider.Natively(e.main, x) }
