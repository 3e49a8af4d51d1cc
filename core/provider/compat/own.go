package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// own are the vendors that have an API of their own, and a provider that translates for it.
func own() []Vendor {
	return []Vendor{
		{
			Name: "anthropic", Own: true, Base: "https://api.anthropic.com", KeyHeader: "x-api-key",
			BaseVars: []string{"ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"}, KeyVars: []string{"ANTHROPIC_API_KEY"},
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://platform.claude.com/docs/en/api/overview",
		},
		{
			Name: "cohere", Own: true, Base: "https://api.cohere.com",
			BaseVars: []string{"COHERE_API_BASE"}, KeyVars: []string{"COHERE_API_KEY", "CO_API_KEY"},
			Offers: []llm.Operation{llm.OpRerank}, Source: "https://docs.cohere.com/reference/about",
		},
		{
			Name: "ollama", Own: true, Base: "http://localhost:11434", KeyOptional: true,
			BaseVars: []string{"OLLAMA_API_BASE"}, KeyVars: []string{"OLLAMA_API_KEY"},
			Source: "https://docs.ollama.com/api",
		},
	}
}
