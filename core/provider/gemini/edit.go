package gemini

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/gemini"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// edits are images from images: generateContent for the Gemini models that make images
// (https://ai.google.dev/gemini-api/docs/image-generation), and on Vertex AI predict for Imagen's model that edits
// (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api-edit).
func edits() *provider.Form {
	f := images()
	f.Params, f.Request = append([]string{"mask"}, f.Params...), editRequest
	return f
}

func editRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	if !speaks(t) && !ownOf(t).vertex {
		return nil, t.Refuse("model", "must be a Gemini model that makes images: the Gemini API has no other that edits them")
	}
	pictures, mask, err := t.Pictures(speaks(t))
	if err != nil {
		return nil, err
	}
	prompt := t.Params.Get("prompt")
	if dialect.Blank(prompt) {
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
	b.Open('{')
	if speaks(t) {
		if mask != nil && !t.Drop {
			return nil, t.Refuse("mask", "cannot be sent: Gemini edits what the prompt says")
		}
		talkedEdit(&b, prompt, pictures)
		drawConfig(t, &b, ratio)
	} else if err := imagenEdit(t, &b, prompt, ratio, pictures, mask); err != nil {
		return nil, err
	}
	for name, v := range t.Params.Rest {
		b.Member(name, t.Typed(v))
	}
	b.Close('}')
	return b.Bytes(), nil
}

// talkedEdit writes the images, and what is to be done with them behind them.
func talkedEdit(b *dialect.Builder, prompt []byte, pictures []provider.Picture) {
	b.Key("contents").Open('[').Open('{').Key("role").Lit(`"user"`).Key("parts").Open('[')
	for i := range pictures {
		p := &pictures[i]
		b.Open('{')
		if p.URL != nil {
			b.Key("fileData").Open('{').Text("mimeType", gemini.TypeOf(string(p.URL))).Key("fileUri").QuoteBytes(p.URL).Close('}')
		} else {
			b.Key("inlineData").Open('{').Key("mimeType").QuoteBytes(p.Type).Key("data").QuoteBytes(p.Data).Close('}')
		}
		b.Close('}')
	}
	b.Open('{').Key("text").Raw(prompt).Close('}').Close(']').Close('}').Close(']')
}

// imagenEdit writes a request for Imagen's model that edits. Images are references, the first is the one to change; a mask
// is a reference too. The defaults are the reference's (litellm/llms/vertex_ai/image_edit/vertex_imagen_transformation.py);
// what is done within a mask is to insert what the prompt says.
func imagenEdit(t *provider.Turn, b *dialect.Builder, prompt []byte, ratio string, pictures []provider.Picture, mask *provider.Picture) error {
	mode, steps := option(t, "edit_mode", "editMode"), option(t, "edit_config", "editConfig")
	maskMode := option(t, "mask_mode", "maskMode")
	b.Key("instances").Open('[').Open('{').Key("prompt").Raw(prompt).Key("referenceImages").Open('[')
	for i := range pictures {
		b.Open('{').Key("referenceType").Lit(`"REFERENCE_TYPE_RAW"`).Key("referenceId").Int(int64(i + 1))
		b.Key("referenceImage").Open('{').Key("bytesBase64Encoded").QuoteBytes(pictures[i].Data).Close('}').Close('}')
	}
	masked := mask != nil || maskMode != nil
	if masked {
		b.Open('{').Key("referenceType").Lit(`"REFERENCE_TYPE_MASK"`).Key("referenceId").Int(int64(len(pictures) + 1))
		if mask != nil {
			data, err := mask.Mask(true)
			if err != nil {
				return t.Refuse("mask", err.Error())
			}
			b.Key("referenceImage").Open('{').Key("bytesBase64Encoded").QuoteBytes(data).Close('}')
		}
		b.Key("maskImageConfig").Open('{').Key("maskMode").Raw(or(maskMode, `"MASK_MODE_USER_PROVIDED"`))
		b.Key("dilation").Raw(or(t.Typed(option(t, "mask_dilation", "dilation")), "0.03")).Close('}').Close('}')
	}
	b.Close(']').Close('}').Close(']')
	imagen(t, b, ratio)
	if mode == nil && masked {
		mode = []byte(`"EDIT_MODE_INPAINT_INSERTION"`)
	}
	b.Member("editMode", mode).Key("editConfig").Raw(or(t.Typed(steps), `{"baseSteps":50}`))
	b.Key("guidanceScale").Raw(or(t.Typed(option(t, "guidance_scale", "guidanceScale")), "7.5")).Close('}')
	return nil
}
