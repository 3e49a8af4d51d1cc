package app

import (
	"encoding/json"
	"net/url"
	"strings"

	dialect "github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/anthropic"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
	"github.com/sallyport-ai/sallyport/core/provider/mistral"
	"github.com/sallyport-ai/sallyport/core/provider/openai"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/google"
)

// safety are the safety settings for Google's models; nil if there are none.
func (b *builder) safety() []byte {
	list := b.cfg.LiteLLMSettings.VertexAISafetySettings
	if len(list) == 0 {
		return nil
	}
	raw, err := json.Marshal(list)
	if err != nil {
		b.mistake("litellm_settings.vertex_ai_safety_settings", err)
	}
	return raw
}

// vertexAI makes the provider of Vertex AI, where Google serves its own models and those of others, each in the form of
// its maker's API.
func (b *builder) vertexAI(most int64) provider.Provider {
	source := google.New(google.Settings{Env: b.cfg.Env().Get, Client: b.clouds.wire.client()})
	v := &vertexAI{
		project: func(d *llm.Deployment) string {
			if s := d.Setting("vertex_project"); s != "" {
				return s
			}
			return source.Project(d.Setting("vertex_credentials"))
		},
		sign: func(d *llm.Deployment) (llm.Signer, error) { return source.Signer(d.Setting("vertex_credentials")) },
	}
	v.google = gemini.New(gemini.Settings{Vertex: true, MaxResponse: most, Safety: b.safety(), Sign: v.sign, Project: v.project})
	v.anthropic = anthropic.New(anthropic.Settings{MaxResponse: most, Cloud: &anthropic.Cloud{
		// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
		Version: "vertex-2023-10-16", Whole: ":rawPredict", Stream: ":streamRawPredict", Count: "count-tokens:rawPredict",
		Locate: v.claude, Sign: v.signed,
	}})
	v.pages = mistral.Pages(mistral.Cloud{Name: gemini.Vertex, MaxResponse: most, Sign: v.signed, Locate: func(d *llm.Deployment) (string, error) {
		base, err := v.models(d, "mistralai")
		return base + provider.EscapeModel(d.Model) + ":rawPredict", err
	}})
	open := openai.Settings{Name: gemini.Vertex, KeyOptional: true, MaxResponse: most}
	open.Place = v.garden
	v.open = openai.New(open)
	whole, stream := open, open
	whole.Place = func(d *llm.Deployment) (*provider.Place, error) { return v.raw(d, ":rawPredict") }
	stream.Place = func(d *llm.Deployment) (*provider.Place, error) { return v.raw(d, ":streamRawPredict") }
	v.whole, v.stream = openai.New(whole), openai.New(stream)
	return v
}

// vertexAI chooses by the model whose API is spoken.
type vertexAI struct {
	google, anthropic, open provider.Provider
	pages                   provider.Provider // Mistral's models for documents
	whole, stream           provider.Provider // of makers whose calls go to rawPredict and streamRawPredict

	project func(d *llm.Deployment) string
	sign    func(d *llm.Deployment) (llm.Signer, error)
}

// Supported implements provider.Parameters, for Google's own models.
func (v *vertexAI) Supported(op llm.Operation) ([]string, bool) {
	return provider.SupportedBy(v.google, op)
}

// Bind implements provider.Provider. The names of models are those that the reference takes
// (litellm/llms/vertex_ai/vertex_ai_partner_models/main.py).
func (v *vertexAI) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	maker, _, slash := strings.Cut(d.Model, "/")
	switch {
	case strings.HasPrefix(d.Model, "claude"), maker == "anthropic":
		c := *d
		c.Model = strings.TrimPrefix(d.Model, "anthropic/")
		return v.anthropic.Bind(&c)
	case strings.HasPrefix(d.Model, "mistral-ocr"):
		return v.pages.Bind(d)
	case publisher(d.Model) != "":
		whole, err := v.whole.Bind(d)
		if err != nil {
			return nil, err
		}
		stream, err := v.stream.Bind(d)
		return &byStream{whole, stream}, err
	case slash && maker != "gemini" && maker != "google" && maker != "models":
		return v.open.Bind(d)
	}
	return v.google.Bind(d)
}

// publisher is the maker of a model that is called by rawPredict, other than Anthropic
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral).
func publisher(model string) string {
	for _, prefix := range []string{"mistral", "codestral", "ministral"} {
		if strings.HasPrefix(model, prefix) && !strings.Contains(model, "/") {
			return "mistralai"
		}
	}
	if strings.HasPrefix(model, "jamba") {
		return "ai21"
	}
	return ""
}

func (v *vertexAI) signed(d *llm.Deployment) (llm.Signer, error) {
	s, err := v.sign(d)
	if err != nil {
		return nil, &provider.SettingError{Group: d.Group, Setting: "vertex_credentials", Problem: "cannot be used: " + err.Error()}
	}
	return s, nil
}

// models is the address of a publisher's models. A base of the operator's own replaces that of Vertex AI.
func (v *vertexAI) models(d *llm.Deployment, publisher string) (string, error) {
	base, setting, problem := dialect.VertexModel(d.Setting, v.project(d), publisher)
	if problem != "" {
		return "", &provider.SettingError{Group: d.Group, Setting: setting, Problem: problem}
	}
	if d.Base == "" {
		return base, nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(d.Base, "/") + strings.TrimPrefix(u.Path, ownVersion(d.Base)), nil
}

// ownVersion is the version in the path if the operator's base has it already.
func ownVersion(base string) string {
	if strings.HasSuffix(base, "/v1") || strings.HasSuffix(base, "/v1beta1") {
		return "/v1"
	}
	return ""
}

func (v *vertexAI) claude(d *llm.Deployment) (string, error) {
	if strings.Contains(d.Base, "/models/") {
		return d.Base, nil
	}
	base, err := v.models(d, "anthropic")
	return base + provider.EscapeModel(d.Model), err
}

// garden is the place of the open models, which all are called at one address in the form of OpenAI's API
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis).
func (v *vertexAI) garden(d *llm.Deployment) (*provider.Place, error) {
	base, err := v.models(d, "")
	if err != nil {
		return nil, err
	}
	p := &provider.Place{Base: base + "/endpoints/openapi", Path: func(op llm.Operation) string {
		if op != llm.OpChat {
			return ""
		}
		return "/chat/completions"
	}}
	p.Signer, err = v.signed(d)
	return p, err
}

// raw is the place of a model that is called by a method.
func (v *vertexAI) raw(d *llm.Deployment, method string) (*provider.Place, error) {
	base, err := v.models(d, publisher(d.Model))
	if err != nil {
		return nil, err
	}
	p := &provider.Place{Base: strings.TrimRight(base, "/"), Path: func(op llm.Operation) string {
		if op != llm.OpChat {
			return ""
		}
		return "/" + provider.EscapeModel(d.Model) + method
	}}
	p.Signer, err = v.signed(d)
	return p, err
}

// byStream is an endpoint whose streams have another address.
type byStream struct{ whole, stream provider.Endpoint }

func (e *byStream) of(x *llm.Exchange) provider.Endpoint {
	if x.Streamed {
		return e.stream
	}
	return e.whole
}

// Encode implements provider.Endpoint.
func (e *byStream) Encode(x *llm.Exchange, c *llm.Call) error { return e.of(x).Encode(x, c) }

// Decode implements provider.Endpoint.
func (e *byStream) Decode(x *llm.Exchange, a *llm.Answer, r *llm.Reply) error {
	return e.of(x).Decode(x, a, r)
}
