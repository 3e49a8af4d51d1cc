package app

import (
	"github.com/sallyport-ai/sallyport/core/provider"
	"github.com/sallyport-ai/sallyport/core/provider/cohere"
	"github.com/sallyport-ai/sallyport/core/provider/compat"
	"github.com/sallyport-ai/sallyport/core/provider/ollama"
)

// translated makes the provider of a vendor whose API has a form of its own. It is nil for others. most is the limit of
// an answer, in bytes.
func (b *builder) translated(v compat.Vendor, most int64) provider.Provider {
	switch v.Name {
	case cohere.Name:
		return cohere.New(cohere.Settings{MaxResponse: most})
	case ollama.Name:
		return ollama.New(ollama.Settings{MaxResponse: most})
	}
	return nil
}
