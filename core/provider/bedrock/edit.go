package bedrock

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// edits are images from images, through InvokeModel: Nova Canvas, Titan and the image services of Stability AI
// (https://docs.aws.amazon.com/bedrock/latest/userguide/stable-image-services.html). Variations are those of Nova Canvas
// and Titan.
func edits(now func() time.Time, variations bool) *provider.Form {
	f := images(now)
	f.Params, f.Request = []string{"mask", "n", "size", "quality", "response_format", "output_format"}, edit
	if variations {
		f.Params, f.Request = []string{"n", "size", "response_format"}, vary
	}
	return f
}

func edit(t *provider.Turn, dst []byte) ([]byte, error) {
	pictures, mask, err := t.Pictures(false)
	if err != nil {
		return nil, err
	}
	prompt, err := t.Params.Text("prompt")
	if err == nil {
		err = onlyData(t)
	}
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{')
	switch m := own(t); {
	case strings.Contains(m.name, "stability"):
		err = stabilityEdit(t, &b, prompt, pictures, mask)
	case canvas(m):
		err = canvasEdit(t, &b, prompt, pictures, mask)
	default:
		return nil, t.Refuse("model", "is none that edits images as the gateway knows: amazon.nova-canvas, amazon.titan-image-generator and the image services of Stability AI are")
	}
	if err != nil {
		return nil, err
	}
	b.Close('}')
	return b.Bytes(), nil
}

// canvas reports whether a model is Nova Canvas or one of Titan's that make images.
func canvas(m *site) bool { return m.family == familyNova || strings.Contains(m.name, "titan") }

// vary asks for variations of an image.
func vary(t *provider.Turn, dst []byte) ([]byte, error) {
	if !canvas(own(t)) {
		return nil, t.Refuse("model", "is none that varies images: amazon.nova-canvas and amazon.titan-image-generator do")
	}
	pictures, _, err := t.Pictures(false)
	if err == nil {
		err = onlyData(t)
	}
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{')
	t.Params.Get("taskType")
	prompt, err := t.Params.Text("prompt")
	if err != nil {
		return nil, err
	}
	canvasVariation(t, &b, prompt, pictures)
	if err := canvasConfig(t, &b); err != nil {
		return nil, err
	}
	further(t, &b)
	b.Close('}')
	return b.Bytes(), nil
}

// further writes the parameters that nobody took.
func further(t *provider.Turn, b *dialect.Builder) {
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
}

// canvasEdit writes one of the tasks of https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html,
// which are Titan's too: the one that taskType names, or else, as in the reference, inpainting if there is a mask, and a
// variation if there is none (litellm/llms/bedrock/image_edit/amazon_nova_canvas_image_edit_transformation.py).
func canvasEdit(t *provider.Turn, b *dialect.Builder, prompt string, pictures []provider.Picture, mask *provider.Picture) error {
	task, err := t.Params.Text("taskType")
	if err != nil {
		return err
	}
	words := t.Params.Get("maskPrompt")
	if task == "" && (mask != nil || words != nil) {
		task = "INPAINTING"
	}
	switch task {
	case "", "IMAGE_VARIATION":
		canvasVariation(t, b, prompt, pictures)
		if err := canvasConfig(t, b); err != nil {
			return err
		}
		further(t, b)
		return nil
	case "BACKGROUND_REMOVAL":
		// This task alone has no imageGenerationConfig.
		b.Key("taskType").Quote(task).Key("backgroundRemovalParams").Open('{').Key("image").QuoteBytes(pictures[0].Data).Close('}')
		return nil
	case "INPAINTING", "OUTPAINTING":
	default:
		return t.Refuse("taskType", "must be INPAINTING, OUTPAINTING, IMAGE_VARIATION or BACKGROUND_REMOVAL")
	}
	if len(pictures) > 1 {
		return t.Refuse("image", "must be one image for "+task)
	}
	params := "inPaintingParams"
	if task == "OUTPAINTING" {
		params = "outPaintingParams"
	}
	b.Key("taskType").Quote(task).Key(params).Open('{').Key("image").QuoteBytes(pictures[0].Data)
	switch {
	case words != nil:
		b.Key("maskPrompt").Raw(words)
	case mask == nil:
		return t.Refuse("mask", "is missing: "+task+" needs it, or a maskPrompt")
	default:
		m, err := mask.Mask(task == "OUTPAINTING")
		if err != nil {
			return t.Refuse("mask", err.Error())
		}
		b.Key("maskImage").QuoteBytes(m)
	}
	if task == "OUTPAINTING" {
		b.Member("outPaintingMode", t.Params.Get("outPaintingMode"))
	}
	b.Text("text", prompt).Member("negativeText", t.Params.Get("negativeText")).Close('}')
	if err := canvasConfig(t, b); err != nil {
		return err
	}
	further(t, b)
	return nil
}

func canvasVariation(t *provider.Turn, b *dialect.Builder, prompt string, pictures []provider.Picture) {
	b.Key("taskType").Lit(`"IMAGE_VARIATION"`).Key("imageVariationParams").Open('{').Key("images").Open('[')
	for i := range pictures {
		b.QuoteBytes(pictures[i].Data)
	}
	b.Close(']').Text("text", prompt).Member("negativeText", t.Params.Get("negativeText"))
	b.Member("similarityStrength", t.Typed(t.Params.Get("similarityStrength"))).Close('}')
}

// stabilityEdit writes the body of an image service. Each takes an image, or two for a transfer of style, and parameters of
// its own, which callers give by their names.
func stabilityEdit(t *provider.Turn, b *dialect.Builder, prompt string, pictures []provider.Picture, mask *provider.Picture) error {
	if n := t.Typed(t.Params.Get("n")); n != nil && string(n) != "1" {
		return t.Refuse("n", "must be 1 for this model")
	}
	t.Params.Get("quality") // the model has one
	named, most := "image", 1
	style := t.Params.Get("style_image")
	if strings.Contains(own(t).name, "style-transfer") {
		if named = "init_image"; style == nil {
			most = 2
		}
	}
	if len(pictures) != most {
		if most == 2 {
			return t.Refuse("image", "must be two images for this model: the one to change, and the one with the style")
		}
		return t.Refuse("image", "must be one image for this model")
	}
	b.Key(named).QuoteBytes(pictures[0].Data)
	if most == 2 {
		b.Key("style_image").QuoteBytes(pictures[1].Data)
	}
	b.Member("style_image", style)
	b.Text("prompt", prompt)
	if mask != nil {
		m, err := mask.Mask(true)
		if err != nil {
			return t.Refuse("mask", err.Error())
		}
		b.Key("mask").QuoteBytes(m)
	}
	b.Member("output_format", t.Params.Get("output_format"))
	if err := stabilitySize(t, b); err != nil {
		return err
	}
	for name, v := range t.Params.Rest {
		if !wordy(name) {
			v = t.Typed(v)
		}
		b.Member(name, v)
	}
	return nil
}

// wordy reports whether a parameter of the image services is a text, even if it reads as a number.
func wordy(name string) bool {
	switch name {
	case "negative_prompt", "search_prompt", "select_prompt", "style_preset", "style_image":
		return true
	}
	return false
}
