package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/admin/login"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
	"github.com/sallyport-ai/sallyport/core/wasm"
	"github.com/sallyport-ai/sallyport/sdk/abi"
)

// adminPlugins are the plugins that the management API and logins ask. Each may be nil.
type adminPlugins struct {
	keys     *wasm.Plugin // custom_key_generate
	begin    *wasm.Plugin // custom_ui_sso_sign_in_handler
	callback *wasm.Plugin // custom_sso
}

// adminPlugins loads them. Nobody signs in because a plugin failed, so on_error: fail_open is refused where it is asked
// who somebody is.
func (b *builder) adminPlugins(ctx context.Context, out *loaded) {
	g := b.cfg.GeneralSettings
	one := func(setting, path string, hook abi.Hook, o config.PluginOptions) *wasm.Plugin {
		if path == "" {
			return nil
		}
		p, err := b.load(ctx, out, setting, path, setting, o)
		switch {
		case err != nil:
		case o.OnError == "fail_open" && hook != abi.HookKeyGenerate:
			err = errors.New("on_error: fail_open cannot be used here: nobody signs in when the plugin failed")
		case !p.Has(hook):
			err = fmt.Errorf("the plugin has no %s hook", hook)
		}
		if err != nil {
			b.mistake("general_settings."+setting, err)
			return nil
		}
		return p
	}
	out.admin = adminPlugins{
		keys:     one("custom_key_generate", g.CustomKeyGenerate, abi.HookKeyGenerate, g.CustomKeyGenerateSettings),
		begin:    one("custom_ui_sso_sign_in_handler", g.CustomSignIn, abi.HookSSOBegin, g.CustomSignInSettings),
		callback: one("custom_sso", g.CustomSSO, abi.HookSSOCallback, g.CustomSSOSettings),
	}
	if b.cfg.Variables.GenericClientState != "" {
		b.log.Warn("every login has the same state, so that only a cookie protects it against forgery", "fix", "unset GENERIC_CLIENT_STATE unless the provider demands it")
	}
	switch g.UIAccessMode {
	case nil, "", "all", "admin_only":
	default:
		b.mistake("general_settings.ui_access_mode", errors.New("write all or admin_only; who may sign in by groups of the provider is for a plugin in custom_sso to say"))
	}
}

// asked calls do with a plugin of the configuration in force. One that was replaced at that very moment is not asked:
// its successor is.
func (a *App) asked(which func(*adminPlugins) *wasm.Plugin, do func(*wasm.Plugin) error) error {
	for {
		l := a.current.Load()
		p := which(&l.admin)
		if p == nil {
			return nil
		}
		err := do(p)
		if !errors.Is(err, wasm.ErrClosed) || a.current.Load() == l {
			return err
		}
	}
}

// keyHook asks custom_key_generate about new keys; nil without one.
func (a *App) keyHook(l *loaded) admin.KeyHook {
	if l.admin.keys == nil {
		return nil
	}
	return func(r *http.Request, who *llm.Principal, params map[string]any) (map[string]any, error) {
		next := params
		err := a.asked(func(p *adminPlugins) *wasm.Plugin { return p.keys }, func(p *wasm.Plugin) (err error) {
			x := &llm.Exchange{Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr, Principal: who}
			next, err = p.KeyGenerate(r.Context(), x, params)
			return err
		})
		return next, err
	}
}

// loginRoutes let people sign in. They are open to everybody.
type loginRoutes struct {
	a      *App
	memory *login.Memory
}

// Serves implements listener.Manager.
func (m loginRoutes) Serves(path string) (ok, open bool) {
	ok = login.Serves(path, m.a.settings().Variables.DisableAdminUI)
	return ok, ok
}

// ServeHTTP implements listener.Manager.
func (m loginRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, err := login.New(m.a.loginSettings(), m.memory)
	if err != nil {
		m.a.log.Error("nobody can sign in", "error", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	d.ServeHTTP(w, r)
}

// Defaults of the reference: LITELLM_UI_SESSION_DURATION and max_ui_session_budget.
const (
	sessionLife   = 24 * time.Hour
	sessionBudget = 0.25
)

func (a *App) loginSettings() login.Settings {
	l := a.current.Load()
	g, v, lite := l.cfg.GeneralSettings, l.cfg.Variables, l.cfg.LiteLLMSettings
	s := login.Settings{
		People: people{a}, Provider: identityProvider(v), Logger: a.log, MasterKey: g.MasterKey.Reveal(), AdminID: v.ProxyAdminID,
		Username: v.UIUsername, Password: v.UIPassword.Reveal(), AdminOnly: g.AdminsOnly(), Budget: sessionBudget, Life: sessionLife,
		BaseURL: v.ProxyBaseURL, RootPath: v.ServerRootPath, KeyHeader: g.LiteLLMKeyHeaderName,
		TeamsOnly: g.DefaultTeamDisabled, Client: a.opts.LoginClient, Disabled: v.DisableAdminUI, UserAuth: g.AllowUserAuth,
	}
	if lite.MaxUISessionBudget != nil {
		s.Budget = *lite.MaxUISessionBudget
	}
	for domain := range strings.SplitSeq(v.AllowedEmailDomains, ",") {
		if domain = strings.TrimSpace(domain); domain != "" {
			s.Domains = append(s.Domains, strings.TrimPrefix(domain, "@"))
		}
	}
	if l.admin.begin != nil {
		s.Begin = func(ctx context.Context, r *http.Request) (p *admin.Person, to string, err error) {
			err = a.asked(func(p *adminPlugins) *wasm.Plugin { return p.begin }, func(plugin *wasm.Plugin) error {
				answer, err := plugin.SSOBegin(ctx, visit(r))
				p, to = person(answer.User), answer.Redirect
				return err
			})
			return p, to, err
		}
	}
	if l.admin.callback != nil {
		s.Callback = func(ctx context.Context, r *http.Request, claims map[string]any) (p *admin.Person, err error) {
			err = a.asked(func(p *adminPlugins) *wasm.Plugin { return p.callback }, func(plugin *wasm.Plugin) error {
				answer, err := plugin.SSOCallback(ctx, visit(r), claims)
				p = person(answer.User)
				return err
			})
			return p, err
		}
	}
	return s
}

// identityProvider is the provider that the variables name, in the order of the reference; nil if none is.
func identityProvider(v config.Variables) *login.Provider {
	missing := func(p *login.Provider, pairs ...string) *login.Provider {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == "" {
				p.Missing = append(p.Missing, pairs[i])
			}
		}
		return p
	}
	switch {
	case v.GoogleClientID != "":
		return missing(login.Google(v.GoogleClientID, v.GoogleClientSecret.Reveal()), "GOOGLE_CLIENT_SECRET", v.GoogleClientSecret.Reveal())
	case v.MicrosoftClientID != "":
		return missing(login.Microsoft(v.MicrosoftClientID, v.MicrosoftClientSecret.Reveal(), v.MicrosoftTenant),
			"MICROSOFT_CLIENT_SECRET", v.MicrosoftClientSecret.Reveal(), "MICROSOFT_TENANT", v.MicrosoftTenant)
	case v.GenericClientID == "" && v.OpenIDClientID == "":
		return nil
	}
	p := &login.Provider{
		Name: "generic", ClientID: v.GenericClientID, ClientSecret: v.GenericClientSecret.Reveal(), AuthURL: v.GenericAuthorizationEndpoint,
		TokenURL: v.GenericTokenEndpoint, UserURL: v.GenericUserinfoEndpoint, Scopes: strings.Fields(v.GenericScope),
		State: v.GenericClientState, NoPKCE: v.GenericClientUsePKCE != nil && !*v.GenericClientUsePKCE,
		SendClientID: v.GenericIncludeClientID, Issuer: v.OpenIDBaseURL, TrustEmail: true,
		Attributes: login.Attributes{
			ID: v.UserIDAttribute, Email: v.UserEmailAttribute, DisplayName: v.UserDisplayNameAttribute, FirstName: v.UserFirstNameAttribute,
			LastName: v.UserLastNameAttribute, Provider: v.UserProviderAttribute, Role: v.UserRoleAttribute,
		},
	}
	if p.ClientID == "" {
		p.ClientID = v.OpenIDClientID
	}
	if p.ClientSecret == "" {
		p.ClientSecret = v.OpenIDClientSecret.Reveal()
	}
	if p.Attributes.ID == "" {
		p.Attributes.ID = "preferred_username"
		if p.Issuer != "" {
			p.Attributes.ID = "sub"
		}
	}
	missing(p, "GENERIC_CLIENT_SECRET", p.ClientSecret)
	if p.Issuer != "" {
		return p
	}
	return missing(p, "GENERIC_AUTHORIZATION_ENDPOINT", p.AuthURL, "GENERIC_TOKEN_ENDPOINT", p.TokenURL, "GENERIC_USERINFO_ENDPOINT", p.UserURL)
}

// visit is what a plugin sees of a request to sign in.
func visit(r *http.Request) *llm.Exchange {
	x := &llm.Exchange{Method: r.Method, Path: r.URL.Path, Remote: r.RemoteAddr, Query: []byte(r.URL.RawQuery)}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			x.Header = append(x.Header, llm.Field{Name: []byte(name), Value: []byte(v)})
		}
	}
	return x
}

// person is what a plugin says of somebody.
func person(u *wasm.SSOUser) *admin.Person {
	if u == nil {
		return nil
	}
	return &admin.Person{
		UserID: u.UserID, Email: u.Email, Role: u.Role, TeamID: u.TeamID, Models: u.Models, Metadata: u.Metadata,
		MaxBudget: u.MaxBudget, BudgetDuration: u.BudgetDuration,
	}
}

// people are those in the database, which is opened when the first of them signs in.
type people struct{ a *App }

func (p people) api(r *http.Request) (*admin.API, error) {
	db, err := p.a.ensureDatabase(r.Context())
	if err != nil {
		if errors.Is(err, errNoDatabase) {
			err = &llm.Error{Op: "login", Kind: llm.KindInternal, Status: http.StatusInternalServerError, Err: err, Message: "Nobody can sign in without a database: set DATABASE_URL."}
		}
		return nil, err
	}
	return p.a.api(db), nil
}

// SignIn implements login.People.
func (p people) SignIn(r *http.Request, who admin.Person) (*store.User, error) {
	api, err := p.api(r)
	if err != nil {
		return nil, err
	}
	return api.SignIn(r, who)
}

// PasswordUser implements login.People.
func (p people) PasswordUser(r *http.Request, email string) (*store.User, error) {
	api, err := p.api(r)
	if err != nil {
		return nil, err
	}
	return api.PasswordUser(r, email)
}

// Invited implements login.People.
func (p people) Invited(r *http.Request, link string) (*store.User, error) {
	api, err := p.api(r)
	if err != nil {
		return nil, err
	}
	return api.Invited(r, link)
}

// Claim implements login.People.
func (p people) Claim(r *http.Request, link, user, password string) (*store.User, error) {
	api, err := p.api(r)
	if err != nil {
		return nil, err
	}
	return api.Claim(r, link, user, password)
}

// SessionKey implements login.People.
func (p people) SessionKey(r *http.Request, u *store.User, budget float64, life time.Duration) (string, error) {
	api, err := p.api(r)
	if err != nil {
		return "", err
	}
	return api.SessionKey(r, u, budget, life)
}
