package bedrock

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/dialect/rerank"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// embeddings are those of Titan, Nova and Cohere, through InvokeModel.
func embeddings() *provider.Form {
	return &provider.Form{
		Route: route("/invoke", ""), Params: []string{"dimensions", "encoding_format"}, Request: embed, Answer: embedded,
	}
}

// embed writes the body for the model's family. Amazon's models take one text a call.
func embed(t *provider.Turn, dst []byte) ([]byte, error) {
	texts, err := t.Inputs()
	if err != nil {
		return nil, err
	}
	m := own(t)
	t.Params.Get("encoding_format") // the answer is written in it
	b := dialect.Build(dst)
	b.Open('{')
	switch {
	case strings.Contains(m.name, "cohere"):
		cohereEmbed(t, &b, texts)
	case len(texts) > 1:
		return nil, t.Refuse("input", "holds "+strconv.Itoa(len(texts))+" texts, and this model takes one a call: send them one by one")
	case m.family == familyNova:
		novaEmbed(t, &b, texts[0])
	default:
		if g1(m.name) && t.Params.Get("dimensions") != nil && !t.Drop {
			return nil, t.Refuse("dimensions", "cannot be set for this model, whose vectors have one length: remove it or set drop_params")
		}
		titanEmbed(t, &b, texts[0])
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	b.Close('}')
	return b.Bytes(), nil
}

// cohereEmbed follows https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html and
// .../model-parameters-embed-v4.html. The reference has search_document too when nobody says what the embeddings are for.
func cohereEmbed(t *provider.Turn, b *dialect.Builder, texts [][]byte) {
	b.Key("texts").Open('[')
	for _, text := range texts {
		b.Raw(text)
	}
	b.Close(']')
	if v := t.Params.Get("input_type"); v != nil {
		b.Member("input_type", v)
	} else {
		b.Key("input_type").Lit(`"search_document"`)
	}
	b.Member("output_dimension", t.Params.Get("dimensions"))
}

// titanEmbed follows https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and, for
// pictures, .../model-parameters-titan-embed-mm.html.
func titanEmbed(t *provider.Turn, b *dialect.Builder, text []byte) {
	dimensions := t.Params.Get("dimensions")
	if g1(own(t).name) {
		dimensions = nil
	}
	if !pictured(t) {
		b.Key("inputText").Raw(text).Member("dimensions", dimensions)
		return
	}
	if s, ok := shown(text); ok {
		_, data, _ := openai.DataURL(s)
		b.Key("inputImage").QuoteBytes(data)
	} else {
		b.Key("inputText").Raw(text)
	}
	if dimensions != nil {
		b.Key("embeddingConfig").Open('{').Member("outputEmbeddingLength", dimensions).Close('}')
	}
}

// g1 reports whether a model is Titan's first one for texts, whose vectors have one length.
func g1(name string) bool { return contains(name, "titan-embed-text-v1", "titan-embed-g1") }

// pictured reports whether a model embeds pictures.
func pictured(t *provider.Turn) bool { return strings.Contains(own(t).name, "embed-image") }

// shown is a text of the input that is a picture.
func shown(text []byte) (address []byte, ok bool) {
	address, ok = llm.Text(text)
	return address, ok && bytes.HasPrefix(address, []byte("data:image/"))
}

// novaEmbed follows https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html.
func novaEmbed(t *provider.Turn, b *dialect.Builder, text []byte) {
	b.Key("taskType").Lit(`"SINGLE_EMBEDDING"`).Key("singleEmbeddingParams").Open('{')
	purpose := t.Params.Get("embeddingPurpose")
	if purpose == nil {
		purpose = []byte(`"GENERIC_INDEX"`)
	}
	b.Member("embeddingPurpose", purpose).Member("embeddingDimension", t.Params.Get("dimensions"))
	b.Key("text").Open('{').Key("truncationMode").Lit(`"END"`).Key("value").Raw(text).Close('}').Close('}')
}

// embedded reads the answer of any family. Cohere's says nothing of tokens; a header line does.
func embedded(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, t.Exchange.Body.Get("encoding_format"))
	var one, several []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "embedding":
			one = c.Value()
		case "embeddings":
			several = c.Value()
		case "inputTextTokenCount":
			t.Usage.Prompt = dialect.Int(c.Value())
		}
	}
	if len(several) > 0 && several[0] == '{' { // by type
		c := dialect.Object(several)
		c.Next()
		several = c.Value()
	}
	ok := one == nil || e.Add(one)
	for c := dialect.Array(several); one == nil && c.Next(); {
		v := c.Value()
		if len(v) > 0 && v[0] == '{' { // Nova's
			v = dialect.Get(v, "embedding")
		}
		ok = ok && e.Add(v)
	}
	if !ok || e.Len() == 0 {
		return nil, t.Garbled("holds no embeddings")
	}
	if n := t.Header.Get("x-amzn-bedrock-input-token-count"); n != nil {
		t.Usage.Prompt = dialect.Int(n)
	}
	if texts, ok := openai.Inputs(t.Exchange.Body.Get("input")); ok && pictured(t) {
		if _, ok := shown(texts[0]); ok { // it costs as such, and has no tokens
			t.Usage.Images = 1
		}
	}
	t.Usage.Total = t.Usage.Prompt
	return e.End(t.Model(), t.Usage), nil
}

// images are those of Nova Canvas, Titan and Stability, through InvokeModel.
func images(now func() time.Time) *provider.Form {
	if now == nil {
		now = time.Now
	}
	return &provider.Form{
		Route: route("/invoke", ""), Params: []string{"n", "size", "quality", "response_format", "output_format"},
		Request: draw,
		Answer: func(t *provider.Turn, body, dst []byte) ([]byte, error) {
			return drawn(t, body, dst, now().Unix())
		},
	}
}

func draw(t *provider.Turn, dst []byte) ([]byte, error) {
	prompt := t.Params.Get("prompt")
	if len(prompt) == 0 || prompt[0] != '"' {
		return nil, t.Refuse("prompt", "must be a string")
	}
	if err := onlyData(t); err != nil {
		return nil, err
	}
	b := dialect.Build(dst)
	b.Open('{')
	var err error
	switch m := own(t); {
	case strings.Contains(m.name, "stability"), strings.Contains(m.name, "stable"):
		err = stabilityImage(t, &b, prompt)
	case canvas(m):
		err = canvasImage(t, &b, prompt)
	default:
		return nil, t.Refuse("model", "is none that makes images as the gateway knows: amazon.nova-canvas, amazon.titan-image-generator and stability models are")
	}
	if err != nil {
		return nil, err
	}
	further(t, &b)
	b.Close('}')
	return b.Bytes(), nil
}

// onlyData refuses images by their address.
func onlyData(t *provider.Turn) error {
	if v := t.Params.Get("response_format"); v != nil && string(v) != `"b64_json"` && !t.Drop {
		return t.Refuse("response_format", "must be b64_json: Bedrock gives images, not addresses")
	}
	return nil
}

// canvasImage follows https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html and
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html.
func canvasImage(t *provider.Turn, b *dialect.Builder, prompt []byte) error {
	b.Key("taskType").Lit(`"TEXT_IMAGE"`).Key("textToImageParams").Open('{').Key("text").Raw(prompt)
	b.Member("negativeText", t.Params.Get("negativeText")).Member("style", t.Params.Get("style")).Close('}')
	if v := t.Params.Get("output_format"); v != nil && string(v) != `"png"` {
		return t.Refuse("output_format", "must be png for this model")
	}
	return canvasConfig(t, b)
}

// canvasConfig writes what all tasks of Nova Canvas and Titan share. An imageGenerationConfig of the caller's completes it.
func canvasConfig(t *provider.Turn, b *dialect.Builder) error {
	b.Key("imageGenerationConfig").Open('{').Member("numberOfImages", t.Typed(t.Params.Get("n")))
	size := t.Params.Get("size")
	if sized := size != nil && string(size) != `"auto"`; sized {
		s, _ := llm.Text(size)
		width, height, ok := bytes.Cut(s, []byte("x"))
		if !ok || dialect.Int(width) < 1 || dialect.Int(height) < 1 {
			return t.Refuse("size", "must be written like 1024x1024")
		}
		b.Key("width").Int(dialect.Int(width)).Key("height").Int(dialect.Int(height))
	} else {
		size = nil
	}
	switch v := t.Params.Get("quality"); string(v) {
	case "", `"auto"`:
	case `"hd"`, `"high"`, `"premium"`:
		b.Key("quality").Lit(`"premium"`)
	case `"standard"`, `"low"`, `"medium"`:
		b.Key("quality").Lit(`"standard"`)
	default:
		return t.Refuse("quality", "must be standard or premium")
	}
	b.Member("cfgScale", t.Typed(t.Params.Get("cfgScale"))).Member("seed", t.Typed(t.Params.Get("seed")))
	for c := dialect.Object(t.Typed(t.Params.Get("imageGenerationConfig"))); c.Next(); {
		switch name := string(c.Key()); {
		case name == "numberOfImages" && t.Params.Get("n") != nil, (name == "width" || name == "height") && size != nil,
			t.Params.Get(name) != nil:
		default:
			b.Member(name, c.Value())
		}
	}
	b.Close('}')
	return nil
}

// stabilityImage follows
// https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-diffusion-stable-ultra-text-image-request-response.html.
func stabilityImage(t *provider.Turn, b *dialect.Builder, prompt []byte) error {
	b.Key("prompt").Raw(prompt)
	if n := t.Params.Get("n"); n != nil && string(n) != "1" {
		return t.Refuse("n", "must be 1 for this model")
	}
	t.Params.Get("quality") // the model has one
	b.Member("output_format", t.Params.Get("output_format"))
	return stabilitySize(t, b)
}

func stabilitySize(t *provider.Turn, b *dialect.Builder) error {
	if size := t.Params.Get("size"); size != nil && string(size) != `"auto"` {
		ratio := aspect(string(size))
		if ratio == "" {
			return t.Refuse("size", "must have one of the proportions 1:1, 16:9, 21:9, 2:3, 3:2, 4:5, 5:4, 9:16 and 9:21 for this model")
		}
		b.Key("aspect_ratio").Quote(ratio)
	}
	return nil
}

// aspect is the proportion of a quoted size, among those that the models take.
func aspect(size string) string {
	w, h, ok := strings.Cut(strings.Trim(size, `"`), "x")
	width, err := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	if !ok || err != nil || err2 != nil || width < 1 || height < 1 {
		return ""
	}
	for _, r := range [...][2]int{{1, 1}, {16, 9}, {21, 9}, {2, 3}, {3, 2}, {4, 5}, {5, 4}, {9, 16}, {9, 21}} {
		// Sizes are in whole steps, so a proportion need not be exact: 1792x1024 is meant as 16:9.
		if got, want := width*r[1]*100, height*r[0]*100; got >= want-want/50 && got <= want+want/50 {
			return strconv.Itoa(r[0]) + ":" + strconv.Itoa(r[1])
		}
	}
	return ""
}

// drawn reads the answer, in which the images are base64.
func drawn(t *provider.Turn, body, dst []byte, created int64) ([]byte, error) {
	var list, reasons, problem []byte
	for c := dialect.Object(body); c.Next(); {
		switch string(c.Key()) {
		case "images":
			list = c.Value()
		case "finish_reasons":
			reasons = c.Value()
		case "error":
			problem = c.Value()
		}
	}
	b := dialect.Build(dst)
	b.Open('{').Key("created").Int(created).Key("data").Open('[')
	for c := dialect.Array(list); c.Next(); {
		if len(c.Value()) > 2 {
			b.Open('{').Key("b64_json").Raw(c.Value()).Close('}')
			t.Usage.Images++
		}
	}
	if t.Usage.Images == 0 {
		return nil, refusedImage(t, problem, reasons)
	}
	b.Close(']').Close('}')
	return b.Bytes(), nil
}

// refusedImage is the error for an answer without an image: a filter kept it back, or the model failed.
func refusedImage(t *provider.Turn, problem, reasons []byte) error {
	text, _ := llm.Text(problem)
	c := dialect.Array(reasons)
	for c.Next() {
		if s, ok := llm.Text(c.Value()); ok {
			text = s
			break
		}
	}
	if len(text) == 0 {
		return t.Garbled("holds no image")
	}
	e := &llm.Error{Op: "bedrock.Decode", Kind: llm.KindInternal, Provider: Name, Message: openai.Mask(string(text[:min(len(text), maxMessage)]))}
	if words := strings.ToLower(e.Message); contains(words, "filter", "responsible ai", "content policy", "blocked") {
		e.Kind = llm.KindContentPolicy
	}
	return e
}

// bindReranking prepares where documents are ranked, which is another service
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html).
func (m *site) bindReranking(t *provider.Site) error {
	base := address("bedrock-agent-runtime", m.region)
	if own := t.Target; t.Deployment.Base != "" || t.Deployment.Setting("aws_bedrock_runtime_endpoint") != "" {
		// An address of the operator's own, such as a private endpoint, serves both if it is not Amazon's.
		if host := strings.Replace(own.Host, "bedrock-runtime", "bedrock-agent-runtime", 1); host != own.Host {
			base = own.Scheme + "://" + host
		} else {
			base = own.Scheme + "://" + own.Host
		}
	}
	if _, _, problem := provider.Target(base, &m.reranking); problem != "" {
		return t.Problem("aws_bedrock_runtime_endpoint", problem)
	}
	return nil
}

func rerankForm() *provider.Form {
	return &provider.Form{
		Route: func(t *provider.Turn, dst []byte) []byte {
			t.Call.Target = &own(t).reranking
			return append(dst, "/rerank"...)
		},
		Params: []string{"top_n", "return_documents"}, Request: rank, Answer: ranked,
	}
}

// rank writes the request. The model is named by its ARN.
func rank(t *provider.Turn, dst []byte) ([]byte, error) {
	r, err := t.Rerank()
	if err != nil {
		return nil, err
	}
	t.Params.Get("return_documents") // the answer is completed from the request
	m, d := own(t), t.Site.Deployment
	arn := d.Setting("model_id")
	if arn == "" {
		arn = d.Model[strings.LastIndexByte(d.Model, '/')+1:]
		if i := strings.Index(d.Model, "arn:"); i >= 0 {
			arn = d.Model[i:]
		}
	}
	if !strings.HasPrefix(arn, "arn:") {
		partition := "aws"
		if strings.HasPrefix(m.region, "cn-") {
			partition = "aws-cn"
		} else if strings.HasPrefix(m.region, "us-gov-") {
			partition = "aws-us-gov"
		}
		arn = "arn:" + partition + ":bedrock:" + m.region + "::foundation-model/" + arn
	}
	b := dialect.Build(dst)
	b.Open('{').Key("queries").Open('[').Open('{').Key("type").Lit(`"TEXT"`).Key("textQuery").Open('{').Key("text").Raw(r.Query)
	b.Close('}').Close('}').Close(']').Key("sources").Open('[')
	for _, doc := range r.Documents {
		b.Open('{').Key("type").Lit(`"INLINE"`).Key("inlineDocumentSource").Open('{')
		if doc[0] == '{' {
			b.Key("type").Lit(`"JSON"`).Key("jsonDocument").Raw(doc)
		} else {
			b.Key("type").Lit(`"TEXT"`).Key("textDocument").Open('{').Key("text").Raw(doc).Close('}')
		}
		b.Close('}').Close('}')
	}
	b.Close(']').Key("rerankingConfiguration").Open('{').Key("type").Lit(`"BEDROCK_RERANKING_MODEL"`)
	b.Key("bedrockRerankingConfiguration").Open('{').Member("numberOfResults", r.TopN)
	b.Key("modelConfiguration").Open('{').Key("modelArn").Quote(arn)
	extra := b.Len()
	b.Key("additionalModelRequestFields").Open('{')
	begun := b.Len()
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	if b.Len() == begun {
		b.Cut(extra)
	} else {
		b.Close('}')
	}
	b.Close('}').Close('}').Close('}').Close('}')
	return b.Bytes(), nil
}

// ranked reads the answer. One call is one search, as Bedrock bills up to a hundred documents
// (https://aws.amazon.com/bedrock/pricing/).
func ranked(t *provider.Turn, body, dst []byte) ([]byte, error) {
	list := dialect.Get(body, "results")
	var results []rerank.Result
	c := dialect.Array(list)
	for c.Next() {
		r := rerank.Result{Index: -1}
		for in := dialect.Object(c.Value()); in.Next(); {
			switch string(in.Key()) {
			case "index":
				r.Index = dialect.Int(in.Value())
			case "relevanceScore":
				r.Score = in.Value()
			}
		}
		if r.Index < 0 || len(r.Score) == 0 || r.Score[0] == '"' {
			return nil, t.Garbled("holds a result without index and relevanceScore")
		}
		results = append(results, r)
	}
	if len(list) == 0 || c.Broken() {
		return nil, t.Garbled("holds no results")
	}
	t.Usage.Searches = 1
	return t.Ranked(dst, t.Exchange.ID.String(), slices.Clip(results)), nil
}
