package admin

import "net/http"

// Estimate is what one call costs, in US dollars.
type Estimate struct {
	Input, Output float64 // of the tokens
	Margin        float64 // added to these
	Total         float64
	PerInput      *float64 // of one token; nil if there is no such price
	PerOutput     *float64
	Provider      string // empty if it is not known
}

// times is an estimate of many calls, or nothing of an unknown number.
func (e *Estimate) times(calls *float64, name string, out map[string]any) {
	for part, v := range map[string]float64{"_cost": e.Total, "_input_cost": e.Input, "_output_cost": e.Output, "_margin_cost": e.Margin} {
		out[name+part] = nil
		if calls != nil {
			out[name+part] = v * *calls
		}
	}
}

// estimateCost serves POST /cost/estimate: what calls of a size would cost (CostEstimateResponse in
// litellm/types/management_endpoints/cost_tracking_settings.py).
func (a *API) estimateCost(c *call) (any, error) {
	var q struct {
		Model    string   `json:"model"`
		Input    int64    `json:"input_tokens"`
		Output   int64    `json:"output_tokens"`
		PerDay   *float64 `json:"num_requests_per_day"`
		PerMonth *float64 `json:"num_requests_per_month"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Model == "" {
		return nil, missing("model")
	}
	if q.Input < 0 || q.Output < 0 {
		return nil, badRequest("input_tokens", "input_tokens and output_tokens cannot be negative.")
	}
	if a.Policy.Estimate == nil {
		return nil, badRequest("model", "There are no prices to calculate with.")
	}
	e, err := a.Policy.Estimate(q.Model, q.Input, q.Output)
	if err != nil {
		return nil, problem(http.StatusNotFound, "not_found_error", "model", "Could not calculate cost for model '"+q.Model+"': "+err.Error())
	}
	answer := map[string]any{
		"model": q.Model, "input_tokens": q.Input, "output_tokens": q.Output,
		"num_requests_per_day": q.PerDay, "num_requests_per_month": q.PerMonth,
		"input_cost_per_request": e.Input, "output_cost_per_request": e.Output, "margin_cost_per_request": e.Margin, "cost_per_request": e.Total,
		"input_cost_per_token": e.PerInput, "output_cost_per_token": e.PerOutput, "provider": nil,
	}
	if e.Provider != "" {
		answer["provider"] = e.Provider
	}
	e.times(q.PerDay, "daily", answer)
	e.times(q.PerMonth, "monthly", answer)
	return answer, nil
}
