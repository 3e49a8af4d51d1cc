package app

import (
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/price"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
)

// inferred makes a deployment of every model in the price table whose vendor has its key in the environment
// (general_settings.infer_model_from_keys). It has the model's name in the table. Models that listed serves already are
// left to it.
func (b *builder) inferred(listed []*llm.Deployment) []*llm.Deployment {
	if !b.cfg.GeneralSettings.InferModelFromKeys {
		return nil
	}
	served := make(map[string]bool, len(listed))
	for _, d := range listed {
		served[d.Group] = true
	}
	vendors := map[string]bool{} // by their name in the table: whether they can be called
	var out []*llm.Deployment
	b.prices.table.All(func(e price.Entry) bool {
		name := e.Provider()
		callable, seen := vendors[name]
		if !seen {
			callable = b.hasKey(name)
			vendors[name] = callable
		}
		model, prefixed := strings.CutPrefix(e.Key(), name+"/")
		if !callable || served[e.Key()] || !prefixed && strings.Contains(model, "/") || strings.HasPrefix(model, "ft:") {
			return true // or not a model: 1024-x-1024/dall-e-2 and ft:gpt-4o are what something costs
		}
		served[e.Key()] = true
		var m config.Model
		m.ModelName = e.Key()
		m.LiteLLMParams.Model = name + "/" + model
		d, err := b.deployment(&m, "")
		if err != nil {
			b.log.Debug("a model of a vendor whose key is set cannot be called", "model", e.Key(), "reason", err.Error())
			return true
		}
		out = append(out, d)
		return true
	})
	return out
}

// hasKey reports whether a vendor can be called with nothing but what is in the environment.
func (b *builder) hasKey(name string) bool {
	v, ok := compat.Lookup(name)
	if !ok || v.Name == azure.Name || v.Name == azure.NameAI || firstSet(b.cfg.Env(), v.KeyVars) == "" {
		return false // a model of Azure is a deployment with a name of its own
	}
	d := llm.Deployment{Provider: v.Name}
	b.fill(&d, v, "")
	return place(&d, v) == nil
}
