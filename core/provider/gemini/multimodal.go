package gemini

import (
	"bytes"
	"path"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// sees reports whether a model embeds texts, pictures and videos, which has a form of its own
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/multimodal-embeddings-api).
func sees(model string) bool { return strings.HasPrefix(model, "multimodalembedding") }

// instance is one thing to be embedded, in Vertex AI's form: an object that goes out as it came, or what a text of the input
// stands for.
type instance struct {
	object []byte
	text   []byte // a string
	data   []byte // base64 of a picture or video
	place  []byte // gs:// address of a picture or video
	media  string // its type, if it is known
	video  bool
}

// instances reads the input. Each text of it gets a vector of its own: what it says, or of a picture or video the vector of
// that, which it names by a data URL or a gs:// address. The reference joins a text with the picture behind it, and answers
// with the vector of the text alone; here the picture's comes behind it.
func instances(input []byte) (list []instance, problem string) {
	const wrong = "must be a text, a list of texts, or a list of objects with text, image or video: vertex_ai takes no tokens"
	if len(input) > 0 && input[0] == '"' {
		one, problem := instanceOf(input)
		return []instance{one}, problem
	}
	if len(input) == 0 || input[0] != '[' {
		return nil, wrong
	}
	c := dialect.Array(input)
	for c.Next() {
		var one instance
		switch c.First() {
		case '"':
			one, problem = instanceOf(c.Value())
		case '{':
			one = instance{object: c.Value()}
		default:
			problem = wrong
		}
		if problem != "" {
			return nil, problem
		}
		list = append(list, one)
	}
	if c.Broken() || len(list) == 0 {
		return nil, wrong
	}
	return list, ""
}

func instanceOf(text []byte) (one instance, problem string) {
	s, ok := llm.Text(text)
	switch {
	case !ok:
		return one, "holds a text that is none"
	case bytes.HasPrefix(s, []byte("gs://")):
		return instance{place: text, video: film(string(s))}, ""
	case bytes.HasPrefix(s, []byte("data:")):
		media, data, ok := openai.DataURL(s)
		if !ok {
			return one, "holds a data URL without base64"
		}
		return instance{data: bytes.Clone(data), media: string(media), video: bytes.HasPrefix(media, []byte("video/"))}, ""
	}
	return instance{text: text}, ""
}

// film reports whether the name of a file is that of a video, of a kind that the model takes
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-multimodal-embeddings#api-limits).
func film(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4", ".mov", ".mpeg", ".mpg", ".avi", ".flv", ".mkv", ".webm", ".wmv":
		return true
	}
	return false
}

func (one *instance) appendTo(b *dialect.Builder) {
	switch {
	case one.object != nil:
		b.Raw(one.object)
		return
	case one.text != nil:
		b.Open('{').Key("text").Raw(one.text).Close('}')
		return
	}
	kind := "image"
	if one.video {
		kind = "video"
	}
	b.Open('{').Key(kind).Open('{')
	if one.place != nil {
		b.Key("gcsUri").Raw(one.place)
	} else {
		b.Key("bytesBase64Encoded").QuoteBytes(one.data)
	}
	if one.media != "" && !one.video { // videos have no member for it
		b.Key("mimeType").Quote(one.media)
	}
	b.Close('}').Close('}')
}

// seeRequest writes the request. What the caller writes as instances goes out in place of the input, as with the reference
// (litellm/llms/vertex_ai/multimodal_embeddings/transformation.py).
func seeRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	input, own, size := t.Params.Get("input"), t.Params.Get("instances"), t.Params.Get("dimensions")
	if v := t.Params.Get("outputDimensionality"); size == nil {
		size = v
	}
	t.Params.Get("encoding_format") // the answer is written in it
	b := dialect.Build(dst)
	b.Open('{').Key("instances")
	if len(own) > 0 && own[0] == '[' {
		b.Raw(own)
	} else {
		list, problem := instances(input)
		if problem != "" {
			return nil, t.Refuse("input", problem)
		}
		b.Open('[')
		for i := range list {
			list[i].appendTo(&b)
		}
		b.Close(']')
	}
	if size != nil {
		b.Key("parameters").Open('{').Key("dimension").Raw(size).Close('}')
	}
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

// seeAnswer reads the vectors: of an instance that has several, all of them, in the order text, picture, parts of the video,
// with the index of the instance.
func seeAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	e := openai.NewEmbeddings(dst, format(t))
	ok, at := true, int64(0)
	for c := dialect.Array(dialect.Get(body, "predictions")); c.Next(); at++ {
		for _, name := range [...]string{"textEmbedding", "imageEmbedding"} {
			if v := dialect.Get(c.Value(), name); v != nil {
				ok = ok && e.AddFor(at, v)
			}
		}
		for parts := dialect.Array(dialect.Get(c.Value(), "videoEmbeddings")); parts.Next(); {
			ok = ok && e.AddFor(at, dialect.Get(parts.Value(), "embedding"))
			t.Usage.Seconds += max(offset(parts.Value(), "endOffsetSec")-offset(parts.Value(), "startOffsetSec"), 0)
		}
	}
	if !ok {
		return dst, t.Garbled("holds a vector that is none")
	}
	if e.Len() == 0 {
		return dst, t.Garbled("has no predictions")
	}
	t.Usage.Characters, t.Usage.Images = seen(t)
	return e.End(model(t), t.Usage), nil
}

func offset(part []byte, name string) float64 {
	f, err := strconv.ParseFloat(string(dialect.Get(part, name)), 64)
	if err != nil {
		return 0
	}
	return f
}

// seen counts what Google bills besides videos: characters that are no spaces, and pictures
// (https://cloud.google.com/vertex-ai/generative-ai/pricing#embedding-models).
func seen(t *provider.Turn) (characters, images int64) {
	list, _ := instances(t.Exchange.Body.Get("input"))
	if own := t.Exchange.Body.Get("instances"); len(own) > 0 && own[0] == '[' {
		list, _ = instances(own)
	}
	for i := range list {
		one := &list[i]
		text, image := one.text, one.text == nil && one.object == nil && !one.video
		if one.object != nil {
			text, image = dialect.Get(one.object, "text"), dialect.Given(dialect.Get(one.object, "image")) != nil
		}
		if image {
			images++
		}
		s, _ := llm.Text(text)
		for _, r := range string(s) {
			if !unicode.IsSpace(r) {
				characters++
			}
		}
	}
	return characters, images
}
