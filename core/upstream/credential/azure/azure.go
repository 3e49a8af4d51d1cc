// Package azure proves to Azure's services who sends a call, by tokens of Microsoft Entra ID: for a client with a secret,
// a workload with the token of its platform, a user with a password, or the identity of the machine.
package azure

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// Settings say where tokens are fetched. The zero value is usable.
type Settings struct {
	Env    func(name string) string // of a variable; nil is os.Getenv
	Client *http.Client             // nil is http.DefaultClient
	Now    func() time.Time         // nil is time.Now
}

// Options are the identity of one deployment, by the names of its settings.
type Options struct {
	Tenant    string // tenant_id, or AZURE_TENANT_ID
	Client    string // client_id, or AZURE_CLIENT_ID
	Secret    string // client_secret, or AZURE_CLIENT_SECRET
	Token     string // azure_ad_token, or AZURE_AD_TOKEN: a token, or an oidc/ reference to one that is exchanged for it
	Username  string // azure_username, or AZURE_USERNAME
	Password  string // azure_password, or AZURE_PASSWORD
	Scope     string // azure_scope, or AZURE_SCOPE: what the token is for
	Authority string // AZURE_AUTHORITY_HOST: where tokens are given
	File      string // AZURE_FEDERATED_TOKEN_FILE
	Machine   bool   // the identity of the machine is used if there is no other
}

const (
	// DefaultScope is that of https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/managed-identity.
	DefaultScope     = "https://cognitiveservices.azure.com/.default"
	defaultAuthority = "https://login.microsoftonline.com"
)

// Read takes the options from the settings of a deployment, and what is not set there from the environment. The names are
// the reference's (litellm/llms/azure/common_utils.py).
func Read(setting, env func(name string) string) Options {
	get := func(name, variable string) string {
		if v := setting(name); v != "" {
			return v
		}
		return env(variable)
	}
	o := Options{
		Tenant: get("tenant_id", "AZURE_TENANT_ID"), Client: get("client_id", "AZURE_CLIENT_ID"),
		Secret: get("client_secret", "AZURE_CLIENT_SECRET"), Token: get("azure_ad_token", "AZURE_AD_TOKEN"),
		Username: get("azure_username", "AZURE_USERNAME"), Password: get("azure_password", "AZURE_PASSWORD"),
		Scope: get("azure_scope", "AZURE_SCOPE"), Authority: env("AZURE_AUTHORITY_HOST"), File: env("AZURE_FEDERATED_TOKEN_FILE"),
	}
	if o.Scope == "" {
		o.Scope = DefaultScope
	}
	if o.Authority == "" {
		o.Authority = defaultAuthority
	}
	return o
}

// way is how a token is had.
type way uint8

const (
	wayNone way = iota
	wayGiven
	waySecret
	wayPassword
	wayFederated
	wayMachine
)

// way follows the reference's order, behind which come the identities that it leaves to azure-identity.
func (o Options) way() way {
	switch {
	case o.Token != "" && !strings.HasPrefix(o.Token, "oidc/"):
		return wayGiven
	case o.Token != "":
		return wayFederated
	case o.Tenant != "" && o.Client != "" && o.Secret != "":
		return waySecret
	case o.Client != "" && o.Username != "" && o.Password != "":
		return wayPassword
	case o.Tenant != "" && o.Client != "" && o.File != "":
		return wayFederated
	case o.Machine:
		return wayMachine
	}
	return wayNone
}

// Given reports whether the options name an identity.
func (o Options) Given() bool { return o.way() != wayNone }

// Check says what is wrong with the options, by the name of the setting, or nothing.
func (o Options) Check() (setting, problem string) {
	u, err := url.Parse(o.Authority)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "AZURE_AUTHORITY_HOST", "must be an address, such as https://login.microsoftonline.com"
	case strings.ContainsAny(o.Tenant, "/?#% "):
		return "tenant_id", "must be the id or the domain of a directory"
	case o.way() == wayFederated && (o.Tenant == "" || o.Client == ""):
		return "azure_ad_token", "is a reference to an identity token, which needs tenant_id and client_id to be exchanged"
	}
	return "", ""
}

// Source makes signers. Signers with the same options share tokens. It is safe for concurrent use.
type Source struct {
	s Settings

	mu     sync.Mutex
	caches map[Options]*credential.Cache[string]
}

// New makes a source. It does no I/O.
func New(s Settings) *Source {
	if s.Env == nil {
		s.Env = os.Getenv
	}
	if s.Client == nil {
		s.Client = http.DefaultClient
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Source{s: s, caches: map[Options]*credential.Cache[string]{}}
}

// Options is Read with the source's environment.
func (s *Source) Options(setting func(name string) string) Options { return Read(setting, s.s.Env) }

// Signer returns a signer that adds "Authorization: Bearer" and a token. Tokens are fetched for the first call.
func (s *Source) Signer(o Options) llm.Signer {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[o]
	if c == nil {
		c = credential.NewCache(func(ctx context.Context) (string, time.Time, error) {
			token, expires, err := s.fetch(ctx, o)
			return token, expires, failure(err)
		}, 0, s.s.Now)
		s.caches[o] = c
	}
	return (*signer)(c)
}

type signer credential.Cache[string]

// Sign implements llm.Signer.
func (s *signer) Sign(ctx context.Context, c *llm.Call) error {
	token, err := (*credential.Cache[string])(s).Get(ctx)
	if err != nil {
		return llm.AsError(err)
	}
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer " + token)})
	return nil
}

func failure(err error) error {
	if err == nil {
		return nil
	}
	e := &llm.Error{Op: "azure.Sign", Kind: llm.KindAuthentication, Provider: "azure", Err: err}
	var refused *refusedError
	if errors.As(err, &refused) {
		e.Message = "Azure refused to give a token: " + refused.Error()
		return e
	}
	e.Message = "No Azure token can be had: " + err.Error()
	return e
}
