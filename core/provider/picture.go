package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Picture is an image of a request for an edit or a variation. Either Data or URL is set.
type Picture struct {
	Type []byte // the media type, such as image/png
	Data []byte // base64
	URL  []byte // where the image is, for vendors that fetch it themselves
}

// Pictures returns the images that a request wants edited, at least one, and the mask, which may be nil. They are files of
// a form, or members of a JSON body: images with image_url, as in
// https://platform.openai.com/docs/api-reference/images/createEdit, or image, by itself or in a list, as a data URL or in
// base64. Images by their address are refused unless urls is set.
//
// Answers of the forms that use it are whole, so a stream is refused.
func (t *Turn) Pictures(urls bool) (images []Picture, mask *Picture, err error) {
	if v := t.Exchange.Body.Get("stream"); (t.Exchange.Streamed || string(v) == "true" || string(v) == `"true"`) && !t.Drop {
		return nil, nil, t.Refuse("stream", "is not offered by "+t.Site.v.Name+" for images: leave it out")
	}
	for _, p := range t.Exchange.Form.Parts() {
		picture := Picture{Type: p.Type}
		switch {
		case !p.File:
			continue
		case p.Name == "mask":
			mask = &picture
			mask.read(t.Exchange.Form.Value(p))
		case p.Name == "image", p.Name == "image[]":
			picture.read(t.Exchange.Form.Value(p))
			images = append(images, picture)
		}
	}
	if images, err = t.pictures(images, urls); err != nil {
		return nil, nil, err
	}
	if v := t.Params.Get("mask"); mask == nil && v != nil {
		mask = new(Picture)
		if err := mask.member(t, "mask", v, urls); err != nil {
			return nil, nil, err
		}
	}
	if len(images) == 0 {
		return nil, nil, t.Refuse("image", "is missing: send it as a file of a form")
	}
	return images, mask, nil
}

// pictures adds the images that are members of the body.
func (t *Turn) pictures(images []Picture, urls bool) ([]Picture, error) {
	for _, name := range [...]string{"image", "image[]", "images"} {
		v := t.Params.Get(name)
		if dialect.Null(v) {
			continue
		}
		if v[0] != '[' {
			v = append(append([]byte{'['}, v...), ']')
		}
		for c := dialect.Array(v); c.Next(); {
			var p Picture
			if err := p.member(t, name, c.Value(), urls); err != nil {
				return nil, err
			}
			images = append(images, p)
		}
	}
	return images, nil
}

// read takes an image as it is in a form.
func (p *Picture) read(content []byte) {
	if kind := string(p.Type); !strings.HasPrefix(kind, "image/") {
		p.Type = []byte(http.DetectContentType(content))
	}
	p.Data = base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(content))), content)
}

// member reads an image as it is in JSON.
func (p *Picture) member(t *Turn, name string, v []byte, urls bool) error {
	if v[0] == '{' {
		if u := dialect.Get(v, "image_url"); u != nil {
			v = u
		} else if dialect.Get(v, "file_id") != nil {
			return t.Refuse(name, "must hold the image itself: "+t.Site.v.Name+" knows no file_id")
		}
	}
	if v[0] == '{' {
		v = dialect.OrEmpty(dialect.Get(v, "url"))
	}
	s, ok := llm.Text(v)
	switch {
	case !ok || len(s) == 0:
	case bytes.HasPrefix(s, []byte("data:")):
		if kind, data, ok := openai.DataURL(s); ok {
			p.Type, p.Data = kind, data
			return nil
		}
	case bytes.HasPrefix(s, []byte("http://")), bytes.HasPrefix(s, []byte("https://")), bytes.HasPrefix(s, []byte("gs://")):
		if urls {
			p.URL = s
			return nil
		}
		return t.Refuse(name, "must hold the image itself, as a file of a form or a data URL: "+t.Site.v.Name+" fetches none")
	default:
		if head, err := base64.StdEncoding.DecodeString(string(s[:min(len(s), 512)&^3])); err == nil {
			p.Type, p.Data = []byte(http.DetectContentType(head)), s
			return nil
		}
	}
	return t.Refuse(name, "must be an image: a file of a form, a data URL, or base64")
}

// Typed is the value of a parameter for a vendor whose parameters have types. Fields of a form have none: one that reads as
// a number, as true or false, or as an object or a list, is meant as that.
func (t *Turn) Typed(v []byte) []byte {
	if t.Exchange.Form.Raw() == nil {
		return v
	}
	s, ok := llm.Text(v)
	if !ok || len(s) == 0 || !json.Valid(s) || s[0] == '"' || string(s) == "null" {
		return v
	}
	return s
}

// Content is the image itself. The error ends a sentence that begins with the image's name.
func (p *Picture) Content() ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(string(p.Data))
	if err != nil {
		return nil, errors.New("is not in base64")
	}
	return raw, nil
}

// maxMask is the greatest number of pixels of a mask that is made another one.
const maxMask = 32 << 20

// Mask is the image as a mask that is black and white, in base64: what is to be changed is white, or black if white is not
// set. In OpenAI's API that is where an image is transparent
// (https://platform.openai.com/docs/api-reference/images/createEdit). An image without transparent places is a mask of
// the vendor's kind already, and is returned as it is. The error ends a sentence that begins with the name of the mask.
func (p *Picture) Mask(white bool) ([]byte, error) {
	raw, err := p.Content()
	if err != nil {
		return nil, err
	}
	config, err := png.DecodeConfig(bytes.NewReader(raw))
	if err != nil { // no PNG, so that nothing is transparent in it
		return p.Data, nil //nolint:nilerr // likewise
	}
	if int64(config.Width)*int64(config.Height) > maxMask {
		return nil, errors.New("has more than 32 million pixels")
	}
	from, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("is not a whole PNG image")
	}
	change, keep := color.Gray{}, color.Gray{Y: 255}
	if white {
		change, keep = keep, change
	}
	size := from.Bounds()
	mask, masked := image.NewGray(size), false
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			if _, _, _, alpha := from.At(x, y).RGBA(); alpha < 0x8000 {
				mask.SetGray(x, y, change)
				masked = true
			} else {
				mask.SetGray(x, y, keep)
			}
		}
	}
	if !masked {
		return p.Data, nil
	}
	var out bytes.Buffer
	if err := png.Encode(&out, mask); err != nil {
		return nil, fmt.Errorf("cannot be written anew: %w", err)
	}
	return base64.StdEncoding.AppendEncode(nil, out.Bytes()), nil
}
