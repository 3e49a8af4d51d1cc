// Package ibm proves to IBM Cloud who sends a call, by access tokens that it gets for an API key
// (https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey).
package ibm

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

const (
	defaultURL = "https://iam.cloud.ibm.com/identity/token"
	provider   = "watsonx"
)

// Source makes signers. Signers for the same key share a token. It is safe for concurrent use.
type Source struct {
	s Settings

	mu     sync.Mutex
	caches map[string]*credential.Cache[string]
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
	return &Source{s: s, caches: map[string]*credential.Cache[string]{}}
}

// Signer returns a signer that adds "Authorization: Bearer" and a token for the key. The token is fetched for the first
// call, from the address in WATSONX_IAM_URL or else from IBM Cloud.
func (s *Source) Signer(key string) (llm.Signer, error) {
	if key == "" {
		return nil, errors.New("there is no API key of IBM Cloud")
	}
	address := s.s.Env("WATSONX_IAM_URL")
	if address == "" {
		address = defaultURL
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, errors.New("WATSONX_IAM_URL is not a URL: write it like " + defaultURL)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[key]
	if c == nil {
		c = credential.NewCache(func(ctx context.Context) (string, time.Time, error) { return s.fetch(ctx, address, key) }, 0, s.s.Now)
		s.caches[key] = c
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
			Op: "ibm.Sign", Kind: llm.KindAuthentication, Provider: provider, Err: err,
			Message: "IBM Cloud gave no access token for the API key: " + err.Error(),
		}
	}
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer " + token)})
	return nil
}

func (s *Source) fetch(ctx context.Context, address, key string) (string, time.Time, error) {
	form := url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {key}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", time.Time{}, errors.New("the address of the token service cannot be used")
	}
	return credential.FetchToken(s.s.Client, s.s.Now, req, key)
}
