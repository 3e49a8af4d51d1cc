package gemini

import (
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// images are Imagen's predict (https://ai.google.dev/gemini-api/docs/imagen,
// https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api), and generateContent for the
// Gemini models that make images (https://ai.google.dev/gemini-api/docs/image-generation).
func images() *provider.Form {
	return &provider.Form{
		Params: []string{"n", "size", "response_format", "user"}, Request: imageRequest, Answer: imageAnswer,
		Route: func(t *provider.Turn, dst []byte) []byte {
			if speaks(t) {
				return ownOf(t).route(dst, "generateContent", false)
			}
			return ownOf(t).route(dst, "predict", false)
		},
	}
}

// speaks reports whether the model is one that talks, and makes images by the way.
func speaks(t *provider.Turn) bool { return strings.Contains(ownOf(t).model, "gemini") }

func imageRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	prompt := t.Params.Get("prompt")
	if len(prompt) < 3 || prompt[0] != '"' {
		return nil, t.Refuse("prompt", "must be a text")
	}
	if err := onlyData(t); err != nil {
		return nil, err
	}
	ratio, err := ratioOf(t)
	if err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	if speaks(t) {
		b.Open('{').Key("contents").Open('[').Open('{').Key("role").Lit(`"user"`).Key("parts").Open('[')
		b.Open('{').Key("text").Raw(prompt).Close('}').Close(']').Close('}').Close(']')
		drawConfig(t, &b, ratio)
	} else {
		b.Open('{').Key("instances").Open('[').Open('{').Key("prompt").Raw(prompt).Close('}').Close(']')
		imagen(t, &b, ratio).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
	b.Close('}')
	return b.Bytes(), nil
}

// onlyData refuses images by their address.
func onlyData(t *provider.Turn) error {
	t.Params.Get("user")
	if format := t.Params.Get("response_format"); format != nil && string(format) != `"b64_json"` && !t.Drop {
		return t.Refuse("response_format", "must be b64_json: "+t.Params.Vendor+" gives no addresses of images")
	}
	return nil
}

// drawConfig has a Gemini model answer in images.
func drawConfig(t *provider.Turn, b *dialect.Builder, ratio string) {
	b.Key("generationConfig").Open('{').Key("responseModalities").Lit(`["TEXT","IMAGE"]`).Member("candidateCount", t.Typed(t.Params.Get("n")))
	if ratio != "" {
		b.Key("imageConfig").Open('{').Key("aspectRatio").Quote(ratio).Close('}')
	}
	b.Close('}')
}

// imagen begins the parameters of predict.
func imagen(t *provider.Turn, b *dialect.Builder, ratio string) *dialect.Builder {
	b.Key("parameters").Open('{').Key("sampleCount").Raw(or(t.Typed(t.Params.Get("n")), "1")).Text("aspectRatio", ratio)
	for _, p := range [...][2]string{
		{"negative_prompt", "negativePrompt"}, {"person_generation", "personGeneration"}, {"safety_setting", "safetySetting"},
		{"add_watermark", "addWatermark"}, {"image_size", "sampleImageSize"}, {"seed", "seed"}, {"language", "language"},
	} {
		b.Member(p[1], t.Typed(option(t, p[0], p[1])))
	}
	return b
}

// ratioOf is the shape of the image: aspectRatio, or that of a size such as 1024x1536, which the API chooses by itself.
func ratioOf(t *provider.Turn) (string, error) {
	size, err := t.Params.Text("size")
	if err != nil {
		return "", err
	}
	if own, ok := llm.Text(option(t, "aspect_ratio", "aspectRatio")); ok {
		return string(own), nil
	}
	if size == "" || size == "auto" {
		return "", nil
	}
	w, h, ok := strings.Cut(size, "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	if !ok || err1 != nil || err2 != nil || width <= 0 || height <= 0 {
		return "", t.Refuse("size", "must be like 1024x1024")
	}
	best, off := "", 0.0
	for _, r := range [...]struct {
		name string
		w, h float64
	}{{"1:1", 1, 1}, {"3:4", 3, 4}, {"4:3", 4, 3}, {"9:16", 9, 16}, {"16:9", 16, 9}} {
		d := float64(width)/float64(height) - r.w/r.h
		if d < 0 {
			d = -d
		}
		if best == "" || d < off {
			best, off = r.name, d
		}
	}
	return best, nil
}

func imageAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	b := dialect.Build(dst)
	b.Open('{').Key("created").Int(ownOf(t).now().Unix()).Key("data").Open('[')
	var n int64
	add := func(data []byte) {
		if len(data) > 2 {
			b.Open('{').Key("b64_json").Raw(data).Close('}')
			n++
		}
	}
	for c := dialect.Array(dialect.Get(body, "predictions")); c.Next(); {
		add(dialect.Get(c.Value(), "bytesBase64Encoded"))
	}
	var a gemini.Answer
	gemini.ScanAnswer(body, &a)
	for c := dialect.Array(a.Candidates); c.Next(); {
		var g gemini.Candidate
		gemini.ScanCandidate(c.Value(), &g)
		for parts := dialect.Array(g.Parts); parts.Next(); {
			var p gemini.Part
			if gemini.ScanPart(parts.Value(), &p); p.Kind == gemini.InlineData && !p.Thought {
				add(dialect.Get(p.Value, "data"))
			}
		}
	}
	if n == 0 {
		return dst, refusedMedia(t, &a, body, "image")
	}
	t.Usage = tokens(&a)
	t.Usage.Images = n
	b.Close(']')
	if u := t.Usage; u.Known() {
		b.Key("usage").Open('{').Key("input_tokens").Int(u.Prompt).Key("output_tokens").Int(u.Completion).
			Key("total_tokens").Int(u.Total).Close('}')
	}
	b.Close('}')
	return b.Bytes(), nil
}

func tokens(a *gemini.Answer) llm.Usage {
	var u gemini.Usage
	u.Scan(a.Counts)
	return u.Tokens()
}

// refusedMedia is the error for an answer without an image, or a sound, which is what the filters leave.
func refusedMedia(t *provider.Turn, a *gemini.Answer, body []byte, what string) error {
	why := "the prompt or what was made was filtered"
	c := dialect.Array(dialect.Get(body, "predictions"))
	if c.Next() {
		if s := t.Text(dialect.Get(c.Value(), "raiFilteredReason")); s != "" {
			why = s
		}
	}
	if reason := t.Text(a.Block()); reason != "" {
		why = "the prompt was blocked: " + reason
	}
	return &llm.Error{
		Op: "gemini.Decode", Kind: llm.KindContentPolicy, Provider: t.Site.Deployment.Provider, Type: "invalid_request_error",
		Message: "no " + what + " was made: " + why,
	}
}
