// Package login signs people in to the management API: at an identity provider (OAuth 2.0, OpenID Connect) or with a
// password. A login makes a user of somebody who is new, a virtual key that ends after a day and may spend little, and a
// cookie with both. Paths, fields and the cookie are those of the reference (litellm/proxy/management_endpoints/ui_sso.py
// and litellm/proxy/auth/login_utils.py). Every path is open, so each is limited by the caller's address.
package login

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/store"
)

// People keeps users and keys. *admin.API does.
type People interface {
	SignIn(r *http.Request, p admin.Person) (*store.User, error)
	PasswordUser(r *http.Request, email string) (*store.User, error)
	SessionKey(r *http.Request, u *store.User, budget float64, life time.Duration) (string, error)
	// Invited finds who a link was made for, and Claim gives him a password.
	Invited(r *http.Request, link string) (*store.User, error)
	Claim(r *http.Request, link, user, password string) (*store.User, error)
}

// Settings say who signs in, and where.
type Settings struct {
	People   People
	Provider *Provider // nil offers the form for a password
	// Begin asks a plugin about a request of somebody who wants to sign in: it may know who that is, or send him
	// somewhere. Callback asks one to make a person of what the provider said. Both may be nil, and return nothing.
	Begin    func(ctx context.Context, r *http.Request) (p *admin.Person, redirect string, err error)
	Callback func(ctx context.Context, r *http.Request, claims map[string]any) (*admin.Person, error)

	MasterKey string // signs the cookies; without one nobody signs in
	AdminID   string // PROXY_ADMIN_ID: the user who is always an administrator
	Username  string // of the administrator's login with a password
	Password  string // empty is MasterKey
	Domains   []string
	AdminOnly bool    // ui_access_mode: admin_only
	Budget    float64 // US dollars, of each login
	Life      time.Duration
	BaseURL   string // where people reach the gateway; empty is what the request says
	RootPath  string // SERVER_ROOT_PATH
	KeyHeader string // that the key is sent in
	TeamsOnly bool   // people may not make keys of their own
	Disabled  bool   // DISABLE_ADMIN_UI: no page lets people sign in
	UserAuth  bool   // allow_user_auth

	Client *http.Client // for the provider; nil is one with a timeout
	Logger *slog.Logger
	Now    func() time.Time
}

// Desk serves the routes. It is safe for concurrent use.
type Desk struct {
	Settings
	memory *Memory
	seal   *sealer
}

// New makes a Desk. Memory outlives it: it knows who tried how often, and which logins are over.
func New(s Settings, m *Memory) (*Desk, error) {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Client == nil {
		s.Client = newClient()
	}
	if s.Password == "" {
		s.Password = s.MasterKey
	}
	d := &Desk{Settings: s, memory: m}
	if s.MasterKey == "" {
		return d, nil
	}
	var err error
	d.seal, err = newSealer(s.MasterKey)
	return d, err
}

// Paths of the routes.
const (
	pathBegin    = "/sso/key/generate"
	pathCallback = "/sso/callback"
	pathReady    = "/sso/readiness"
	pathLogin    = "/login"
	pathLoginV2  = "/v2/login"
	pathForm     = "/fallback/login"
)

// Serves reports whether a path is one of the package's. Those of the user interface are, if it is switched off.
func Serves(path string, disabled bool) bool {
	return slices.Contains([]string{
		pathBegin, pathCallback, pathReady, pathLogin, pathLoginV2, pathForm, pathInvited, pathClaim, pathDiscovery, pathDiscoveryAlias, pathUserAuth,
	}, path) || disabled && ofUI(path)
}

// posted reports whether a path is for POST.
func posted(path string) bool {
	return slices.Contains([]string{pathLogin, pathLoginV2, pathClaim, pathUserAuth}, path)
}

// ServeHTTP implements http.Handler.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if err := d.serve(w, r); err != nil {
		d.fail(w, r, err)
	}
}

func (d *Desk) serve(w http.ResponseWriter, r *http.Request) error {
	want := http.MethodGet
	if posted(r.URL.Path) {
		want = http.MethodPost
	}
	if r.Method != want {
		w.Header().Set("Allow", want)
		return problem(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if done, err := d.unlimited(w, r); done {
		return err
	}
	if !d.memory.admit(r.RemoteAddr, d.Now()) {
		w.Header().Set("Retry-After", "60")
		return problem(http.StatusTooManyRequests, "Too many logins from this address. Try again in a minute.")
	}
	if d.seal == nil {
		return problem(http.StatusInternalServerError, "Nobody can sign in without a master key: set general_settings.master_key or LITELLM_MASTER_KEY.")
	}
	switch r.URL.Path {
	case pathBegin:
		return d.begin(w, r)
	case pathCallback:
		return d.callback(w, r)
	case pathReady:
		return d.readiness(w)
	case pathForm:
		return d.form(w)
	case pathInvited:
		return d.invited(w, r)
	case pathClaim:
		return d.claim(w, r)
	}
	return d.password(w, r)
}

// begin sends somebody to the provider, unless a plugin knows him, or there is none.
func (d *Desk) begin(w http.ResponseWriter, r *http.Request) error {
	if d.Begin != nil {
		p, to, err := d.Begin(r.Context(), r)
		switch {
		case err != nil:
			return err
		case p != nil:
			return d.enter(w, r, p)
		case to != "":
			http.Redirect(w, r, to, http.StatusSeeOther)
			return nil
		}
	}
	if d.Provider == nil {
		return d.form(w)
	}
	if err := d.Provider.check(); err != nil {
		return err
	}
	home, err := d.home(r)
	if err != nil {
		return err
	}
	to, ticket, err := d.Provider.begin(r.Context(), d.Client, home+pathCallback, d.Now())
	if err != nil {
		return d.unreachable(err)
	}
	sealed, err := d.seal.seal(ticket)
	if err != nil {
		return err
	}
	http.SetCookie(w, d.cookie(home, ticketCookie, sealed, true, ticketLife))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// callback is where the provider sends people back to.
func (d *Desk) callback(w http.ResponseWriter, r *http.Request) error {
	if d.Provider == nil {
		return problem(http.StatusNotFound, "No identity provider is configured.")
	}
	home, err := d.home(r)
	if err != nil {
		return err
	}
	http.SetCookie(w, d.cookie(home, ticketCookie, "", true, -1))
	t, err := d.ticket(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if e := q.Get("error"); e != "" {
		return problem(http.StatusUnauthorized, "The identity provider refused: "+shown(e))
	}
	claims, err := d.Provider.finish(r.Context(), d.Client, home+pathCallback, q.Get("code"), t)
	if err != nil {
		return d.unreachable(err)
	}
	p := d.Provider.person(claims)
	if d.Callback != nil {
		own, err := d.Callback(r.Context(), r, claims)
		if err != nil {
			return err
		}
		if own != nil {
			own.Verified = p.Verified && strings.EqualFold(own.Email, p.Email)
			p = own
		}
	}
	return d.enter(w, r, p)
}

// ticket checks that the request ends a login which began in the same browser, a short while ago, and for the first time.
func (d *Desk) ticket(r *http.Request) (*ticket, error) {
	over := problem(http.StatusUnauthorized, "This login is over, or began elsewhere. Begin again at "+pathBegin+".")
	c, err := r.Cookie(ticketCookie)
	if err != nil {
		return nil, over
	}
	t, err := d.seal.open(c.Value)
	now := d.Now()
	if err != nil || now.After(t.End) || t.Provider != d.Provider.Name || !equal(t.State, r.URL.Query().Get("state")) || !d.memory.spend(t.ID, t.End, now) {
		return nil, over
	}
	return t, nil
}

// enter makes a session for a person.
func (d *Desk) enter(w http.ResponseWriter, r *http.Request, p *admin.Person) error {
	home, err := d.home(r)
	if err != nil {
		return err
	}
	token, err := d.session(r, p, "sso")
	if err != nil {
		return err
	}
	http.SetCookie(w, d.cookie(home, sessionCookie, token, false, d.Life))
	http.Redirect(w, r, home+uiPath, http.StatusSeeOther)
	return nil
}

// uiPath is where the user interface is; it reads the cookie.
const uiPath = "/ui/?login=success"

// session checks whether a person may sign in, and makes user, key and token.
func (d *Desk) session(r *http.Request, p *admin.Person, method string) (string, error) {
	if err := d.domain(p.Email); err != nil && method == "sso" {
		return "", err
	}
	if p.UserID == d.AdminID {
		p.Role = llm.RoleProxyAdmin
	}
	u, err := d.People.SignIn(r, *p)
	if err != nil {
		return "", err
	}
	return d.sessionOf(r, u, method)
}

func (d *Desk) sessionOf(r *http.Request, u *store.User, method string) (string, error) {
	role := llm.Role(u.UserRole)
	if role == "" {
		role = llm.RoleInternalViewer
	}
	if d.AdminOnly && role != llm.RoleProxyAdmin && role != llm.RoleProxyAdminViewer {
		return "", problem(http.StatusUnauthorized, "Only administrators may sign in (ui_access_mode: admin_only). Your role is "+string(role)+".")
	}
	key, err := d.People.SessionKey(r, u, d.Budget, d.Life)
	if err != nil {
		return "", err
	}
	return d.token(u, role, key, method)
}

// domain refuses people whose address is not of an allowed domain.
func (d *Desk) domain(email string) error {
	if len(d.Domains) == 0 {
		return nil
	}
	_, domain, _ := strings.Cut(strings.ToLower(email), "@")
	if slices.ContainsFunc(d.Domains, func(allowed string) bool {
		return strings.EqualFold(strings.TrimSpace(allowed), domain) && domain != ""
	}) {
		return nil
	}
	return problem(http.StatusUnauthorized, "E-mail addresses of the domain "+shown(domain)+" may not sign in (ALLOWED_EMAIL_DOMAINS).")
}

// home is the address of the gateway as browsers know it, without a slash at its end.
func (d *Desk) home(r *http.Request) (string, error) {
	if d.BaseURL != "" {
		return strings.TrimSuffix(d.BaseURL, "/") + d.RootPath, nil
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	u, err := url.Parse(scheme + "://" + r.Host)
	if err != nil || r.Host == "" || u.Host != r.Host || u.User != nil {
		return "", problem(http.StatusBadRequest, "The request's Host header is no host: set PROXY_BASE_URL.")
	}
	return scheme + "://" + r.Host + d.RootPath, nil
}

func (d *Desk) cookie(home, name, value string, private bool, life time.Duration) *http.Cookie {
	age := int(life.Seconds())
	if life < 0 {
		age = -1
	}
	path := d.RootPath
	if path == "" {
		path = "/"
	}
	return &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: age, HttpOnly: private, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(home, "https://"),
	}
}

func problem(status int, message string) error {
	return &llm.Error{Op: "login", Kind: llm.KindAuth, Status: status, Type: "auth_error", Message: message}
}

// unreachable is what somebody is told whose provider did not do its part. The cause is for the operator.
func (d *Desk) unreachable(err error) error {
	var e *llm.Error
	if errors.As(err, &e) {
		return err
	}
	return &llm.Error{Op: "login", Kind: llm.KindUnavailable, Status: http.StatusBadGateway, Err: err, Type: "auth_error", Message: "The identity provider did not answer as it should. See the gateway's log."}
}

func (d *Desk) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *llm.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, store.ErrUnavailable):
		e = &llm.Error{Op: "login", Kind: llm.KindUnavailable, Err: err, Message: "The database cannot be reached. Try again shortly."}
	default:
		e = &llm.Error{Op: "login", Kind: llm.KindInternal, Err: err, Message: "Internal Server Error."}
	}
	if e.HTTPStatus() >= 500 {
		d.Logger.Error("a login failed", "path", r.URL.Path, "error", err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(openai.AppendError(nil, e))
}

// shown is foreign text fit for a message.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '<' || r == '>' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 100)]
}
