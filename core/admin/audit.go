package admin

import (
	"encoding/json"

	"github.com/sallyport-ai/sallyport/core/store"
)

// actor is who does it, for created_by and updated_by.
func (c *call) actor() store.Text { return store.Text(c.who.UserID) }

// deletion says who deletes.
func (c *call) deletion() store.Deletion {
	return store.Deletion{
		DeletedAt: store.Clean(c.a.Now()), DeletedBy: c.actor(), DeletedByAPIKey: store.Text(c.who.KeyHash),
		LitellmChangedBy: store.Text(c.r.Header.Get("litellm-changed-by")),
	}
}

// audit writes down who changed what, in the transaction of the change. before and after are rows or nil.
func (c *call) audit(tx store.Store, action, table, id string, before, after any) error {
	log := store.AuditLog{
		UpdatedAt: store.Clean(c.a.Now()), ChangedBy: string(c.actor()), ChangedByAPIKey: c.who.KeyHash, Action: action, Table: table, ObjectID: id,
	}
	if by := c.r.Header.Get("litellm-changed-by"); by != "" {
		log.ChangedBy = by
	}
	var err error
	if before != nil {
		if log.BeforeValue, err = recorded(before); err != nil {
			return err
		}
	}
	if after != nil {
		if log.UpdatedValues, err = recorded(after); err != nil {
			return err
		}
	}
	return tx.AuditLogs().Create(c.ctx(), &log)
}

// recorded is a row as the audit log keeps it: without secrets.
func recorded(row any) (store.JSON, error) {
	m, err := members(row)
	if err != nil {
		return nil, err
	}
	maskLogging(m)
	for _, name := range []string{"litellm_params", "credential_values", "password"} {
		if v, ok := m[name]; ok {
			m[name] = maskAll(v)
		}
	}
	return json.Marshal(m)
}

// maskAll hides every text in a value.
func maskAll(v any) any {
	switch v := v.(type) {
	case string:
		return masked
	case []any:
		for i := range v {
			v[i] = maskAll(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = maskAll(v[k])
		}
	}
	return v
}
