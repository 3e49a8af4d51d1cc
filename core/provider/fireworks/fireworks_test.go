package fireworks_test

import (
	"bytes"
	"testing"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/fireworks"
)

// sender is a provider that sends what it gets.
type sender struct{}

func (sender) Bind(*llm.Deployment) (provider.Endpoint, error) { return sender{}, nil }

func (sender) Encode(x *llm.Exchange, c *llm.Call) error {
	c.Body = append(c.Body, x.Body.Raw())
	return nil
}

func (sender) Decode(*llm.Exchange, *llm.Answer, *llm.Reply) error { return nil }

func TestInline(t *testing.T) {
	t.Parallel()
	f := func(model, setting string, disabled bool, content, want string) {
		t.Helper()
		d := &llm.Deployment{Model: model}
		if setting != "" {
			d.Settings = []llm.Pair{{Name: "disable_add_transform_inline_image_block", Value: setting}}
		}
		e, err := fireworks.New(sender{}, disabled).Bind(d)
		if err != nil {
			t.Fatal(err)
		}
		before := `{"model":"m","messages":[{"role":"system","content":"x"},{"role":"user","content":` + content + `}],"n":1}`
		x := new(llm.Exchange)
		x.Reset()
		x.Op = llm.OpChat
		if err := x.Body.Parse([]byte(before)); err != nil {
			t.Fatal(err)
		}
		if err := openai.Decode(x); err != nil {
			t.Fatal(err)
		}
		var c llm.Call
		if err := e.Encode(x, &c); err != nil {
			t.Fatal(err)
		}
		want = `{"model":"m","messages":[{"role":"system","content":"x"},{"role":"user","content":` + want + `}],"n":1}`
		if got := string(bytes.Join(c.Body, nil)); got != want || string(x.Body.Raw()) != before {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	image := `[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}]`
	marked := `[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://a/b.png#transform=inline","detail":"low"}}]`
	f("llama", "", false, image, marked)
	f("llama-vision", "", false, image, image)
	f("llama", "true", false, image, image)
	f("llama", "", true, image, image)
	f("llama", "false", true, image, marked)
	f("llama", "", false, `"image_url"`, `"image_url"`)
	f("llama", "", false, marked, marked)
	f("llama", "", false, `[{"type":"image_url","image_url":"data:image/png;base64,eA=="}]`,
		`[{"type":"image_url","image_url":{"url":"data:image/png;base64,eA==#transform=inline"}}]`)
	f("llama", "", false, `[{"type":"file","file":{"file_data":"data:application/pdf;base64,eA==","filename":"a.pdf"}}]`,
		`[{"type":"image_url","image_url":{"url":"data:application/pdf;base64,eA==#transform=inline"}}]`)
	f("llama", "", false, `[{"type":"file","file":{"file_id":"file-1"}},{"type":"image_url"},7]`, `[{"type":"file","file":{"file_id":"file-1"}},{"type":"image_url"},7]`)
}

// bound is a provider that tells what it is bound to.
type bound struct {
	sender
	d *llm.Deployment
}

func (b *bound) Bind(d *llm.Deployment) (provider.Endpoint, error) {
	b.d = d
	return b.sender, nil
}

func TestHear(t *testing.T) {
	t.Parallel()
	f := func(model, base, wantModel, wantBase string) {
		t.Helper()
		b := new(bound)
		d := &llm.Deployment{Model: model, Base: base}
		if _, err := fireworks.New(b, false).Bind(d); err != nil {
			t.Fatal(err)
		}
		if b.d.Model != wantModel || b.d.Base != wantBase || d.Model != model {
			t.Errorf("%s at %s becomes %s at %s", model, base, b.d.Model, b.d.Base)
		}
	}
	const own, prefix = "https://api.fireworks.ai/inference/v1", "accounts/fireworks/models/"
	f(prefix+"whisper-v3", own, "whisper-v3", "https://audio-prod.api.fireworks.ai/v1")
	f(prefix+"whisper-v3-turbo", own, "whisper-v3-turbo", "https://audio-turbo.api.fireworks.ai/v1")
	f("whisper-v3", "https://proxy.example/v1", "whisper-v3", "https://proxy.example/v1")
	f(prefix+"llama-v3", own, prefix+"llama-v3", own)
}
