// Package openrouter is the provider for images with OpenRouter, whose API is otherwise that of OpenAI: models draw in a
// chat (https://openrouter.ai/docs/features/multimodal/image-generation).
package openrouter

import (
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "openrouter"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64            // bytes of an answer; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://openrouter.ai/api/v1",
		KeyVars: []string{"OPENROUTER_API_KEY", "OR_API_KEY"}, BaseVars: []string{"OPENROUTER_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpImage: {
				Path: "/chat/completions", Params: []string{"n", "size", "quality", "response_format", "user"}, Request: draw, Answer: drawn,
			},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// draw writes a chat that asks for a picture. What size and quality become is the reference's rule
// (litellm/llms/openrouter/image_generation/transformation.py).
func draw(t *provider.Turn, dst []byte) ([]byte, error) {
	prompt, err := t.Prompt()
	if err != nil {
		return nil, err
	}
	if err := t.Only("response_format", `"b64_json"`, Name+" gives no addresses of images"); err != nil {
		return nil, err
	}
	width, height, err := t.Size()
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("messages").Open('[').Open('{').Key("role").Lit(`"user"`).Key("content").Raw(prompt)
	b.Close('}').Close(']').Key("modalities").Lit(`["image","text"]`).Member("n", t.Params.Get("n")).Member("user", t.Params.Get("user"))
	quality := resolution(string(t.Params.Get("quality")))
	if width > 0 || quality != "" {
		b.Key("image_config").Open('{')
		b.Text("aspect_ratio", provider.Ratio(width, height, "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"))
		b.Text("image_size", quality).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// resolution is the vendor's word for a quality.
func resolution(quality string) string {
	switch quality {
	case `"low"`, `"standard"`, `"auto"`:
		return "1K"
	case `"medium"`:
		return "2K"
	case `"high"`, `"hd"`:
		return "4K"
	}
	return ""
}

func drawn(t *provider.Turn, body, dst []byte) ([]byte, error) {
	provider.ReadUsage(dialect.Get(body, "usage"), &t.Usage)
	images := t.Images(dst)
	for c := dialect.Array(dialect.Get(body, "choices")); c.Next(); {
		for p := dialect.Array(dialect.Get(dialect.Get(c.Value(), "message"), "images")); p.Next(); {
			images.Address(dialect.Get(dialect.Get(p.Value(), "image_url"), "url"))
		}
	}
	if out, err := images.End(); err == nil {
		return out, nil
	}
	if dialect.Get(body, "error") != nil {
		return nil, t.Fail(400, body)
	}
	return nil, t.Garbled("has no images")
}
