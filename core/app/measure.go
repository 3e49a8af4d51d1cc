package app

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price/tokens"
)

// measurer counts the tokens of exchanges whose vendor told no usage, or had not told it yet when the caller left: what
// was written is charged for. It costs as much as tokenizing the request, and is needed seldom.
func measurer(c *tokens.Counter) func(x *llm.Exchange, r *llm.Reply, answer []byte) {
	return func(x *llm.Exchange, r *llm.Reply, answer []byte) {
		body := x.Native.Raw()
		switch {
		case x.Op == llm.OpPassThrough:
			body = x.Raw
		case body == nil:
			body = x.Body.Raw()
		}
		model := r.Deployment.Model
		prompt, err := c.CountChat(model, body)
		if err != nil {
			prompt = int(tokens.Estimate(body)) // no chat that can be read, and yet a vendor answered it
		}
		u := llm.Usage{Prompt: int64(prompt)}
		switch {
		case x.Op == llm.OpPassThrough, !x.Op.Streams():
		case len(answer) > 0:
			u.Completion = int64(c.CountReply(model, answer, llm.KeptMark))
		default:
			u.Completion = int64(r.Parts) // a part of a stream is about one token
		}
		if told := r.Usage; told.Known() {
			// The vendor has told a part: what it had counted when the stream began, or what was said so far.
			told.Completion = max(told.Completion, u.Completion)
			if told.Prompt == 0 {
				told.Prompt = u.Prompt
			}
			u = told
		}
		u.Total = u.Prompt + u.Completion
		r.Usage, r.Estimated = u, true
	}
}
