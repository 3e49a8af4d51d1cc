// Package falai is the provider for images with fal.ai (https://docs.fal.ai/model-apis/model-endpoints/synchronous-requests,
// https://fal.ai/models/fal-ai/flux/dev/api).
package falai

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "fal_ai"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64            // bytes of an answer; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://fal.run", KeyScheme: "Key ", KeyHeader: "Authorization", Classify: classify,
		KeyVars: []string{"FAL_AI_API_KEY", "FAL_KEY"}, BaseVars: []string{"FAL_AI_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpImage: {Path: "/{model}", Params: []string{"n", "size", "response_format"}, Request: draw, Answer: drawn},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// draw writes the size under the name that a model has for it: most know pixels, and some the shape only
// (https://fal.ai/models/fal-ai/imagen4/preview/api, https://fal.ai/models/fal-ai/flux-pro/v1.1-ultra/api).
func draw(t *provider.Turn, dst []byte) ([]byte, error) {
	prompt, err := t.Prompt()
	if err != nil {
		return nil, err
	}
	width, height, err := t.Size()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("prompt").Raw(prompt).Member("num_images", t.Params.Get("n"))
	switch model := t.Site.Deployment.Model; {
	case width == 0:
	case strings.Contains(model, "imagen4"), strings.Contains(model, "ultra"):
		b.Key("aspect_ratio").Quote(provider.Ratio(width, height, "1:1", "4:3", "3:4", "16:9", "9:16"))
	default:
		b.Key("image_size").Open('{').Key("width").Int(int64(width)).Key("height").Int(int64(height)).Close('}')
	}
	if string(t.Params.Get("response_format")) == `"b64_json"` {
		b.Key("sync_mode").Bool(true) // images come in the answer itself
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

func drawn(t *provider.Turn, body, dst []byte) ([]byte, error) {
	images := t.Images(dst)
	for c := dialect.Array(dialect.Get(body, "images")); c.Next(); {
		if c.First() == '"' {
			images.Address(c.Value())
			continue
		}
		images.Address(dialect.Get(c.Value(), "url"))
	}
	images.Address(dialect.Get(dialect.Get(body, "image"), "url"))
	if out, err := images.End(); err == nil {
		return out, nil
	}
	if dialect.Get(body, "detail") != nil {
		return nil, t.Fail(400, body)
	}
	return nil, t.Garbled("has no images")
}

// classify reads {"detail":[{"msg","type"}]}: https://docs.fal.ai/errors. Those of the platform itself, {"detail":"...",
// "error_type"}, have a status that tells their kind: https://fal.ai/docs/documentation/model-apis/request-errors.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	c := dialect.Array(dialect.Get(body, "detail"))
	if !c.Next() {
		return
	}
	if s := provider.Excerpt(dialect.Get(c.Value(), "msg")); s != "" {
		e.Message = s
	}
	switch kind, _ := llm.Text(dialect.Get(c.Value(), "type")); string(kind) {
	case "content_policy_violation":
		e.Kind, e.Status = llm.KindContentPolicy, 0
	case "generation_timeout", "downstream_service_timeout":
		e.Kind, e.Status = llm.KindTimeout, 0
	case "internal_server_error":
		e.Kind, e.Status = llm.KindInternal, 0
	case "downstream_service_unavailable":
		e.Kind, e.Status = llm.KindUnavailable, 0
	}
}
