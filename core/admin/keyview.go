package admin

import (
	"encoding/json"

	"github.com/sallyport-ai/sallyport/core/store"
)

// related are rows that others refer to, by their ids.
type related struct {
	budgets     map[string]store.Budget
	permissions map[string]store.ObjectPermission
}

// relate reads the budgets and object permissions with the ids, empty ones left out: two questions for any number of rows.
func (a *API) relate(c *call, s store.Store, budgets, permissions []string) (related, error) {
	r := related{map[string]store.Budget{}, map[string]store.ObjectPermission{}}
	if ids := distinct(budgets); len(ids) > 0 {
		found, err := s.Budgets().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("budget_id", ids)}})
		if err != nil {
			return r, err
		}
		for i := range found {
			r.budgets[found[i].BudgetID] = found[i]
		}
	}
	if ids := distinct(permissions); len(ids) > 0 {
		found, err := s.ObjectPermissions().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("object_permission_id", ids)}})
		if err != nil {
			return r, err
		}
		for i := range found {
			r.permissions[found[i].ObjectPermissionID] = found[i]
		}
	}
	return r, nil
}

// distinct are the texts without repetitions and empty ones.
func distinct(list []string) []string {
	seen := map[string]bool{"": true}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// put adds a row's budget and object permission to its view; null where there is none.
func (r *related) put(m map[string]any, budget, permission string) {
	m["litellm_budget_table"], m["object_permission"] = nil, nil
	if b, ok := r.budgets[budget]; ok {
		m["litellm_budget_table"] = b
	}
	if p, ok := r.permissions[permission]; ok {
		m["object_permission"] = p
	}
}

// keyViews are keys as answers show them (LiteLLM_VerificationToken in litellm/proxy/_types.py, and the columns that it
// leaves out). They have their hash.
func (a *API) keyViews(c *call, s store.Store, keys []store.Key) ([]map[string]any, error) {
	budgets, permissions := make([]string, len(keys)), make([]string, len(keys))
	for i := range keys {
		budgets[i], permissions[i] = string(keys[i].BudgetID), string(keys[i].ObjectPermissionID)
	}
	r, err := a.relate(c, s, budgets, permissions)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, 0, len(keys))
	for i := range keys {
		m, err := keyMembers(&keys[i], &keys[i])
		if err != nil {
			return nil, err
		}
		r.put(m, budgets[i], permissions[i])
		out = append(out, m)
	}
	return out, nil
}

// keyMembers is the JSON form of a row that has a key in it, without the secrets that its metadata may hold.
func keyMembers(row any, k *store.Key) (map[string]any, error) {
	m, err := members(row)
	if err != nil {
		return nil, err
	}
	maskLogging(m)
	m["org_id"] = k.OrganizationID
	return m, nil
}

// keyView is one key as answers show it.
func (a *API) keyView(c *call, s store.Store, row *store.Key) (map[string]any, error) {
	views, err := a.keyViews(c, s, []store.Key{*row})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// deletedViews are deleted keys as answers show them (LiteLLM_DeletedVerificationToken).
func deletedViews(keys []store.DeletedKey) ([]map[string]any, error) {
	out := make([]map[string]any, 0, len(keys))
	for i := range keys {
		m, err := keyMembers(&keys[i], &keys[i].Key)
		if err != nil {
			return nil, err
		}
		m["litellm_budget_table"], m["object_permission"] = nil, nil
		out = append(out, m)
	}
	return out, nil
}

// callerView adds the members that the reference's list of whole keys has besides (UserAPIKeyAuth): what is known of a key
// only while it is used, and so nothing here.
func callerView(m map[string]any) {
	for _, name := range []string{
		"team_spend", "team_alias", "team_tpm_limit", "team_rpm_limit", "team_max_budget", "team_soft_budget", "soft_budget",
		"team_model_aliases", "team_member", "team_metadata", "team_object_permission_id", "team_member_spend", "team_member_tpm_limit",
		"team_member_rpm_limit", "end_user_id", "end_user_tpm_limit", "end_user_rpm_limit", "end_user_max_budget",
		"organization_max_budget", "organization_tpm_limit", "organization_rpm_limit", "organization_metadata", "last_refreshed_at",
		"api_key", "user_role", "allowed_model_region", "parent_otel_span", "rpm_limit_per_model", "tpm_limit_per_model",
		"user_tpm_limit", "user_rpm_limit", "user_email", "user_spend", "user_max_budget", "request_route", "user",
	} {
		m[name] = nil
	}
	m["team_models"], m["team_blocked"] = []string{}, false
}

// userKeyViews are keys as GET /user/info shows them: with the alias of their team, without those of logins, and without
// the master key's own if disable_master_key_return is set.
func (a *API) userKeyViews(c *call, keys []store.Key, teams []store.Team) ([]map[string]any, error) {
	kept := make([]store.Key, 0, len(keys))
	for i := range keys {
		if hidden := a.Policy.HideMasterKey && a.Policy.MasterHash != "" && keys[i].Token == a.Policy.MasterHash; !hidden && !ofLogin(&keys[i]) {
			kept = append(kept, keys[i])
		}
	}
	aliases := map[string]store.Text{}
	for i := range teams {
		aliases[teams[i].TeamID] = teams[i].TeamAlias
	}
	views, err := a.keyViews(c, a.Store, kept)
	for i, m := range views {
		m["team_alias"] = "None" // as text, for keys of no team
		if kept[i].TeamID != "" {
			m["team_alias"] = aliases[string(kept[i].TeamID)]
		}
	}
	return views, err
}

// routerConfig is a router_settings of a key with all of its members, as the reference answers (UpdateRouterConfig in
// litellm/types/router.py).
func routerConfig(raw store.JSON) any {
	if isNull(raw) {
		return nil
	}
	all := map[string]any{}
	if json.Unmarshal(raw, &all) != nil {
		return raw
	}
	for _, name := range []string{
		"routing_strategy_args", "routing_strategy", "model_group_retry_policy", "allowed_fails", "cooldown_time", "num_retries", "timeout",
		"max_retries", "retry_after", "fallbacks", "context_window_fallbacks", "model_group_alias",
	} {
		if _, ok := all[name]; !ok {
			all[name] = nil
		}
	}
	return all
}
