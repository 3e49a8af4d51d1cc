// Package google proves to Google Cloud who sends a call, by access tokens: for a service account with its key, a
// workload with the token of its platform (workload identity federation), a user who logged in, or the service account of
// the machine. Which of them it is, the credentials file says, as
// https://cloud.google.com/docs/authentication/application-default-credentials describes it.
package google

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// Settings say where tokens are fetched. The zero value is usable.
type Settings struct {
	Env    func(name string) string // of a variable; nil is os.Getenv
	Client *http.Client             // nil is http.DefaultClient
	Now    func() time.Time         // nil is time.Now
}

// Scope is what tokens are for: all of Google Cloud, within what the account may do.
const Scope = "https://www.googleapis.com/auth/cloud-platform"

const (
	maxFile  = 1 << 20  // greatest length of a credentials file in bytes
	maxToken = 64 << 10 // likewise, of an answer of the metadata server
)

// Source makes signers. Signers for the same credentials share tokens. It is safe for concurrent use.
type Source struct {
	s Settings

	mu     sync.Mutex
	caches map[string]*credential.Cache[token]
}

// token is an access token, and the project that pays for the calls of a user.
type token struct{ access, quota string }

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
	return &Source{s: s, caches: map[string]*credential.Cache[token]{}}
}

// Signer returns a signer that adds "Authorization: Bearer" and a token. credentials is the content of a credentials file
// in JSON, or the path of one; empty takes what the environment offers: the file that GOOGLE_APPLICATION_CREDENTIALS
// names, the one that the gcloud command leaves, or the machine's service account. The error is for credentials that can
// never work; tokens are fetched for the first call.
func (s *Source) Signer(credentials string) (llm.Signer, error) {
	if credentials != "" {
		if _, err := s.load(credentials); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[credentials]
	if c == nil {
		c = credential.NewCache(func(ctx context.Context) (token, time.Time, error) {
			t, expires, err := s.fetch(ctx, credentials)
			return t, expires, failure(err)
		}, 0, s.s.Now)
		s.caches[credentials] = c
	}
	return (*signer)(c), nil
}

// Project is the project that the credentials name, or else the environment (GOOGLE_CLOUD_PROJECT); "" if neither does.
// It reads the credentials file, and asks nobody.
func (s *Source) Project(credentials string) string {
	if f, err := s.load(credentials); err == nil && f != nil {
		if f.head.Project != "" {
			return f.head.Project
		}
		if f.head.Quota != "" {
			return f.head.Quota
		}
	}
	return s.s.Env("GOOGLE_CLOUD_PROJECT")
}

type signer credential.Cache[token]

// Sign implements llm.Signer.
func (s *signer) Sign(ctx context.Context, c *llm.Call) error {
	t, err := (*credential.Cache[token])(s).Get(ctx)
	if err != nil {
		return llm.AsError(err)
	}
	c.Header = append(c.Header, llm.Field{Name: []byte("Authorization"), Value: []byte("Bearer " + t.access)})
	if t.quota != "" {
		c.Header = append(c.Header, llm.Field{Name: []byte("x-goog-user-project"), Value: []byte(t.quota)})
	}
	return nil
}

// file is a credentials file.
type file struct {
	raw  []byte
	head head
}

// head is what is read of a credentials file here; the rest is for the library.
type head struct {
	Type     string `json:"type"`
	Project  string `json:"project_id"`
	Quota    string `json:"quota_project_id"`
	Key      string `json:"private_key"`
	Email    string `json:"client_email"`
	TokenURI string `json:"token_uri"`
}

// load reads the credentials. It returns nil without an error if there are none but the machine's.
func (s *Source) load(credentials string) (*file, error) {
	raw := []byte(strings.TrimSpace(credentials))
	where := "the credentials"
	if len(raw) == 0 || raw[0] != '{' {
		path := string(raw)
		if path == "" {
			if path = s.found(); path == "" {
				return nil, nil
			}
			if raw = []byte(strings.TrimSpace(path)); raw[0] == '{' { // some platforms put the content into the variable
				return s.parse(raw, "GOOGLE_APPLICATION_CREDENTIALS")
			}
		}
		var err error
		if raw, err = read(path); err != nil {
			return nil, err
		}
		where = "the credentials file " + path
	}
	return s.parse(raw, where)
}

func (s *Source) parse(raw []byte, where string) (*file, error) {
	f := &file{raw: raw}
	if err := json.Unmarshal(raw, &f.head); err != nil {
		return nil, fmt.Errorf("%s: this is no JSON of Google credentials", where)
	}
	switch google.CredentialsType(f.head.Type) {
	case google.ServiceAccount:
		if f.head.Key == "" || f.head.Email == "" {
			return nil, fmt.Errorf("%s: private_key or client_email is missing", where)
		}
	case google.AuthorizedUser, google.ExternalAccount, google.ExternalAccountAuthorizedUser, google.ImpersonatedServiceAccount:
	default:
		return nil, fmt.Errorf("%s: type is %q, and must be service_account, authorized_user, external_account, "+
			"external_account_authorized_user or impersonated_service_account", where, f.head.Type)
	}
	return f, nil
}

// found is the file that the environment offers, or "".
func (s *Source) found() string {
	if path := s.s.Env("GOOGLE_APPLICATION_CREDENTIALS"); path != "" {
		return path
	}
	// Where the gcloud command leaves the credentials of a user who logged in.
	dir := s.s.Env("CLOUDSDK_CONFIG")
	if dir == "" {
		dir = filepath.Join(s.s.Env("HOME"), ".config", "gcloud")
		if runtime.GOOS == "windows" {
			dir = filepath.Join(s.s.Env("APPDATA"), "gcloud")
		}
	}
	path := filepath.Join(dir, "application_default_credentials.json")
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return path
	}
	return ""
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the credentials file cannot be read: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the credentials file cannot be read: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("the credentials file %s is longer than %d bytes", path, maxFile)
	}
	return b, nil
}

// fetch gets a token, and when it expires. The file is read anew each time, as platforms replace it.
func (s *Source) fetch(ctx context.Context, credentials string) (token, time.Time, error) {
	f, err := s.load(credentials)
	if err != nil {
		return token{}, time.Time{}, err
	}
	if f == nil {
		return s.machine(ctx)
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.s.Client)
	creds, err := google.CredentialsFromJSONWithType(ctx, f.raw, google.CredentialsType(f.head.Type), Scope)
	if err != nil {
		return token{}, time.Time{}, err
	}
	t, err := creds.TokenSource.Token()
	if err != nil {
		return token{}, time.Time{}, err
	}
	return token{t.AccessToken, f.head.Quota}, t.Expiry, nil
}

// machine asks the metadata server (https://cloud.google.com/compute/docs/access/authenticate-workloads#applications).
func (s *Source) machine(ctx context.Context) (token, time.Time, error) {
	fail := func(why string) (token, time.Time, error) {
		return token{}, time.Time{}, errors.New("there are no credentials: set vertex_credentials or GOOGLE_APPLICATION_CREDENTIALS, " +
			"or run on Google Cloud (the metadata server " + why + ")")
	}
	host := s.s.Env("GCE_METADATA_HOST")
	if host == "" {
		host = "metadata.google.internal"
	}
	// The server answers at once if it is there at all.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u := url.URL{
		Scheme: "http", Host: host, Path: "/computeMetadata/v1/instance/service-accounts/default/token",
		RawQuery: url.Values{"scopes": {Scope}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail("has no usable address in GCE_METADATA_HOST")
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := s.s.Client.Do(req)
	if err != nil {
		return fail("cannot be reached")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fail(fmt.Sprintf("answered with status %d", resp.StatusCode))
	}
	var answer struct {
		Token string `json:"access_token"`
		Life  int64  `json:"expires_in"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&answer) != nil || answer.Token == "" {
		return fail("gave no token")
	}
	return token{access: answer.Token}, s.s.Now().Add(time.Duration(answer.Life) * time.Second), nil
}

// failure makes an error that holds no secret of one that may quote an answer.
func failure(err error) error {
	if err == nil {
		return nil
	}
	e := &llm.Error{Op: "google.Sign", Kind: llm.KindAuthentication, Provider: "vertex_ai", Err: err}
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		e.Message = "No Google access token can be had: " + err.Error()
		return e
	}
	e.Err = nil
	e.Message = "Google refused to give an access token"
	if refused.Response != nil {
		e.Message += fmt.Sprintf(" (status %d)", refused.Response.StatusCode)
	}
	said := struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}{refused.ErrorCode, refused.ErrorDescription}
	if said.Code == "" && json.Unmarshal(refused.Body, &said) != nil {
		return e // the answer is not one of https://www.rfc-editor.org/rfc/rfc6749#section-5.2 and stays unsaid
	}
	for _, part := range []string{said.Code, said.Description} {
		if part != "" {
			e.Message += ": " + part
		}
	}
	return e
}
