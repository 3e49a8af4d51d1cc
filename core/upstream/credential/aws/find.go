package aws

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sallyport-ai/sallyport/core/upstream/credential"
)

// sessionTime is how long a role's credentials are asked for: as long as every role allows.
const sessionTime = time.Hour

// provider is where the credentials come from. The order is the reference's (litellm/llms/bedrock/base_aws_llm.py,
// get_credentials): a role, by a web identity or by other credentials; a profile; keys; and whatever the SDK finds.
func (s *Source) provider(ctx context.Context, o Options) (sdk.CredentialsProvider, error) {
	switch {
	case o.Role != "" && o.WebIdentity != "":
		return s.webIdentity(ctx, o, o.Role, o.WebIdentity)
	case o.Role != "":
		base := o
		base.Role = ""
		from, err := s.provider(ctx, base)
		if err != nil {
			return nil, err
		}
		return stscreds.NewAssumeRoleProvider(s.sts(o, from), o.Role, func(a *stscreds.AssumeRoleOptions) {
			a.RoleSessionName, a.Duration = s.sessionName(o), sessionTime
			if o.ExternalID != "" {
				a.ExternalID = &o.ExternalID
			}
		}), nil
	case o.AccessKeyID != "":
		return credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken), nil
	}
	return s.found(ctx, o)
}

// found looks where the SDK does. The variables go through the gateway's own environment, which the configuration may add
// to.
func (s *Source) found(ctx context.Context, o Options) (sdk.CredentialsProvider, error) {
	env := s.s.Env
	role, file := env("AWS_ROLE_ARN"), env("AWS_WEB_IDENTITY_TOKEN_FILE")
	if o.Profile == "" && env("AWS_PROFILE") == "" && role != "" && file != "" {
		o.SessionName = env("AWS_ROLE_SESSION_NAME")
		return s.webIdentity(ctx, o, role, "oidc/file/"+file)
	}
	profile := o.Profile
	if profile == "" {
		profile = env("AWS_PROFILE")
	}
	load := []func(*config.LoadOptions) error{config.WithRetryMaxAttempts(2)}
	if profile != "" {
		load = append(load, config.WithSharedConfigProfile(profile))
	}
	if path := env("AWS_SHARED_CREDENTIALS_FILE"); path != "" {
		load = append(load, config.WithSharedCredentialsFiles([]string{path}))
	}
	if path := env("AWS_CONFIG_FILE"); path != "" {
		load = append(load, config.WithSharedConfigFiles([]string{path}))
	}
	if client := s.client(); client != nil {
		load = append(load, config.WithHTTPClient(client))
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil && profile != "" {
		return nil, &notFoundError{"aws_profile_name", err}
	}
	if err != nil {
		return nil, err
	}
	return cfg.Credentials, nil
}

// webIdentity assumes a role with the token that ref stands for.
func (s *Source) webIdentity(ctx context.Context, o Options, role, ref string) (sdk.CredentialsProvider, error) {
	identity := credential.Identity{Env: s.s.Env, Client: s.s.Client}
	token, err := identity.Token(ctx, ref)
	if err != nil {
		return nil, &notFoundError{"aws_web_identity_token", err}
	}
	return stscreds.NewWebIdentityRoleProvider(s.sts(o, nil), role, identityToken(token), func(w *stscreds.WebIdentityRoleOptions) {
		w.RoleSessionName, w.Duration = s.sessionName(o), sessionTime
	}), nil
}

// identityToken is a token that is at hand.
type identityToken string

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (t identityToken) GetIdentityToken() ([]byte, error) { return []byte(t), nil }

// sessionName names the session of a role, which Amazon's logs show.
func (s *Source) sessionName(o Options) string {
	if o.SessionName != "" {
		return o.SessionName
	}
	return "sallyport"
}

// sts is a client of the token service, which is regional (https://docs.aws.amazon.com/sdkref/latest/guide/feature-sts-regionalized-endpoints.html).
func (s *Source) sts(o Options, from sdk.CredentialsProvider) *sts.Client {
	region := stsRegion(o.STSEndpoint)
	if region == "" {
		region = o.Region
	}
	if region == "" {
		region = "us-east-1"
	}
	opts := sts.Options{Region: region, Credentials: from, RetryMaxAttempts: 2}
	if o.STSEndpoint != "" {
		opts.BaseEndpoint = &o.STSEndpoint
	}
	if client := s.client(); client != nil {
		opts.HTTPClient = client
	}
	return sts.New(opts)
}

// client is what calls Amazon's services; nil is the SDK's own. Of the SDK's own kind, it takes AWS_CA_BUNDLE and gives up on
// a metadata server that is not there.
func (s *Source) client() sdk.HTTPClient {
	switch {
	case s.s.Prepare != nil:
		return awshttp.NewBuildableClient().WithTransportOptions(s.s.Prepare)
	case s.s.Client != nil:
		return s.s.Client
	}
	return nil
}

// stsRegion is the region that the address of a token service names, or "".
func stsRegion(endpoint string) string {
	_, rest, ok := strings.Cut(endpoint, "sts.")
	if !ok {
		return ""
	}
	region, domain, _ := strings.Cut(rest, ".")
	if !ValidRegion(region) || !strings.HasPrefix(domain, "amazonaws.com") && !strings.HasPrefix(domain, "vpce.amazonaws.com") {
		return ""
	}
	return region
}
