package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-ai/sallyport/core/app"
	"github.com/sallyport-ai/sallyport/core/apptest"
	"github.com/sallyport-ai/sallyport/sdk/plugintest"
)

// idp is an identity provider.
type idp struct {
	*httptest.Server
	mu     sync.Mutex
	claims string
	asked  []*http.Request // the form is parsed
}

func newIDP(t *testing.T, claims string) *idp {
	p := &idp{claims: claims}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *idp) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%s/auth","token_endpoint":"%s/token","userinfo_endpoint":"%s/me"}`, p.URL, p.URL, p.URL, p.URL)
	case strings.HasSuffix(r.URL.Path, "/token"):
		if r.PostForm.Get("code") != "good" {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"at1","token_type":"Bearer","expires_in":60}`)
	case r.Header.Get("Authorization") != "Bearer at1":
		w.WriteHeader(401)
	default:
		_, _ = io.WriteString(w, p.claims)
	}
}

// last returns the last request whose path ends so.
func (p *idp) last(t *testing.T, path string) *http.Request {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.asked) - 1; i >= 0; i-- {
		if strings.HasSuffix(p.asked[i].URL.Path, path) {
			return p.asked[i]
		}
	}
	t.Fatalf("the provider was not asked for %s", path)
	return nil
}

// env sets generic login at the provider.
func (p *idp) env(more ...string) []string {
	return append([]string{
		"GENERIC_CLIENT_ID=c1", "GENERIC_CLIENT_SECRET=s1", "GENERIC_AUTHORIZATION_ENDPOINT=" + p.URL + "/auth",
		"GENERIC_TOKEN_ENDPOINT=" + p.URL + "/token", "GENERIC_USERINFO_ENDPOINT=" + p.URL + "/me",
	}, more...)
}

// browser follows no redirects.
type browser struct {
	*testing.T
	*apptest.Server
	cookies map[string]string
}

func (b *browser) open(method, to, body string, header ...string) *http.Response {
	b.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.URL + to
	}
	r, err := http.NewRequestWithContext(b.Context(), method, to, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for name, v := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: v})
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range res.Cookies() {
		b.cookies[c.Name] = c.Value
	}
	b.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// startLogin starts a gateway with a database of its own.
func startLogin(t *testing.T, yaml string, env []string, opts ...apptest.Option) *browser {
	t.Helper()
	if yaml == "" {
		yaml = mockConfig
	}
	env = append(env, "DATABASE_URL=sqlite://"+filepath.Join(t.TempDir(), "s.db"), "LITELLM_SALT_KEY=salt")
	return &browser{t, apptest.Start(t, yaml, append(opts, apptest.Env(env...))...), map[string]string{}}
}

// login goes to the provider and back, and returns the last answer.
func (b *browser) login() *http.Response {
	b.Helper()
	res := b.open("GET", "/sso/key/generate", "")
	to, err := url.Parse(res.Header.Get("Location"))
	if res.StatusCode != 303 || err != nil {
		b.Fatalf("%d %s", res.StatusCode, text(b.T, res))
	}
	return b.open("GET", "/sso/callback?code=good&state="+url.QueryEscape(to.Query().Get("state")), "")
}

// session reads the cookie of a login that succeeded.
func (b *browser) session(r *http.Response) jwt.MapClaims {
	b.Helper()
	if r.StatusCode != 303 || !strings.HasSuffix(r.Header.Get("Location"), "/ui/?login=success") {
		b.Fatalf("%d %s", r.StatusCode, text(b.T, r))
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(b.cookies["token"], claims, func(*jwt.Token) (any, error) { return []byte("sk-master"), nil }, jwt.WithValidMethods([]string{"HS256"})); err != nil {
		b.Fatal(err)
	}
	return claims
}

func (b *browser) user(id string) map[string]any {
	b.Helper()
	res := b.Get("/user/info?user_id="+id, "Authorization: Bearer sk-master")
	var v struct {
		Info map[string]any `json:"user_info"`
	}
	if err := json.Unmarshal([]byte(res.Body), &v); err != nil || v.Info == nil {
		b.Fatalf("%d %s", res.Status, res.Body)
	}
	return v.Info
}

func wantMembers(t *testing.T, got map[string]any, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if v := got[pairs[i].(string)]; fmt.Sprint(v) != fmt.Sprint(pairs[i+1]) {
			t.Errorf("%s is %v, want %v", pairs[i], v, pairs[i+1])
		}
	}
}

// Somebody signs in at a provider of the operator's, and gets a user, a key and a cookie.
func TestGenericLogin(t *testing.T) {
	t.Parallel()
	p := newIDP(t, `{"oid":77,"mail":"A@X.com","profile":{"nick":"N"},"groups":{"role":"internal_user"},"idp":"okta1"}`)
	b := startLogin(t, "", p.env("GENERIC_SCOPE=openid groups", "GENERIC_INCLUDE_CLIENT_ID=true", "GENERIC_USER_ID_ATTRIBUTE=oid",
		"GENERIC_USER_EMAIL_ATTRIBUTE=mail", "GENERIC_USER_DISPLAY_NAME_ATTRIBUTE=profile.nick", "GENERIC_USER_ROLE_ATTRIBUTE=groups.role",
		"GENERIC_USER_PROVIDER_ATTRIBUTE=idp", "PROXY_BASE_URL="))
	res := b.open("GET", "/sso/key/generate", "")
	to, _ := url.Parse(res.Header.Get("Location"))
	q := to.Query()
	if !strings.HasPrefix(to.String(), p.URL+"/auth?") || q.Get("client_id") != "c1" || q.Get("scope") != "openid groups" || q.Get("state") == "" ||
		q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != b.URL+"/sso/callback" {
		t.Fatalf("sent to %s", to)
	}
	s := b.session(b.login())
	wantMembers(t, s, "user_id", "77", "user_email", "a@x.com", "user_role", "internal_user", "login_method", "sso", "premium_user", true, "auth_header_name", "Authorization")
	token := p.last(t, "/token")
	if id, secret, _ := token.BasicAuth(); id != "c1" || secret != "s1" || token.PostForm.Get("client_id") != "c1" || token.PostForm.Get("grant_type") != "authorization_code" || token.PostForm.Get("code_verifier") == "" {
		t.Errorf("the token endpoint got %v %v", token.Header, token.PostForm)
	}
	wantMembers(t, b.user("77"), "user_email", "a@x.com", "user_alias", "N", "user_role", "internal_user", "metadata", map[string]any{"auth_provider": "okta1"})
	key := s["key"].(string)
	wantStatus(t, chatWith(b.Server, "m", key), 200, "hello")
	wantStatus(t, b.Get("/key/info", "Authorization: Bearer "+key), 200, `"team_id":"litellm-dashboard"`)
	wantStatus(t, b.Get("/key/info", "Authorization: Bearer "+key), 200, `"max_budget":0.25`)
	wantStatus(t, b.Get("/sso/get/ui_settings", "Authorization: Bearer "+key), 200, `"SSO_ENABLED":true`)
	if log := b.Log.String(); strings.Contains(log, "s1\"") || strings.Contains(log, key) || strings.Contains(log, "at1") {
		t.Error("the log holds a secret")
	}

	// What names nobody else: a name made of two.
	p.mu.Lock()
	p.claims = `{"first_name":"Ann","last_name":"Lee"}`
	p.mu.Unlock()
	wantMembers(t, b.session(b.login()), "user_id", "AnnLee", "user_role", "internal_user_viewer")
}

// A login ends once, soon, and in the browser it began in.
func TestLoginForged(t *testing.T) {
	t.Parallel()
	p := newIDP(t, `{"preferred_username":"u1","email":"u1@x.com"}`)
	b := startLogin(t, "", p.env())
	begin := func() (state string) {
		t.Helper()
		to, _ := url.Parse(b.open("GET", "/sso/key/generate", "").Header.Get("Location"))
		return to.Query().Get("state")
	}
	f := func(query string, status int, want string) {
		t.Helper()
		if r := b.open("GET", "/sso/callback?"+query, ""); r.StatusCode != status || !strings.Contains(text(t, r), want) {
			t.Errorf("%s: %d", query, r.StatusCode)
		}
	}
	state := begin()
	kept := maps.Clone(b.cookies)
	f("code=good&state=other", 401, "This login is over")
	b.cookies = map[string]string{}
	f("code=good&state="+state, 401, "This login is over")
	b.cookies = map[string]string{"sallyport_login": "AAAA"}
	f("code=good&state="+state, 401, "This login is over")
	b.cookies = maps.Clone(kept)
	f("code=good&state="+state, 303, "")
	b.cookies = kept
	f("code=good&state="+state, 401, "This login is over")
	state = begin()
	f("error=access_denied&state="+state, 401, "access_denied")
	state = begin()
	f("state="+state, 400, "no code")
	state = begin()
	f("code=bad&state="+state, 502, "did not answer")
	if !strings.Contains(b.Log.String(), "invalid_grant") {
		t.Error("the operator is not told what the provider said")
	}
	if r := b.open("POST", "/sso/callback", ""); r.StatusCode != 405 {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestLoginSettings(t *testing.T) {
	t.Parallel()
	p := newIDP(t, `{"preferred_username":"u9","email":"a@Other.com"}`)
	where := func(b *browser) *url.URL {
		t.Helper()
		r := b.open("GET", "/sso/key/generate", "")
		to, err := url.Parse(r.Header.Get("Location"))
		if err != nil || r.StatusCode != 303 {
			t.Fatalf("%d %s", r.StatusCode, text(t, r))
		}
		return to
	}
	b := startLogin(t, "", p.env("ALLOWED_EMAIL_DOMAINS=Example.com , acme.com"))
	if r := b.login(); r.StatusCode != 401 || !strings.Contains(text(t, r), "other.com") {
		t.Errorf("%d", r.StatusCode)
	}
	p.mu.Lock()
	p.claims = `{"preferred_username":"u9","email":"a@example.com"}`
	p.mu.Unlock()
	wantMembers(t, b.session(b.login()), "user_id", "u9")

	b = startLogin(t, "", p.env("PROXY_ADMIN_ID=u9", "GENERIC_CLIENT_STATE=st1", "PROXY_BASE_URL=https://gw.acme.com", "GENERIC_CLIENT_USE_PKCE=false"))
	if q := where(b).Query(); q.Get("state") != "st1" || q.Get("redirect_uri") != "https://gw.acme.com/sso/callback" || q.Has("code_challenge") {
		t.Errorf("sent to %v", q)
	}
	if !strings.Contains(b.Log.String(), "GENERIC_CLIENT_STATE") {
		t.Error("no warning about the fixed state")
	}
	wantMembers(t, b.session(b.login()), "user_role", "proxy_admin")

	only := strings.Replace(mockConfig, "sk-master,", "sk-master, ui_access_mode: admin_only,", 1) + "litellm_settings: {max_ui_session_budget: 2}\n"
	b = startLogin(t, only, p.env())
	if r := b.login(); r.StatusCode != 401 || !strings.Contains(text(t, r), "internal_user_viewer") {
		t.Errorf("%d", r.StatusCode)
	}
	b = startLogin(t, only, p.env("PROXY_ADMIN_ID=u9"))
	wantStatus(t, b.Get("/key/info", "Authorization: Bearer "+b.session(b.login())["key"].(string)), 200, `"max_budget":2`)

	b = startLogin(t, "", []string{"OPENID_BASE_URL=" + p.URL, "OPENID_CLIENT_ID=c2", "OPENID_CLIENT_SECRET=s2"})
	p.mu.Lock()
	p.claims = `{"sub":"subject","email":"s@example.com"}`
	p.mu.Unlock()
	if to := where(b); to.Query().Get("client_id") != "c2" || to.Path != "/auth" {
		t.Errorf("sent to %s", to)
	}
	wantMembers(t, b.session(b.login()), "user_id", "subject")

	b = startLogin(t, "", []string{"GENERIC_CLIENT_ID=c1"})
	if r := b.open("GET", "/sso/readiness", ""); r.StatusCode != 503 || !strings.Contains(text(t, r), "GENERIC_TOKEN_ENDPOINT") {
		t.Errorf("%d", r.StatusCode)
	}
	if r := b.open("GET", "/sso/key/generate", ""); r.StatusCode != 500 || !strings.Contains(text(t, r), "GENERIC_CLIENT_SECRET") {
		t.Errorf("%d", r.StatusCode)
	}
}

// toMock sends what is meant for the provider's hosts to a mock.
type toMock struct {
	to   string
	seen []string
	mu   sync.Mutex
}

func (m *toMock) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	m.seen = append(m.seen, r.URL.Host+r.URL.Path)
	m.mu.Unlock()
	u, _ := url.Parse(m.to)
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	return http.DefaultTransport.RoundTrip(r)
}

func TestGoogleAndMicrosoftLogin(t *testing.T) {
	t.Parallel()
	f := func(claims, begin string, seen []string, want []any, env ...string) {
		t.Helper()
		p := newIDP(t, claims)
		mock := &toMock{to: p.URL}
		b := startLogin(t, "", env, func(o *app.Options) { o.LoginClient = &http.Client{Transport: mock} })
		if to := b.open("GET", "/sso/key/generate", "").Header.Get("Location"); !strings.HasPrefix(to, begin) || !strings.Contains(to, "client_id=c1") {
			t.Fatalf("sent to %s", to)
		}
		wantMembers(t, b.session(b.login()), want...)
		if _, secret, _ := p.last(t, "/token").BasicAuth(); secret != "s1" {
			t.Errorf("the secret was %q", secret)
		}
		if fmt.Sprint(mock.seen) != fmt.Sprint(seen) {
			t.Errorf("asked %v", mock.seen)
		}
	}
	f(`{"sub":"g1","email":"Ann@acme.com","email_verified":true,"name":"Ann"}`, "https://accounts.google.com/o/oauth2/v2/auth?",
		[]string{"oauth2.googleapis.com/token", "openidconnect.googleapis.com/v1/userinfo"},
		[]any{"user_id", "g1", "user_email", "ann@acme.com"}, "GOOGLE_CLIENT_ID=c1", "GOOGLE_CLIENT_SECRET=s1")
	f(`{"id":"m1","userPrincipalName":"bob@acme.com","mail":null,"displayName":"Bob"}`, "https://login.microsoftonline.com/t1/oauth2/v2.0/authorize?",
		[]string{"login.microsoftonline.com/t1/oauth2/v2.0/token", "graph.microsoft.com/v1.0/me"},
		[]any{"user_id", "m1", "user_email", "bob@acme.com"}, "MICROSOFT_CLIENT_ID=c1", "MICROSOFT_CLIENT_SECRET=s1", "MICROSOFT_TENANT=t1")
	b := startLogin(t, "", []string{"MICROSOFT_CLIENT_ID=c1"})
	if r := b.open("GET", "/sso/key/generate", ""); r.StatusCode != 500 || !strings.Contains(text(t, r), "MICROSOFT_CLIENT_SECRET, MICROSOFT_TENANT") {
		t.Errorf("%d", r.StatusCode)
	}
	b = startLogin(t, "", []string{"GOOGLE_CLIENT_ID=c1"})
	if r := b.open("GET", "/sso/key/generate", ""); r.StatusCode != 500 || !strings.Contains(text(t, r), "GOOGLE_CLIENT_SECRET") {
		t.Errorf("%d", r.StatusCode)
	}
}

// An address that a stranger can claim does not make him the user who has it.
func TestLoginTakesNobodyOver(t *testing.T) {
	t.Parallel()
	f := func(claims string, status int) {
		t.Helper()
		b := startLogin(t, "", newIDP(t, claims).env())
		wantStatus(t, b.Post("/user/new", `{"user_id":"boss","user_email":"boss@acme.com","user_role":"proxy_admin"}`, "Authorization: Bearer sk-master"), 200, "boss")
		r := b.login()
		if r.StatusCode != status {
			t.Fatalf("%s: %d %s", claims, r.StatusCode, text(t, r))
		}
		if status == 303 {
			wantMembers(t, b.session(r), "user_id", "boss", "user_role", "proxy_admin")
			wantMembers(t, b.user("boss"), "sso_user_id", "u1")
		}
	}
	f(`{"preferred_username":"u1","email":"Boss@acme.com","email_verified":false}`, 403)
	f(`{"preferred_username":"u1","email":"Boss@acme.com","email_verified":true}`, 303)
}

func TestPasswordLogin(t *testing.T) {
	t.Parallel()
	b := startLogin(t, "", []string{"UI_USERNAME=u1", "UI_PASSWORD=p1"})
	f := func(path, body string, status int, header ...string) *http.Response {
		t.Helper()
		r := b.open("POST", path, body, header...)
		if r.StatusCode != status {
			t.Fatalf("%s: %d %s", body, r.StatusCode, text(t, r))
		}
		return r
	}
	if r := b.open("GET", "/sso/key/generate", ""); r.StatusCode != 200 || !strings.Contains(text(t, r), `<form method="post" action="/login">`) {
		t.Errorf("%d", r.StatusCode)
	}
	f("/v2/login", `{"username":"u1","password":"no"}`, 401)
	f("/v2/login", `{"username":"admin","password":"p1"}`, 401)
	f("/v2/login", `{"username":"u1","password":"sk-master"}`, 401)
	f("/v2/login", `{"username":"u1"}`, 400)
	f("/v2/login", `[`, 400)
	f("/login", "username=u1&password=p1", 403, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	r := f("/v2/login", `{"username":"u1","password":"p1"}`, 200)
	if !strings.Contains(text(t, r), "/ui/?login=success") {
		t.Error("no address of the user interface")
	}
	s := b.session(f("/login", "username=u1&password=p1", 303))
	wantMembers(t, s, "user_id", "default_user_id", "user_role", "proxy_admin", "login_method", "username_password")
	wantStatus(t, b.Get("/user/list", "Authorization: Bearer "+s["key"].(string)), 200, "default_user_id")

	wantStatus(t, b.Post("/user/new", `{"user_id":"eve"}`, "Authorization: Bearer sk-master"), 200, "eve")
	wantStatus(t, b.Post("/user/update", `{"user_id":"eve","user_email":"Eve@x.com","password":"secret"}`, "Authorization: Bearer sk-master"), 200, "eve")
	f("/v2/login", `{"username":"eve@x.com","password":"wrong"}`, 401)
	f("/v2/login", `{"username":"nobody@x.com","password":"secret"}`, 401)
	wantMembers(t, b.session(f("/login", "username=eve%40X.com&password=secret", 303)), "user_id", "eve")

	limited := false
	for range 40 {
		if r := b.open("POST", "/v2/login", `{"username":"u1","password":"guess"}`); r.StatusCode == 429 {
			limited = r.Header.Get("Retry-After") != ""
			break
		}
	}
	if !limited {
		t.Error("passwords can be guessed without end")
	}
	b = startLogin(t, "", nil)
	f("/v2/login", `{"username":"admin","password":"sk-master"}`, 200)
}

// Plugins decide who signs in, as custom_sso and custom_ui_sso_sign_in_handler do in the reference.
func TestLoginPlugins(t *testing.T) {
	t.Parallel()
	file := plugintest.Build(t, "../../plugins/sso-example")
	p := newIDP(t, `{"sub":"77","email":"ann@acme.com","email_verified":true,"groups":["ml"]}`)
	yaml := strings.Replace(mockConfig, "sk-master,", fmt.Sprintf(`sk-master, custom_sso: %q, custom_ui_sso_sign_in_handler: %q,
  custom_sso_settings: {config: {domains: [acme.com], rules: [{group: ml, role: internal_user, models: [m], max_budget: 1, budget_duration: 30d}]}},
  custom_ui_sso_sign_in_handler_settings: {grants: {secrets: [SSO_PROXY_SECRET]}, config: {trust_proxy: true}},`, file, file), 1)
	b := startLogin(t, yaml, p.env("SSO_PROXY_SECRET=0123456789abcdef0"))
	s := b.session(b.login())
	wantMembers(t, s, "user_id", "77", "user_role", "internal_user")
	wantMembers(t, b.user("77"), "max_budget", 1, "budget_duration", "30d", "user_email", "ann@acme.com", "models", []any{"m"})
	p.mu.Lock()
	p.claims = `{"sub":"78","email":"bob@other.com","email_verified":true}`
	p.mu.Unlock()
	if r := b.login(); r.StatusCode != 403 || !strings.Contains(text(t, r), "not of a domain") {
		t.Errorf("%d", r.StatusCode)
	}
	wantMembers(t, b.session(b.open("GET", "/sso/key/generate", "", "X-Forwarded-Secret", "0123456789abcdef0", "X-Forwarded-User", "eve", "X-Forwarded-Email", "eve@acme.com")),
		"user_id", "eve", "user_email", "eve@acme.com")
	if r := b.open("GET", "/sso/key/generate", "", "X-Forwarded-Secret", "wrong", "X-Forwarded-User", "eve"); r.StatusCode != 401 {
		t.Errorf("%d", r.StatusCode)
	}
	_, err := apptest.Try(t, strings.Replace(mockConfig, "sk-master,", fmt.Sprintf("sk-master, custom_sso: %q, custom_sso_settings: {on_error: fail_open},", file), 1))
	if err == nil || !strings.Contains(err.Error(), "fail_open cannot be used") {
		t.Error(err)
	}
}

// A plugin decides about new keys, as custom_key_generate does in the reference.
func TestCustomKeyGenerate(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(mockConfig, "sk-master,", fmt.Sprintf("sk-master, custom_key_generate: %q,", hooksPlugin(t)), 1)
	b := startLogin(t, yaml, nil)
	admin := []string{"Authorization: Bearer sk-master"}
	wantStatus(t, b.Post("/key/generate", `{"team_id":"none"}`, admin...), 404, "Team=none")
	wantStatus(t, b.Post("/key/generate", `{}`, admin...), 403, "Keys need a team_id.")
	wantStatus(t, b.Post("/team/new", `{"team_id":"t1"}`, admin...), 200, "t1")
	wantStatus(t, b.Post("/key/generate", `{"team_id":"t1"}`, admin...), 200, `"key":"sk-`)
	_, err := apptest.Try(t, strings.Replace(mockConfig, "sk-master,", fmt.Sprintf("sk-master, custom_key_generate: %q,", plugintest.Build(t, "../../plugins/pii")), 1))
	if err == nil || !strings.Contains(err.Error(), "no key_generate hook") {
		t.Error(err)
	}
}
