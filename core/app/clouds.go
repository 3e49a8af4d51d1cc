package app

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/sallyport-ai/sallyport/config"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/azure"
	"github.com/sallyport-ai/sallyport/core/provider/bedrock"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/provider/polly"
	"github.com/sallyport-ai/sallyport/core/provider/sagemaker"
	awscredential "github.com/sallyport-ai/sallyport/core/upstream/credential/aws"
	azurecredential "github.com/sallyport-ai/sallyport/core/upstream/credential/azure"
)

// clouds find the credentials of Amazon and Azure. Deployments with the same settings share them, and a configuration that
// is loaded anew finds them as they were, unless the environment has changed.
type clouds struct {
	mu    sync.Mutex
	mark  [sha256.Size]byte // of the environment
	aws   *awscredential.Source
	azure *azurecredential.Source
	wire  wire
}

// of returns the sources for an environment.
func (c *clouds) of(env *config.Env) (*awscredential.Source, *azurecredential.Source) {
	h := sha256.New()
	for _, name := range env.Names() {
		fmt.Fprintf(h, "%q=%q\n", name, env.Get(name))
	}
	var mark [sha256.Size]byte
	h.Sum(mark[:0])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aws == nil || mark != c.mark {
		c.mark = mark
		c.aws = awscredential.New(awscredential.Settings{Env: env.Get, Client: c.wire.client(), Prepare: c.wire.prepare})
		c.azure = azurecredential.New(azurecredential.Settings{Env: env.Get, Client: c.wire.client()})
	}
	return c.aws, c.azure
}

func (b *builder) amazon() *awscredential.Source {
	s, _ := b.clouds.of(b.cfg.Env())
	return s
}

func (b *builder) microsoft() *azurecredential.Source {
	_, s := b.clouds.of(b.cfg.Env())
	return s
}

// cloud makes the provider of a vendor whose calls are signed, or carry tokens that expire. It is nil for others. most is
// the limit of an answer, in bytes.
func (b *builder) cloud(v compat.Vendor, most int64) provider.Provider {
	place := azure.Settings{Identity: b.azureIdentity, Version: b.cfg.Env().Get("AZURE_API_VERSION")}
	switch v.Name {
	case bedrock.Name:
		return bedrock.New(bedrock.Settings{Account: b.awsAccount, MaxResponse: most})
	case sagemaker.Name:
		return sagemaker.New(sagemaker.Settings{Account: b.awsAccount, MaxResponse: most})
	case sagemaker.NameChat:
		return sagemaker.Chat(b.placed(v, most, sagemaker.Place(sagemaker.Settings{Account: b.awsAccount})))
	case azure.Name:
		return b.azureOpenAI(v, most, place)
	case azure.NameAI:
		claude := anthropic.New(anthropic.Settings{Sign: b.azureIdentity, MaxResponse: most})
		return b.foundry(claudeBeside{b.placed(v, most, azure.PlaceAI(place)), claude}, most)
	case polly.Name:
		return polly.New(polly.Settings{Account: b.awsAccount, MaxResponse: most})
	}
	return nil
}

// placed is compatible for a vendor whose addresses are of its own making.
func (b *builder) placed(v compat.Vendor, most int64, place func(*llm.Deployment) (*provider.Place, error)) provider.Provider {
	s := b.compatibleSettings(v, most)
	s.Place = place
	return openai.New(s)
}

// claudeBeside is a vendor that has Anthropic's API for Claude beside OpenAI's for everything else, as Azure AI Foundry
// does (https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/how-to/use-foundry-models-claude).
type claudeBeside struct{ others, claude provider.Provider }

// Bind implements provider.Provider.
func (c claudeBeside) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	if !strings.Contains(strings.ToLower(d.Model), "claude") {
		return c.others.Bind(d)
	}
	own := *d
	base, _, _ := strings.Cut(d.Base, "?")
	if base != "" && !strings.Contains(base, "/anthropic") {
		own.Base = strings.TrimRight(base, "/") + "/anthropic"
	}
	return c.claude.Bind(&own)
}

// Supported implements provider.Parameters.
func (c claudeBeside) Supported(op llm.Operation) ([]string, bool) {
	return provider.SupportedBy(c.others, op)
}

// defaultRegion is where calls go if nobody says a region, as with the reference
// (litellm/llms/bedrock/base_aws_llm.py, _get_aws_region_name).
const defaultRegion = "us-west-2"

// awsAccount says where a deployment is called, and who signs: see bedrock.Settings.
func (b *builder) awsAccount(d *llm.Deployment, service, named string) (string, llm.Signer, error) {
	source := b.amazon()
	o := source.Options(d.Setting)
	if named != "" && d.Setting("aws_region_name") == "" {
		o.Region = named
	}
	if o.Region == "" {
		o.Region = defaultRegion
	}
	if setting, problem := o.Check(); problem != "" {
		return "", nil, &provider.SettingError{Group: d.Group, Setting: setting, Problem: problem}
	}
	return o.Region, source.Signer(o, service), nil
}

// azureOptions are the identity of a deployment.
func (b *builder) azureOptions(d *llm.Deployment) azurecredential.Options {
	o := b.microsoft().Options(d.Setting)
	o.Machine = or(b.cfg.LiteLLMSettings.EnableAzureADTokenRefresh)
	return o
}

// azureIdentity signs the calls of a deployment without a key, or is nil if it names no identity.
func (b *builder) azureIdentity(d *llm.Deployment) (llm.Signer, error) {
	o := b.azureOptions(d)
	if !o.Given() {
		return nil, nil
	}
	if setting, problem := o.Check(); problem != "" {
		return nil, &provider.SettingError{Group: d.Group, Setting: setting, Problem: problem}
	}
	return b.microsoft().Signer(o), nil
}

// identified reports whether a deployment without a key names an identity that stands for one.
func (b *builder) identified(d *llm.Deployment, v compat.Vendor) bool {
	return (v.Name == azure.Name || v.Name == azure.NameAI) && b.azureOptions(d).Given()
}

// ownIdentity reports whether a deployment says itself who it is, so that no key of the environment takes its place.
func ownIdentity(d *llm.Deployment, v compat.Vendor) bool {
	switch v.Name {
	case azure.Name, azure.NameAI:
		return d.Setting("azure_ad_token") != "" || d.Setting("client_id") != "" && d.Setting("tenant_id") != "" || d.Setting("azure_username") != ""
	case bedrock.Name, polly.Name:
		return d.Setting("aws_access_key_id") != "" || d.Setting("aws_role_name") != "" || d.Setting("aws_profile_name") != ""
	}
	return false
}
