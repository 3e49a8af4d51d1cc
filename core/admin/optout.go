package admin

import "reflect"

// mayOptOut refuses callers other than administrators who would spare themselves guardrails that are on for everybody: in
// the metadata of a key or a team, these two members switch them off. next is the metadata that is to be kept and current
// the one there is: what is set already may be sent again, and taken back. What default_key_generate_params and
// default_team_params set is the operator's. The reference answers 403 as well, also to values that are no boolean
// (tests/integration/authorization in BerriAI/litellm).
func (c *call) mayOptOut(current, next map[string]any) error {
	if c.admin() {
		return nil
	}
	for _, name := range []string{"disable_global_guardrails", "opted_out_global_guardrails"} {
		v := next[name]
		if optsIn(v) || reflect.DeepEqual(v, current[name]) || c.a.Policy.sets(name, v) {
			continue
		}
		return forbidden("Only proxy admins can set `" + name + "`. Leave it out, or ask a proxy admin.")
	}
	return nil
}

// optsIn reports whether a value of one of the two switches nothing off.
func optsIn(v any) bool {
	if list, ok := v.([]any); ok {
		return len(list) == 0
	}
	return v == nil || v == false
}

// sets reports whether new keys or teams get the value without asking.
func (p *Policy) sets(name string, v any) bool {
	for _, defaults := range []map[string]any{p.Defaults, p.TeamDefaults} {
		meta, _ := defaults["metadata"].(map[string]any)
		if reflect.DeepEqual(defaults[name], v) || reflect.DeepEqual(meta[name], v) {
			return true
		}
	}
	return false
}
