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

// again reports whether the group may be tried again after a failure, and says in x how often it may be.
func (p *Plan) again(e *llm.Error) bool {
	if p.base < 0 {
		return false
	}
	worth := retryable(e, len(p.group.members))
	p.limit = p.base
	if n, ok := p.policy(e); ok {
		p.limit = n
		worth = worth || e.Kind != llm.KindContentPolicy || len(p.targets(e)) == 0
	}
	p.x.MaxRetries = p.limit
	return worth && p.retries < p.limit
}

// policy is the number of retries for the class of the failure (litellm/router_utils/get_retry_from_policy.py). It
// yields to what the caller or the deployment say. A group's own policy takes the place of the general one.
func (p *Plan) policy(e *llm.Error) (retries int, ok bool) {
	s := &p.r.s
	if p.x.Controls.Retries >= 0 || p.group.members[p.at].d.Retries >= 0 {
		return 0, false
	}
	class := ClassOf(e.Kind)
	if class == ClassNone {
		return 0, false
	}
	policy := s.RetryPolicy
	if own, has := s.GroupRetryPolicies[p.group.name]; has {
		policy = own
	}
	retries, ok = policy[class]
	return retries, ok
}

// elsewhere reports whether there is no point in waiting: another deployment of the group may be called, or nobody may.
func (p *Plan) elsewhere() bool {
	now, cooling := time.Now().UnixNano(), p.cooling()
	if cooling && p.group.members[p.at].state.available(now) == leftAlone {
		return true
	}
	for i := range p.group.members {
		if i != p.at && (!cooling || p.group.members[i].state.available(now) != leftAlone) {
			return true
		}
	}
	return false
}

// backoff is how long to wait before the group is tried again: not at all if it has another deployment to call; else as long
// as the vendor asked for, if that is reasonable; else exponentially longer, less up to a quarter at random.
func (p *Plan) backoff(e *llm.Error) time.Duration {
	if p.elsewhere() {
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
