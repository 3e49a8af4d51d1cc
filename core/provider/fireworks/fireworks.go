// Package fireworks prepares requests for Fireworks AI, whose API is otherwise that of OpenAI: models that cannot see
// read documents and images through a transformation that an address asks for
// (https://docs.fireworks.ai/guides/document-inlining).
package fireworks

import (
	"bytes"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "fireworks_ai"

// setting turns the transformation off, in litellm_params, in litellm_settings or in a request, as in the reference
// (litellm/llms/fireworks_ai/chat/transformation.py).
const setting = "disable_add_transform_inline_image_block"

const inline = "#transform=inline"

// New makes the provider of inner, which speaks the API. disabled turns the transformation off for all deployments.
func New(inner provider.Provider, disabled bool) provider.Provider {
	return provider.Moved(provider.Rewrite(inner, func(d *llm.Deployment, x *llm.Exchange) ([]byte, error) {
		own := d.Setting(setting)
		switch {
		case x.Op != llm.OpChat, disabled && own != "false", own == "true", strings.Contains(d.Model, "vision"),
			string(x.Body.Get(setting)) == "true":
			return nil, nil
		}
		return rewrite(x.Body.Raw(), x.Body.Get("messages")), nil
	}), hear)
}

// hear moves models that hear to their own addresses, where they have short names
// (https://docs.fireworks.ai/guides/querying-asr-models). An address of the operator's own stays.
func hear(d *llm.Deployment) error {
	name := strings.TrimPrefix(d.Model, "accounts/fireworks/models/")
	if !strings.HasPrefix(name, "whisper") {
		return nil
	}
	d.Model = name
	if d.Base != "" && !strings.HasPrefix(d.Base, "https://api.fireworks.ai/") {
		return nil
	}
	d.Base = "https://audio-prod.api.fireworks.ai/v1"
	if strings.Contains(name, "turbo") {
		d.Base = "https://audio-turbo.api.fireworks.ai/v1"
	}
	return nil
}

// rewrite returns the body with the marks added, or nil if there is nothing to mark.
func rewrite(body, messages []byte) []byte {
	if !bytes.Contains(messages, []byte(`"image_url"`)) && !bytes.Contains(messages, []byte(`"file"`)) {
		return nil
	}
	b := dialect.Build(make([]byte, 0, len(body)+256))
	changed := false
	b.Open('{')
	for c := dialect.Object(body); c.Next(); {
		b.Key(string(c.Key()))
		if string(c.Key()) != "messages" || c.First() != '[' {
			b.Raw(c.Value())
			continue
		}
		b.Open('[')
		for m := dialect.Array(c.Value()); m.Next(); {
			changed = message(&b, m.Value()) || changed
		}
		b.Close(']')
	}
	b.Close('}')
	if !changed {
		return nil
	}
	return b.Bytes()
}

func message(b *dialect.Builder, raw []byte) (changed bool) {
	if dialect.Get(raw, "content") == nil || raw[0] != '{' {
		b.Raw(raw)
		return false
	}
	b.Open('{')
	for c := dialect.Object(raw); c.Next(); {
		b.Key(string(c.Key()))
		if string(c.Key()) != "content" || c.First() != '[' {
			b.Raw(c.Value())
			continue
		}
		b.Open('[')
		for p := dialect.Array(c.Value()); p.Next(); {
			changed = part(b, p.Value()) || changed
		}
		b.Close(']')
	}
	b.Close('}')
	return changed
}

// part marks an image, and makes a file in the request an image that is marked.
func part(b *dialect.Builder, raw []byte) bool {
	var address []byte
	detail := []byte(nil)
	switch string(dialect.Get(raw, "type")) {
	case `"image_url"`:
		v := dialect.Get(raw, "image_url")
		if len(v) > 0 && v[0] == '{' {
			detail, v = dialect.Get(v, "detail"), dialect.Get(v, "url")
		}
		address = v
	case `"file"`:
		f := dialect.Get(raw, "file")
		if address = dialect.Get(f, "file_data"); address == nil {
			address = dialect.Get(f, "file_id")
		}
	}
	s, ok := llm.Text(address)
	if !ok || bytes.Contains(s, []byte("#transform=")) || !bytes.HasPrefix(s, []byte("data:")) && !bytes.HasPrefix(s, []byte("http")) {
		b.Raw(raw)
		return false
	}
	b.Open('{').Key("type").Lit(`"image_url"`).Key("image_url").Open('{').Key("url").Raw(append(address[:len(address)-1:len(address)-1], inline+`"`...))
	b.Member("detail", detail).Close('}').Close('}')
	return true
}
