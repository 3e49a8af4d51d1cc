package app

import "github.com/sallyport-ai/sallyport/core/llm"

// count returns how many tokens the prompt of a chat has, by the tokenizer of the model that the caller's stands for.
func (a *App) count(x *llm.Exchange) (int, error) {
	l := a.current.Load()
	return l.tokens.CountChat(l.vendorName(x.Model, x.Principal), x.Body.Raw())
}
