package config

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

func keys(m map[string]bool) iter.Seq[string] { return maps.Keys(m) }

// modelGroups returns the names that a request may use, or nil when a
// wildcard makes that set open.
func modelGroups(root *node) map[string]bool {
	groups := map[string]bool{}
	if list := root.get("model_list"); list != nil {
		for _, item := range list.items {
			name := item.get("model_name")
			if name == nil || strings.Contains(name.text, "*") {
				return nil
			}
			groups[name.text] = true
			if id := item.get("model_info").get("id"); id != nil {
				groups[id.text] = true
			}
		}
	}
	if alias := root.get("router_settings").get("model_group_alias"); alias != nil {
		for _, e := range alias.entries {
			groups[e.key] = true
		}
	}
	return groups
}

// fallbacks checks the form [{group: [group, {model: group, ...}]}].
func (k *checker) fallbacks(n *node, path string, groups map[string]bool) {
	if n == nil || n.kind != listKind {
		return
	}
	const form = `write it as - group: [other group]`
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.kind != mapKind {
			k.rep.fail(item.pos, at, "expected an object, found "+describe(item), form)
			continue
		}
		for _, e := range item.entries {
			if e.val.kind != listKind {
				k.rep.fail(e.pos, join(at, e.key), "expected a list, found "+describe(e.val), form)
				continue
			}
			k.knownGroup(e.key, join(at, e.key), e.pos, groups)
			k.targets(e.val, join(at, e.key), groups)
		}
	}
}

// targets checks the groups that are fallen back to.
func (k *checker) targets(n *node, path string, groups map[string]bool) {
	if n == nil || n.kind != listKind {
		return
	}
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		name := item
		if item.kind == mapKind {
			name = item.get("model")
			if len(item.entries) > 1 {
				k.rep.warn(item.pos, at, "parameters of a fallback have no effect in this release", "")
			}
		}
		text, ok := "", false
		if name != nil {
			text, ok = name.scalar.(string)
		}
		if !ok {
			k.rep.fail(item.pos, at, "expected the name of a model group or an object with model, found "+describe(item), "")
			continue
		}
		k.knownGroup(text, at, item.pos, groups)
	}
}

func (k *checker) knownGroup(name, path string, pos Position, groups map[string]bool) {
	if groups == nil || name == "*" || groups[name] {
		return
	}
	fix := ""
	if near := nearest(name, slices.Sorted(maps.Keys(groups)), 2); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	k.rep.warn(pos, path, fmt.Sprintf("model_list has no group named %q", shorten(name)), fix)
}
