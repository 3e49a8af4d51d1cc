// Relay sends requests on as they are and passes answers as they come.
package main

import (
	_ "embed"

	"github.com/sallyport-ai/sallyport/sdk/abi"
	sallyport "github.com/sallyport-ai/sallyport/sdk/go"
)

//go:embed manifest.json
var manifest string

var _ = sallyport.Register(manifest, construct)

func main() {}

func construct(*sallyport.Config) (sallyport.Hooks, error) {
	return sallyport.Hooks{Provider: sallyport.Provider{Encode: encode, Decode: decode}}, nil
}

func encode(r *sallyport.ProviderRequest) sallyport.Outgoing {
	paths := map[string]string{"acompletion": "/chat/completions", "atext_completion": "/completions", "aembedding": "/embeddings"}
	return sallyport.Call("POST", r.Base+paths[r.CallType], r.Body()).
		Header("Content-Type", "application/json").Header("Authorization", "Bearer "+r.APIKey)
}

func decode(a *sallyport.ProviderAnswer) sallyport.Reading {
	if a.Phase == abi.PhaseEvent {
		return sallyport.Reading{JSON: string(a.Body)}
	}
	return sallyport.Reading{}
}
