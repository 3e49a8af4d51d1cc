package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// tokens is for vendors that know the older name of the limit only.
func tokens() []llm.Pair { return []llm.Pair{{Name: "max_completion_tokens", Value: "max_tokens"}} }

// limit is for those that know the newer name only.
func limit() []llm.Pair { return []llm.Pair{{Name: "max_tokens", Value: "max_completion_tokens"}} }

// hosted are the vendors that run models.
func hosted() []Vendor {
	return []Vendor{
		{
			Name: "openai", Base: "https://api.openai.com/v1",
			BaseVars: []string{"OPENAI_BASE_URL", "OPENAI_API_BASE"}, KeyVars: []string{"OPENAI_API_KEY"},
			Offers:    openAI(),
			Responses: true, Developer: true, NewLimit: true,
			Source: "https://platform.openai.com/docs/api-reference",
		},
		{
			Name: "groq", Base: "https://api.groq.com/openai/v1",
			BaseVars: []string{"GROQ_API_BASE"}, KeyVars: []string{"GROQ_API_KEY"},
			Unsupported: []string{"logit_bias", "logprobs", "n", "top_logprobs"}, // n of 1 passes
			Lacks:       []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Offers:      []llm.Operation{llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpResource},
			NoNames:     true,
			// https://console.groq.com/docs/responses-api
			Responses: true, Stateless: true,
			Source: "https://console.groq.com/docs/openai",
		},
		{
			Name: "codestral", Base: "https://codestral.mistral.ai/v1",
			BaseVars: []string{"CODESTRAL_API_BASE"}, KeyVars: []string{"CODESTRAL_API_KEY"},
			Rename:          append(tokens(), llm.Pair{Name: "seed", Value: "random_seed"}),
			Unsupported:     []string{"logit_bias", "logprobs", "top_logprobs", "user"},
			NoStreamOptions: true,
			Source:          "https://docs.mistral.ai/capabilities/code_generation",
		},
		{
			Name: "deepseek", Base: "https://api.deepseek.com/beta",
			BaseVars: []string{"DEEPSEEK_API_BASE"}, KeyVars: []string{"DEEPSEEK_API_KEY"},
			Rename: tokens(), Lacks: []llm.Operation{llm.OpEmbedding},
			// https://api-docs.deepseek.com/guides/thinking_mode
			Plain: true, Reasons: true, Thinks: ThinksUnlessOff,
			Source: "https://api-docs.deepseek.com/api/create-chat-completion",
		},
		{
			Name: "together_ai", Base: "https://api.together.ai/v1", Former: "https://api.together.xyz/v1",
			BaseVars: []string{"TOGETHER_AI_API_BASE"},
			KeyVars:  []string{"TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"},
			Offers:   []llm.Operation{llm.OpImage, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpRerank, llm.OpResource},
			// https://docs.together.ai/docs/inference/responses-api: others may answer in a form that is none
			Responses: true, ResponsesOf: []string{"MiniMaxAI/MiniMax-M2.7"}, Stateless: true,
			Source: "https://docs.together.ai/docs/inference/openai-compatibility",
		},
		{
			Name: "fireworks_ai", Base: "https://api.fireworks.ai/inference/v1",
			BaseVars: []string{"FIREWORKS_API_BASE"},
			KeyVars:  []string{"FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"},
			Rename:   tokens(), ModelPrefix: "accounts/fireworks/models/",
			Offers:    []llm.Operation{llm.OpRerank, llm.OpTranscription, llm.OpTranslation},
			Responses: true,
			Source:    "https://docs.fireworks.ai/tools-sdks/openai-compatibility",
		},
		{
			Name: "deepinfra", Base: "https://api.deepinfra.com/v1/openai",
			BaseVars: []string{"DEEPINFRA_API_BASE"}, KeyVars: []string{"DEEPINFRA_API_KEY"}, Rename: tokens(),
			Offers:  []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation},
			Choices: []string{"auto", "none"},
			Source:  "https://deepinfra.com/docs/openai_api",
		},
		{
			// The path has no version.
			Name: "perplexity", Base: "https://api.perplexity.ai",
			BaseVars: []string{"PERPLEXITY_API_BASE"}, KeyVars: []string{"PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY"},
			Rename: tokens(),
			Unsupported: []string{
				"function_call", "functions", "logit_bias", "logprobs", "n", "parallel_tool_calls", "seed", "stop",
				"tool_choice", "tools", "top_logprobs",
			},
			Lacks: []llm.Operation{llm.OpCompletion},
			// https://docs.perplexity.ai/docs/agent-api/openai-compatibility: models with their vendor in the name
			Responses: true, ResponsesOf: []string{"/"}, ResponsesAt: "/v1",
			Source: "https://docs.perplexity.ai/api-reference/chat-completions-post",
		},
		{
			Name: "xai", Base: "https://api.x.ai/v1",
			BaseVars: []string{"XAI_API_BASE"}, KeyVars: []string{"XAI_API_KEY"}, Rename: tokens(),
			Lacks:     []llm.Operation{llm.OpEmbedding},
			Offers:    []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpResource, llm.OpRealtime}, // https://docs.x.ai/docs/guides/voice/agent
			Responses: true,
			Source:    "https://docs.x.ai/api-reference",
		},
		{
			Name: "cerebras", Base: "https://api.cerebras.ai/v1",
			BaseVars: []string{"CEREBRAS_API_BASE"}, KeyVars: []string{"CEREBRAS_API_KEY"},
			Unsupported: []string{"frequency_penalty", "logit_bias", "presence_penalty"},
			Lacks:       []llm.Operation{llm.OpEmbedding},
			Source:      "https://inference-docs.cerebras.ai/resources/openai",
		},
		{
			Name: "sambanova", Base: "https://api.sambanova.ai/v1",
			BaseVars: []string{"SAMBANOVA_API_BASE"}, KeyVars: []string{"SAMBANOVA_API_KEY"}, Rename: tokens(),
			Offers: []llm.Operation{llm.OpTranscription, llm.OpTranslation},
			Plain:  true,
			Source: "https://docs.sambanova.ai/docs/en/features/openai-compatibility",
		},
		{
			Name: "nvidia_nim", Base: "https://integrate.api.nvidia.com/v1",
			BaseVars: []string{"NVIDIA_NIM_API_BASE"}, KeyVars: []string{"NVIDIA_NIM_API_KEY"}, Rename: tokens(),
			Source: "https://docs.api.nvidia.com/nim/reference/llm-apis",
		},
		{
			Name: "meta_llama", Base: "https://api.llama.com/compat/v1",
			BaseVars: []string{"LLAMA_API_BASE"}, KeyVars: []string{"LLAMA_API_KEY"},
			Formats: []string{"json_schema"}, Lacks: []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Offers: []llm.Operation{llm.OpModeration},
			Source: "https://github.com/meta-llama/llama-api-python/blob/main/api.md",
		},
		{
			Name: "ai21_chat", Base: "https://api.ai21.com/studio/v1",
			BaseVars: []string{"AI21_API_BASE"}, KeyVars: []string{"AI21_API_KEY"}, Rename: tokens(),
			Lacks: []llm.Operation{llm.OpCompletion, llm.OpEmbedding}, Plain: true, Formats: []string{"json_object"},
			Source: "https://docs.ai21.com/reference/jamba-1-6-api-ref",
		},
		{
			Name: "moonshot", Base: "https://api.moonshot.ai/v1",
			BaseVars: []string{"MOONSHOT_API_BASE"}, KeyVars: []string{"MOONSHOT_API_KEY"}, Rename: tokens(),
			Offers:  []llm.Operation{llm.OpResource},
			Reasons: true, Unforced: true,
			Source: "https://platform.moonshot.ai/docs/api/chat",
		},
		{
			Name: "dashscope", Base: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
			BaseVars: []string{"DASHSCOPE_API_BASE"}, KeyVars: []string{"DASHSCOPE_API_KEY"}, Rename: tokens(),
			// https://www.alibabacloud.com/help/en/model-studio/compatibility-with-openai-responses-api
			Responses: true, ResponsesOf: []string{"qwen3-max", "qwen3.5-"},
			Source: "https://www.alibabacloud.com/help/en/model-studio/embedding-interfaces-compatible-with-openai",
		},
		qwen("qwencloud", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "QWENCLOUD", "https://docs.qwencloud.com"),
		qwen("qwen_ai_platform", "https://dashscope.aliyuncs.com/compatible-mode/v1", "QWEN_AI_PLATFORM", "https://platform.qianwenai.com/docs"),
		{
			Name: "gradient_ai", Base: "https://inference.do-ai.run/v1",
			BaseVars: []string{"GRADIENT_AI_AGENT_ENDPOINT"}, KeyVars: []string{"GRADIENT_AI_API_KEY"},
			BaseSwap: []llm.Pair{ // an agent has a host of its own
				{Name: ".agents.do-ai.run", Value: ".agents.do-ai.run/api/v1"}, {Name: "//inference.do-ai.run", Value: "//inference.do-ai.run/v1"},
			},
			Offers:    []llm.Operation{llm.OpImage},
			Responses: true, Stateless: true,
			Lacks:  []llm.Operation{llm.OpCompletion},
			Source: "https://docs.digitalocean.com/reference/pydo/reference/inference",
		},
		{
			Name: "tencent", Base: "https://tokenhub-intl.tencentcloudmaas.com/v1", BaseSuffix: "/v1",
			BaseVars: []string{"TENCENT_API_BASE"}, KeyVars: []string{"TENCENT_API_KEY"},
			Lacks: []llm.Operation{llm.OpCompletion, llm.OpEmbedding}, Thinks: ThinksOrNot,
			Source: "https://www.tencentcloud.com/document/product/1300/82345",
		},
		{
			Name: "zai", Base: "https://api.z.ai/api/paas/v4",
			BaseVars: []string{"ZAI_API_BASE"}, KeyVars: []string{"ZAI_API_KEY"}, Rename: tokens(),
			Offers:  []llm.Operation{llm.OpImage},
			Reasons: true,
			Source:  "https://docs.z.ai/api-reference/llm/chat-completion",
		},
		{
			Name: "volcengine", Base: "https://ark.cn-beijing.volces.com/api/v3",
			BaseVars: []string{"VOLCENGINE_API_BASE"}, KeyVars: []string{"VOLCENGINE_API_KEY", "ARK_API_KEY"},
			Responses: true, // https://www.volcengine.com/docs/82379/1569618
			Source:    "https://www.volcengine.com/docs/82379/1263482",
		},
		{
			Name: "minimax", Base: "https://api.minimax.io/v1",
			BaseVars: []string{"MINIMAX_API_BASE"}, KeyVars: []string{"MINIMAX_API_KEY"},
			Source: "https://platform.minimaxi.com/docs/api-reference/text-openai-api",
		},
		{
			Name: "xiaomi_mimo", Base: "https://api.xiaomimimo.com/v1",
			KeyVars: []string{"XIAOMI_MIMO_API_KEY", "MIMO_API_KEY"}, Rename: limit(),
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://platform.xiaomimimo.com/docs/en-US/api/chat/openai-api",
		},
		{
			Name: "nebius", Base: "https://api.tokenfactory.nebius.com/v1", Former: "https://api.studio.nebius.ai/v1",
			BaseVars: []string{"NEBIUS_API_BASE"}, KeyVars: []string{"NEBIUS_API_KEY"},
			Offers: []llm.Operation{llm.OpImage},
			Source: "https://docs.tokenfactory.nebius.com/api-reference/introduction",
		},
		{
			Name: "nscale", Base: "https://inference.api.nscale.com/v1",
			BaseVars: []string{"NSCALE_API_BASE"}, KeyVars: []string{"NSCALE_API_KEY"},
			Offers: []llm.Operation{llm.OpImage}, Lacks: []llm.Operation{llm.OpEmbedding},
			Source: "https://docs.nscale.com/docs/inference/serverless-models/overview",
		},
		{
			Name: "novita", Base: "https://api.novita.ai/openai/v1", Former: "https://api.novita.ai/v3/openai",
			BaseVars: []string{"NOVITA_API_BASE"}, KeyVars: []string{"NOVITA_API_KEY"},
			Source: "https://novita.ai/docs/guides/llm-api",
		},
		{
			Name: "hyperbolic", Base: "https://api.hyperbolic.xyz/v1",
			BaseVars: []string{"HYPERBOLIC_API_BASE"}, KeyVars: []string{"HYPERBOLIC_API_KEY"}, Rename: tokens(),
			Lacks:  []llm.Operation{llm.OpEmbedding},
			Source: "https://docs.hyperbolic.ai/inference/text-apis",
		},
		{
			// The page tells that the service has ended.
			Name: "lambda_ai", Base: "https://api.lambda.ai/v1",
			BaseVars: []string{"LAMBDA_API_BASE"}, KeyVars: []string{"LAMBDA_API_KEY"},
			Source: "https://docs.lambda.ai/public-cloud/lambda-inference-api",
		},
		{
			Name: "featherless_ai", Base: "https://api.featherless.ai/v1",
			BaseVars: []string{"FEATHERLESS_AI_API_BASE", "FEATHERLESS_API_BASE"},
			KeyVars:  []string{"FEATHERLESS_AI_API_KEY", "FEATHERLESS_API_KEY"},
			Lacks:    []llm.Operation{llm.OpEmbedding}, Choices: []string{"auto", "none"},
			Source: "https://featherless.ai/docs/api-overview-and-common-options",
		},
		{
			Name: "friendliai", Base: "https://api.friendli.ai/serverless/v1",
			BaseVars: []string{"FRIENDLI_API_BASE"}, KeyVars: []string{"FRIENDLIAI_API_KEY", "FRIENDLI_TOKEN"},
			Offers: []llm.Operation{llm.OpTranscription},
			Source: "https://friendli.ai/docs/guides/openai-compatibility",
		},
		{
			Name: "baseten", Base: "https://inference.baseten.co/v1",
			BaseVars: []string{"BASETEN_API_BASE"}, KeyVars: []string{"BASETEN_API_KEY"}, Rename: tokens(),
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://docs.baseten.co/quickstart",
		},
		{
			Name: "galadriel", Base: "https://api.galadriel.com/v1",
			BaseVars: []string{"GALADRIEL_API_BASE"}, KeyVars: []string{"GALADRIEL_API_KEY"}, Rename: tokens(),
			Source: "https://docs.galadriel.com/api-reference/chat-completion-API",
		},
		{
			Name: "empower", Base: "https://app.empower.dev/api/v1",
			BaseVars: []string{"EMPOWER_API_BASE"}, KeyVars: []string{"EMPOWER_API_KEY"}, Rename: tokens(),
			Source: "https://docs.empower.dev/api-reference/chat-completions/completions",
		},
		{
			// The page tells that since August 2024 there are endpoints of customers' own only, whose address is api_base.
			Name: "anyscale", Base: "https://api.endpoints.anyscale.com/v1",
			BaseVars: []string{"ANYSCALE_API_BASE", "ANYSCALE_BASE_URL"}, KeyVars: []string{"ANYSCALE_API_KEY"},
			Source: "https://docs.anyscale.com/endpoints/text-generation/query-a-model",
		},
		{
			Name: "v0", Base: "https://api.v0.dev/v1",
			BaseVars: []string{"V0_API_BASE"}, KeyVars: []string{"V0_API_KEY"},
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://vercel.com/docs/v0/api",
		},
		{
			Name: "morph", Base: "https://api.morphllm.com/v1",
			BaseVars: []string{"MORPH_API_BASE"}, KeyVars: []string{"MORPH_API_KEY"},
			Source: "https://docs.morphllm.com/api-reference/prompting",
		},
		{
			Name: "inception", Base: "https://api.inceptionlabs.ai/v1",
			BaseVars: []string{"INCEPTION_API_BASE"}, KeyVars: []string{"INCEPTION_API_KEY"},
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://docs.inceptionlabs.ai/capabilities/next-edit",
		},
		{
			Name: "amazon_nova", Base: "https://api.nova.amazon.com/v1",
			BaseVars: []string{"AMAZON_NOVA_API_BASE", "NOVA_BASE_URL"}, KeyVars: []string{"AMAZON_NOVA_API_KEY", "NOVA_API_KEY"},
			Source: "https://github.com/amazon-nova-api/getting-started-with-nova-api",
		},
		{
			Name: "wandb", Base: "https://api.inference.wandb.ai/v1",
			BaseVars: []string{"WANDB_API_BASE"}, KeyVars: []string{"WANDB_API_KEY"},
			Lacks:  []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://docs.wandb.ai/inference/api-reference",
		},
		{
			Name: "ovhcloud", Base: "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
			BaseVars: []string{"OVHCLOUD_API_BASE"}, KeyVars: []string{"OVHCLOUD_API_KEY"},
			Offers: []llm.Operation{llm.OpTranscription}, KeyOptional: true,
			Source: "https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog",
		},
		{
			Name: "scaleway", Base: "https://api.scaleway.ai/v1", KeyVars: []string{"SCW_SECRET_KEY"},
			Offers: []llm.Operation{llm.OpTranscription, llm.OpRerank},
			// https://www.scaleway.com/en/docs/generative-apis/reference-content/openai-compatibility/, in beta
			Responses: true, Stateless: true,
			Source: "https://www.scaleway.com/en/docs/generative-apis/reference-content/openai-compatibility/",
		},
		{
			Name: "modelscope", Base: "https://api-inference.modelscope.cn/v1",
			BaseVars: []string{"MODELSCOPE_API_BASE"}, KeyVars: []string{"MODELSCOPE_API_KEY"},
			Source: "https://modelscope.cn/docs/model-service/API-Inference/intro",
		},
		{
			Name: "publicai", Base: "https://api.publicai.co/v1",
			BaseVars: []string{"PUBLICAI_API_BASE"}, KeyVars: []string{"PUBLICAI_API_KEY"}, Rename: tokens(),
			Plain:  true,
			Source: "https://docs.litellm.ai/docs/providers/publicai",
		},
		{
			Name: "sarvam", Base: "https://api.sarvam.ai/v1", KeyVars: []string{"SARVAM_API_KEY"},
			KeyHeader: "api-subscription-key", Rename: tokens(),
			Lacks: []llm.Operation{llm.OpCompletion, llm.OpEmbedding}, Plain: true,
			Source: "https://docs.sarvam.ai/api-reference/chat/chat-completions-v1",
		},
		{
			Name: "compactifai", Base: "https://api.compactif.ai/v1", KeyVars: []string{"COMPACTIFAI_API_KEY"},
			Offers: []llm.Operation{llm.OpTranscription},
			// The list of models tells which of them have it.
			Responses: true, ResponsesOf: []string{"llama-4-scout"}, Stateless: true,
			Source: "https://docs.compactif.ai/api_reference",
		},
		{
			Name: "maritalk", Base: "https://chat.maritaca.ai/api", KeyVars: []string{"MARITALK_API_KEY"},
			Rename: tokens(), Plain: true, Source: "https://docs.maritaca.ai/api/pt/completion",
		},
		{
			Name: "chutes", Base: "https://llm.chutes.ai/v1", KeyVars: []string{"CHUTES_API_KEY"}, Rename: tokens(),
			Source: "https://chutes.ai/docs/getting-started/running-a-chute",
		},
		{
			Name: "abliteration", Base: "https://api.abliteration.ai/v1", KeyVars: []string{"ABLITERATION_API_KEY", "ABLIT_KEY"},
			// https://abliteration.ai/docs/openai-responses-api; nothing is retained.
			Responses: true, Stateless: true,
			Source: "https://abliteration.ai/docs/openai-compatibility",
		},
		{
			Name: "gmi", Base: "https://api.gmi-serving.com/v1", KeyVars: []string{"GMI_API_KEY"},
			Source: "https://github.com/GMISWE",
		},
		{
			Name: "heroku", BaseVars: []string{"HEROKU_API_BASE"}, KeyVars: []string{"HEROKU_API_KEY"}, BaseSuffix: "/v1",
			Offers: []llm.Operation{llm.OpImage, llm.OpRerank}, Lacks: []llm.Operation{llm.OpCompletion}, Plain: true,
			Source: "https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions",
		},
		{
			Name: "crusoe", Base: "https://api.inference.crusoecloud.com/v1", Former: "https://managed-inference-api-proxy.crusoecloud.com/v1",
			BaseVars: []string{"CRUSOE_API_BASE"}, KeyVars: []string{"CRUSOE_API_KEY"}, Rename: tokens(),
			Source: "https://docs.crusoecloud.com/quickstart/getting-started-with-serverless-inference",
		},
	}
}

// qwen is Alibaba Cloud's Model Studio under another of its names.
func qwen(name, base, vars, source string) Vendor {
	return Vendor{
		Name: name, Base: base, BaseVars: []string{vars + "_API_BASE"}, KeyVars: []string{vars + "_API_KEY", "DASHSCOPE_API_KEY"},
		Rename: tokens(), Responses: true, ResponsesOf: []string{"qwen3-max", "qwen3.5-"}, Source: source,
	}
}

// openAI is all that OpenAI's own API offers beside chats, completions and embeddings.
func openAI() []llm.Operation {
	return []llm.Operation{
		llm.OpModeration, llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpSpeech, llm.OpTranscription,
		llm.OpTranslation, llm.OpResource, llm.OpRealtime,
	}
}

// everything is all that the gateway can pass on in OpenAI's dialect, for servers of which more is not known.
func everything() []llm.Operation { return append(openAI(), llm.OpRerank) }
