package app

import (
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// efforts are the efforts of thinking that a deployment takes, and whether anything is known of them. What is not said of
// an effort counts as the reference has it (resolve_supported_reasoning_efforts, which litellm/router.py calls): low and minimal are
// there unless the table denies them, xhigh and max if it names them, and none unless it is denied, but for Azure's GPT-5,
// where it must be named. Of a model that thinks, and of whose efforts nothing is said, nothing is known.
func (l *loaded) efforts(d *llm.Deployment, info map[string]any) (list []string, known bool) {
	if thinks, said := info["supports_reasoning"].(bool); !thinks {
		return nil, said || l.prices.entry(d).Mode() != "" && d.Info["mode"] == nil
	}
	takes := func(effort string, otherwise bool) bool {
		yes, said := l.takesEffort(d, info, effort)
		known = known || said
		return yes || otherwise && !said
	}
	bare := d.Provider != "azure" || !strings.Contains(d.Model, "gpt-5") && !strings.Contains(d.Model, "gpt5_series") || strings.Contains(d.Model, "gpt-5-chat")
	for _, e := range [...]struct {
		name string
		plus bool // there unless it is denied
	}{
		{"none", bare}, {"minimal", true}, {"low", true}, {"medium", true}, {"high", true}, {"xhigh", false}, {"max", false},
	} {
		if takes(e.name, e.plus) {
			list = append(list, e.name)
		}
	}
	if !known {
		return nil, false
	}
	return list, true
}

// takesEffort looks for an effort where a deployment's figures are, and at the vendor's own name of the model, under which
// the efforts of models with another vendor often stand.
func (l *loaded) takesEffort(d *llm.Deployment, info map[string]any, effort string) (yes, said bool) {
	if effort == "medium" || effort == "high" {
		return true, false
	}
	name := effort + "_reasoning_effort"
	if yes, said = info["supports_"+name].(bool); said {
		return yes, true
	}
	key, _ := info["key"].(string)
	if bare, ok := strings.CutPrefix(key, d.Provider+"/"); ok {
		if twin, ok := l.prices.table.Get(bare); ok {
			return twin.Can(name)
		}
	}
	return false, false
}

// narrow takes the efforts of one more deployment: those that all have of whom something is known, and none at all if of
// one of them nothing is, as in the reference.
func (g *groupInfo) narrow(list []string, known bool) {
	switch {
	case !known:
		g.dim, g.Efforts = true, nil
	case g.dim:
	case g.Efforts == nil:
		g.Efforts = append([]string{}, list...)
	default:
		g.Efforts = slices.DeleteFunc(g.Efforts, func(e string) bool { return !slices.Contains(list, e) })
	}
}
