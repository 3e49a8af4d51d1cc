package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

const noRoutes = "Only proxy admins can set `allowed_routes` on a key. Use `key_type` llm_api or read_only instead."

// mayAsk refuses what callers other than administrators may not ask for in a new key. sent is the request as it came, before
// defaults and plugins of the operator's add to it. As in the reference (_check_allowed_routes_caller_permission and
// handle_key_type in key_management_endpoints.py).
func (c *call) mayAsk(sent map[string]any) error {
	if c.admin() {
		return nil
	}
	for name, v := range sent {
		name = strings.ToLower(name)
		if list, _ := v.([]any); name == "allowed_routes" && len(list) > 0 || name == "key_type" && v == "management" {
			return forbidden(noRoutes)
		}
	}
	return nil
}

// mayHave refuses a new key that its maker may not hand out: with a budget above the one of the key that he calls with, in an
// organization that is not his, or with calls paid in advance (_check_delegation_ceiling in the reference).
func (a *API) mayHave(c *call, p *keyParams, team *store.Team) error {
	if c.admin() {
		return nil
	}
	if value(p.Spend) < 0 {
		return onlyAdmins("spend")
	}
	if err := c.ceiling(p.MaxBudget); err != nil {
		return err
	}
	org := value(p.OrganizationID)
	if org == "" || team != nil && string(team.OrganizationID) == org {
		return nil
	}
	_, err := a.Store.OrganizationMemberships().Get(c.ctx(), store.Membership{UserID: c.who.UserID, Group: org})
	if errors.Is(err, store.ErrNotFound) {
		return forbidden("User=" + c.who.UserID + " is not a member of organization=" + org + ".")
	}
	return err
}

// ceiling refuses a budget above the one of the key that the caller calls with.
func (c *call) ceiling(budget *float64) error {
	own := c.who.Scope(llm.ScopeKey)
	if own == nil || !own.Budget.Limited || budget == nil || *budget <= own.Budget.Max {
		return nil
	}
	return badRequest("max_budget", fmt.Sprintf("max_budget (%v) cannot exceed the caller's own max_budget (%v).", *budget, own.Budget.Max))
}

// commands reports whether the caller may lift what a key is held to: an administrator, or one of the key's team or
// organization. Whom a key belongs to may not.
func (a *API) commands(c *call, row *store.Key) (bool, error) {
	if c.admin() {
		return true, nil
	}
	if row.TeamID != "" {
		return a.leadsKeyTeam(c, row)
	}
	return c.leadsOrg(string(row.OrganizationID))
}

// mayAlter refuses a change that lifts what others hold the key to: its budget, that it is blocked and its guardrails, which
// those who command it may change, and its routes, which only administrators may (_check_budget_admin_authority and
// _check_key_admin_access in the reference). What stays the same may be sent again.
func (c *call) mayAlter(commands bool, before, next *store.Key) error {
	if c.admin() {
		return nil
	}
	if !reflect.DeepEqual(before.MaxBudget, next.MaxBudget) {
		if !commands {
			return forbidden("Only proxy admins, and admins of the key's team or organization, can change `max_budget` of a key.")
		}
		if err := c.ceiling(next.MaxBudget); err != nil {
			return err
		}
	}
	if !commands && value(before.Blocked) && !value(next.Blocked) {
		return forbidden("Only proxy admins, and admins of the key's team or organization, can unblock a key.")
	}
	if name := dropped(before.Metadata, next.Metadata); name != "" && !commands {
		return forbidden("Only proxy admins, and admins of the key's team or organization, can take the guardrail `" + name + "` from a key.")
	}
	safe := len(before.AllowedRoutes) == 0 && slices.Contains([]string{`"llm_api"`, `"read_only"`}, string(c.sent["key_type"]))
	if !safe && !slices.Equal(before.AllowedRoutes, next.AllowedRoutes) {
		return forbidden(noRoutes)
	}
	return nil
}

// dropped is a guardrail of a key's list that is not in the next one; empty is none. Who put it there is not known, so one that
// the holder chose stays as well.
func dropped(before, next store.JSON) string {
	was, is := guardrailsIn(before), guardrailsIn(next)
	for _, name := range was {
		if !slices.Contains(is, name) {
			return name
		}
	}
	return ""
}

// guardrailsIn are the guardrails that metadata lists, as a key's principal has them.
func guardrailsIn(meta store.JSON) []string {
	var m struct {
		Guardrails any `json:"guardrails"`
	}
	if len(meta) == 0 || store.DecodeExact(meta, &m) != nil {
		return nil
	}
	switch v := m.Guardrails.(type) {
	case string:
		return strings.Split(v, ",")
	case []any:
		var names []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				names = append(names, s)
			}
		}
		return names
	}
	return nil
}

// passRoutes are the members of the metadata of a key or a team that say which endpoints it may pass requests through to.
func passRoutes() []string {
	return []string{"allowed_passthrough_routes", "denied_passthrough_routes"}
}

// mayOpenPaths refuses to change passRoutes. What the defaults for new ones set is the operator's, and so is what the
// operator's plugin sets in a new key (check_passthrough_routes_caller_permission in common_utils.py of the reference, whose
// plugins set nothing).
func (c *call) mayOpenPaths(current, next map[string]any) error {
	if c.admin() {
		return nil
	}
	for _, name := range passRoutes() {
		was, is := current[name], next[name]
		if optsIn(was) && optsIn(is) || reflect.DeepEqual(was, is) || !optsIn(is) && c.a.Policy.sets(name, is) {
			continue
		}
		if set, ok := c.plugin[name]; ok && reflect.DeepEqual(set, is) {
			continue
		}
		return onlyAdmins(name)
	}
	return nil
}

// generatedBy has the operator's plugin decide about a new key, and notes what of passRoutes is its doing.
func (c *call) generatedBy(hook KeyHook, params map[string]any) (map[string]any, error) {
	routesOf := func(params map[string]any) map[string]any {
		found := map[string]any{}
		meta, _ := params["metadata"].(map[string]any)
		for _, name := range passRoutes() {
			if v, ok := meta[name]; ok {
				found[name] = v
			}
			if v, ok := params[name]; ok { // counts before that in the metadata
				found[name] = v
			}
		}
		return found
	}
	before := routesOf(params)
	out, err := hook(c.r, c.who, params)
	if err != nil {
		return nil, err
	}
	after := routesOf(out)
	maps.DeleteFunc(after, func(name string, v any) bool { return reflect.DeepEqual(v, before[name]) })
	raw, err := json.Marshal(after)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(raw, &c.plugin) // of the types that the metadata will have
}

func onlyAdmins(name string) error { return forbidden("Only proxy admins can set `" + name + "`.") }
