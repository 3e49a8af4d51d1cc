package app

import (
	"encoding/json"
	"fmt"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
)

// priceOf is the price of a model: that of its first deployment with one, or what the table says of the name.
func (l *loaded) priceOf(model string) (*llm.Price, error) {
	for _, d := range l.members(model) {
		if d.Price != nil {
			return d.Price, nil
		}
	}
	e, ok := l.prices.table.Lookup("", model, "", "")
	if !ok {
		return nil, fmt.Errorf("the price of model %q is not known: set input_cost_per_token and output_cost_per_token in its model_info", model)
	}
	return price.Make(e, price.Override{})
}

// cost is what a request would cost without its answer, or what an answer cost. It serves POST /spend/calculate.
func (a *App) cost(model string, messages, answer []byte) (float64, error) {
	l := a.current.Load()
	var u llm.Usage
	if len(answer) > 0 && string(answer) != "null" {
		found, ok := openai.Scan(answer)
		if !ok {
			return 0, fmt.Errorf("completion_response has no usage to calculate with")
		}
		u = found.Usage
		if name, ok := llm.Text(dialect.Get(answer, "model")); ok && model == "" {
			model = string(name)
		}
	} else {
		body, err := json.Marshal(map[string]json.RawMessage{"messages": messages})
		if err != nil {
			return 0, err
		}
		n, err := l.tokens.CountChat(l.vendorName(model, nil), body)
		if err != nil {
			return 0, err
		}
		u.Prompt = int64(n)
	}
	p, err := l.priceOf(model)
	if err != nil {
		return 0, err
	}
	c, _ := price.Of(p, u, price.Call{})
	return c.Total, nil
}

// estimate is what one call of a size costs. It serves POST /cost/estimate.
func (a *App) estimate(model string, input, output int64) (admin.Estimate, error) {
	l := a.current.Load()
	p, err := l.priceOf(model)
	if err != nil {
		return admin.Estimate{}, err
	}
	of := func(input, output int64) price.Cost {
		c, _ := price.Of(p, llm.Usage{Prompt: input, Completion: output, Total: input + output}, price.Call{})
		return c
	}
	c, one := of(input, output), of(1, 1)
	e := admin.Estimate{Input: c.Input, Output: c.Output, Margin: c.Margin, Total: c.Total, PerInput: &one.Input, PerOutput: &one.Output}
	if all := l.members(model); len(all) > 0 {
		e.Provider = all[0].Provider
	} else if entry, ok := l.prices.table.Lookup("", model, "", ""); ok {
		e.Provider = entry.Provider()
	}
	return e, nil
}
