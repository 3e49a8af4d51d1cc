package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// fetch gets a token, and when it expires.
func (s *Source) fetch(ctx context.Context, o Options) (string, time.Time, error) {
	form := url.Values{"client_id": {o.Client}, "scope": {o.Scope}}
	switch o.way() {
	case wayGiven:
		return o.Token, time.Time{}, nil
	case waySecret:
		form.Set("grant_type", "client_credentials")
		form.Set("client_secret", o.Secret)
	case wayPassword:
		form.Set("grant_type", "password")
		form.Set("username", o.Username)
		form.Set("password", o.Password)
		if o.Secret != "" {
			form.Set("client_secret", o.Secret)
		}
	case wayFederated:
		ref := o.Token
		if ref == "" {
			ref = "oidc/file/" + o.File
		}
		identity := credential.Identity{Env: s.s.Env, Client: s.s.Client}
		assertion, err := identity.Token(ctx, ref)
		if err != nil {
			return "", time.Time{}, err
		}
		form.Set("grant_type", "client_credentials")
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	case wayMachine:
		return s.machine(ctx, o)
	default:
		return "", time.Time{}, errors.New("set api_key, azure_ad_token, or tenant_id, client_id and client_secret")
	}
	return s.ask(ctx, o, form)
}

// maxAnswer is the greatest length of an answer of the token service in bytes.
const maxAnswer = 256 << 10

// ask makes the request of
// https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow#get-a-token.
func (s *Source) ask(ctx context.Context, o Options, form url.Values) (string, time.Time, error) {
	tenant := o.Tenant
	if tenant == "" {
		tenant = "organizations"
	}
	address := strings.TrimRight(o.Authority, "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", time.Time{}, errors.New("AZURE_AUTHORITY_HOST is not an address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	asked := s.s.Now()
	resp, err := s.s.Client.Do(req)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("the token service is not reached: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", time.Time{}, fmt.Errorf("the answer of the token service broke off: %w", err)
	}
	var a answer
	if json.Unmarshal(body, &a) != nil || resp.StatusCode == http.StatusOK && a.AccessToken == "" {
		return "", time.Time{}, &refusedError{status: resp.StatusCode, code: "its answer holds no token"}
	}
	if resp.StatusCode != http.StatusOK {
		return "", time.Time{}, &refusedError{status: resp.StatusCode, code: a.Error, text: a.Description}
	}
	life, err := a.ExpiresIn.Int64()
	if err != nil || life <= 0 {
		life = 300
	}
	return a.AccessToken, asked.Add(time.Duration(life) * time.Second), nil
}

// answer is what a token service says.
type answer struct {
	AccessToken string      `json:"access_token"`
	ExpiresIn   json.Number `json:"expires_in"`
	Error       string      `json:"error"`
	Description string      `json:"error_description"`
}

// refusedError is a refusal of the token service. Its text does not repeat what was sent.
type refusedError struct {
	status     int
	code, text string
}

func (e *refusedError) Error() string {
	text, _, _ := strings.Cut(e.text, "\n")
	text, _, _ = strings.Cut(text, " Trace ID")
	text = strings.TrimSpace(text)
	if text != "" {
		text = ": " + text[:min(len(text), 512)]
	}
	return fmt.Sprintf("status %d, %s%s", e.status, e.code, text)
}

// machine asks the platform for the identity of the machine, which the library knows for each kind of platform. With a
// client id it is the identity that the operator assigned.
func (s *Source) machine(ctx context.Context, o Options) (string, time.Time, error) {
	var opts azidentity.ManagedIdentityCredentialOptions
	opts.Transport = s.s.Client
	opts.Retry.MaxRetries = 1
	if o.Client != "" {
		opts.ID = azidentity.ClientID(o.Client)
	}
	c, err := azidentity.NewManagedIdentityCredential(&opts)
	if err != nil {
		return "", time.Time{}, errors.New("the machine has no identity that Azure knows")
	}
	t, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{o.Scope}})
	if err != nil {
		var refused *azidentity.AuthenticationFailedError
		if errors.As(err, &refused) && refused.RawResponse != nil {
			return "", time.Time{}, &refusedError{status: refused.RawResponse.StatusCode, code: "the machine's identity is refused"}
		}
		return "", time.Time{}, errors.New("the machine has no identity that Azure knows")
	}
	return t.Token, t.ExpiresOn, nil
}
