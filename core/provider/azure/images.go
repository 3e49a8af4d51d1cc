package azure

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// painter is the API that an image model of Azure AI Foundry has.
type painter uint8

const (
	painterNone  painter = iota
	painterImage         // OpenAI's, under the name of the deployment: FLUX.1, gpt-image, DALL-E, and models that hear or speak
	painterFlux          // Black Forest Labs' own: FLUX.2
	painterMAI           // Microsoft's own: MAI-Image
)

// imagesVersion is that of https://learn.microsoft.com/en-us/azure/foundry/foundry-models/how-to/use-foundry-models-flux.
const imagesVersion = "2025-04-01-preview"

// painterOf tells by the name of a model, or by its base_model.
func painterOf(d *llm.Deployment) painter {
	name := Model(d.Model)
	if base, ok := d.Info["base_model"].(string); ok {
		name = base
	}
	name = strings.NewReplacer(".", "-", "_", "-").Replace(strings.ToLower(name))
	switch {
	case strings.Contains(name, "flux-2"), strings.Contains(name, "flux2"):
		return painterFlux
	case strings.Contains(name, "mai-image"):
		return painterMAI
	}
	for _, word := range [...]string{"flux", "gpt-image", "dall-e", "whisper", "transcribe", "tts"} {
		if strings.Contains(name, word) {
			return painterImage
		}
	}
	return painterNone
}

// Paints reports whether a deployment is of a model that has an API for images of its own, which Images speaks.
func Paints(d *llm.Deployment) bool {
	p := painterOf(d)
	return p == painterFlux || p == painterMAI
}

// OwnSettings are what Images and Speech need from outside.
type OwnSettings struct {
	Identity    func(d *llm.Deployment) (llm.Signer, error) // as in Settings
	MaxResponse int64                                       // bytes of an answer; 0 is 64 MB
	Now         func() time.Time                            // for the time that answers were created at; nil is time.Now
}

// Images makes the provider of the image models whose API is not OpenAI's: FLUX.2
// (https://learn.microsoft.com/en-us/azure/foundry/foundry-models/how-to/use-foundry-models-flux) and MAI-Image
// (https://learn.microsoft.com/en-us/azure/foundry/foundry-models/how-to/use-foundry-models-mai).
func Images(s OwnSettings) *provider.Translated {
	form := func(request func(*provider.Turn, []byte) ([]byte, error), params ...string) *provider.Form {
		return &provider.Form{
			Params: append([]string{"n", "size", "response_format"}, params...), Request: request,
			Route:  func(t *provider.Turn, dst []byte) []byte { return append(dst, pathOf(t)...) },
			Answer: painted,
		}
	}
	edit := form(edited, "output_format")
	edit.Typed = true
	return provider.Translate(provider.Translation{
		Name: NameAI, KeyHeader: "api-key", KeyVars: []string{"AZURE_AI_API_KEY"}, BaseVars: []string{"AZURE_AI_API_BASE"},
		Locate: locateImages,
		Bind: func(site *provider.Site) (err error) {
			if site.Deployment.APIKey == "" && s.Identity != nil {
				site.Signer, err = s.Identity(site.Deployment)
				site.Keyless = site.Signer != nil
			}
			return err
		},
		Forms:       map[llm.Operation]*provider.Form{llm.OpImage: form(painting, "output_format"), llm.OpImageEdit: edit},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

// locateImages is the address of the resource, with the version as its query. A whole address of the API is one too.
func locateImages(site *provider.Site) (string, error) {
	d := site.Deployment
	if d.Base == "" {
		return "", nil
	}
	base, query, _ := strings.Cut(strings.TrimSpace(d.Base), "?")
	for _, mark := range []string{"/providers/", "/mai/", "/models", "/openai"} {
		base, _, _ = strings.Cut(base, mark)
	}
	if !strings.Contains(query, "api-version=") {
		version := d.APIVersion
		if version == "" {
			version = "preview"
		}
		query = join(query, "api-version="+url.QueryEscape(version))
	}
	return strings.TrimRight(base, "/") + "?" + query, nil
}

// pathOf is where the model is. FLUX.2 has one path for images from words and for edits.
func pathOf(t *provider.Turn) string {
	if painterOf(t.Site.Deployment) == painterMAI {
		return "/mai/v1/" + t.Exchange.Op.String()
	}
	path := "/providers/blackforestlabs/v1/flux-2-pro"
	if flexible(t) {
		path = "/providers/blackforestlabs/v1/flux-2-flex"
	}
	return path
}

func flexible(t *provider.Turn) bool {
	d := t.Site.Deployment
	name := d.Model
	if base, ok := d.Info["base_model"].(string); ok {
		name = base
	}
	return strings.Contains(strings.ToLower(name), "flex")
}

// painting writes a request for an image from words.
func painting(t *provider.Turn, dst []byte) ([]byte, error) {
	b, err := beginPainting(t, dst)
	if err != nil {
		return nil, err
	}
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
	b.Close('}')
	return b.Bytes(), nil
}

// beginPainting begins a body in JSON with what all have: the prompt, the model, and the size in two members. One call makes
// one image.
func beginPainting(t *provider.Turn, dst []byte) (dialect.Builder, error) {
	b := dialect.Build(dst)
	prompt, err := checkedPrompt(t)
	if err != nil {
		return b, err
	}
	b.Open('{').Key("prompt").Raw(prompt).Key("model").Raw(t.Site.Model)
	width, height, err := t.Size()
	if err != nil {
		return b, err
	}
	mai := painterOf(t.Site.Deployment) == painterMAI
	if mai && width == 0 && t.Params.Get("width") == nil && t.Params.Get("height") == nil {
		width, height = 1024, 1024 // as in the reference (litellm/llms/azure_ai/image_generation/mai_transformation.py)
	}
	if width > 0 {
		b.Key("width").Int(int64(width)).Key("height").Int(int64(height))
	}
	if !mai {
		b.Key("n").Int(1)
		b.Member("output_format", t.Params.Get("output_format"))
	}
	return b, nil
}

// checkedPrompt is the prompt, once the parameters were checked that say what an answer holds.
func checkedPrompt(t *provider.Turn) ([]byte, error) {
	prompt, err := t.Prompt()
	if err == nil {
		err = t.Only("response_format", `"b64_json"`, "the model gives images, not addresses")
	}
	if err != nil {
		return nil, err
	}
	if n := t.Typed(t.Params.Get("n")); n != nil && string(n) != "1" && !t.Drop {
		return nil, t.Refuse("n", "must be 1: the model makes one image a call")
	}
	if v := t.Params.Get("output_format"); v != nil && painterOf(t.Site.Deployment) == painterMAI && !t.Drop {
		return nil, t.Refuse("output_format", "cannot be sent: the model makes PNG images")
	}
	return prompt, nil
}

// edited writes a request for an edit: to FLUX.2 in JSON, with the images in members of their own, and to MAI-Image as a
// form with one image.
func edited(t *provider.Turn, dst []byte) ([]byte, error) {
	pictures, mask, err := t.Pictures(false)
	switch {
	case err != nil:
		return nil, err
	case mask != nil && !t.Drop:
		return nil, t.Refuse("mask", "cannot be sent: the model edits what the prompt says")
	}
	if painterOf(t.Site.Deployment) == painterMAI {
		return nil, maiEdit(t, pictures)
	}
	most := 8
	if flexible(t) {
		most = 10
	}
	if len(pictures) > most {
		return nil, t.Refuse("image", "must be at most "+strconv.Itoa(most)+" images for this model")
	}
	b, err := beginPainting(t, dst)
	if err != nil {
		return nil, err
	}
	t.AddHeader("Content-Type", "application/json")
	for i := range pictures {
		name := "input_image"
		if i > 0 {
			name += "_" + strconv.Itoa(i+1)
		}
		b.Key(name).QuoteBytes(pictures[i].Data)
	}
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
	b.Close('}')
	return b.Bytes(), nil
}

func maiEdit(t *provider.Turn, pictures []provider.Picture) error {
	if len(pictures) > 1 {
		return t.Refuse("image", "must be one image for this model")
	}
	prompt, err := checkedPrompt(t)
	if err != nil {
		return err
	}
	width, height, err := t.Size()
	if err != nil {
		return err
	}
	if width == 0 {
		width, height = 1024, 1024
	}
	text, _ := llm.Text(prompt)
	fields := []llm.Pair{
		{Name: "model", Value: t.Site.Deployment.Model}, {Name: "prompt", Value: string(text)},
		{Name: "size", Value: strconv.Itoa(width) + "x" + strconv.Itoa(height)},
	}
	for name, v := range t.Params.Rest {
		value := v
		if s, ok := llm.Text(v); ok {
			value = s
		}
		fields = append(fields, llm.Pair{Name: name, Value: string(value)})
	}
	content, err := pictures[0].Content()
	if err != nil {
		return t.Refuse("image", err.Error())
	}
	t.SendForm(fields, []provider.FormFile{{Name: "image", File: "image", Type: string(pictures[0].Type), Content: content}})
	return nil
}

// painted reads the answer, which is OpenAI's but for the counts, whose names differ by version of the API.
func painted(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if dialect.Get(body, "data") == nil && dialect.Get(body, "error") != nil {
		return nil, t.Fail(200, body)
	}
	counts(&t.Usage, dialect.Get(body, "usage"))
	images := t.Images(dst)
	for c := dialect.Array(dialect.Get(body, "data")); c.Next(); {
		images.Data(dialect.Get(c.Value(), "b64_json"))
		images.Address(dialect.Get(c.Value(), "url"))
	}
	return images.End()
}

// counts reads the usage of MAI-Image, and OpenAI's, as the reference does
// (litellm/llms/azure_ai/image_generation/mai_transformation.py, normalize_mai_image_usage).
func counts(u *llm.Usage, raw []byte) {
	first := func(names ...string) int64 {
		for _, name := range names {
			if v := dialect.Get(raw, name); v != nil {
				return max(dialect.Int(v), 0)
			}
		}
		return 0
	}
	details := dialect.Get(raw, "input_tokens_details")
	u.ImagePrompt = first("num_input_image_tokens")
	if u.ImagePrompt == 0 {
		u.ImagePrompt = max(dialect.Int(dialect.Get(details, "image_tokens")), 0)
	}
	u.Prompt = first("input_tokens")
	if u.Prompt == 0 {
		u.Prompt = first("num_input_text_tokens") + u.ImagePrompt
	}
	u.ImagePrompt = min(u.ImagePrompt, u.Prompt)
	u.Completion = first("output_tokens", "num_output_tokens", "output_image_tokens")
	u.ImageCompletion = u.Completion
	u.Total = u.Prompt + u.Completion
}
