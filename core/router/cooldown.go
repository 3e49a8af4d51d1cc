package router

import (
	"math"
	"strconv"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// A deployment is in use, left alone, or on probation. state.until is zero, in the future, or in the past. Left alone
// nobody calls it. On probation one request at a time tests it, as long as there is another deployment for the others:
// where there is none, all are let through, since an answer that may fail is better than none. The first answer ends
// the probation, a failure begins the next cooldown.

// Cooldown is the beginning or the end of a deployment's being left alone.
type Cooldown struct {
	Deployment *llm.Deployment
	Time       time.Duration // how long; 0: it is over
	Until      time.Time     // when it may be tried again; zero: it is over
	Status     int           // HTTP status of the failure that began it
	Reason     string        // the rule that it fell under
}

// Limits of the rules (litellm.constants: DEFAULT_ALLOWED_FAILS, DEFAULT_FAILURE_THRESHOLD_PERCENT,
// DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS, SINGLE_DEPLOYMENT_TRAFFIC_FAILURE_THRESHOLD).
const (
	defaultAllowedFails = 3
	fewCalls            = 5
	manyCalls           = 1000
	maxCooldown         = 10 * time.Minute // of what a vendor may ask for
)

// Cool leaves a deployment alone until a time, because another replica says so. A zero time ends it. Together with
// Settings.Cooled it is what a store needs that replicas share. It does nothing for an unknown id.
func (s *States) Cool(id string, until time.Time) {
	st := s.find(id)
	switch {
	case st == nil:
	case until.IsZero():
		st.close()
	case until.After(time.Now()):
		st.leave(until)
	}
}

// leave begins a cooldown, or extends one.
func (st *state) leave(until time.Time) {
	if st.until.Swap(max(until.UnixNano(), 1)) == 0 {
		st.all.out.Add(1)
	}
	st.all.change()
	st.done.clear()
	st.faults.clear()
	for i := range st.kinds {
		st.kinds[i].clear()
	}
}

// close ends a cooldown and reports whether there was one.
func (st *state) close() bool {
	if st.until.Load() == 0 || st.until.Swap(0) == 0 {
		return false
	}
	st.all.out.Add(-1)
	st.all.change()
	return true
}

// availability is whether a deployment may be called.
type availability uint8

const (
	inUse availability = iota
	tested
	leftAlone
)

func (st *state) available(now int64) availability {
	switch until := st.until.Load(); {
	case until == 0:
		return inUse
	case now < until:
		return leftAlone
	case st.probing.Load():
		return tested
	}
	return inUse
}

// faulty reports whether a failure speaks against the deployment rather than against the request
// (litellm/router_utils/cooldown_handlers.py, _is_cooldown_required). Connections that fail do, other than there: a
// machine that is gone is the best reason to leave it alone.
func faulty(e *llm.Error) bool {
	if !e.Kind.Vendor() || e.Kind == llm.KindContextWindow || e.Kind == llm.KindContentPolicy {
		return false
	}
	switch status := e.HTTPStatus(); status {
	case 401, 404, 408, 429:
		return true
	default:
		return status >= 500
	}
}

// judge counts a failure and leaves the deployment alone if it is due.
func (p *Plan) judge(m *member, e *llm.Error, now time.Time) {
	r := p.r
	st := m.state
	minute := minuteOf(now)
	var faults int64
	bad := faulty(e) && (m.exact || e.Kind != llm.KindNotFound) // a wildcard has no model that a caller made up
	if bad {
		faults = st.faults.add(minute, 1)
	}
	if r.s.DisableCooldowns || st.until.Load() > now.UnixNano() {
		return
	}
	reason := ""
	if bad && st.until.Load() != 0 {
		reason = "it failed again"
	} else {
		reason = r.verdict(m, e, bad, faults, minute, len(p.group.members) == 1 || p.group.single)
	}
	if d := r.cooldown(m.d, e); reason != "" && d > 0 {
		c := Cooldown{m.d, d, now.Add(d), e.HTTPStatus(), reason}
		st.leave(c.Until)
		if r.s.Cooled != nil {
			r.s.Cooled(c)
		}
	}
}

// verdict is the rule that a deployment falls under after a failure, or nothing. alone is whether its group has no
// other.
func (r *Router) verdict(m *member, e *llm.Error, bad bool, faults int64, minute uint64, alone bool) string {
	if r.s.AllowedFails >= 0 || r.s.AllowedFailsPolicy != nil {
		class := ClassOf(e.Kind)
		if limit, ok := r.s.AllowedFailsPolicy[class]; ok && class != ClassNone {
			if m.state.kinds[class].add(minute, 1) > int64(limit) {
				return "allowed_fails_policy"
			}
			return ""
		}
		limit := r.s.AllowedFails
		if limit < 0 {
			limit = defaultAllowedFails
		}
		if bad && faults > int64(limit) {
			return "allowed_fails"
		}
		return ""
	}
	calls := m.state.done.at(minute)
	switch status := e.HTTPStatus(); {
	case !bad:
		return ""
	case calls >= manyCalls && faults >= calls:
		return "every call failed"
	case alone:
		return ""
	case status == 429:
		return "the vendor limits requests"
	case status == 401 || status == 404:
		return "calls cannot succeed"
	case calls >= fewCalls && faults*2 > calls:
		return "most calls failed"
	}
	return ""
}

// cooldown is how long a deployment is left alone: what it says itself, else the vendor, else the router.
func (r *Router) cooldown(d *llm.Deployment, e *llm.Error) time.Duration {
	switch {
	case d.Cooldown != 0:
		return d.Cooldown
	case e.RetryAfter > 0:
		return min(e.RetryAfter, maxCooldown)
	}
	return r.s.CooldownTime
}

// back notes that a deployment answered, which ends its probation.
func (r *Router) back(m *member, now time.Time) {
	st := m.state
	if st.until.Load() == 0 || st.until.Load() > now.UnixNano() {
		return
	}
	if st.close() && r.s.Cooled != nil {
		r.s.Cooled(Cooldown{Deployment: m.d})
	}
}

// nobody is RouterRateLimitError of litellm/types/router.py. wait is how long until one of the deployments may be called;
// where nothing cools down, the time of a cooldown stands there.
func (p *Plan) nobody(wait time.Duration, now int64) error {
	if wait <= 0 {
		wait = p.r.s.CooldownTime
	}
	after := time.Duration(math.Ceil(wait.Seconds())) * time.Second
	var cooling []string
	for i := range p.group.members {
		if m := &p.group.members[i]; p.cooling() && m.state.available(now) == leftAlone {
			cooling = append(cooling, m.d.ID)
		}
	}
	return &llm.Error{
		Op: "router.Next", Kind: llm.KindNoDeployment, Type: "None", Param: "None", Code: "429", RetryAfter: after,
		Message: "No deployments available for selected model, Try again in " + strconv.Itoa(int(after/time.Second)) +
			" seconds. Passed model=" + clip(p.name) + ". pre-call-checks=" + pythonBool(p.r.s.PreCallChecks) + ", cooldown_list=" + pythonList(cooling),
	}
}
