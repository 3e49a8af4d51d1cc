package admin

import (
	"encoding/json"
	"errors"
	"maps"

	"github.com/sallyport-ai/sallyport/core/store"
)

// credentialRoutes are the routes of litellm/proxy/credential_endpoints/endpoints.py.
func (a *API) credentialRoutes() []route {
	return []route{
		{"POST", "/credentials", adminOnly, a.newCredential},
		{"GET", "/credentials", viewer, a.listCredentials},
		{"GET", "/credentials/by_name/{name...}", viewer, a.credentialInfo},
		{"GET", "/credentials/by_model/{id}", viewer, a.modelCredential},
		{"DELETE", "/credentials/{name...}", adminOnly, a.deleteCredential},
		{"PATCH", "/credentials/{name...}", adminOnly, a.updateCredential},
	}
}

type credentialParams struct {
	Name    string         `json:"credential_name"`
	Values  map[string]any `json:"credential_values"`
	Info    map[string]any `json:"credential_info"`
	ModelID string         `json:"model_id"`
}

// fromModel takes the values from a model in the database.
func (p *credentialParams) fromModel(c *call) error {
	row, err := c.a.findModel(c, p.ModelID)
	if err != nil {
		return err
	}
	var m modelParams
	if err := m.read(row); err != nil {
		return err
	}
	p.Values = map[string]any{}
	for name, v := range m.Params {
		if secretName(name) || name == "api_base" || name == "api_version" {
			p.Values[name] = v
		}
	}
	return nil
}

func (a *API) newCredential(c *call) (any, error) {
	var p credentialParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	if p.Name == "" {
		return nil, missing("credential_name")
	}
	if p.Values == nil && p.ModelID == "" {
		return nil, badRequest("credential_values", "Credential values or model_id must be provided")
	}
	if p.ModelID != "" {
		if err := p.fromModel(c); err != nil {
			return nil, err
		}
	}
	row := store.Credential{CredentialName: p.Name, CreatedBy: string(c.actor()), UpdatedBy: string(c.actor())}
	if err := p.write(&row); err != nil {
		return nil, err
	}
	err := a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if err := tx.Credentials().Create(c.ctx(), &row); err != nil {
			if errors.Is(err, store.ErrConflict) {
				return badRequest("credential_name", "Credential "+p.Name+" exists already: change it by PATCH /credentials/"+p.Name)
			}
			return err
		}
		return c.audit(tx, "created", "LiteLLM_CredentialsTable", p.Name, nil, row)
	})
	if err == nil {
		err = a.apply(c)
	}
	return map[string]any{"success": true, "message": "Credential created successfully"}, err
}

func (p *credentialParams) write(row *store.Credential) (err error) {
	if p.Values == nil {
		p.Values = map[string]any{}
	}
	if row.CredentialValues, err = json.Marshal(p.Values); err != nil {
		return err
	}
	if p.Info == nil {
		p.Info = map[string]any{}
	}
	row.CredentialInfo, err = json.Marshal(p.Info)
	return err
}

// credentialView shows which values there are, and none of them.
func credentialView(row *store.Credential) (map[string]any, error) {
	var values map[string]any
	if err := json.Unmarshal(row.CredentialValues, &values); err != nil {
		return nil, err
	}
	return map[string]any{"credential_name": row.CredentialName, "credential_values": maskAll(values), "credential_info": row.CredentialInfo}, nil
}

func (a *API) listCredentials(c *call) (any, error) {
	found, err := a.Store.Credentials().Find(c.ctx(), store.Query{Sort: "credential_name"})
	if err != nil {
		return nil, err
	}
	out := []any{}
	for i := range found {
		v, err := credentialView(&found[i])
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return map[string]any{"success": true, "credentials": out}, nil
}

func (a *API) findCredential(c *call, name string) (*store.Credential, error) {
	row, err := a.Store.Credentials().Get(c.ctx(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound("credential_name", "Credential not found. Got credential name: "+name)
	}
	return row, err
}

func (a *API) credentialInfo(c *call) (any, error) {
	row, err := a.findCredential(c, c.r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return credentialView(row)
}

func (a *API) modelCredential(c *call) (any, error) {
	p := credentialParams{ModelID: c.r.PathValue("id")}
	if err := p.fromModel(c); err != nil {
		return nil, err
	}
	return map[string]any{"credential_name": p.ModelID, "credential_values": maskAll(p.Values), "credential_info": map[string]any{}}, nil
}

func (a *API) deleteCredential(c *call) (any, error) {
	row, err := a.findCredential(c, c.r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		if _, err := tx.Credentials().Delete(c.ctx(), row.CredentialName); err != nil {
			return err
		}
		return c.audit(tx, "deleted", "LiteLLM_CredentialsTable", row.CredentialName, row, nil)
	})
	if err == nil {
		err = a.apply(c)
	}
	return map[string]any{"success": true, "message": "Credential deleted successfully"}, err
}

func (a *API) updateCredential(c *call) (any, error) {
	var p credentialParams
	if err := c.body(&p); err != nil {
		return nil, err
	}
	row, err := a.findCredential(c, c.r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	err = a.Store.Tx(c.ctx(), func(tx store.Store) error {
		var before store.Credential
		next, err := tx.Credentials().Update(c.ctx(), row.CredentialName, func(r *store.Credential) error {
			before = *r
			have := credentialParams{Values: map[string]any{}, Info: map[string]any{}}
			if err := json.Unmarshal(r.CredentialValues, &have.Values); err != nil {
				return err
			}
			if !isNull(r.CredentialInfo) {
				if err := json.Unmarshal(r.CredentialInfo, &have.Info); err != nil {
					return err
				}
			}
			overlay(have.Values, p.Values)
			maps.Copy(have.Info, p.Info)
			r.UpdatedBy = string(c.actor())
			return have.write(r)
		})
		if err != nil {
			return err
		}
		return c.audit(tx, "updated", "LiteLLM_CredentialsTable", row.CredentialName, before, next)
	})
	if err == nil {
		err = a.apply(c)
	}
	return map[string]any{"success": true, "message": "Credential updated successfully"}, err
}
