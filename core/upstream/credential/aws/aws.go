// Package aws proves to Amazon's services who sends a call: it finds credentials the way that Amazon's own clients and the
// reference system do, and signs calls with Signature Version 4
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// Settings say where credentials are looked for. The zero value is usable.
type Settings struct {
	Env    func(name string) string // of a variable; nil is os.Getenv
	Now    func() time.Time         // nil is time.Now
	Client *http.Client             // nil is the SDK's own for Amazon's services, and http.DefaultClient for others

	// Prepare sets up connections to Amazon's services and metadata servers, which are then not made by Client. It is called
	// for each credential that is fetched.
	Prepare func(*http.Transport)
}

// Options are the credentials of one deployment, by the names of its settings. What is empty comes from the variable of
// the same name in capitals, and then from wherever Amazon's clients look: AWS_PROFILE and the shared files, a web identity
// of the platform, the container's and the machine's metadata server.
type Options struct {
	AccessKeyID     string // aws_access_key_id
	SecretAccessKey string // aws_secret_access_key
	SessionToken    string // aws_session_token
	Profile         string // aws_profile_name
	Role            string // aws_role_name: the role to assume
	SessionName     string // aws_session_name, of the role's session
	ExternalID      string // aws_external_id, which the role may ask for
	WebIdentity     string // aws_web_identity_token: what the role is assumed with; see credential.Identity
	STSEndpoint     string // aws_sts_endpoint: where roles are assumed; empty is Amazon's address in the region
	Region          string // where calls go, and their signature is valid
}

// Read takes the options from the settings of a deployment, and what is not set there from the environment. A region that
// neither has stays empty.
func Read(setting, env func(name string) string) Options {
	get := func(name string) string {
		if v := setting(name); v != "" {
			return v
		}
		return env(strings.ToUpper(name))
	}
	o := Options{
		AccessKeyID: setting("aws_access_key_id"), SecretAccessKey: setting("aws_secret_access_key"), SessionToken: setting("aws_session_token"),
		Profile: setting("aws_profile_name"), Role: setting("aws_role_name"), WebIdentity: setting("aws_web_identity_token"),
		SessionName: get("aws_session_name"), ExternalID: get("aws_external_id"), STSEndpoint: get("aws_sts_endpoint"), Region: get("aws_region_name"),
	}
	if o.Region == "" {
		o.Region = env("AWS_REGION")
	}
	if o.Region == "" {
		o.Region = env("AWS_DEFAULT_REGION")
	}
	// A deployment that names a role or a profile wants that one, and with keys of its own it wants no role of others.
	if o.Role == "" && o.AccessKeyID == "" && o.Profile == "" {
		o.Role = env("AWS_ROLE_NAME")
		if o.WebIdentity == "" && o.Role != "" {
			o.WebIdentity = env("AWS_WEB_IDENTITY_TOKEN")
		}
	}
	if o.AccessKeyID == "" && o.SecretAccessKey == "" && o.Profile == "" {
		o.AccessKeyID, o.SecretAccessKey, o.SessionToken = env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")
	}
	if o.Profile == "" && o.AccessKeyID == "" {
		o.Profile = env("AWS_PROFILE_NAME")
	}
	return o
}

// Check says what is wrong with the options, by the name of the setting, or nothing.
func (o Options) Check() (setting, problem string) {
	switch {
	case o.AccessKeyID != "" && o.SecretAccessKey == "":
		return "aws_secret_access_key", "is missing: it belongs to aws_access_key_id"
	case o.AccessKeyID == "" && o.SecretAccessKey != "":
		return "aws_access_key_id", "is missing: it belongs to aws_secret_access_key"
	case o.WebIdentity != "" && o.Role == "":
		return "aws_role_name", "is missing: it names the role to assume with aws_web_identity_token"
	case o.Role != "" && !strings.HasPrefix(o.Role, "arn:"):
		return "aws_role_name", "must be the ARN of a role, such as arn:aws:iam::123456789012:role/name"
	case !ValidRegion(o.Region):
		return "aws_region_name", "must be a region, such as us-east-1"
	}
	return "", ""
}

// ValidRegion reports whether a name can be a region's, since it becomes a part of host names.
func ValidRegion(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 32
}

// Source makes signers. Signers with the same options share credentials, so that a role is assumed once for all
// deployments that name it. It is safe for concurrent use.
type Source struct {
	s Settings

	mu     sync.Mutex
	caches map[Options]*credential.Cache[sdk.Credentials]
}

// New makes a source. It does no I/O.
func New(s Settings) *Source {
	if s.Env == nil {
		s.Env = os.Getenv
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return &Source{s: s, caches: map[Options]*credential.Cache[sdk.Credentials]{}}
}

// Options is Read with the source's environment.
func (s *Source) Options(setting func(name string) string) Options { return Read(setting, s.s.Env) }

// Signer returns a signer for a service, by its signing name such as "bedrock". Credentials are fetched for the first call.
func (s *Source) Signer(o Options, service string) llm.Signer {
	return &signer{cache: s.cache(o), service: service, region: o.Region, now: s.s.Now, sign: newV4()}
}

// cache is the cache of credentials for the options. Keys without a session do not depend on the region.
func (s *Source) cache(o Options) *credential.Cache[sdk.Credentials] {
	if o.Role == "" && o.AccessKeyID != "" {
		o.Region, o.STSEndpoint, o.SessionName, o.ExternalID = "", "", "", ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.caches[o]
	if c == nil {
		c = credential.NewCache(func(ctx context.Context) (sdk.Credentials, time.Time, error) {
			return s.fetch(ctx, o)
		}, 0, s.s.Now)
		s.caches[o] = c
	}
	return c
}

// fetch finds credentials, and when they expire.
func (s *Source) fetch(ctx context.Context, o Options) (sdk.Credentials, time.Time, error) {
	p, err := s.provider(ctx, o)
	if err != nil {
		return sdk.Credentials{}, time.Time{}, failure(err)
	}
	c, err := p.Retrieve(ctx)
	if err != nil {
		return sdk.Credentials{}, time.Time{}, failure(err)
	}
	if !c.CanExpire {
		// A profile may be written anew by other programs.
		return c, s.s.Now().Add(profileLife), nil
	}
	return c, c.Expires, nil
}

// profileLife is how long credentials are used that do not say when they expire.
const profileLife = 10 * time.Minute

// failure is the error for a caller. What the SDK says may quote a request, so only codes and messages of Amazon's services
// and the names of files and variables pass.
func failure(err error) error {
	e := &llm.Error{Op: "aws.Sign", Kind: llm.KindAuthentication, Provider: "aws", Err: brief(err)}
	var own *notFoundError
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	var status interface{ HTTPStatusCode() int }
	var call operation
	switch {
	case errors.As(err, &own):
		e.Message = own.Error()
	case errors.As(err, &api) && api.ErrorCode() != "":
		e.Message = fmt.Sprintf("AWS refused to give credentials: %s: %s", api.ErrorCode(), clip(api.ErrorMessage()))
	case errors.As(err, &status) && status.HTTPStatusCode() > 0:
		e.Message = fmt.Sprintf("AWS refused to give credentials: status %d", status.HTTPStatusCode())
	case errors.As(err, &call):
		e.Message = "AWS cannot be asked for credentials: " + call.Service() + " is not reached"
	default:
		e.Message = "AWS credentials cannot be found: set aws_access_key_id and aws_secret_access_key, aws_profile_name or aws_role_name, or give the machine a role"
	}
	return e
}

func clip(s string) string { return s[:min(len(s), 512)] }

// notFoundError says which setting credentials cannot be had from.
type notFoundError struct {
	setting string
	err     error
}

func (e *notFoundError) Error() string { return e.setting + ": " + e.err.Error() }

func (e *notFoundError) Unwrap() error { return e.err }

// operation is a call of the SDK that failed.
type operation interface {
	Service() string
	Operation() string
}

// brief is the cause for a log: of a call of the SDK what was called, and the last word.
func brief(err error) error {
	var op operation
	if !errors.As(err, &op) {
		return err
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return fmt.Errorf("%s %s: %w", op.Service(), op.Operation(), err)
}
