package app

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/cohere"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/databricks"
	"github.com/sallyport-ai/sallyport/core/provider/gemini"
	"github.com/sallyport-ai/sallyport/core/provider/mistral"
	"github.com/sallyport-ai/sallyport/core/provider/ollama"
	"github.com/sallyport-ai/sallyport/core/provider/watsonx"
	principal "github.com/sallyport-ai/sallyport/core/upstream/credential/databricks"
	"github.com/sallyport-ai/sallyport/core/upstream/credential/ibm"
)

// translated makes the provider of a vendor whose API has a form of its own, at least for some operations. It is nil for
// others. most is the limit of an answer, in bytes.
func (b *builder) translated(v compat.Vendor, most int64) provider.Provider {
	// chats has the vendor's chats translated, and everything else served as OpenAI's API.
	chats := func(p provider.Provider) provider.Provider {
		return provider.Split(b.compatible(v, most), p, llm.OpChat, llm.OpCompletion)
	}
	switch v.Name {
	case cohere.Name:
		return cohere.New(cohere.Settings{MaxResponse: most})
	case databricks.Name:
		return b.databricks(v, most)
	case gemini.Name:
		return gemini.New(gemini.Settings{MaxResponse: most, Safety: b.safety()})
	case gemini.Vertex:
		return b.vertexAI(most)
	case mistral.Name:
		return chats(mistral.New(mistral.Settings{MaxResponse: most}))
	case ollama.Name:
		return ollama.New(ollama.Settings{MaxResponse: most})
	case watsonx.Name:
		return watsonx.New(watsonx.Settings{Sign: ibm.New(ibm.Settings{Env: b.cfg.Env().Get, Client: b.clouds.wire.client()}).Signer, MaxResponse: most})
	}
	return nil
}

// databricks serves embeddings as OpenAI's API, and signs calls for a service principal if there is no key.
func (b *builder) databricks(v compat.Vendor, most int64) provider.Provider {
	source := principal.New(principal.Settings{Client: b.clouds.wire.client()})
	sign := func(d *llm.Deployment) (llm.Signer, error) {
		id, secret := d.Setting("client_id"), d.Setting("client_secret")
		if d.APIKey != "" || id == "" || secret == "" {
			return nil, nil //nolint:nilnil // nobody signs
		}
		return source.Signer(d.Base, id, secret)
	}
	rest := b.placed(v, most, func(d *llm.Deployment) (*provider.Place, error) {
		s, err := sign(d)
		return &provider.Place{Base: databricks.Base(d.Base), Signer: s}, err
	})
	return provider.Split(rest, databricks.New(databricks.Settings{Sign: sign, MaxResponse: most}), llm.OpChat, llm.OpCompletion)
}
