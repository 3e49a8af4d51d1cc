package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checker walks the merged file beside the schema: it lists every setting in
// the report, coerces values and reports mistakes.
type checker struct {
	schema *schema
	rep    *Report
	env    *Env
	where  map[string]Position
	// homes maps the last word of a setting to the sections that have it.
	homes map[string][]string
}

// check checks the tree. Without partial, what is absent counts as well.
func (k *checker) check(root *node, partial bool) {
	k.homes = settingHomes(k.schema)
	k.object(root, k.schema.root, "")
	k.processVariables(root.get("environment_variables"))
	if !partial {
		k.rules(root)
	}
}

// settingHomes finds where a key that was written in the wrong section
// belongs. Only sections that operators write by hand count.
func settingHomes(s *schema) map[string][]string {
	homes := map[string][]string{}
	add := func(home string, n *schemaNode) {
		for _, name := range n.names {
			homes[name] = append(homes[name], home)
		}
	}
	top := s.root.keys
	add("the top level", s.root)
	for _, section := range []string{"general_settings", "litellm_settings", "router_settings"} {
		add(section, top[section])
	}
	add("model_list[].litellm_params", top["model_list"].item.keys["litellm_params"])
	return homes
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// object checks the keys of a map against those declared.
func (k *checker) object(n *node, sn *schemaNode, path string) {
	for i := range n.entries {
		e := &n.entries[i]
		sub := join(path, e.key)
		k.where[sub] = e.pos
		next := sn.keys[e.key]
		if next == nil {
			next = sn.each
		}
		if next == nil {
			k.unknown(e, sn, path)
			continue
		}
		if path == "environment_variables" {
			k.variableEntry(e)
			continue
		}
		k.value(e.val, next, sub, e.pos)
	}
	for _, name := range sn.names {
		set := sn.keys[name].setting
		if set != nil && set.Required && n.get(name) == nil {
			k.rep.fail(n.pos, path, fmt.Sprintf("%s is missing", name), set.Doc)
		}
	}
}

// value checks one value against its setting and then what is inside it.
func (k *checker) value(n *node, sn *schemaNode, path string, pos Position) {
	set := sn.setting
	if set == nil {
		set = &Setting{Type: TypeObject, Status: InEffect}
	}
	n.setting = set
	if sn.open() || n.kind == scalarKind {
		k.remember(n, set.Secret)
	}
	switch {
	case n.missing:
		k.list(n, set, path, pos)
		k.missingVariable(n, set, path, pos, "the setting counts as absent")
		return
	case n.isNull():
		if set.Required {
			k.rep.fail(pos, path, "a value is missing", set.Doc)
			return
		}
		k.list(n, set, path, pos)
		return
	}
	if !k.typed(n, set, path, pos) {
		return
	}
	if set.Hook != "" && !k.plugin(n, set, path, pos) {
		return
	}
	inner := n.kind == mapKind && (sn.keys != nil || sn.each != nil) || n.kind == listKind && sn.item != nil
	if !inner || len(n.items)+len(n.entries) == 0 {
		k.list(n, set, path, pos)
		k.dropMissing(n, path, set)
	}
	if !inner && set.Status == InEffect && n.kind != scalarKind && set.Type&TypeAny == 0 {
		k.inside(n, path)
	}
	if !inner {
		return
	}
	if n.kind == mapKind {
		k.object(n, sn, path)
		return
	}
	for i, item := range n.items {
		sub := fmt.Sprintf("%s[%d]", path, i)
		k.where[sub] = item.pos
		k.value(item, sn.item, sub, item.pos)
	}
}

// inside records the places of values in an object without declared keys.
func (k *checker) inside(n *node, path string) {
	for i, item := range n.items {
		sub := fmt.Sprintf("%s[%d]", path, i)
		k.where[sub] = item.pos
		k.inside(item, sub)
	}
	for _, e := range n.entries {
		sub := join(path, e.key)
		k.where[sub] = e.pos
		k.inside(e.val, sub)
	}
}

// remember keeps secrets out of every message to come.
func (k *checker) remember(n *node, secret bool) {
	if secret && n.kind == scalarKind && n.scalar != nil && !n.missing {
		k.rep.secret(n.text)
	}
	for _, item := range n.items {
		k.remember(item, secret)
	}
	for _, e := range n.entries {
		k.remember(e.val, secret || secretName(e.key))
	}
}

// list adds the entry of a setting that is present.
func (k *checker) list(n *node, set *Setting, path string, pos Position) {
	e := Entry{
		Path: path, File: pos.File, Line: pos.Line,
		Value: display(n, set.Secret), Status: set.Status.String(),
	}
	switch set.Status {
	case Planned:
		if e.Value == set.Default && !set.Secret {
			break
		}
		e.Severity, e.Message = Warning, "this setting is known but has no effect in this release"
		e.Suggestion = set.Note
	case Deprecated:
		e.Severity, e.Message, e.Suggestion = Warning, "deprecated", set.Note
	case NotNeeded:
		e.Message = set.Note
	case Refused:
		e.Severity, e.Message, e.Suggestion = Error, "this setting does not belong here", set.Note
	}
	k.rep.add(e)
}

// missingVariable reports a reference to a variable that is not set. Where
// going on without the value would open the gateway or change who is served,
// it stops the start; elsewhere the setting counts as absent.
func (k *checker) missingVariable(n *node, set *Setting, path string, pos Position, so string) {
	msg := fmt.Sprintf("the environment variable %s is not set", n.variable)
	if set.Required || failsClosed(path) {
		k.rep.fail(pos, path, msg, "set it, or write the value here")
		return
	}
	k.rep.warn(pos, path, msg+": "+so, "set it, or remove this")
}

func failsClosed(path string) bool {
	if strings.HasPrefix(path, "guardrails[") {
		return true
	}
	for _, p := range []string{
		"general_settings.master_key", "general_settings.custom_auth", "general_settings.allowed_ips",
		"general_settings.litellm_key_header_name", "general_settings.pass_through_endpoints",
		"general_settings.max_request_size_mb", "general_settings.max_response_size_mb",
	} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// dropMissing removes items and keys of open lists and objects whose variable
// is not set, and says so.
func (k *checker) dropMissing(n *node, path string, set *Setting) {
	n.items = slices.DeleteFunc(n.items, func(item *node) bool {
		if item.missing {
			k.missingVariable(item, set, path, item.pos, "the item is left out")
		}
		k.dropMissing(item, path, set)
		return item.missing
	})
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool {
		if e.val.missing {
			k.missingVariable(e.val, set, join(path, e.key), e.pos, "the key is left out")
		}
		k.dropMissing(e.val, join(path, e.key), set)
		return e.val.missing
	})
}

// typed coerces a value to its setting's type, or reports that it cannot.
func (k *checker) typed(n *node, set *Setting, path string, pos Position) bool {
	if why := coerce(n, set.Type); why != "" {
		k.rep.fail(pos, path, fmt.Sprintf("expected %s, found %s", withArticle(set.Type.String()), why), typeFix(n, set.Type))
		return false
	}
	return k.allowed(n, set, path, pos)
}

// allowed checks the choices of a setting that has any.
func (k *checker) allowed(n *node, set *Setting, path string, pos Position) bool {
	if len(set.Allowed)+len(set.Later) == 0 {
		return true
	}
	values := n.items
	if n.kind == scalarKind {
		values = []*node{n}
	}
	ok := true
	for _, v := range values {
		text, isText := v.scalar.(string)
		if !isText || slices.Contains(set.Allowed, text) {
			continue
		}
		known := slices.Contains(set.Later, text)
		if known && set.Status == Planned {
			continue
		}
		ok = false
		shown := display(v, set.Secret)
		choices := strings.Join(slices.Concat(set.Allowed, whenPlanned(set)), ", ")
		if known {
			k.rep.fail(pos, path, fmt.Sprintf("the value %q is known but not yet in effect", shown), "use one of: "+choices)
			continue
		}
		fix := "use one of: " + choices
		if near := nearest(text, set.Allowed, 3); near != "" {
			fix = fmt.Sprintf("did you mean %q? %s", near, fix)
		}
		k.rep.fail(pos, path, fmt.Sprintf("%q is not a value of this setting", shown), fix)
	}
	return ok
}

// whenPlanned returns the later values where none is in effect yet.
func whenPlanned(set *Setting) []string {
	if set.Status == Planned {
		return set.Later
	}
	return nil
}

// variableEntry checks one pair of environment_variables.
func (k *checker) variableEntry(e *entry) {
	set := k.schema.vars[e.key]
	path := "environment_variables." + e.key
	known := set != nil
	if !known {
		set = &Setting{Status: InEffect, Secret: true}
	}
	k.remember(e.val, set.Secret)
	if e.val.kind != scalarKind || e.val.scalar == nil && !e.val.missing {
		k.rep.fail(e.pos, path, "expected text, found "+describe(e.val), "")
		return
	}
	e.val.setting = &Setting{Type: TypeText, Secret: true}
	k.list(e.val, set, path, e.pos)
	if e.val.missing {
		k.rep.warn(e.pos, path, fmt.Sprintf("the environment variable %s is not set, so this one is skipped", e.val.variable), "set it, or remove this line")
		return
	}
	e.val.scalar = e.val.text
	if known {
		k.variableValue(set, e.val.text, path, e.pos)
		return
	}
	names := slices.Sorted(maps.Keys(k.schema.vars))
	if near := nearest(e.key, names, 2); near != "" {
		k.rep.warn(e.pos, path, "the gateway knows no variable of this name", fmt.Sprintf("did you mean %s?", near))
	}
}

// processVariables lists the gateway's variables that are set outside the
// file.
func (k *checker) processVariables(section *node) {
	for _, name := range slices.Sorted(maps.Keys(k.schema.vars)) {
		value, set := k.env.Lookup(name)
		if !set || section.get(name) != nil {
			continue
		}
		v := k.schema.vars[name]
		n := &node{scalar: value, text: value}
		k.remember(n, v.Secret)
		if v.Ambient && v.Status == Planned {
			k.rep.add(Entry{Path: name, Value: display(n, v.Secret), Status: v.Status.String()})
			continue
		}
		k.list(n, v, name, Position{})
		k.variableValue(v, value, name, Position{})
	}
}

// variableValue checks the value of a variable that is in effect. An empty
// variable counts as absent.
func (k *checker) variableValue(set *Setting, value, path string, pos Position) {
	if value == "" || set.Status == Planned || set.Status == NotNeeded {
		return
	}
	n := &node{scalar: value, text: value, variable: set.Path}
	if set.Path == "LITELLM_LOG" || set.Path == "LITELLM_MODE" {
		n.scalar = strings.ToUpper(value)
	}
	if set.Path == "LITELLM_DROP_PARAMS" {
		if _, err := parseBool(value); err != nil {
			k.rep.warn(pos, path, "read as true: LiteLLM takes any text for it", "set it to true or false")
		}
		return
	}
	if why := coerce(n, set.Type); why != "" {
		k.rep.fail(pos, path, fmt.Sprintf("expected %s, found %s", withArticle(set.Type.String()), why), "")
		return
	}
	n.variable = ""
	k.allowed(n, set, path, pos)
	if port, ok := n.scalar.(int); ok && set.Path == "PORT" && port > 65535 {
		k.rep.fail(pos, path, "a port is at most 65535", "")
	}
}
