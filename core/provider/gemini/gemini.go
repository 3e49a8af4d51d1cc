// Package gemini is the provider for Google's models: the Gemini API (gemini/) and Vertex AI (vertex_ai/), which share
// their requests and answers and differ in addresses and credentials. Callers speak OpenAI's API, or Google's own, which
// goes straight through. The API is described at https://ai.google.dev/api/generate-content and
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
package gemini

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// The vendors in model names and errors.
const (
	Name   = "gemini"
	Vertex = "vertex_ai"
)

// Settings are what can be set about the provider. The zero value is the Gemini API.
type Settings struct {
	Vertex      bool             // Vertex AI
	MaxResponse int64            // bytes of an answer, a stream's in sum; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
	Safety      []byte           // safetySettings for requests without their own, JSON; nil for none

	// Sign returns what proves to Vertex AI who sends a call. It is needed for deployments without an API key.
	Sign func(d *llm.Deployment) (llm.Signer, error)
	// Project names the project of a deployment that does not say; nil or "" if nothing tells it.
	Project func(d *llm.Deployment) string
}

// own is what is known of a deployment.
type own struct {
	model    string // as it stands in paths
	resource string // the path before the model: "/models/", or Vertex AI's
	whole    bool   // the base URL is that of the model
	vertex   bool
	three    bool // Gemini 3 or later
	old      bool // before Gemini 2
	fixed    bool // the operator sets parameters, so no request can go out as it came
	safety   []byte
	now      func() time.Time
	kept     *kept // what was cached

	// On Vertex AI, in a project.
	project  string
	ranking  llm.Target // where documents are ranked
	rankPath string     // "" where they are not
	hearing  llm.Target // where Speech-to-Text is
	hearPath string     // "" where it is not
	speaking llm.Target // where Text-to-Speech is
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	if s.Now == nil {
		s.Now = time.Now
	}
	v := provider.Translation{
		Name: Name, Base: "https://generativelanguage.googleapis.com", MaxResponse: s.MaxResponse, Now: s.Now,
		BaseVars: []string{"GEMINI_API_BASE"}, KeyVars: []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"},
		KeyHeader: "x-goog-api-key", Names: false, Allows: true,
		Bind:     func(site *provider.Site) error { return bind(site, s) },
		Chat:     chat(),
		Forms:    forms(s.Vertex),
		Natives:  []*provider.Native{native()},
		Classify: classify,
	}
	if s.Vertex {
		v.Name, v.Base, v.BaseVars, v.KeyVars = Vertex, "", []string{"VERTEXAI_API_BASE", "VERTEX_API_BASE"}, nil
		v.KeyOptional, v.Locate = true, locate
	}
	return provider.Translate(v)
}

// bind prepares a deployment.
func bind(site *provider.Site, s Settings) error {
	d := site.Deployment
	o := &own{vertex: s.Vertex, model: strings.TrimPrefix(d.Model, "models/"), safety: s.Safety, now: s.Now, kept: &kept{}}
	o.three = threeOf(o.model)
	if major, _ := gemini.Version(o.model); major == 1 {
		o.old = true
	}
	o.fixed = len(d.Defaults)+len(d.ExtraBody)+len(d.AdditionalDrop) > 0
	site.Own = o
	if len(o.safety) > 0 && !json.Valid(o.safety) {
		return site.Problem("safety_settings", "are not JSON")
	}
	if s.Vertex {
		return bindVertex(site, o, s)
	}
	if site.Root == "" { // the address alone; the reference's base has the version too
		site.Root = "/v1beta"
	}
	o.resource = "/models/"
	return nil
}

// threeOf reports whether a model is Gemini 3 or later. The models called latest are.
func threeOf(model string) bool {
	major, _ := gemini.Version(model)
	return major >= 3 || major == 0 && strings.HasPrefix(model, "gemini-") && strings.HasSuffix(model, "-latest")
}

func ownOf(t *provider.Turn) *own { return t.Site.Own.(*own) }

// route appends the path of a method of the model.
func (o *own) route(dst []byte, method string, stream bool) []byte {
	if !o.whole {
		dst = append(append(dst, o.resource...), provider.EscapeModel(o.model)...)
	}
	dst = append(append(dst, ':'), method...)
	if stream {
		dst = append(dst, "?alt=sse"...)
	}
	return dst
}

// generate is the route of generateContent, or of its stream.
func generate(t *provider.Turn, dst []byte) []byte {
	if t.Exchange.Streamed {
		return ownOf(t).route(dst, "streamGenerateContent", true)
	}
	return ownOf(t).route(dst, "generateContent", false)
}
