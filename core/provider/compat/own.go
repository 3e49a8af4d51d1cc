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
			Name: "mistral", Own: true, Base: "https://api.mistral.ai/v1",
			BaseVars: []string{"MISTRAL_AZURE_API_BASE", "MISTRAL_API_BASE"},
			KeyVars:  []string{"MISTRAL_AZURE_API_KEY", "MISTRAL_API_KEY"},
			Offers:   []llm.Operation{llm.OpModeration, llm.OpTranscription, llm.OpResource},
			Source:   "https://docs.mistral.ai/api",
		},
		{
			Name: "databricks", Own: true, BaseVars: []string{"DATABRICKS_API_BASE"}, KeyVars: []string{"DATABRICKS_API_KEY"},
			Settings:    []Setting{{"client_id", []string{"DATABRICKS_CLIENT_ID"}}, {"client_secret", []string{"DATABRICKS_CLIENT_SECRET"}}},
			KeySettings: []string{"client_secret"},
			// https://docs.databricks.com/gcp/en/machine-learning/model-serving/query-openai-responses: models of OpenAI's.
			Responses: true, ResponsesOf: []string{"gpt-5"}, Stateless: true,
			Source: "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference",
		},
		{
			Name: "watsonx", Own: true, BaseVars: []string{"WATSONX_API_BASE", "WATSONX_URL", "WX_URL", "WML_URL"},
			KeyVars: []string{"WATSONX_API_KEY", "WATSONX_APIKEY", "WX_API_KEY"},
			Settings: []Setting{
				{"project_id", []string{"WATSONX_PROJECT_ID", "WX_PROJECT_ID"}},
				{"space_id", []string{"WATSONX_DEPLOYMENT_SPACE_ID", "WATSONX_SPACE_ID", "WX_SPACE_ID"}},
				{"token", []string{"WATSONX_TOKEN"}}, {"zen_api_key", []string{"WATSONX_ZENAPIKEY"}},
			},
			KeySettings: []string{"token", "watsonx_token", "zen_api_key"},
			Offers:      []llm.Operation{llm.OpRerank}, Source: "https://cloud.ibm.com/apidocs/watsonx-ai",
		},
		{
			Name: "gemini", Own: true, Base: "https://generativelanguage.googleapis.com", KeyHeader: "x-goog-api-key",
			BaseVars: []string{"GEMINI_API_BASE"}, KeyVars: []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"},
			Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpSpeech, llm.OpTranscription}, Source: "https://ai.google.dev/api",
		},
		{
			Name: "vertex_ai", Own: true, KeyOptional: true, BaseVars: []string{"VERTEXAI_API_BASE", "VERTEX_API_BASE"},
			Settings: []Setting{
				{"vertex_project", []string{"VERTEXAI_PROJECT"}}, {"vertex_location", []string{"VERTEXAI_LOCATION", "VERTEX_LOCATION"}},
				{"vertex_credentials", []string{"VERTEXAI_CREDENTIALS"}},
			},
			Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpRerank, llm.OpSpeech, llm.OpTranscription},
			Source: "https://docs.cloud.google.com/vertex-ai/docs/reference/rest",
		},
		{
			Name: "ollama", Own: true, Base: "http://localhost:11434", KeyOptional: true,
			BaseVars: []string{"OLLAMA_API_BASE"}, KeyVars: []string{"OLLAMA_API_KEY"},
			Source: "https://docs.ollama.com/api",
		},
	}
}
