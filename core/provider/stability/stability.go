// Package stability is the provider for images with Stability AI (https://platform.stability.ai/docs/api-reference).
package stability

import (
	"strings"
	"time"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Name is the vendor in model names and errors.
const Name = "stability"

// Settings are what can be set about the provider.
type Settings struct {
	MaxResponse int64            // bytes of an answer; 0 is 64 MB
	Now         func() time.Time // for the time that answers were created at; nil is time.Now
}

// New makes the provider.
func New(s Settings) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: Name, Base: "https://api.stability.ai", Classify: classify,
		Headers: []llm.Pair{{Name: "Accept", Value: "application/json"}}, // else the image comes bare
		KeyVars: []string{"STABILITY_API_KEY"}, BaseVars: []string{"STABILITY_API_BASE"},
		Forms: map[llm.Operation]*provider.Form{
			llm.OpImage:     {Route: generate, Params: []string{"n", "size", "response_format"}, Request: draw, Answer: drawn, Typed: true},
			llm.OpImageEdit: {Route: edit, Params: []string{"n", "response_format"}, Request: change, Answer: drawn, Typed: true},
		},
		MaxResponse: s.MaxResponse, Now: s.Now,
	})
}

const root = "/v2beta/stable-image/"

// generate is the path of a model: Ultra and Core have one each, and the models of Stable Diffusion 3 share one.
func generate(t *provider.Turn, dst []byte) []byte {
	dst = append(append(dst, root...), "generate/"...)
	switch name := strings.ToLower(t.Site.Deployment.Model); {
	case strings.Contains(name, "ultra"):
		return append(dst, "ultra"...)
	case strings.Contains(name, "core"):
		return append(dst, "core"...)
	}
	return append(dst, "sd3"...)
}

// edit is the path of a service that changes an image. Its name may have more around it, as in stable-image-erase-object.
func edit(t *provider.Turn, dst []byte) []byte {
	name := strings.ToLower(t.Site.Deployment.Model)
	dst = append(dst, root...)
	for _, s := range [...][2]string{
		{"search-and-replace", "edit/search-and-replace"}, {"search-and-recolor", "edit/search-and-recolor"},
		{"replace-background", "edit/replace-background-and-relight"}, {"remove-background", "edit/remove-background"},
		{"inpaint", "edit/inpaint"}, {"outpaint", "edit/outpaint"}, {"erase", "edit/erase"},
		{"fast", "upscale/fast"}, {"conservative", "upscale/conservative"}, {"upscale", "upscale/conservative"},
		{"sketch", "control/sketch"}, {"structure", "control/structure"},
		{"style-transfer", "control/style-transfer"}, {"style", "control/style"},
	} {
		if strings.Contains(name, s[0]) {
			return append(dst, s[1]...)
		}
	}
	return generate(t, dst[:len(dst)-len(root)])
}

// fields are the parts of a form that are no files.
func fields(t *provider.Turn) ([]llm.Pair, error) {
	if err := t.Only("n", "1", Name+" makes one image a call"); err != nil {
		return nil, err
	}
	if err := t.Only("response_format", `"b64_json"`, Name+" gives no addresses of images"); err != nil {
		return nil, err
	}
	width, height, err := t.Size()
	if err != nil {
		return nil, err
	}
	var list []llm.Pair
	ratio := provider.Ratio(width, height, "1:1", "16:9", "9:16", "3:2", "2:3", "5:4", "4:5", "21:9", "9:21")
	if ratio != "" && t.Params.Get("aspect_ratio") == nil {
		list = append(list, llm.Pair{Name: "aspect_ratio", Value: ratio})
	} else if v, err := t.Params.Text("aspect_ratio"); err == nil && v != "" {
		list = append(list, llm.Pair{Name: "aspect_ratio", Value: v})
	}
	for name, v := range t.Params.Rest {
		value := string(v)
		if s, ok := llm.Text(v); ok {
			value = string(s)
		}
		list = append(list, llm.Pair{Name: name, Value: value})
	}
	return list, nil
}

func draw(t *provider.Turn, _ []byte) ([]byte, error) {
	prompt, err := t.Params.Text("prompt")
	if err != nil || prompt == "" {
		return nil, t.Refuse("prompt", "must be a text")
	}
	list, err := fields(t)
	if err != nil {
		return nil, err
	}
	list = append([]llm.Pair{{Name: "prompt", Value: prompt}}, list...)
	t.SendForm(append(list, variant(t)...), nil)
	return nil, nil
}

// variant names one of the models of Stable Diffusion 3, which share a path.
func variant(t *provider.Turn) []llm.Pair {
	if name := t.Site.Deployment.Model; strings.HasPrefix(name, "sd3") && name != "sd3" {
		return []llm.Pair{{Name: "model", Value: name}}
	}
	return nil
}

// change passes the form on with the vendor's own parts; a list of images is the first of them.
func change(t *provider.Turn, _ []byte) ([]byte, error) {
	list, err := fields(t)
	if err != nil {
		return nil, err
	}
	var files []provider.FormFile
	form := &t.Exchange.Form
	for _, p := range form.Parts() {
		name := strings.TrimSuffix(p.Name, "[]")
		if !p.File || len(files) > 0 && name == "image" && files[0].Name == "image" {
			continue
		}
		files = append(files, provider.FormFile{Name: name, File: p.Filename, Type: string(p.Type), Content: form.Value(p)})
	}
	if len(files) == 0 {
		return nil, t.Refuse("image", "is missing: send it as a file of a form")
	}
	if v := variant(t); v != nil {
		list = append(list, v...)
		if t.Params.Get("mode") == nil {
			list = append(list, llm.Pair{Name: "mode", Value: "image-to-image"})
		}
	}
	t.SendForm(list, files)
	return nil, nil
}

func drawn(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if reason, _ := llm.Text(dialect.Get(body, "finish_reason")); string(reason) == "CONTENT_FILTERED" {
		e := &llm.Error{Op: Name + ".Decode", Kind: llm.KindContentPolicy, Provider: Name}
		e.Message = "the vendor's filter withheld the image"
		return nil, e
	}
	images := t.Images(dst)
	images.Data(dialect.Get(body, "image"))
	if out, err := images.End(); err == nil {
		return out, nil
	}
	if dialect.Get(body, "errors") != nil {
		return nil, t.Fail(400, body)
	}
	return nil, t.Garbled("has no image")
}

// classify reads {"id","name","errors":["..."]}.
func classify(_ *provider.Site, e *llm.Error, body []byte) {
	c := dialect.Array(dialect.Get(body, "errors"))
	if c.Next() {
		if s := provider.Excerpt(c.Value()); s != "" {
			e.Message = s
		}
	}
	e.Code = provider.Excerpt(dialect.Get(body, "name"))
	if e.Code == "content_moderation" {
		e.Kind, e.Status = llm.KindContentPolicy, 0
	}
}
