package app

import (
	"bytes"
	"errors"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
)

// count returns how many tokens the prompt of a chat has: as the vendor counts, if the caller speaks its API, and else by
// the tokenizer of the model that the caller's stands for.
func (a *App) count(x *llm.Exchange) (int, error) {
	l := a.current.Load()
	if x.Dialect != llm.DialectOpenAI {
		if err := l.router.Allow(x.Principal, x.Model); err != nil {
			return 0, err
		}
		for _, d := range l.members(x.Model) {
			member := countMember(x.Dialect, d)
			if member == "" {
				continue
			}
			if n, err := a.countAt(x, d, member); err == nil {
				return n, nil
			}
		}
	}
	return l.tokens.CountChat(l.vendorName(x.Model, x.Principal), x.Body.Raw())
}

// countMember is the member of a deployment's answer to countTokens in a dialect; "" where nobody can be asked.
func countMember(d llm.Dialect, at *llm.Deployment) string {
	if s, ok := at.Bound.(provider.Speaker); !ok || !s.Speaks(d) {
		return ""
	}
	switch {
	case d == llm.DialectMessages && (at.Provider == anthropic.Name || at.Provider == bedrock.Name || at.Provider == gemini.Vertex):
		return "input_tokens"
	case d == llm.DialectGoogle && (at.Provider == gemini.Name || at.Provider == gemini.Vertex):
		return "totalTokens"
	}
	return ""
}

var errNoCount = errors.New("the vendor did not count")

// countAt asks a deployment.
func (a *App) countAt(x *llm.Exchange, d *llm.Deployment, member string) (int, error) {
	defer func() { x.Pinned, x.Call, x.AsNative = nil, "", false }()
	x.Pinned, x.Call = d, provider.CountTokens
	reply, err := a.gateway.Probe(&x.Life, x)
	if err != nil {
		return 0, err
	}
	body := bytes.Clone(reply.First.Data)
	if err := reply.Rest.Close(); err != nil {
		return 0, err
	}
	if n := dialect.Int(dialect.Get(body, member)); n > 0 {
		return int(n), nil
	}
	return 0, errNoCount
}
