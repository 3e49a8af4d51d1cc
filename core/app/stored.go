package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/store"
)

// storedSettings is what the database holds of the configuration, in the form of a file.
type storedSettings struct {
	Models      []storedModel              `json:"model_list,omitempty"`
	Credentials []storedCredential         `json:"credential_list,omitempty"`
	Sections    map[string]json.RawMessage `json:"-"` // by name
}

type storedModel struct {
	Name   string     `json:"model_name"`
	Params store.JSON `json:"litellm_params"`
	Info   store.JSON `json:"model_info,omitempty"`
}

type storedCredential struct {
	Name   string     `json:"credential_name"`
	Values store.JSON `json:"credential_values"`
	Info   store.JSON `json:"credential_info,omitempty"`
}

// document writes the settings as config.Options.Stored wants them; nothing is nil.
func (s *storedSettings) document() ([]byte, error) {
	if len(s.Models) == 0 && len(s.Credentials) == 0 && len(s.Sections) == 0 {
		return nil, nil
	}
	doc := map[string]any{}
	if len(s.Models) > 0 {
		doc["model_list"] = s.Models
	}
	if len(s.Credentials) > 0 {
		doc["credential_list"] = s.Credentials
	}
	for name, raw := range s.Sections {
		doc[name] = raw
	}
	return json.Marshal(doc)
}

// storesModels reports whether models and settings of the database are to be used.
func storesModels(cfg *config.Config) bool {
	return cfg.GeneralSettings.StoreModelInDB || cfg.Variables.StoreModelInDB
}

// stored reads what the database holds of the configuration. It is nil without a database, or when it is not asked for.
func (a *App) stored(ctx context.Context, cfg *config.Config) (*storedSettings, error) {
	db := a.db.Load()
	if db == nil || !storesModels(cfg) {
		return nil, nil //nolint:nilnil // nothing is stored
	}
	models, err := db.Models().Find(ctx, store.Query{Sort: "created_at"})
	if err != nil {
		return nil, err
	}
	credentials, err := db.Credentials().Find(ctx, store.Query{Sort: "credential_name"})
	if err != nil {
		return nil, err
	}
	rows, err := db.Config().Find(ctx, store.Query{})
	if err != nil {
		return nil, err
	}
	out := &storedSettings{Sections: map[string]json.RawMessage{}}
	for i := range models {
		out.Models = append(out.Models, modelOf(&models[i]))
	}
	for _, c := range credentials {
		out.Credentials = append(out.Credentials, storedCredential{c.CredentialName, c.CredentialValues, c.CredentialInfo})
	}
	for _, r := range rows {
		switch r.ParamName {
		case "general_settings", "litellm_settings", "router_settings", "environment_variables":
			if len(r.ParamValue) > 0 && r.ParamValue[0] == '{' {
				out.Sections[r.ParamName] = r.ParamValue
			}
		}
	}
	return out, nil
}

// modelOf is a model with its id, which the row knows best.
func modelOf(m *store.Model) storedModel {
	info := map[string]any{}
	if len(m.ModelInfo) > 0 {
		_ = json.Unmarshal(m.ModelInfo, &info) // what is no object says nothing
	}
	if info == nil {
		info = map[string]any{}
	}
	info["id"], info["db_model"] = m.ModelID, true
	for name, t := range map[string]time.Time{"created_at": m.CreatedAt, "updated_at": m.UpdatedAt} {
		if !t.IsZero() {
			info[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	for name, by := range map[string]string{"created_by": m.CreatedBy, "updated_by": m.UpdatedBy} {
		if by != "" {
			info[name] = by
		}
	}
	raw, err := json.Marshal(info)
	if err != nil {
		raw = nil
	}
	return storedModel{m.ModelName, m.LitellmParams, raw}
}

// assemble reads the configuration, with what the database holds laid over it, and builds it. Something in the database
// that cannot be used does not keep the gateway from running: it is left out, with an error in the log.
func (a *App) assemble(ctx context.Context, cfg *config.Config) (*loaded, error) {
	settings, err := a.stored(ctx, cfg)
	if err != nil {
		if a.current.Load() == nil && !cfg.GeneralSettings.AllowRequestsOnDBUnavailable {
			return nil, fmt.Errorf("the models in the database: %w", err)
		}
		return nil, err
	}
	if settings == nil {
		return a.build(ctx, cfg)
	}
	doc, err := settings.document()
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return a.build(ctx, cfg)
	}
	next, err := a.buildWith(ctx, doc)
	if err == nil {
		return next, nil
	}
	a.log.Error("something in the database cannot be used", "error", err)
	if doc, err = a.usable(settings).document(); err != nil {
		return nil, err
	}
	next, err = a.buildWith(ctx, doc)
	if err == nil {
		return next, nil
	}
	a.log.Error("the settings in the database are left out: the gateway could not run with them", "error", err)
	return a.build(ctx, cfg)
}

// buildWith builds the configuration with a document laid over it.
func (a *App) buildWith(ctx context.Context, doc []byte) (*loaded, error) {
	cfg, err := a.readWith(doc, true)
	if err != nil {
		return nil, err
	}
	next, err := a.build(ctx, cfg)
	if err != nil {
		return nil, err
	}
	next.stored = sha256.Sum256(doc)
	return next, nil
}

// usable leaves out models that cannot be used, and says which.
func (a *App) usable(s *storedSettings) *storedSettings {
	out := &storedSettings{Credentials: s.Credentials, Sections: s.Sections}
	for _, m := range s.Models {
		if err := a.checkModel(s.Credentials, m); err != nil {
			a.log.Error("a model in the database is left out", "model", m.Name, "error", err)
			continue
		}
		out.Models = append(out.Models, m)
	}
	return out
}

// checkModel says why no deployment can be made of a model.
func (a *App) checkModel(credentials []storedCredential, m storedModel) error {
	doc, err := (&storedSettings{Models: []storedModel{m}, Credentials: credentials}).document()
	if err != nil {
		return err
	}
	cfg, err := a.readWith(doc, true)
	if err != nil {
		return err
	}
	b := &builder{App: a, cfg: cfg}
	if l := a.current.Load(); l != nil {
		b.custom = l.custom
	}
	b.startPrices(context.Background())
	last := &cfg.ModelList[len(cfg.ModelList)-1]
	orgs := last.LiteLLMParams.Organization
	if len(orgs) == 0 {
		orgs = []string{""}
	}
	_, err = b.deployment(last, orgs[0])
	return err
}

// checkStored says why the gateway could not run with sections of the database laid over its file.
func (a *App) checkStored(ctx context.Context, sections []byte) error {
	now, err := a.stored(ctx, a.settings())
	if err != nil {
		return err
	}
	if now == nil {
		now = &storedSettings{}
	}
	now.Sections = map[string]json.RawMessage{}
	if err := json.Unmarshal(sections, &now.Sections); err != nil {
		return err
	}
	doc, err := now.document()
	if err != nil {
		return err
	}
	cfg, err := a.readWith(doc, true)
	if err != nil {
		return err
	}
	if found := rehearse(ctx, cfg); len(found) > 0 {
		return found
	}
	return nil
}

// refresh loads the configuration again if what the database holds of it is not what is in force.
func (a *App) refresh(ctx context.Context) {
	l := a.current.Load()
	if l == nil {
		return // the first configuration is being made
	}
	settings, err := a.stored(ctx, l.cfg)
	if err != nil || settings == nil {
		if err != nil {
			a.log.Warn("models in the database could not be read", "error", err)
		}
		return
	}
	doc, err := settings.document()
	if err != nil {
		a.log.Error("models in the database could not be read", "error", err)
		return
	}
	var sum [sha256.Size]byte
	if doc != nil {
		sum = sha256.Sum256(doc)
	}
	if bytes.Equal(sum[:], l.stored[:]) {
		return
	}
	if err := a.Reload(ctx); err != nil {
		a.log.Error("the configuration was not loaded with what changed in the database; the former one stays in force", "error", err)
	}
}

// modelGroups are the models of the configuration file by access group.
func (a *App) modelGroups() map[string][]string {
	out := map[string][]string{}
	for i := range a.settings().ModelList {
		m := &a.settings().ModelList[i]
		if db, _ := m.ModelInfo.Extra["db_model"].(bool); db {
			continue
		}
		list, _ := m.ModelInfo.Extra["access_groups"].([]any)
		for _, v := range list {
			if g, ok := v.(string); ok && !slices.Contains(out[g], m.ModelName) {
				out[g] = append(out[g], m.ModelName)
			}
		}
	}
	return out
}
