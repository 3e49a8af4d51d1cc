package mistral

import (
	"bytes"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/dialect/usage"
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// Cloud is a cloud that has Mistral's models for documents.
type Cloud struct {
	Name        string
	Locate      func(d *llm.Deployment) (string, error)     // the whole address that documents are sent to
	Sign        func(d *llm.Deployment) (llm.Signer, error) // for deployments without a key; nil, or a nil signer, for none
	KeyVars     []string
	MaxResponse int64 // bytes of an answer; 0 is 64 MB
}

// Pages makes the provider of a cloud's models for documents, whose requests and answers are Mistral's own
// (https://docs.mistral.ai/api/endpoint/ocr). The clouds reach no other address, so that documents must come with the
// request (litellm/llms/vertex_ai/ocr/transformation.py, litellm/llms/azure_ai/ocr/transformation.py).
func Pages(c Cloud) *provider.Translated {
	return provider.Translate(provider.Translation{
		Name: c.Name, KeyVars: c.KeyVars, MaxResponse: c.MaxResponse,
		Locate: func(s *provider.Site) (string, error) { return c.Locate(s.Deployment) },
		Bind: func(s *provider.Site) (err error) {
			if s.Deployment.APIKey == "" && c.Sign != nil {
				s.Signer, err = c.Sign(s.Deployment)
				s.Keyless = s.Signer != nil
			}
			return err
		},
		Forms: map[llm.Operation]*provider.Form{llm.OpResource: {Request: pagesRequest, Answer: pagesAnswer}},
	})
}

func pagesRequest(t *provider.Turn, dst []byte) ([]byte, error) {
	if t.Exchange.Call != "aocr" {
		return nil, t.Refuse("model", "is one that reads documents: ask it by /v1/ocr")
	}
	document := t.Params.Get("document")
	if len(document) == 0 || document[0] != '{' {
		return nil, t.Refuse("document", "must be an object with a document_url or an image_url")
	}
	found := false
	for _, name := range [...]string{"document_url", "image_url"} {
		v := dialect.Get(document, name)
		if len(v) > 0 && v[0] == '{' {
			v = dialect.Get(v, "url")
		}
		if v == nil {
			continue
		}
		found = true
		if s, _ := llm.Text(v); !bytes.HasPrefix(s, []byte("data:")) {
			return nil, t.Refuse("document", "must hold the document itself, as a data URL: the model reaches no address")
		}
	}
	if !found {
		return nil, t.Refuse("document", "must have a document_url or an image_url")
	}
	b := dialect.Build(dst)
	b.Open('{').Key("model").Raw(t.Site.Model).Key("document").Raw(document)
	for name, v := range t.Params.Rest {
		b.Member(name, v)
	}
	return b.Close('}').Bytes(), nil
}

func pagesAnswer(t *provider.Turn, body, dst []byte) ([]byte, error) {
	if dialect.Get(body, "pages") == nil {
		if dialect.Get(body, "error") != nil || dialect.Get(body, "message") != nil {
			return nil, t.Fail(400, body)
		}
		return nil, t.Garbled("has no pages")
	}
	var f usage.Found
	f.Add(body)
	t.Usage = f.Usage()
	return append(dst, body...), nil
}
