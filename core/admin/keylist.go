package admin

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// ofLogin reports whether a key is that of a login: no list has these.
func ofLogin(k *store.Key) bool { return k.TeamID == llm.SessionTeam }

// sorting reads sort_by and sort_order. The texts are those of the reference (_validate_sort_params in
// key_management_endpoints.py).
func (c *call) sorting(q *store.Query, columns []string, byDefault string) error {
	if s := c.query("sort_by"); s != "" {
		if !slices.Contains(columns, s) {
			return badRequest("sort_by", "Invalid sort column. Must be one of: "+strings.Join(columns, ", "))
		}
		q.Sort = s
	} else if c.query("sort_order") == "" {
		return nil
	}
	order := strings.ToLower(c.query("sort_order"))
	switch order {
	case "":
		order = byDefault
	case "asc", "desc":
	default:
		return badRequest("sort_order", "Invalid sort order. Must be 'asc' or 'desc'")
	}
	q.Desc = order == "desc"
	return nil
}

// deleted reads whether the rows asked for are those of what was deleted.
func (c *call) deleted() (bool, error) {
	switch c.query("status") {
	case "":
		return false, nil
	case "deleted":
		return true, nil
	}
	return false, badRequest("status", "Invalid status value. Currently only 'deleted' is supported.")
}

// listKeys serves GET /key/list.
func (a *API) listKeys(c *call) (any, error) {
	page, err := c.page("size", 10, 100)
	if err != nil {
		return nil, err
	}
	full, err := c.flag("return_full_object", false)
	if err != nil {
		return nil, err
	}
	gone, err := c.deleted()
	if err != nil {
		return nil, err
	}
	where, err := a.keyFilter(c)
	if err != nil {
		return nil, err
	}
	q := page.query(where, "created_at")
	if err := c.sorting(&q, []string{"spend", "max_budget", "created_at", "updated_at", "token", "key_alias"}, "desc"); err != nil {
		return nil, err
	}
	users := slices.Contains(c.r.URL.Query()["expand"], "user")
	var views []map[string]any
	var total int64
	if gone {
		views, total, err = a.deletedPage(c, q)
	} else {
		views, total, err = a.keyPage(c, q, users)
	}
	if err != nil {
		return nil, err
	}
	keys := make([]any, 0, len(views))
	for _, m := range views {
		if full || users {
			keys = append(keys, m)
		} else {
			keys = append(keys, m["token"])
		}
	}
	return map[string]any{"keys": keys, "total_count": total, "current_page": page.number, "total_pages": page.pages(total)}, nil
}

func (a *API) deletedPage(c *call, q store.Query) ([]map[string]any, int64, error) {
	found, err := a.Store.DeletedKeys().Find(c.ctx(), q)
	if err != nil {
		return nil, 0, err
	}
	total, err := a.Store.DeletedKeys().Count(c.ctx(), q.Where...)
	if err != nil {
		return nil, 0, err
	}
	views, err := deletedViews(found)
	return views, total, err
}

// keyPage reads a page of keys, with their users if these are wanted.
func (a *API) keyPage(c *call, q store.Query, users bool) ([]map[string]any, int64, error) {
	found, err := a.Store.Keys().Find(c.ctx(), q)
	if err != nil {
		return nil, 0, err
	}
	total, err := a.Store.Keys().Count(c.ctx(), q.Where...)
	if err != nil {
		return nil, 0, err
	}
	views, err := a.keyViews(c, a.Store, found)
	if err != nil {
		return nil, 0, err
	}
	people := map[string]store.User{}
	if users {
		ids := make([]string, len(found))
		for i := range found {
			ids[i] = string(found[i].UserID)
		}
		all, err := a.Store.Users().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("user_id", distinct(ids))}})
		if err != nil {
			return nil, 0, err
		}
		for i := range all {
			people[all[i].UserID] = all[i]
		}
	}
	for i, m := range views {
		callerView(m)
		if u, ok := people[string(found[i].UserID)]; ok {
			m["user"] = u
		}
	}
	return views, total, nil
}

// keyFilter is what the caller asks for among the keys that he may see. include_team_keys and include_created_by_keys
// widen what is asked for, and not what he sees (_build_key_filter_conditions in key_management_endpoints.py).
func (a *API) keyFilter(c *call) ([]store.Cond, error) {
	var asked []store.Cond
	for param, column := range map[string]string{
		"user_id": "user_id", "team_id": "team_id", "organization_id": "organization_id", "key_hash": "token", "key_alias": "key_alias",
	} {
		if v := c.query(param); v != "" {
			asked = append(asked, store.Eq(column, v))
		}
	}
	user := c.query("user_id")
	if user == "" && !c.sees() {
		user = c.who.UserID
	}
	teams, err := c.flag("include_team_keys", false)
	if err != nil {
		return nil, err
	}
	created, err := c.flag("include_created_by_keys", false)
	if err != nil {
		return nil, err
	}
	var led []string
	if !c.sees() {
		all, err := a.ledTeams(c)
		if err != nil {
			return nil, err
		}
		led = slices.Sorted(maps.Keys(all))
	}
	groups := [][]store.Cond{asked}
	if created && user != "" {
		groups = append(groups, []store.Cond{store.Eq("created_by", user)})
	}
	if teams && len(led) > 0 {
		groups = append(groups, []store.Cond{store.OneOf("team_id", led)})
	}
	where := []store.Cond{store.Where("team_id", store.NotEqual, llm.SessionTeam)}
	if len(groups) > 1 && len(asked) > 0 {
		where = append(where, store.Or(groups...))
	} else {
		where = append(where, asked...)
	}
	if c.sees() {
		return where, nil
	}
	return append(where, a.visible(c, led, created, teams)), nil
}

// visible holds for the keys that a caller may see who may not see all: his own, and those of teams that he administers if
// he asks for these or for nobody's in particular.
func (a *API) visible(c *call, led []string, created, teams bool) store.Cond {
	own := []store.Cond{store.Eq("user_id", c.who.UserID)}
	if c.who.UserID == "" {
		own = []store.Cond{store.Eq("token", c.who.KeyHash)}
	}
	groups := [][]store.Cond{own}
	asks := c.query("team_id") != "" || c.query("key_hash") != "" || c.query("key_alias") != "" || c.query("user_id") != ""
	if len(led) > 0 && (teams || asks) {
		groups = append(groups, []store.Cond{store.OneOf("team_id", led)})
	}
	if created && c.who.UserID != "" {
		groups = append(groups, []store.Cond{store.Eq("created_by", c.who.UserID)})
	}
	return store.Or(groups...)
}

// ledTeams are the teams the caller administers.
func (a *API) ledTeams(c *call) (map[string]bool, error) {
	if c.who.UserID == "" {
		return nil, nil
	}
	user, err := a.Store.Users().Get(c.ctx(), c.who.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil || len(user.Teams) == 0 {
		return nil, err
	}
	teams, err := a.Store.Teams().Find(c.ctx(), store.Query{Where: []store.Cond{store.OneOf("team_id", user.Teams)}})
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range teams {
		role, err := roleIn(&teams[i], c.who.UserID)
		if err != nil {
			return nil, err
		}
		if role == "admin" {
			out[teams[i].TeamID] = true
		}
	}
	return out, nil
}

// keyAliases serves GET /key/aliases.
func (a *API) keyAliases(c *call) (any, error) {
	where, err := a.keyFilter(c)
	if err != nil {
		return nil, err
	}
	rows, err := a.Store.Keys().Find(c.ctx(), store.Query{Where: append(where, store.Where("key_alias", store.NotNull)), Sort: "key_alias"})
	if err != nil {
		return nil, err
	}
	out := []string{}
	for i := range rows {
		out = append(out, string(rows[i].KeyAlias))
	}
	return map[string]any{"aliases": slices.Compact(out)}, nil
}
