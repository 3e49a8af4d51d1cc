// Package azure says where Azure OpenAI and Azure AI Foundry have the operations of OpenAI's API, and how a deployment
// proves who it is: the dialect itself is core/provider/openai's. The paths are those of
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference and, without versions by date,
// https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle.
package azure

import (
	"net/url"
	"strings"

	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// The vendors in model names and errors.
const (
	Name   = "azure"
	NameAI = "azure_ai"
)

const (
	// DefaultVersion is the reference's (litellm/__init__.py, AZURE_DEFAULT_API_VERSION).
	DefaultVersion = "2025-02-01-preview"
	// responsesSince is the first version with the Responses API
	// (https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/responses).
	responsesSince = "2025-03-01-preview"
	// aiVersion is that of https://learn.microsoft.com/en-us/rest/api/aifoundry/modelinference/.
	aiVersion = "2024-05-01-preview"
)

// Settings are what the functions of the package need from outside.
type Settings struct {
	// Identity makes what signs the calls of a deployment that has no key. It is nil if the deployment names no identity.
	Identity func(d *llm.Deployment) (llm.Signer, error)
	// Version is the api-version of deployments that name none; "" is DefaultVersion.
	Version string
}

// Offers are the operations of Azure OpenAI beside chats, completions and embeddings.
func Offers() []llm.Operation {
	return []llm.Operation{
		llm.OpImage, llm.OpImageEdit, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpResource, llm.OpRealtime,
	}
}

// Model is the name of the deployment at Azure: the model without the words that the reference takes before it.
func Model(model string) string {
	for _, word := range []string{"o_series/", "gpt5_series/", "responses/"} {
		model = strings.TrimPrefix(model, word)
	}
	return model
}

// Place is where the calls of a deployment of Azure OpenAI go. Its api_base is the address of the resource, or that with
// what Azure's pages show behind it.
func Place(s Settings) func(d *llm.Deployment) (*provider.Place, error) {
	return func(d *llm.Deployment) (*provider.Place, error) {
		p := &provider.Place{}
		a := read(d)
		version := a.version
		if version == "" {
			version = d.APIVersion
		}
		if version == "" {
			version = s.Version
		}
		if version == "" {
			version = DefaultVersion
		}
		if strings.ContainsAny(version, "&?#/ ") {
			return nil, &provider.SettingError{Group: d.Group, Setting: "api_version", Problem: "must be a date such as " + DefaultVersion + ", or v1, latest or preview"}
		}
		a.v1 = a.v1 || version == "v1" || version == "latest" || version == "preview"
		p.Base, p.Query, p.Path = a.base, a.query, classic(a.deployment)
		switch {
		case !a.v1:
			p.Query = join(p.Query, "api-version="+version)
			p.NoResponses = version < responsesSince
		default:
			p.Path = v1(a.deployment)
			if version == "preview" {
				p.Query = join(p.Query, "api-version=preview")
			}
		}
		if reasons(d) {
			p.Rename = []llm.Pair{{Name: "max_tokens", Value: "max_completion_tokens"}}
			p.Unsupported = []string{"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"}
		}
		return p, s.identify(p, d)
	}
}

// identify sets the signer of a deployment without a key.
func (s Settings) identify(p *provider.Place, d *llm.Deployment) (err error) {
	if d.APIKey == "" && s.Identity != nil {
		p.Signer, err = s.Identity(d)
	}
	return err
}

// address is an api_base, taken apart.
type address struct {
	base       string // without query and what belongs to the API
	query      string // what it had as query, without the version
	version    string
	deployment string
	v1         bool
}

// read takes the address apart: https://x.openai.azure.com, the same with /openai, /openai/v1 or
// /openai/deployments/name, and whole addresses of an operation.
func read(d *llm.Deployment) (a address) {
	a.deployment = Model(d.Model)
	base, query, _ := strings.Cut(strings.TrimSpace(d.Base), "?")
	for pair := range strings.SplitSeq(query, "&") {
		if version, ok := strings.CutPrefix(pair, "api-version="); ok {
			a.version, _ = url.QueryUnescape(version)
		} else if pair != "" {
			a.query = join(a.query, pair)
		}
	}
	base = strings.TrimRight(base, "/")
	for _, end := range endings() {
		base = strings.TrimSuffix(base, end)
	}
	if before, name, ok := strings.Cut(base, "/openai/deployments/"); ok {
		base = before
		if name, err := url.PathUnescape(name); err == nil && name != "" && !strings.Contains(name, "/") {
			a.deployment = name
		}
	}
	if before, ok := strings.CutSuffix(base, "/openai/v1"); ok {
		base, a.v1 = before, true
	}
	a.base = strings.TrimSuffix(base, "/openai")
	return a
}

// endings are the operations that an address may end with.
func endings() []string {
	var list []string
	for _, op := range append(Offers(), llm.OpChat, llm.OpCompletion, llm.OpEmbedding, llm.OpRerank) {
		if op != llm.OpResource && op != llm.OpRealtime {
			list = append(list, "/"+op.String())
		}
	}
	return append(list, "/responses")
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// classic are the paths with the deployment in them.
func classic(deployment string) func(llm.Operation) string {
	return func(op llm.Operation) string {
		switch op {
		case llm.OpResource:
			return "/openai/"
		case llm.OpRealtime:
			return "/openai/realtime?deployment=" + url.QueryEscape(deployment)
		}
		return "/openai/deployments/" + url.PathEscape(deployment) + "/" + op.String()
	}
}

// v1 are the paths that are OpenAI's own.
func v1(deployment string) func(llm.Operation) string {
	return func(op llm.Operation) string {
		switch op {
		case llm.OpResource:
			return "/openai/v1/"
		case llm.OpRealtime:
			return "/openai/v1/realtime?model=" + url.QueryEscape(deployment)
		}
		return "/openai/v1/" + op.String()
	}
}

// reasons reports whether a deployment is of a reasoning model, which knows fewer parameters and max_tokens under another
// name (https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/reasoning). The name of the deployment may say
// anything, so base_model counts, and the words that the reference takes before the name.
func reasons(d *llm.Deployment) bool {
	if strings.Contains(d.Written, "/o_series/") || strings.Contains(d.Written, "/gpt5_series/") {
		return true
	}
	names := []string{Model(d.Model)}
	if base, ok := d.Info["base_model"].(string); ok {
		names = []string{base}
	}
	for _, name := range names {
		name = strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
		for _, family := range []string{"o1", "o3", "o4", "gpt-5", "codex-mini"} {
			if rest, ok := strings.CutPrefix(name, family); ok && (rest == "" || rest[0] == '-' || rest[0] == '.') && !strings.HasPrefix(rest, "-chat") {
				return true
			}
		}
	}
	return false
}

// PlaceAI is where the calls of a deployment of Azure AI Foundry go: a resource, whose models share paths
// (https://learn.microsoft.com/en-us/azure/ai-foundry/model-inference/concepts/endpoints), or an endpoint of one model.
func PlaceAI(s Settings) func(d *llm.Deployment) (*provider.Place, error) {
	openAI := Place(s)
	return func(d *llm.Deployment) (*provider.Place, error) {
		u, err := url.Parse(strings.TrimSpace(d.Base))
		if err != nil || u.Host == "" {
			return &provider.Place{}, nil //nolint:nilerr // an address that is wrong or missing is found by whoever binds the deployment
		}
		host := strings.ToLower(u.Hostname())
		if strings.Contains(u.Path, "/openai") || strings.HasSuffix(host, ".openai.azure.com") {
			return openAI(d)
		}
		a := read(d)
		p := &provider.Place{Base: strings.TrimSuffix(strings.TrimSuffix(a.base, "/models"), "/v1"), Query: a.query, NoResponses: true}
		version := a.version
		if version == "" {
			version = d.APIVersion
		}
		// Endpoints of one model take the key as a token, and resources as a key.
		front := ""
		if strings.HasSuffix(host, ".services.ai.azure.com") || strings.HasSuffix(a.base, "/models") {
			front, p.KeyHeader = "/models", "api-key"
			if painterOf(d) == painterImage {
				// These are OpenAI's API under the name of the deployment: see imagesVersion.
				front = "/openai/deployments/" + url.PathEscape(Model(d.Model))
				if version == "" {
					version = imagesVersion
				}
			} else if version == "" {
				version = aiVersion
			}
		} else {
			p.KeyBearer = true
			if strings.HasSuffix(a.base, "/v1") {
				front = "/v1"
			}
		}
		p.Path = func(op llm.Operation) string {
			if op == llm.OpRerank {
				return "/v1/rerank" // https://docs.cohere.com/docs/cohere-on-microsoft-azure
			}
			return front + "/" + op.String()
		}
		if version != "" {
			p.Query = join(p.Query, "api-version="+url.QueryEscape(version))
		}
		return p, s.identify(p, d)
	}
}
