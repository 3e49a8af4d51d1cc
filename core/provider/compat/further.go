package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// further are more vendors with an API of their own, at least for some operations.
func further() []Vendor {
	none := []llm.Operation{llm.OpChat, llm.OpCompletion, llm.OpEmbedding}
	return []Vendor{
		{
			// Chats go to the router of many providers, or to an endpoint of the customer's own; both speak OpenAI's API.
			Name: "huggingface", Own: true, Base: "https://router.huggingface.co/v1", BaseSuffix: "/v1",
			BaseVars: []string{"HF_API_BASE", "HUGGINGFACE_API_BASE"}, KeyVars: []string{"HF_TOKEN", "HUGGINGFACE_API_KEY"},
			Offers: []llm.Operation{llm.OpRerank}, Source: "https://huggingface.co/docs/inference-providers/index",
		},
		{
			Name: "voyage", Own: true, Base: "https://api.voyageai.com/v1",
			BaseVars: []string{"VOYAGE_API_BASE"}, KeyVars: []string{"VOYAGE_API_KEY", "VOYAGE_AI_API_KEY", "VOYAGE_AI_TOKEN"},
			Lacks: none[:2], Offers: []llm.Operation{llm.OpRerank}, Source: "https://docs.voyageai.com/reference/embeddings-api",
		},
		{
			Name: "jina_ai", Own: true, Base: "https://api.jina.ai/v1",
			BaseVars: []string{"JINA_AI_API_BASE"}, KeyVars: []string{"JINA_AI_API_KEY", "JINA_AI_TOKEN"},
			Lacks: none[:2], Offers: []llm.Operation{llm.OpRerank}, Source: "https://api.jina.ai/docs",
		},
		{
			Name: "replicate", Own: true, Base: "https://api.replicate.com/v1",
			BaseVars: []string{"REPLICATE_API_BASE"}, KeyVars: []string{"REPLICATE_API_KEY", "REPLICATE_API_TOKEN"},
			Lacks: none[2:], Source: "https://replicate.com/docs/reference/http",
		},
		{
			Name: "predibase", Own: true, Base: "https://serving.app.predibase.com",
			BaseVars: []string{"PREDIBASE_API_BASE"}, KeyVars: []string{"PREDIBASE_API_KEY"},
			Settings: []Setting{{"tenant_id", []string{"PREDIBASE_TENANT_ID"}}},
			Lacks:    none[2:], Source: "https://docs.predibase.com/user-guide/inference/migrate-openai",
		},
		{
			Name: "triton", Own: true, KeyOptional: true,
			BaseVars: []string{"TRITON_API_BASE"}, KeyVars: []string{"TRITON_API_KEY"},
			Source: "https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html",
		},
		{
			Name: "nlp_cloud", Own: true, Base: "https://api.nlpcloud.io/v1/gpu",
			BaseVars: []string{"NLP_CLOUD_API_BASE"}, KeyVars: []string{"NLP_CLOUD_API_KEY"},
			Lacks: none[2:], Source: "https://docs.nlpcloud.com",
		},
		{
			Name: "deepgram", Own: true, Base: "https://api.deepgram.com/v1",
			BaseVars: []string{"DEEPGRAM_API_BASE"}, KeyVars: []string{"DEEPGRAM_API_KEY"},
			Lacks: none, Offers: []llm.Operation{llm.OpSpeech, llm.OpTranscription},
			Source: "https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded",
		},
		{
			Name: "elevenlabs", Own: true, Base: "https://api.elevenlabs.io", KeyHeader: "xi-api-key",
			BaseVars: []string{"ELEVENLABS_API_BASE"}, KeyVars: []string{"ELEVENLABS_API_KEY"},
			Lacks: none, Offers: []llm.Operation{llm.OpSpeech, llm.OpTranscription},
			Source: "https://elevenlabs.io/docs/api-reference/introduction",
		},
		{
			Name: "stability", Own: true, Base: "https://api.stability.ai",
			BaseVars: []string{"STABILITY_API_BASE"}, KeyVars: []string{"STABILITY_API_KEY"},
			Lacks: none, Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit},
			Source: "https://platform.stability.ai/docs/api-reference",
		},
		{
			Name: "fal_ai", Own: true, Base: "https://fal.run",
			BaseVars: []string{"FAL_AI_API_BASE"}, KeyVars: []string{"FAL_AI_API_KEY", "FAL_KEY"},
			Lacks: none, Offers: []llm.Operation{llm.OpImage},
			Source: "https://docs.fal.ai/model-apis/model-endpoints/synchronous-requests",
		},
	}
}

// moved are vendors that speak OpenAI's API under addresses that the model, or several settings, are part of.
func moved() []Vendor {
	chats := []llm.Operation{llm.OpCompletion, llm.OpEmbedding}
	return []Vendor{
		{
			Name: "bedrock_mantle", Own: true, KeyOptional: true, BaseVars: []string{"BEDROCK_MANTLE_API_BASE"},
			KeyVars:  []string{"BEDROCK_MANTLE_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"},
			Settings: []Setting{{"aws_region_name", []string{"BEDROCK_MANTLE_REGION"}}},
			Lacks:    chats, Responses: true, ResponsesOf: []string{"openai."},
			Source: "https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html",
		},
		{
			Name: "datarobot", Own: true, Base: "https://app.datarobot.com", Lacks: chats,
			BaseVars: []string{"DATAROBOT_ENDPOINT"}, KeyVars: []string{"DATAROBOT_API_TOKEN"},
			Source: "https://docs.datarobot.com/en/docs/gen-ai/genai-code/dr-llm-gateway.html",
		},
		{
			Name: "recraft", Own: true, Base: "https://external.api.recraft.ai/v1", BaseSuffix: "/v1",
			BaseVars: []string{"RECRAFT_API_BASE"}, KeyVars: []string{"RECRAFT_API_KEY", "RECRAFT_API_TOKEN"},
			Lacks: append(chats, llm.OpChat), Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit},
			Source: "https://www.recraft.ai/docs/api-reference/agents",
		},
		{
			// A model is chat/<id>/<model> or agent/<id>/<model>, as in the reference.
			Name: "ragflow", Own: true, BaseVars: []string{"RAGFLOW_API_BASE"}, KeyVars: []string{"RAGFLOW_API_KEY"}, Lacks: chats,
			Source: "https://ragflow.io/docs/dev/http_api_reference",
		},
		{
			// The key is a token; accounts of a service are not known here.
			Name: "gdc", Own: true, BaseVars: []string{"GDC_API_BASE"}, KeyVars: []string{"GDC_API_KEY"}, Lacks: chats,
			Source: "https://docs.litellm.ai/docs/providers/gdc",
		},
	}
}

// templated are vendors that speak OpenAI's API at an address in which a setting of the customer's stands.
func templated() []Vendor {
	return []Vendor{
		{
			Name: "cloudflare", Template: "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
			BaseVars: []string{"CLOUDFLARE_API_BASE"}, KeyVars: []string{"CLOUDFLARE_API_KEY", "CLOUDFLARE_API_TOKEN"},
			Settings: []Setting{{"account_id", []string{"CLOUDFLARE_ACCOUNT_ID"}}},
			BaseSwap: []llm.Pair{{Name: "/ai/run", Value: "/ai/v1"}}, Rename: tokens(),
			Source: "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
		},
		{
			Name: "snowflake", Template: "https://{account_id}.snowflakecomputing.com/api/v2/cortex/v1",
			BaseVars: []string{"SNOWFLAKE_API_BASE"}, KeyVars: []string{"SNOWFLAKE_JWT", "SNOWFLAKE_PAT", "SNOWFLAKE_API_KEY"},
			Settings: []Setting{{"account_id", []string{"SNOWFLAKE_ACCOUNT_ID"}}},
			BaseSwap: []llm.Pair{{Name: "/api/v2", Value: "/api/v2/cortex/v1"}}, // the reference's base
			Lacks:    []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			// https://docs.snowflake.com/release-notes/2026/other/2026-10-23-cortex-rest-api-responses-api: models of OpenAI's.
			Responses: true, ResponsesOf: []string{"openai-"}, Stateless: true,
			Source: "https://docs.snowflake.com/user-guide/snowflake-cortex/cortex-rest-api",
		},
		{
			// A server for embeddings and reranking of one's own.
			Name: "infinity", KeyOptional: true, BaseVars: []string{"INFINITY_API_BASE"}, KeyVars: []string{"INFINITY_API_KEY"},
			Lacks: []llm.Operation{llm.OpChat, llm.OpCompletion}, Offers: []llm.Operation{llm.OpRerank},
			Source: "https://michaelfeil.eu/infinity",
		},
	}
}
