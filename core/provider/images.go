package provider

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
)

// Images writes the answer to a request for images (https://platform.openai.com/docs/api-reference/images/object).
type Images struct {
	t *Turn
	b dialect.Builder
	n int64
}

// Images begins an answer with images behind dst.
func (t *Turn) Images(dst []byte) *Images {
	i := &Images{t: t, b: dialect.Build(dst)}
	i.b.Open('{').Key("created").Int(t.Site.v.Now().Unix()).Key("data").Open('[')
	return i
}

// Data adds an image in base64, a string in JSON. What is no string, or empty, is no image.
func (i *Images) Data(raw []byte) { i.add("b64_json", raw) }

// Address adds an image at an address, a string in JSON. An address that is the image itself is added as such.
func (i *Images) Address(raw []byte) {
	if bytes.HasPrefix(raw, []byte(`"data:`)) {
		if _, data, ok := bytes.Cut(raw, []byte(";base64,")); ok {
			i.Data(append([]byte{'"'}, data...))
			return
		}
	}
	i.add("url", raw)
}

func (i *Images) add(name string, raw []byte) {
	if len(raw) > 2 && raw[0] == '"' {
		i.b.Open('{').Key(name).Raw(raw).Close('}')
		i.n++
	}
}

// End returns the answer, and counts the images. An answer without any is an error.
func (i *Images) End() ([]byte, error) {
	if i.n == 0 {
		return nil, i.t.Garbled("has no images")
	}
	i.t.Usage.Images = i.n
	i.b.Close(']')
	if u := i.t.Usage; u.Prompt > 0 || u.Completion > 0 {
		i.b.Key("usage").Open('{').Key("input_tokens").Int(u.Prompt).Key("output_tokens").Int(u.Completion).
			Key("total_tokens").Int(u.Total).Close('}')
	}
	return i.b.Close('}').Bytes(), nil
}

// Size is the size that a request for images wants, in pixels; zeros if it leaves that to the vendor.
func (t *Turn) Size() (width, height int, err error) {
	size, err := t.Params.Text("size")
	if err != nil || size == "" || size == "auto" {
		return 0, 0, err
	}
	w, h, ok := strings.Cut(size, "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	if !ok || err1 != nil || err2 != nil || width <= 0 || height <= 0 {
		return 0, 0, t.Refuse("size", "must be like 1024x1024")
	}
	return width, height, nil
}

// Prompt is the prompt of a request for images, a string in JSON.
func (t *Turn) Prompt() ([]byte, error) {
	prompt := t.Params.Get("prompt")
	if len(prompt) < 3 || prompt[0] != '"' {
		return nil, t.Refuse("prompt", "must be a text")
	}
	return prompt, nil
}

// Only refuses a parameter that has another value than the one that the vendor can give, unless it may be left out.
func (t *Turn) Only(param, value, why string) error {
	if v := t.Params.Get(param); v != nil && string(v) != value && !t.Drop {
		return t.Refuse(param, "must be "+strings.Trim(value, `"`)+": "+why)
	}
	return nil
}

// Ratio is the shape that is nearest to a size, of those that a vendor makes, written like 16:9; "" for no size.
func Ratio(width, height int, made ...string) string {
	best, off := "", 0.0
	for _, name := range made {
		w, h, _ := strings.Cut(name, ":")
		a, _ := strconv.ParseFloat(w, 64)
		b, _ := strconv.ParseFloat(h, 64)
		if height == 0 || b == 0 {
			continue
		}
		d := float64(width)/float64(height) - a/b
		if d < 0 {
			d = -d
		}
		if best == "" || d < off {
			best, off = name, d
		}
	}
	return best
}
