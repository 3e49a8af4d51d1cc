package router

import (
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// Limits of the wait before a retry, after litellm.constants and _calculate_retry_after.
const (
	firstBackoff  = 500 * time.Millisecond
	maxBackoff    = 8 * time.Second
	maxRetryAfter = time.Minute
)

// retries is how often a group may be tried again: the caller's word, then the deployment's, then the router's.
func (r *Router) retries(x *llm.Exchange, d *llm.Deployment) int {
	switch {
	case x.Controls.Retries >= 0:
		return x.Controls.Retries
	case d.Retries >= 0:
		return d.Retries
	}
	return r.s.Retries
}

// recoverable reports whether anything may be tried after a failure: not when the caller left, and not when the gateway
// itself refused.
func recoverable(k llm.Kind) bool { return k.Vendor() || k == llm.KindNoDeployment }

// retryable reports whether the same group may be tried again (litellm/router.py, should_retry_this_error). A key that
// was refused is worth a try only where another deployment has another.
func retryable(e *llm.Error, deployments int) bool {
	switch e.Kind {
	case llm.KindContextWindow, llm.KindContentPolicy, llm.KindNotFound, llm.KindNoDeployment:
		return false
	case llm.KindAuthentication, llm.KindPermission:
		return deployments > 1
	}
	switch status := e.HTTPStatus(); status {
	case 408, 409, 429:
		return true
	default:
		return status >= 500
	}
}

// backoff is how long to wait before the group is tried again: not at all if it has another deployment; else as long
// as the vendor asked for, if that is reasonable; else exponentially longer, less up to a quarter at random.
func (p *Plan) backoff(e *llm.Error) time.Duration {
	if len(p.group.members) > 1 {
		return 0
	}
	s := &p.r.s
	if 0 < e.RetryAfter && e.RetryAfter <= maxRetryAfter {
		return max(e.RetryAfter, s.RetryAfter)
	}
	d := maxBackoff
	if p.retries < 4 { // 8 s is 500 ms doubled four times
		d = firstBackoff << p.retries
	}
	d -= time.Duration(s.Rand() * float64(d) / 4)
	return max(d, s.RetryAfter)
}
