package admin

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/store"
)

// configRoutes are the routes that change settings while the gateway runs. What they set is kept in the database and
// laid over the file, on every replica.
func (a *API) configRoutes() []route {
	return []route{
		{"POST", "/config/update", adminOnly, a.updateConfig},
		{"POST", "/config/field/update", adminOnly, a.updateField},
		{"POST", "/config/field/delete", adminOnly, a.deleteField},
		{"GET", "/config/field/info", viewer, a.fieldInfo},
		{"GET", "/config/list", viewer, a.listFields},
		{"POST", "/config/callback/delete", adminOnly, a.deleteCallback},
		{"GET", "/get/config/callbacks", viewer, a.configuredCallbacks},
		{"GET", "/router/settings", viewer, a.routerSettings},
		{"GET", "/router/fields", viewer, a.routerFields},
		{"POST", "/fallback", adminOnly, a.setFallback},
		{"GET", "/fallback/{model...}", viewer, a.getFallback},
		{"DELETE", "/fallback/{model...}", adminOnly, a.deleteFallback},
		{"GET", "/config/cost_discount_config", viewer, func(c *call) (any, error) { return a.costConfig("cost_discount_config") }},
		{"PATCH", "/config/cost_discount_config", adminOnly, func(c *call) (any, error) { return a.setCostConfig(c, "cost_discount_config") }},
		{"GET", "/config/cost_margin_config", viewer, func(c *call) (any, error) { return a.costConfig("cost_margin_config") }},
		{"PATCH", "/config/cost_margin_config", adminOnly, func(c *call) (any, error) { return a.setCostConfig(c, "cost_margin_config") }},
		{"GET", "/get/allowed_ips", viewer, a.allowedIPs},
		{"POST", "/add/allowed_ip", adminOnly, func(c *call) (any, error) { return a.changeIPs(c, true) }},
		{"POST", "/delete/allowed_ip", adminOnly, func(c *call) (any, error) { return a.changeIPs(c, false) }},
	}
}

// sections are those that the database may hold.
func sections() []string {
	return []string{"general_settings", "litellm_settings", "router_settings", "environment_variables"}
}

// section reads a section from the database.
func (a *API) section(c *call, s store.Store, name string) (map[string]any, error) {
	row, err := s.Config().Get(c.ctx(), name)
	if errors.Is(err, store.ErrNotFound) {
		return map[string]any{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	if isNull(row.ParamValue) {
		return m, nil
	}
	return m, json.Unmarshal(row.ParamValue, &m)
}

// held is section, in a transaction that keeps others from changing it until it ends. kept says that there is a row.
func (a *API) held(c *call, tx store.Store, name string) (m map[string]any, kept bool, err error) {
	_, err = tx.Config().Update(c.ctx(), name, func(*store.ConfigValue) error { return nil })
	if errors.Is(err, store.ErrNotFound) {
		return map[string]any{}, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	m, err = a.section(c, tx, name)
	return m, true, err
}

// shown is a section as it is in force, without secrets.
func (a *API) shown(name string) map[string]any {
	if a.Policy.Shown == nil {
		return map[string]any{}
	}
	m, _ := a.Policy.Shown(name).(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m
}

// changeSections changes sections in the database, if a gateway would start with the result, and makes them take effect.
func (a *API) changeSections(c *call, change func(name string, section map[string]any) (touched bool, err error)) error {
	if err := a.stored(); err != nil {
		return err
	}
	err := a.writeSections(c, change)
	if errors.Is(err, store.ErrConflict) {
		err = a.writeSections(c, change) // another call made the first row of a section at the same time
	}
	if err != nil {
		return err
	}
	return a.apply(c)
}

// writeSections is changeSections without taking effect. It fails with ErrConflict if a section got its first row meanwhile.
func (a *API) writeSections(c *call, change func(name string, section map[string]any) (touched bool, err error)) error {
	return a.Store.Tx(c.ctx(), func(tx store.Store) error {
		doc := map[string]any{}
		for _, name := range sections() {
			m, kept, err := a.held(c, tx, name)
			if err != nil {
				return err
			}
			before, err := json.Marshal(m)
			if err != nil {
				return err
			}
			touched, err := change(name, m)
			if err != nil {
				return err
			}
			if len(m) > 0 {
				doc[name] = m
			}
			if !touched {
				continue
			}
			after, err := json.Marshal(m)
			if err != nil {
				return err
			}
			write := tx.Config().Create
			if kept {
				write = tx.Config().Put
			}
			if err := write(c.ctx(), &store.ConfigValue{ParamName: name, ParamValue: after}); err != nil {
				return err
			}
			if err := c.audit(tx, "updated", "LiteLLM_Config", name, namesOf(before), namesOf(after)); err != nil {
				return err
			}
		}
		if a.Policy.CheckStored == nil {
			return nil
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		if err := a.Policy.CheckStored(c.ctx(), raw); err != nil {
			if errors.Is(err, store.ErrUnavailable) {
				return err
			}
			return badRequest("", "The gateway could not run with these settings: "+err.Error())
		}
		return nil
	})
}

// namesOf are the members of a section: any value may be a secret, so the audit log does not hold them.
func namesOf(raw []byte) map[string]any {
	var m map[string]any
	_ = json.Unmarshal(raw, &m) // it was made by Marshal
	for k := range m {
		m[k] = masked
	}
	return m
}

func (a *API) updateConfig(c *call) (any, error) {
	var q map[string]json.RawMessage
	if err := c.body(&q); err != nil {
		return nil, err
	}
	given := map[string]map[string]any{}
	for name, raw := range q {
		if isNull(raw) {
			continue
		}
		if name != "model_list" && !slices.Contains(sections(), name) {
			continue // what the reference does not know either, it leaves alone
		}
		if name == "model_list" {
			return nil, badRequest(name, "`"+name+"` cannot be changed here: models are changed by /model/new and its siblings, and the rest in the file.")
		}
		var m map[string]any
		if json.Unmarshal(raw, &m) != nil {
			return nil, unprocessable{[]detail{{Loc: []any{"body", name}, Msg: "Input should be a valid dictionary", Type: "dict_type"}}}
		}
		given[name] = m
	}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		overlay(section, given[name])
		return given[name] != nil, nil
	})
	return map[string]any{"message": "Config updated successfully"}, err
}

type field struct {
	Name  string          `json:"field_name"`
	Value json.RawMessage `json:"field_value"`
	Type  string          `json:"config_type"`
}

// known reports whether general_settings has a setting of the name.
func known(name string) bool {
	for _, s := range config.Settings() {
		if s.Path == "general_settings."+name {
			return true
		}
	}
	return false
}

func (c *call) field() (*field, error) {
	f := &field{}
	if err := c.body(f); err != nil {
		return nil, err
	}
	if f.Name == "" {
		return nil, missing("field_name")
	}
	if f.Type != "" && f.Type != "general_settings" {
		return nil, unprocessable{[]detail{{Loc: []any{"body", "config_type"}, Msg: "Input should be 'general_settings'", Type: "literal_error"}}}
	}
	if !known(f.Name) {
		return nil, badRequest("field_name", "Invalid field="+f.Name+" passed in.")
	}
	return f, nil
}

func (a *API) updateField(c *call) (any, error) {
	f, err := c.field()
	if err != nil {
		return nil, err
	}
	if f.Value == nil {
		return nil, missing("field_value")
	}
	var v any
	if err := json.Unmarshal(f.Value, &v); err != nil {
		return nil, undecodable(err)
	}
	err = a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "general_settings" {
			return false, nil
		}
		section[f.Name] = v
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return a.keptSettings(c)
}

func (a *API) deleteField(c *call) (any, error) {
	f, err := c.field()
	if err != nil {
		return nil, err
	}
	err = a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "general_settings" {
			return false, nil
		}
		if _, ok := section[f.Name]; !ok {
			return false, badRequest("field_name", "Field "+f.Name+" is not in the database. Settings of the configuration file are changed there.")
		}
		delete(section, f.Name)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return a.keptSettings(c)
}

// keptSettings is the row of general_settings in the database, without secrets.
func (a *API) keptSettings(c *call) (any, error) {
	kept, err := a.section(c, a.Store, "general_settings")
	for name := range kept {
		if s, ok := a.shown("general_settings")[name]; ok {
			kept[name] = s // without what is secret
		} else if secretName(name) {
			kept[name] = masked
		}
	}
	return map[string]any{"param_name": "general_settings", "param_value": kept}, err
}

func (a *API) fieldInfo(c *call) (any, error) {
	name := c.query("field_name")
	if name == "" {
		return nil, missingQuery("field_name")
	}
	if !known(name) {
		return nil, badRequest("field_name", "Invalid field="+name+" passed in.")
	}
	v, ok := a.shown("general_settings")[name]
	if !ok {
		return nil, badRequest("field_name", "Field name="+name+" not in DB or config")
	}
	return map[string]any{"field_name": name, "field_value": v}, nil
}

func (a *API) listFields(c *call) (any, error) {
	if t := c.query("config_type"); t != "" && t != "general_settings" {
		return nil, badRequest("config_type", "config_type must be general_settings.")
	}
	return a.fields(c, "general_settings")
}

// fields describes every setting of a section, with its value.
func (a *API) fields(c *call, section string) ([]map[string]any, error) {
	kept, err := a.section(c, a.Store, section)
	if err != nil {
		return nil, err
	}
	now := a.shown(section)
	out := []map[string]any{}
	for _, s := range config.Settings() {
		name, ok := strings.CutPrefix(s.Path, section+".")
		if !ok || strings.ContainsAny(name, ".[*") {
			continue
		}
		entry := map[string]any{
			"field_name": name, "field_type": s.Type.String(), "field_description": s.Doc, "field_value": now[name],
			"stored_in_db": nil, "field_default_value": nil, "nested_fields": nil, "premium_field": false,
		}
		if s.Default != "" {
			entry["field_default_value"] = s.Default
		}
		if _, ok := kept[name]; ok {
			entry["stored_in_db"] = true
		} else if _, ok := now[name]; ok {
			entry["stored_in_db"] = false
		}
		out = append(out, entry)
	}
	return out, nil
}

// callbackLists are the settings that name callbacks.
func callbackLists() []string { return []string{"callbacks", "success_callback", "failure_callback"} }

func (a *API) deleteCallback(c *call) (any, error) {
	var q struct {
		Name string `json:"callback_name"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Name == "" {
		return nil, missing("callback_name")
	}
	removed := []string{}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "litellm_settings" {
			return false, nil
		}
		for _, l := range callbackLists() {
			have, ok := section[l].([]any)
			if !ok {
				continue
			}
			kept := slices.DeleteFunc(slices.Clone(have), func(v any) bool { return v == q.Name })
			if len(kept) < len(have) {
				section[l] = kept
				removed = append(removed, l)
			}
		}
		if len(removed) == 0 {
			return false, notFound("callback_name", "Callback '"+q.Name+"' not found in the database. Callbacks of the configuration file are removed there.")
		}
		return true, nil
	})
	return map[string]any{
		"message": "Successfully deleted callback: " + q.Name, "removed_callback": q.Name, "remaining_callbacks": a.callbackNames(),
		"deleted_at": a.Now().UTC().Format("2006-01-02T15:04:05.000000"),
	}, err
}

func (a *API) callbackNames() []string {
	names := []string{}
	settings := a.shown("litellm_settings")
	for _, l := range callbackLists() {
		list, _ := settings[l].([]any)
		for _, v := range list {
			if s, ok := v.(string); ok && !slices.Contains(names, s) {
				names = append(names, s)
			}
		}
	}
	return names
}

func (a *API) configuredCallbacks(*call) (any, error) {
	settings := a.shown("litellm_settings")
	has := func(list, name string) bool {
		all, _ := settings[list].([]any)
		return slices.Contains(all, any(name))
	}
	out := []any{}
	for _, name := range a.callbackNames() {
		kind := "success_and_failure"
		switch {
		case has("callbacks", name):
		case has("success_callback", name) && !has("failure_callback", name):
			kind = "success"
		case has("failure_callback", name) && !has("success_callback", name):
			kind = "failure"
		}
		out = append(out, map[string]any{"name": name, "variables": map[string]any{}, "type": kind})
	}
	general := a.shown("general_settings")
	return map[string]any{
		"status": "success", "callbacks": out, "alerts": rowsOf(general["alerting"]), "router_settings": a.shown("router_settings"),
		"available_callbacks": map[string]any{},
	}, nil
}

func rowsOf(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{}
}

func (a *API) costConfig(name string) (any, error) {
	v := a.shown("litellm_settings")[name]
	if v == nil {
		v = map[string]any{}
	}
	return map[string]any{"values": v}, nil
}

func (a *API) setCostConfig(c *call, setting string) (any, error) {
	var values map[string]any
	if err := c.body(&values); err != nil {
		return nil, err
	}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name == "litellm_settings" {
			section[setting] = values
		}
		return name == "litellm_settings", nil
	})
	return map[string]any{"message": setting + " updated successfully", "status": "success", "values": values}, err
}

func (a *API) allowedIPs(*call) (any, error) {
	return map[string]any{"data": a.shown("general_settings")["allowed_ips"]}, nil
}

func (a *API) changeIPs(c *call, add bool) (any, error) {
	var q struct {
		IP string `json:"ip"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.IP == "" {
		return nil, missing("ip")
	}
	err := a.changeSections(c, func(name string, section map[string]any) (bool, error) {
		if name != "general_settings" {
			return false, nil
		}
		listed, ok := section["allowed_ips"].([]any)
		if !ok {
			listed = rowsOf(a.shown(name)["allowed_ips"]) // those of the file would be replaced by what the database says
		}
		switch known := slices.Contains(listed, any(q.IP)); {
		case known && add:
			return false, badRequest("ip", "IP address already exists")
		case !known && !add:
			return false, notFound("ip", "IP address not found")
		case add:
			section["allowed_ips"] = append(slices.Clone(listed), q.IP)
		default:
			section["allowed_ips"] = slices.DeleteFunc(slices.Clone(listed), func(v any) bool { return v == q.IP })
		}
		return true, nil
	})
	did := map[bool]string{true: "address added", false: "deleted"}[add]
	return map[string]any{"message": "IP " + q.IP + " " + did + " successfully", "status": "success"}, err
}
