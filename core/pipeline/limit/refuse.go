package limit

import (
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// refuse makes the error of a request that a scope does not let pass. Text, headers and status of rates are those of
// _handle_rate_limit_error in litellm/proxy/hooks/parallel_request_limiter_v3.py, but for the time: it is when there is
// room again.
func (l *Limiter) refuse(x *llm.Exchange, s *llm.Scope, why llm.Refusal, wait time.Duration) error {
	if why == llm.OverBudget || why == llm.ReservedMoney {
		return l.s.OverBudget(s, why, &x.Asked)
	}
	if wait <= 0 {
		wait = time.Second
	}
	wait = (wait + time.Second - 1).Truncate(time.Second)
	resets := time.Unix(0, x.Asked.Now).Add(wait).UTC().Format("2006-01-02 15:04:05 UTC")
	e := &llm.Error{
		Op: "limit.Before", Kind: llm.KindRateLimit, Status: 429, Type: "None", Param: "None", RetryAfter: wait,
		Own: []llm.Pair{{Name: "rate_limit_type", Value: why.String()}, {Name: "reset_at", Value: resets}},
	}
	limit := limitOf(s, why)
	if s.Kind == llm.ScopeProxy && why == llm.OverParallel {
		// _raise of litellm/proxy/hooks/parallel_request_limiter.py
		e.Message = "Max parallel request limit reached. Hit Global Limit: Limit=" + limit
		return e
	}
	e.Message = "Rate limit exceeded for " + s.Kind.String() + ": " + s.ID + ". Limit type: " + why.String() +
		". Current limit: " + limit + ", Remaining: 0. Limit resets at: " + resets
	return e
}

// crowded makes the error of a request whose model group has no room, in the words of _check_rate_limits of
// litellm/proxy/hooks/dynamic_rate_limiter_v3.py. Type and code are those of its RateLimitError (litellm/exceptions.py).
func crowded(x *llm.Exchange, s *llm.Scope, why llm.Refusal, wait time.Duration, alone bool) *llm.Error {
	wait = (max(wait, time.Second) + time.Second - 1).Truncate(time.Second)
	e := &llm.Error{
		Op: "limit.Before", Kind: llm.KindRateLimit, Status: 429, Type: "throttling_error", Param: "None", Code: "429", RetryAfter: wait,
	}
	priority := "None"
	for _, o := range x.Scopes {
		if o.Kind == llm.ScopePriority && o.Alias != "default" {
			priority = o.Alias
		}
	}
	if s.Kind == llm.ScopeModel {
		e.Message = "litellm.RateLimitError: Model capacity reached for " + x.Model + ". Priority: " + priority + ", Rate limit type: " +
			why.String() + ", Remaining: 0"
		return e
	}
	e.Message = "litellm.RateLimitError: Priority-based rate limit exceeded. Priority: " + priority + ", Rate limit type: " +
		why.String() + ", Remaining: 0"
	if alone {
		// What all replicas used is known to Redis only.
		used := 100 * s.Within.Used(&x.Asked)
		e.Message += ", Model saturation: " + strconv.FormatFloat(used, 'f', 1, 64) + "%"
	}
	return e
}

func limitOf(s *llm.Scope, why llm.Refusal) string {
	n := s.RPM
	switch why {
	case llm.OverTokens, llm.ReservedToken:
		n = s.TPM
	case llm.OverParallel:
		n = s.Parallel
	}
	return strconv.FormatInt(max(n, 0), 10)
}
