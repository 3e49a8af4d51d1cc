package llm

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Routing is what takes the place of the router's settings for the requests of a principal. It is immutable.
type Routing struct {
	Retries         int // -1 not given
	Timeout         time.Duration
	Fallbacks       []byte // JSON as in a request's fallbacks; nil not given. So are the next two
	WindowFallbacks []byte // after a prompt that was too long
	PolicyFallbacks []byte // after a refusal for what a prompt says
}

const (
	maxRoutedRetries = 100
	maxRoutedTime    = 24 * time.Hour
)

// ReadRouting reads what router_settings of a key, a team or a plugin's principal change for single requests: num_retries,
// timeout, fallbacks, context_window_fallbacks and content_policy_fallbacks (route_request in
// litellm/proxy/route_llm_request.py). The other members are the router's, and no request's. The result is nil if there is
// none of them; what has the wrong form counts as not given.
func ReadRouting(m map[string]any) *Routing {
	r := Routing{
		Retries: -1, Fallbacks: listJSON(m["fallbacks"]), WindowFallbacks: listJSON(m["context_window_fallbacks"]),
		PolicyFallbacks: listJSON(m["content_policy_fallbacks"]),
	}
	if n, ok := routedRetries(m["num_retries"]); ok {
		r.Retries = n
	}
	if d, ok := routedTime(m["timeout"]); ok {
		r.Timeout = d
	}
	if r.Retries < 0 && r.Timeout == 0 && r.Fallbacks == nil && r.WindowFallbacks == nil && r.PolicyFallbacks == nil {
		return nil
	}
	return &r
}

// CheckRouting says what is wrong with a member that ReadRouting would leave out.
func CheckRouting(name string, v any) error {
	var ok bool
	form := "a list"
	switch name {
	case "num_retries":
		_, ok = routedRetries(v)
		form = fmt.Sprintf("a whole number from 0 to %d", maxRoutedRetries)
	case "timeout":
		_, ok = routedTime(v)
		form = fmt.Sprintf("a number of seconds above 0 and at most %.0f", maxRoutedTime.Seconds())
	case "fallbacks", "context_window_fallbacks", "content_policy_fallbacks":
		_, ok = v.([]any)
	default:
		return fmt.Errorf("%q is none of num_retries, timeout, fallbacks, context_window_fallbacks and content_policy_fallbacks", name)
	}
	if !ok {
		return fmt.Errorf("%s must be %s", name, form)
	}
	return nil
}

func routedRetries(v any) (int, bool) {
	n, ok := Float(v)
	return int(n), ok && n >= 0 && n <= maxRoutedRetries && n == math.Trunc(n)
}

func routedTime(v any) (time.Duration, bool) {
	s, ok := Float(v)
	if !ok || !(s > 0 && s <= maxRoutedTime.Seconds()) {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}

// Float reads a number of decoded JSON, or of a plugin's map.
func Float(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// listJSON writes a list that has entries as JSON.
func listJSON(v any) []byte {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return raw
}

// Route gives a request what it does not say itself.
func (r *Routing) Route(c *Controls) {
	if r == nil {
		return
	}
	if c.Retries < 0 {
		c.Retries = r.Retries
	}
	if c.Timeout == 0 {
		c.Timeout = r.Timeout
	}
	if c.Fallbacks == nil {
		c.Fallbacks = r.Fallbacks
	}
	c.WindowFallbacks, c.PolicyFallbacks = r.WindowFallbacks, r.PolicyFallbacks
}
