package listener

import (
	"slices"
	"strconv"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// limitLines tells the caller what its limits leave, in the headers of the reference: x-ratelimit-<scope>-remaining-* and
// -limit-* (litellm/proxy/hooks/parallel_request_limiter_v3.py), and x-litellm-key-* (litellm/proxy/common_request_processing.py).
// The key's spend includes the cost of this call, where it is known already.
func (c *session) limitLines(b []byte) []byte {
	for i := range c.x.Holds {
		h := &c.x.Holds[i]
		s := h.Scope
		if s == nil {
			continue
		}
		if h.RequestsLeft >= 0 {
			b = limitLine(b, s.Kind, "-remaining-requests: ", h.RequestsLeft)
			b = limitLine(b, s.Kind, "-limit-requests: ", s.RPM)
		}
		if h.TokensLeft >= 0 {
			b = limitLine(b, s.Kind, "-remaining-tokens: ", h.TokensLeft)
			b = limitLine(b, s.Kind, "-limit-tokens: ", s.TPM)
		}
		switch s.Kind {
		case llm.ScopePriority:
			// async_post_call_success_hook of litellm/proxy/hooks/dynamic_rate_limiter_v3.py
			b = line(b, "x-litellm-priority", s.Alias)
			b = line(b, "x-litellm-rate-limiter-version", "v3")
		case llm.ScopeKey:
			b = rateLines(b, s)
			if !c.granted() {
				b = keyLines(b, s, c.x.Charged)
			}
		case llm.ScopeGrantedKey:
			b = keyLines(b, s, c.x.Charged)
		default:
		}
	}
	return b
}

// granted reports whether the budget of the key is one that an authenticator gave.
func (c *session) granted() bool {
	return slices.ContainsFunc(c.x.Holds, func(h llm.Hold) bool { return h.Scope != nil && h.Scope.Kind == llm.ScopeGrantedKey })
}

func limitLine(b []byte, kind llm.ScopeKind, what string, n int64) []byte {
	b = append(append(append(b, "x-ratelimit-"...), kind.String()...), what...)
	return append(strconv.AppendInt(b, n, 10), "\r\n"...)
}

func rateLines(b []byte, s *llm.Scope) []byte {
	if s.TPM > 0 {
		b = append(strconv.AppendInt(append(b, "x-litellm-key-tpm-limit: "...), s.TPM, 10), "\r\n"...)
	}
	if s.RPM > 0 {
		b = append(strconv.AppendInt(append(b, "x-litellm-key-rpm-limit: "...), s.RPM, 10), "\r\n"...)
	}
	return b
}

func keyLines(b []byte, s *llm.Scope, cost float64) []byte {
	if s.Budget.Limited {
		b = append(strconv.AppendFloat(append(b, "x-litellm-key-max-budget: "...), s.Budget.Max, 'f', -1, 64), "\r\n"...)
	}
	spent, _ := s.Spent()
	return append(strconv.AppendFloat(append(b, "x-litellm-key-spend: "...), spent+s.Budget.Before+cost, 'f', -1, 64), "\r\n"...)
}

// ownLines writes the header lines that an error of the gateway brings along.
func ownLines(b []byte, e *llm.Error) []byte {
	for _, p := range e.Own {
		b = line(b, p.Name, p.Value)
	}
	return b
}
