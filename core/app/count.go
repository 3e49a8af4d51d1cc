package app

import (
	"bytes"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
)

// count returns how many tokens the prompt of a chat has: as Anthropic counts, if the model is there and the caller
// speaks its API, and else by the tokenizer of the model that the caller's stands for.
func (a *App) count(x *llm.Exchange) (int, error) {
	l := a.current.Load()
	if x.Dialect == llm.DialectMessages {
		if err := l.router.Allow(x.Principal, x.Model); err != nil {
			return 0, err
		}
		for _, d := range l.members(x.Model) {
			if d.Provider != anthropic.Name {
				continue
			}
			if n, err := a.countAt(x, d); err == nil {
				return n, nil
			}
		}
	}
	return l.tokens.CountChat(l.vendorName(x.Model, x.Principal), x.Body.Raw())
}

var errNoCount = errors.New("the vendor did not count")

// countAt asks a deployment of Anthropic's.
func (a *App) countAt(x *llm.Exchange, d *llm.Deployment) (int, error) {
	defer func() { x.Pinned, x.Call, x.AsNative = nil, "", false }()
	x.Pinned, x.Call = d, anthropic.CountTokens
	reply, err := a.gateway.Probe(&x.Life, x)
	if err != nil {
		return 0, err
	}
	body := bytes.Clone(reply.First.Data)
	if err := reply.Rest.Close(); err != nil {
		return 0, err
	}
	if n := dialect.Int(dialect.Get(body, "input_tokens")); n > 0 {
		return int(n), nil
	}
	return 0, errNoCount
}
