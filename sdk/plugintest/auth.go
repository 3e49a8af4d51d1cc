package plugintest

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// Limit returns what a principal of the auth hook may use by what the plugin said; nil is no limit. of is one of the
// abi.LimitOf constants, and model the model group that the limit is for, or empty. A limit of 0 is llm.Nothing there.
func Limit(p *llm.Principal, of, model string) *llm.Allowance {
	word := of
	switch {
	case of == abi.LimitOfKey && model == "":
		word = llm.ScopeKey.String()
	case model != "":
		word = "model_per_" + of
	}
	for i := range p.Allowances {
		if a := &p.Allowances[i]; a.Kind.String() == word && a.Model == model {
			return a
		}
	}
	return nil
}
