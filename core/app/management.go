package app

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/admin/login"
	"github.com/sallyport-ai/sallyport/core/auth/masterkey"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// management is the management API over the database, which is opened when the first request comes that needs it.
type management struct {
	a     *App
	paths *admin.API // knows which paths there are
}

func newManagement(a *App) management {
	return management{a, admin.New(admin.Settings{Logger: a.log})}
}

// Serves implements listener.Manager. /fallback/login is no fallback of a model's.
func (m management) Serves(path string) (ok, open bool) {
	if login.Serves(path, false) {
		return false, false
	}
	return m.paths.Serves(path)
}

// ServeHTTP implements listener.Manager. What a request changed is in force on this replica before it is answered.
func (m management) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	db, err := m.a.ensureDatabase(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	if setsSpend(r.URL.Path) {
		// What was spent up to now belongs to the sum that is set.
		ctx, cancel := context.WithTimeout(r.Context(), flushPatience)
		_ = db.loader.Flush(ctx)
		cancel()
	}
	m.a.api(db).ServeHTTP(w, r)
	if r.Method == http.MethodGet {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), flushPatience)
	defer cancel()
	if err := db.follow.poll(ctx); err != nil {
		m.a.log.Warn("what a request changed is in force a little later", "path", r.URL.Path, "error", err)
	}
}

// setsSpend reports whether a request may set what was spent.
func setsSpend(path string) bool {
	switch path {
	case "/key/update", "/key/bulk_update", "/team/update", "/user/update", "/user/bulk_update", "/customer/update", "/end_user/update",
		"/global/spend/reset":
		return true
	}
	return strings.HasSuffix(path, "/reset_spend") || strings.HasSuffix(path, "/regenerate")
}

const flushPatience = 5 * time.Second

// api is the management API as the configuration in force has it.
func (a *App) api(db *database) *admin.API {
	l := a.current.Load()
	if made := l.api.Load(); made != nil && made.db == db {
		return made.API
	}
	made := &managementAPI{db, admin.New(admin.Settings{Store: db.Store, Logger: a.log, Policy: a.adminPolicy(db)})}
	l.api.Store(made)
	return made.API
}

// managementAPI is the management API over one database.
type managementAPI struct {
	db *database
	*admin.API
}

// adminPolicy is what the configuration says about who may create what.
func (a *App) adminPolicy(db *database) admin.Policy {
	cfg := a.settings()
	lite, general := cfg.LiteLLMSettings, cfg.GeneralSettings
	p := admin.Policy{
		Defaults: lite.DefaultKeyGenerateParams, UpperBound: lite.UpperboundKeyGenerateParams,
		TeamKeys: teamKeyRule(lite.KeyGenerationSettings.Team), PersonalKeys: personalKeyRule(lite.KeyGenerationSettings.Personal),
		GracePeriod: cfg.Variables.KeyRotationGrace, NeedTeam: general.DefaultTeamDisabled, UserDefaults: lite.DefaultInternalUserParams, TeamDefaults: lite.DefaultTeamParams,
		UserBudget: lite.MaxInternalUserBudget, UserBudgetTerm: lite.InternalUserBudgetDuration,
		StoreModels: storesModels(cfg), MaxBudget: lite.MaxBudget, ProviderBudgets: a.providerBudgets,
		Zone: func() string { return a.zone().String() },
		Exists: func(name string) bool {
			l := a.current.Load()
			return l.router.Has(name)
		},
		Shown: func(section string) any { return a.settings().Shown(section) }, CheckStored: a.checkStored,
		CheckModel:  func(name string, params, info map[string]any) error { return a.checkNewModel(db, name, params, info) },
		Apply:       a.applied,
		Cost:        a.cost,
		Estimate:    a.estimate,
		ModelGroups: a.modelGroups,
		BaseURL:     func() string { return a.settings().Variables.ProxyBaseURL }, Logout: cfg.Variables.ProxyLogoutURL,
		HideMasterKey: general.DisableMasterKeyReturn,
	}
	l := a.current.Load()
	p.KeyGenerate, p.SSO = a.keyHook(l), identityProvider(cfg.Variables) != nil || l.admin.begin != nil
	if general.MasterKey != "" {
		p.MasterHash = masterkey.Hash(general.MasterKey.Reveal())
	}
	return p
}

func teamKeyRule(r *config.KeyRule) *admin.KeyRule {
	if r == nil {
		return nil
	}
	return &admin.KeyRule{Roles: r.AllowedTeamMemberRoles, Required: r.RequiredParams}
}

func personalKeyRule(r *config.KeyRule) *admin.KeyRule {
	if r == nil {
		return nil
	}
	return &admin.KeyRule{Roles: r.AllowedUserRoles, Required: r.RequiredParams}
}

// applied makes what changed in the database take effect.
func (a *App) applied(ctx context.Context) error {
	a.refresh(context.WithoutCancel(ctx))
	return nil
}

// checkNewModel says why no deployment can be made of a model that is not in the database yet.
func (a *App) checkNewModel(db *database, name string, params, info map[string]any) error {
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	i, err := json.Marshal(info)
	if err != nil {
		return err
	}
	found, err := db.Credentials().Find(context.Background(), store.Query{})
	if err != nil {
		return err
	}
	var credentials []storedCredential
	for _, c := range found {
		credentials = append(credentials, storedCredential{c.CredentialName, c.CredentialValues, c.CredentialInfo})
	}
	return a.checkModel(credentials, storedModel{name, p, i})
}

// unavailable answers that there is no database, or that it cannot be reached now.
func unavailable(w http.ResponseWriter, err error) {
	e := &llm.Error{
		Op: "app.management", Kind: llm.KindInternal, Status: http.StatusInternalServerError, Type: "no_db_connection", Err: err,
		Message: "The database cannot be opened. See the gateway's log.",
	}
	switch {
	case errors.Is(err, errNoDatabase):
		e.Message = errNoDatabase.Error()
	case errors.Is(err, store.ErrUnavailable):
		e.Kind, e.Status, e.Message = llm.KindUnavailable, http.StatusServiceUnavailable, "The database cannot be reached. Try again shortly."
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(openai.AppendError(nil, e))
}
