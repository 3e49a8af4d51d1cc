package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// gateways are the vendors that pass requests on to other vendors.
func gateways() []Vendor {
	return []Vendor{
		{
			Name: "openrouter", Base: "https://openrouter.ai/api/v1",
			BaseVars: []string{"OPENROUTER_API_BASE"}, KeyVars: []string{"OPENROUTER_API_KEY", "OR_API_KEY"},
			Responses: true, Caches: true,
			Source: "https://openrouter.ai/docs/api-reference/overview",
		},
		{
			// The former address, which the reference has still, was closed in October 2025:
			// https://github.blog/changelog/2025-07-17-deprecation-of-azure-endpoint-for-github-models
			Name: "github", Base: "https://models.github.ai/inference", Former: "https://models.inference.ai.azure.com",
			BaseVars: []string{"GITHUB_API_BASE"}, KeyVars: []string{"GITHUB_API_KEY"},
			Lacks:  []llm.Operation{llm.OpCompletion},
			Source: "https://docs.github.com/en/rest/models/inference",
		},
		{
			Name: "vercel_ai_gateway", Base: "https://ai-gateway.vercel.sh/v1",
			BaseVars: []string{"VERCEL_AI_GATEWAY_API_BASE"}, KeyVars: []string{"VERCEL_AI_GATEWAY_API_KEY", "AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"},
			Offers: []llm.Operation{llm.OpImage},
			Source: "https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions",
		},
		{
			Name: "helicone", Base: "https://ai-gateway.helicone.ai/v1", KeyVars: []string{"HELICONE_API_KEY"},
			Source: "https://docs.helicone.ai/rest/ai-gateway/post-v1-chat-completions",
		},
		{
			Name: "aiml", Base: "https://api.aimlapi.com/v1",
			BaseVars: []string{"AIML_API_BASE"}, KeyVars: []string{"AIML_API_KEY", "AIMLAPI_API_KEY", "AIMLAPI_KEY"},
			Offers: []llm.Operation{llm.OpImage},
			Source: "https://docs.aimlapi.com/glossary/concepts",
		},
		{
			Name: "cometapi", Base: "https://api.cometapi.com/v1",
			BaseVars: []string{"COMETAPI_BASE_URL", "COMETAPI_API_BASE"}, KeyVars: []string{"COMETAPI_KEY", "COMETAPI_API_KEY"},
			Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpRealtime},
			// The page has it for models of OpenAI's.
			Responses: true, ResponsesOf: []string{"gpt-"}, Stateless: true,
			Source: "https://apidoc.cometapi.com/api/text",
		},
		{
			Name: "clarifai", Base: "https://api.clarifai.com/v2/ext/openai/v1",
			BaseVars: []string{"CLARIFAI_API_BASE"}, KeyVars: []string{"CLARIFAI_API_KEY", "CLARIFAI_PAT"},
			Source: "https://docs.clarifai.com/compute/providers",
		},
		{
			Name: "poe", Base: "https://api.poe.com/v1", KeyVars: []string{"POE_API_KEY"}, Rename: tokens(),
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://creator.poe.com/docs/external-applications",
		},
		{
			Name: "veniceai", Base: "https://api.venice.ai/api/v1", KeyVars: []string{"VENICE_AI_API_KEY", "VENICE_API_KEY"},
			Offers: []llm.Operation{llm.OpImage, llm.OpSpeech, llm.OpTranscription}, Lacks: []llm.Operation{llm.OpCompletion},
			Source: "https://docs.venice.ai/welcome/getting-started",
		},
		{
			Name: "synthetic", Base: "https://api.synthetic.new/openai/v1", KeyVars: []string{"SYNTHETIC_API_KEY"},
			Rename: tokens(), Source: "https://dev.synthetic.new",
		},
		{
			Name: "apertis", Base: "https://api.apertis.ai/v1", Former: "https://api.stima.tech/v1",
			KeyVars: []string{"STIMA_API_KEY", "APERTIS_API_KEY"}, Rename: tokens(),
			Source: "https://docs.apertis.ai/help/faq",
		},
		{
			Name: "nano-gpt", Base: "https://nano-gpt.com/api/v1", KeyVars: []string{"NANOGPT_API_KEY"}, Rename: tokens(),
			Offers: []llm.Operation{llm.OpImage, llm.OpSpeech, llm.OpTranscription},
			Source: "https://docs.nano-gpt.com",
		},
		{
			Name: "llamagate", Base: "https://api.llamagate.dev/v1", KeyVars: []string{"LLAMAGATE_API_KEY"}, Rename: tokens(),
			Source: "https://llamagate.dev/docs",
		},
		{
			Name: "aihubmix", Base: "https://aihubmix.com/v1",
			BaseVars: []string{"AIHUBMIX_API_BASE"}, KeyVars: []string{"AIHUBMIX_API_KEY"},
			Offers: []llm.Operation{llm.OpModeration, llm.OpImage, llm.OpSpeech, llm.OpTranscription, llm.OpRerank},
			Source: "https://docs.aihubmix.com/cn/api/Aihubmix-Integration",
		},
	}
}
