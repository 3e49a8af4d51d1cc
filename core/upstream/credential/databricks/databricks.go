// Package databricks proves to Databricks who sends a call, by access tokens that it gets for a service principal
// (https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m).
package databricks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// Settings say how tokens are fetched. The zero value is usable.
type Settings struct {
	Client *http.Client     // nil is http.DefaultClient
	Now    func() time.Time // nil is time.Now
}

// Source makes signers. Signers for the same principal share a token. It is safe for concurrent use.
type Source struct {
	s Settings

	mu     sync.Mutex
	caches map[principal]*credential.Cache[string]
}

type principal struct{ workspace, id, secret string }

// New makes a source. It does no I/O.
func New(s Settings) *Source {
	if s.Client == nil {
		s.Client = http.DefaultClient
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Source{s: s, caches: map[principal]*credential.Cache[string]{}}
}

// Signer returns a signer that adds "Authorization: Bearer" and a token for the principal with the id and secret. base is
// an address of the workspace that it belongs to. The token is fetched for the first call.
func (s *Source) Signer(base, id, secret string) (llm.Signer, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("the address of the workspace is not a URL")
	}
	p := principal{u.Scheme + "://" + u.Host, id, secret}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[p]
	if c == nil {
		c = credential.NewCache(func(ctx context.Context) (string, time.Time, error) { return s.fetch(ctx, p) }, 0, s.s.Now)
		s.caches[p] = c
	}
	return &signer{c}, nil
}

type signer struct{ cache *credential.Cache[string] }

// Sign implements llm.Signer.
func (s *signer) Sign(ctx context.Context, c *llm.Call) error {
	token, err := s.cache.Get(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return llm.AsError(ctx.Err())
		}
		return &llm.Error{
			Op: "databricks.Sign", Kind: llm.KindAuthentication, Provider: "databricks", Err: err,
			Message: "Databricks gave no access token for the service principal: " + err.Error(),
		}
	}
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer " + token)})
	return nil
}

func (s *Source) fetch(ctx context.Context, p principal) (string, time.Time, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"all-apis"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.workspace+"/oidc/v1/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", time.Time{}, errors.New("the address of the token service cannot be used")
	}
	req.SetBasicAuth(p.id, p.secret)
	return credential.FetchToken(s.s.Client, s.s.Now, req, p.secret)
}
