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
		return chats(databricks.New(databricks.Settings{MaxResponse: most}))
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
