package admin

import (
	"slices"
	"strings"
)

// fallbackLists are the settings that hold fallbacks of a type.
func fallbackLists() map[string]string {
	return map[string]string{"general": "fallbacks", "context_window": "context_window_fallbacks", "content_policy": "content_policy_fallbacks"}
}

func (c *call) fallbackList() (string, error) {
	list, ok := fallbackLists()[c.fallbackKind()]
	if !ok {
		return "", badRequest("fallback_type", "fallback_type must be general, context_window or content_policy.")
	}
	return list, nil
}

// without is a list of fallbacks without the entry of a model.
func without(v any, model string) []any {
	return slices.DeleteFunc(slices.Clone(rowsOf(v)), func(e any) bool {
		m, _ := e.(map[string]any)
		_, ok := m[model]
		return ok
	})
}

func (a *API) setFallback(c *call) (any, error) {
	var q struct {
		Model string   `json:"model"`
		To    []string `json:"fallback_models"`
		Type  string   `json:"fallback_type"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Type == "" {
		q.Type = "general"
	}
	list, ok := fallbackLists()[q.Type]
	switch {
	case q.Model == "":
		return nil, missing("model")
	case len(q.To) == 0:
		return nil, missing("fallback_models")
	case !ok:
		return nil, badRequest("fallback_type", "fallback_type must be general, context_window or content_policy.")
	case slices.Contains(q.To, q.Model):
		return nil, badRequest("fallback_models", "A model cannot be its own fallback.")
	}
	if a.Policy.Exists != nil {
		if !a.Policy.Exists(q.Model) {
			return nil, notFound("model", "Model '"+q.Model+"' not found in router. Add it to model_list first.")
		}
		if bad := slices.DeleteFunc(slices.Clone(q.To), a.Policy.Exists); len(bad) > 0 {
			return nil, badRequest("fallback_models", "Invalid fallback models: '"+strings.Join(bad, "', '")+"'. Add them to model_list first.")
		}
	}
	done := "created"
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "router_settings" {
			return false, nil
		}
		have, ok := section[list]
		if !ok {
			have = a.shown("router_settings")[list] // those of the file would be replaced by what the database says
		}
		kept := without(have, q.Model)
		if len(kept) < len(rowsOf(have)) {
			done = "updated"
		}
		section[list] = append(kept, map[string]any{q.Model: q.To})
		return true, nil
	})
	return map[string]any{
		"model": q.Model, "fallback_models": q.To, "fallback_type": q.Type, "message": "Fallback configuration " + done + " successfully",
	}, err
}

// fallbackKind is the type of fallbacks that the query names.
func (c *call) fallbackKind() string {
	if kind := c.query("fallback_type"); kind != "" {
		return kind
	}
	return "general"
}

// fallbacksOf are the fallbacks of a model; those for everything else count only if exact is not wanted.
func (a *API) fallbacksOf(list, model string, exact bool) (to any) {
	for _, e := range rowsOf(a.shown("router_settings")[list]) {
		m, _ := e.(map[string]any)
		if own, ok := m[model]; ok {
			return own
		}
		if all, ok := m["*"]; ok && !exact {
			to = all
		}
	}
	return to
}

func (c *call) noFallbacks(model string) error {
	return notFound("model", "No "+c.fallbackKind()+" fallbacks configured for model '"+model+"'")
}

func (a *API) getFallback(c *call) (any, error) {
	list, err := c.fallbackList()
	if err != nil {
		return nil, err
	}
	model := c.r.PathValue("model")
	to := a.fallbacksOf(list, model, false)
	if to == nil {
		return nil, c.noFallbacks(model)
	}
	return map[string]any{"model": model, "fallback_models": to, "fallback_type": c.fallbackKind()}, nil
}

func (a *API) deleteFallback(c *call) (any, error) {
	list, err := c.fallbackList()
	if err != nil {
		return nil, err
	}
	model := c.r.PathValue("model")
	if a.fallbacksOf(list, model, true) == nil {
		return nil, c.noFallbacks(model)
	}
	err = a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "router_settings" {
			return false, nil
		}
		have, ok := section[list]
		if !ok {
			have = a.shown("router_settings")[list]
		}
		section[list] = without(have, model)
		return true, nil
	})
	return map[string]any{"message": "Fallback configuration deleted successfully", "model": model, "fallback_type": c.fallbackKind()}, err
}
