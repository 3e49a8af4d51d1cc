package router

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
)

// fallbacks are targets by group; "*" is for every group without an entry.
type fallbacks map[string][]Target

// addFallbacks checks and indexes the lists. As in the reference the first entry for a group counts, and the last one
// for "*", behind which come the default fallbacks (litellm/router_utils/fallback_event_handlers.py).
func (r *Router) addFallbacks() error {
	s := &r.s
	general := s.Fallbacks
	if len(s.DefaultFallbacks) > 0 {
		f := Fallback{Group: "*"}
		for _, name := range s.DefaultFallbacks {
			f.Targets = append(f.Targets, Target{Group: name})
		}
		general = append(general[:len(general):len(general)], f)
	}
	var err error
	if r.general, err = r.index("fallbacks", general); err != nil {
		return err
	}
	if r.window, err = r.index("context_window_fallbacks", s.ContextWindowFallbacks); err != nil {
		return err
	}
	r.policy, err = r.index("content_policy_fallbacks", s.ContentPolicyFallbacks)
	return err
}

func (r *Router) index(setting string, list []Fallback) (fallbacks, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := fallbacks{}
	for _, f := range list {
		for _, t := range f.Targets {
			if !r.Has(t.Group) {
				return nil, fmt.Errorf("%s: %q falls back to %q, which is no model_name", setting, f.Group, t.Group)
			}
		}
		if _, taken := m[f.Group]; !taken || f.Group == "*" {
			m[f.Group] = f.Targets
		}
	}
	return m, nil
}

// of looks up a group: by the name asked for, by the name it led to, without the vendor's prefix, and as "*".
func (r *Router) of(m fallbacks, name string, g *group) []Target {
	if t, ok := m[name]; ok {
		return t
	}
	if t, ok := m[g.name]; ok {
		return t
	}
	if vendor, rest, ok := strings.Cut(name, "/"); ok && r.vendor(vendor) {
		if t, ok := m[rest]; ok {
			return t
		}
	}
	return m["*"]
}

func (r *Router) vendor(name string) bool {
	if r.s.Vendor != nil {
		return r.s.Vendor(name)
	}
	return r.vendors[name]
}

// targets are the groups to try after the current one failed with e. Where fallbacks for a kind of failure are
// configured, they alone serve that kind. The caller's own list takes the place of the general one.
func (p *Plan) targets(e *llm.Error) []Target {
	r := p.r
	switch {
	case p.x.Controls.DisableFallbacks:
		return nil
	case e.Kind == llm.KindContextWindow && p.tooLong != nil:
		return p.tooLong
	case e.Kind == llm.KindContentPolicy && p.unfit != nil:
		return p.unfit
	case e.Kind == llm.KindContextWindow && r.window != nil:
		return r.of(r.window, p.name, p.group)
	case e.Kind == llm.KindContentPolicy && r.policy != nil:
		return r.of(r.policy, p.name, p.group)
	case p.own:
		return p.given
	}
	return r.of(r.general, p.name, p.group)
}

// readGiven reads the lists of the request, and those that stand for them because of who asks.
func (p *Plan) readGiven(r *Router, x *llm.Exchange) (err error) {
	c := &x.Controls
	if c.Fallbacks != nil {
		if p.given, p.own, err = r.clientFallbacks(x, c.Fallbacks); err != nil {
			return err
		}
	}
	if c.WindowFallbacks != nil {
		if p.tooLong, _, err = r.clientFallbacks(x, c.WindowFallbacks); err != nil {
			return err
		}
	}
	if c.PolicyFallbacks != nil {
		p.unfit, _, err = r.clientFallbacks(x, c.PolicyFallbacks)
	}
	return err
}

// clientFallbacks reads a list that the caller sent: names, objects with a model and other members that replace those
// of the body, or objects from group to names as in the configuration. own is false for null.
func (r *Router) clientFallbacks(x *llm.Exchange, raw []byte) (list []Target, own bool, err error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, false, nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, false, badFallbacks("it is not a list")
	}
	for _, item := range items {
		targets, err := clientFallback(item, x.Model)
		if err != nil {
			return nil, false, err
		}
		for _, t := range targets {
			if !r.allowed(x.Principal, t.Group) {
				return nil, false, accessDenied(x.Principal, t.Group)
			}
			g, err := r.resolveFor(x.Principal, t.Group)
			if err != nil {
				return nil, false, err
			}
			if g == nil {
				return nil, false, unknownModel(x.Op, t.Group)
			}
			list = append(list, t)
		}
	}
	return list, true, nil
}

func clientFallback(item json.RawMessage, asked string) ([]Target, error) {
	var name string
	if json.Unmarshal(item, &name) == nil && name != "" {
		return []Target{{Group: name}}, nil
	}
	var o llm.Object
	if err := o.Parse(item); err != nil {
		return nil, badFallbacks("an entry is neither a name nor an object")
	}
	if model := o.Get("model"); len(model) > 0 && model[0] == '"' {
		if json.Unmarshal(model, &name) != nil || name == "" {
			return nil, badFallbacks(`"model" is not a name`)
		}
		t := Target{Group: name}
		for _, m := range o.Members() {
			if key := string(o.Key(m)); key != "model" {
				t.Params = append(t.Params, llm.Pair{Name: key, Value: string(o.Value(m))})
			}
		}
		return []Target{t}, nil
	}
	var targets []Target
	for _, m := range o.Members() {
		var names []string
		if json.Unmarshal(o.Value(m), &names) != nil {
			return nil, badFallbacks(`an object has no "model"`)
		}
		if key := string(o.Key(m)); key != asked && key != "*" {
			continue
		}
		for _, name := range names {
			targets = append(targets, Target{Group: name})
		}
	}
	return targets, nil
}
