// Package price says what a call cost.
package price

import "github.com/sallyport-ai/sallyport/core/llm"

// Cost is what a deployment charges for the usage, in US dollars, from the prices of its configuration:
// input_cost_per_token, output_cost_per_token and, in model_info, cache_read_input_token_cost for the part of the prompt
// that the vendor had in its cache. Without the last, that part costs as much as the rest. A price per request counts
// whatever the usage is.
//
// known is false if nothing says what it costs: the deployment has no price, or the vendor told no usage.
func Cost(d *llm.Deployment, u llm.Usage) (dollars float64, known bool) {
	if d == nil {
		return 0, false
	}
	dollars, known = d.RequestCost, d.RequestCost != 0
	if !d.HasPrice || !u.Known() {
		return dollars, known
	}
	prompt, completion := max(u.Prompt, 0), max(u.Completion, 0)
	cached := min(max(u.Cached, 0), prompt)
	dollars += float64(completion) * d.OutputCost
	if rate, ok := cacheRead(d); ok {
		dollars += float64(cached) * rate
		prompt -= cached
	}
	return dollars + float64(prompt)*d.InputCost, true
}

// cacheRead looks up the price of a cached token. YAML and JSON give numbers different types.
func cacheRead(d *llm.Deployment) (float64, bool) {
	switch v := d.Info["cache_read_input_token_cost"].(type) {
	case float64:
		return v, v >= 0
	case int:
		return float64(v), v >= 0
	}
	return 0, false
}
