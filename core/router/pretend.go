package router

import (
	"context"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// pretend fails the first group, or its first call, without calling anybody, because the caller wants to see what
// happens then. As in the reference (litellm/router.py, async_function_with_fallbacks and async_function_with_retries)
// the first three kinds are not tried again in the group, and a limit is.
func (p *Plan) pretend(ctx context.Context) (*llm.Deployment, error) {
	s, t := &p.r.s, p.x.Controls.Testing
	const general, window, policy = llm.TestFallbacks, llm.TestContextFallbacks, llm.TestPolicyFallbacks
	var e *llm.Error
	switch {
	case t&general != 0:
		e = p.pretended(llm.KindInternal, "InternalServerError", "a fallback. Fallbacks="+lists(s.Fallbacks, s.DefaultFallbacks))
	case t&window != 0:
		e = p.pretended(llm.KindContextWindow, "ContextWindowExceededError", "a fallback. Context_Window_Fallbacks="+lists(s.ContextWindowFallbacks, nil))
	case t&policy != 0:
		e = p.pretended(llm.KindContentPolicy, "ContentPolicyViolationError", "a fallback. Context_Policy_Fallbacks="+lists(s.ContentPolicyFallbacks, nil))
	default:
		e = p.pretended(llm.KindRateLimit, "RateLimitError", "a rate limit error.")
		p.base = p.r.retries(p.x, p.group.members[0].d)
		p.x.MaxRetries = p.base
		return p.after(ctx, e)
	}
	p.cause = e
	return p.fallBack(ctx, e)
}

func (p *Plan) pretended(k llm.Kind, class, to string) *llm.Error {
	return &llm.Error{
		Op: "router.Next", Kind: k,
		Message: "litellm." + class + ": This is a mock exception for model=" + clip(p.name) + ", to trigger " + to,
	}
}

// lists writes fallbacks as the configuration has them.
func lists(list []Fallback, others []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, f := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("{" + pythonString(f.Group) + ": " + groupNames(f.Targets) + "}")
	}
	if len(others) > 0 {
		if len(list) > 0 {
			b.WriteString(", ")
		}
		b.WriteString("{'*': " + pythonList(others) + "}")
	}
	b.WriteByte(']')
	return b.String()
}
