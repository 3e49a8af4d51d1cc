package login

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/sallyport-ai/sallyport/core/admin"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Provider is an identity provider.
type Provider struct {
	Name         string // google, microsoft or generic
	ClientID     string
	ClientSecret string
	AuthURL      string
	TokenURL     string
	UserURL      string   // asked with the token who that is
	Issuer       string   // its description supplies the three addresses, if they are empty
	Missing      []string // settings that are not there, without which nobody can sign in
	Scopes       []string
	State        string // fixed, for providers that demand one; empty is a fresh one for each login
	NoPKCE       bool
	SendClientID bool // in the body of the token request too
	Attributes   Attributes
	TrustEmail   bool // its addresses are those of one directory, whose administrators give them
}

// Attributes are the fields of the provider's answer that say who somebody is. Dots reach into objects.
type Attributes struct{ ID, Email, DisplayName, FirstName, LastName, Provider, Role string }

// Google is the provider of Google accounts (https://developers.google.com/identity/openid-connect/openid-connect).
func Google(id, secret string) *Provider {
	return &Provider{
		Name: "google", ClientID: id, ClientSecret: secret, Scopes: []string{"openid", "email", "profile"},
		AuthURL: "https://accounts.google.com/o/oauth2/v2/auth", TokenURL: "https://oauth2.googleapis.com/token",
		UserURL:    "https://openidconnect.googleapis.com/v1/userinfo",
		Attributes: Attributes{ID: "sub", Email: "email", DisplayName: "name", FirstName: "given_name", LastName: "family_name"},
	}
}

// Microsoft is the provider of a directory of Microsoft Entra ID
// (https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow, and /me of Microsoft Graph).
func Microsoft(id, secret, tenant string) *Provider {
	at := "https://login.microsoftonline.com/" + url.PathEscape(tenant) + "/oauth2/v2.0/"
	return &Provider{
		Name: "microsoft", ClientID: id, ClientSecret: secret, Scopes: []string{"openid", "email", "User.Read"},
		AuthURL: at + "authorize", TokenURL: at + "token", UserURL: "https://graph.microsoft.com/v1.0/me",
		Attributes: Attributes{ID: "id", Email: "mail,userPrincipalName", DisplayName: "displayName", FirstName: "givenName", LastName: "surname"},
		TrustEmail: tenant != "common" && tenant != "organizations" && tenant != "consumers",
	}
}

// check names what is not configured.
func (p *Provider) check() error {
	if len(p.Missing) == 0 {
		return nil
	}
	return &llm.Error{
		Op: "login", Kind: llm.KindInternal, Status: http.StatusInternalServerError, Type: "auth_error", Param: p.Missing[0],
		Message: strings.Join(p.Missing, ", ") + " not set: login with " + p.Name + " needs it.",
	}
}

const (
	providerTimeout = 15 * time.Second
	maxAnswer       = 1 << 20
)

// newClient makes a client that follows no redirects: whoever answers has to be who was asked.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       providerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// config completes the provider's addresses.
func (p *Provider) config(ctx context.Context, client *http.Client, back string) (*oauth2.Config, string, error) {
	auth, token, user := p.AuthURL, p.TokenURL, p.UserURL
	if p.Issuer != "" && (auth == "" || token == "" || user == "") {
		var found struct {
			Issuer string `json:"issuer"`
			Auth   string `json:"authorization_endpoint"`
			Token  string `json:"token_endpoint"`
			User   string `json:"userinfo_endpoint"`
		}
		base := strings.TrimSuffix(p.Issuer, "/")
		if err := get(ctx, client, base+"/.well-known/openid-configuration", "", &found); err != nil {
			return nil, "", fmt.Errorf("description of the provider: %w", err)
		}
		// OpenID Connect Discovery 1.0, section 4.3: the issuer is the address that was asked.
		if strings.TrimSuffix(found.Issuer, "/") != base {
			return nil, "", fmt.Errorf("the description at %s is of another provider, %q", base, found.Issuer)
		}
		auth, token, user = orElse(auth, found.Auth), orElse(token, found.Token), orElse(user, found.User)
	}
	for _, u := range []string{auth, token, user} {
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
			return nil, "", fmt.Errorf("%q is no address of a provider", u)
		}
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, RedirectURL: back, Scopes: p.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: auth, TokenURL: token, AuthStyle: oauth2.AuthStyleInHeader},
	}, user, nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// begin makes the address that a browser is sent to, and what must be remembered until it comes back.
func (p *Provider) begin(ctx context.Context, client *http.Client, back string, now time.Time) (string, *ticket, error) {
	c, _, err := p.config(ctx, client, back)
	if err != nil {
		return "", nil, err
	}
	t := &ticket{ID: rand.Text(), Provider: p.Name, State: orElse(p.State, rand.Text()), End: now.Add(ticketLife)}
	var options []oauth2.AuthCodeOption
	if !p.NoPKCE {
		t.Verifier = oauth2.GenerateVerifier()
		options = append(options, oauth2.S256ChallengeOption(t.Verifier))
	}
	return c.AuthCodeURL(t.State, options...), t, nil
}

// finish exchanges the code and asks who that is.
func (p *Provider) finish(ctx context.Context, client *http.Client, back, code string, t *ticket) (map[string]any, error) {
	if code == "" {
		return nil, problem(http.StatusBadRequest, "The identity provider sent no code.")
	}
	c, user, err := p.config(ctx, client, back)
	if err != nil {
		return nil, err
	}
	var options []oauth2.AuthCodeOption
	if t.Verifier != "" {
		options = append(options, oauth2.VerifierOption(t.Verifier))
	}
	if p.SendClientID {
		options = append(options, oauth2.SetAuthURLParam("client_id", p.ClientID))
	}
	token, err := c.Exchange(context.WithValue(ctx, oauth2.HTTPClient, client), code, options...)
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) { // its text holds the provider's answer, which may hold tokens
			return nil, fmt.Errorf("the token endpoint answered %d %s", refused.Response.StatusCode, shown(refused.ErrorCode))
		}
		return nil, errors.New("the token endpoint did not answer with a token")
	}
	var claims map[string]any
	if err := get(ctx, client, user, token.AccessToken, &claims); err != nil {
		return nil, fmt.Errorf("user endpoint: %w", err)
	}
	if claims == nil {
		return nil, errors.New("the user endpoint answered with no object")
	}
	return claims, nil
}

// get reads a JSON document.
func get(ctx context.Context, client *http.Client, address, bearer string, v any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(v); err != nil {
		return fmt.Errorf("not JSON of the expected form: %w", err)
	}
	return nil
}

// person makes a person of what the provider said.
func (p *Provider) person(claims map[string]any) *admin.Person {
	a := p.Attributes
	email := strings.ToLower(claim(claims, a.Email))
	verified, said := claims["email_verified"].(bool)
	out := &admin.Person{
		UserID: claim(claims, a.ID), Email: email, Alias: claim(claims, a.DisplayName),
		// A provider of the operator's own that says nothing of it is believed; one that is for everybody is not.
		Verified: verified || p.TrustEmail && !said,
	}
	if out.UserID == "" {
		out.UserID = email
	}
	if out.UserID == "" {
		out.UserID = claim(claims, a.FirstName) + claim(claims, a.LastName)
	}
	switch role := llm.Role(claim(claims, a.Role)); role {
	case llm.RoleProxyAdmin, llm.RoleProxyAdminViewer, llm.RoleInternalUser, llm.RoleInternalViewer:
		out.Role = role
	}
	idp := p.Name
	if s := claim(claims, a.Provider); s != "" {
		idp = s
	}
	out.Metadata = map[string]any{"auth_provider": idp}
	return out
}

// claim reads a field, or the first of several with commas between them that is there.
func claim(claims map[string]any, path string) string {
	for one := range strings.SplitSeq(path, ",") {
		if s := field(claims, one); s != "" {
			return s
		}
	}
	return ""
}

func field(claims map[string]any, path string) string {
	if path == "" {
		return ""
	}
	var v any = claims
	if whole, ok := claims[path]; ok { // names of claims may have dots, as addresses have
		v = whole
	} else {
		for part := range strings.SplitSeq(path, ".") {
			m, _ := v.(map[string]any)
			v = m[part]
		}
	}
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strings.TrimSuffix(fmt.Sprintf("%.0f", v), ".")
	}
	return ""
}
