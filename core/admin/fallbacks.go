package admin

import "slices"

// fallbackLists are the settings that hold fallbacks of a type.
func fallbackLists() map[string]string {
	return map[string]string{"general": "fallbacks", "context_window": "context_window_fallbacks", "content_policy": "content_policy_fallbacks"}
}

func (c *call) fallbackList() (string, error) {
	kind := c.query("fallback_type")
	if kind == "" {
		kind = "general"
	}
	list, ok := fallbackLists()[kind]
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
	for _, m := range append([]string{q.Model}, q.To...) {
		if a.Policy.Exists != nil && !a.Policy.Exists(m) {
			return nil, notFound("model", "Model '"+m+"' not found in router. Add it to model_list first.")
		}
	}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "router_settings" {
			return false, nil
		}
		have, ok := section[list]
		if !ok {
			have = a.shown("router_settings")[list] // those of the file would be replaced by what the database says
		}
		section[list] = append(without(have, q.Model), map[string]any{q.Model: q.To})
		return true, nil
	})
	return map[string]any{
		"model": q.Model, "fallback_models": q.To, "fallback_type": q.Type, "message": "Fallback configuration created successfully",
	}, err
}

func (a *API) getFallback(c *call) (any, error) {
	list, err := c.fallbackList()
	if err != nil {
		return nil, err
	}
	model := c.r.PathValue("model")
	for _, e := range rowsOf(a.shown("router_settings")[list]) {
		m, _ := e.(map[string]any)
		if to, ok := m[model]; ok {
			kind := c.query("fallback_type")
			if kind == "" {
				kind = "general"
			}
			return map[string]any{"model": model, "fallback_models": to, "fallback_type": kind}, nil
		}
	}
	return nil, notFound("model", "No fallbacks configured for model '"+model+"'")
}

func (a *API) deleteFallback(c *call) (any, error) {
	list, err := c.fallbackList()
	if err != nil {
		return nil, err
	}
	model := c.r.PathValue("model")
	if _, err := a.getFallback(c); err != nil {
		return nil, err
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
	return map[string]any{"message": "Fallback configuration deleted successfully", "model": model, "fallback_type": c.query("fallback_type")}, err
}
