package admin

import (
	"maps"
	"slices"
	"strings"
)

// routerForm describes the settings of the router for forms (RouterSettingsField in
// litellm/types/management_endpoints/router_settings_endpoints.py).
func (a *API) routerForm(c *call, values bool) ([]map[string]any, error) {
	all, err := a.fields(c, "router_settings")
	for _, f := range all {
		name, _ := f["field_name"].(string)
		f["field_default"], f["options"], f["link"] = f["field_default_value"], nil, nil
		words := strings.ReplaceAll(name, "_", " ")
		f["ui_field_name"] = strings.ToUpper(words[:1]) + words[1:]
		if name == "routing_strategy" {
			f["options"] = slices.Sorted(maps.Keys(strategies()))
		}
		if !values {
			f["field_value"] = nil
		}
	}
	return all, err
}

func (a *API) routerSettings(c *call) (any, error) {
	fields, err := a.routerForm(c, true)
	return map[string]any{"fields": fields, "current_values": a.shown("router_settings"), "routing_strategy_descriptions": strategies()}, err
}

func (a *API) routerFields(c *call) (any, error) {
	fields, err := a.routerForm(c, false)
	return map[string]any{"fields": fields, "routing_strategy_descriptions": strategies()}, err
}

// strategies says what each routing strategy does.
func strategies() map[string]string {
	return map[string]string{
		"simple-shuffle":         "picks at random, by weight, rpm or tpm where these are set",
		"least-busy":             "picks the deployment with the fewest calls under way",
		"latency-based-routing":  "picks the deployment that answered fastest of late",
		"usage-based-routing":    "picks the deployment with the fewest tokens in this minute",
		"usage-based-routing-v2": "as usage-based-routing, and keeps below the deployments' rpm and tpm",
		"cost-based-routing":     "picks the cheapest deployment",
		"adaptive":               "picks the better of two by decaying latency, load and errors",
	}
}
