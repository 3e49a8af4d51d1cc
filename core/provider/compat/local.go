package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// local are servers that operators run themselves. They need no key; some want to see one all the same.
func local() []Vendor {
	const fake = "fake-api-key"
	return []Vendor{
		{
			// Another gateway of the reference's kind, this one included.
			Name: "litellm_proxy", BaseVars: []string{"LITELLM_PROXY_API_BASE"}, KeyVars: []string{"LITELLM_PROXY_API_KEY"},
			KeyOptional: true, Offers: everything(),
			Responses: true, Developer: true, Caches: true, Extended: true,
			Source: "https://docs.litellm.ai/docs/providers/litellm_proxy",
		},
		{
			// Any server that speaks the API.
			Name: "custom_openai", BaseVars: []string{"OPENAI_LIKE_API_BASE"}, KeyVars: []string{"OPENAI_LIKE_API_KEY"},
			KeyOptional: true, Offers: everything(), Source: "https://platform.openai.com/docs/api-reference",
		},
		{
			Name: "hosted_vllm", BaseVars: []string{"HOSTED_VLLM_API_BASE"}, KeyVars: []string{"HOSTED_VLLM_API_KEY"},
			KeyOptional: true, DefaultKey: fake,
			Offers:    []llm.Operation{llm.OpTranscription, llm.OpTranslation, llm.OpRerank, llm.OpResource, llm.OpRealtime},
			Responses: true,
			Source:    "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
		},
		{
			Name: "llamafile", Base: "http://127.0.0.1:8080/v1",
			BaseVars: []string{"LLAMAFILE_API_BASE"}, KeyVars: []string{"LLAMAFILE_API_KEY"},
			KeyOptional: true, DefaultKey: fake, Rename: tokens(),
			// What it does with tools depends on which of its two servers runs.
			Source: "https://github.com/Mozilla-Ocho/llamafile/blob/main/llamafile/server/doc/v1_chat_completions.md",
		},
		{
			Name: "lm_studio", Base: "http://localhost:1234/v1",
			BaseVars: []string{"LM_STUDIO_API_BASE"}, KeyVars: []string{"LM_STUDIO_API_KEY"},
			KeyOptional: true, DefaultKey: fake, Rename: tokens(),
			// https://lmstudio.ai/docs/developer/openai-compat/responses; what it keeps cannot be fetched.
			Responses: true, Stateless: true,
			Source: "https://lmstudio.ai/docs/app/api/endpoints/openai",
		},
		{
			Name: "xinference", Base: "http://127.0.0.1:9997/v1",
			BaseVars: []string{"XINFERENCE_API_BASE"}, KeyVars: []string{"XINFERENCE_API_KEY"},
			KeyOptional: true, DefaultKey: fake,
			Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpRerank},
			Source: "https://inference.readthedocs.io/en/latest/user_guide/client_api.html",
		},
		{
			Name: "docker_model_runner", Base: "http://localhost:12434/engines/v1",
			BaseVars: []string{"DOCKER_MODEL_RUNNER_API_BASE"}, KeyVars: []string{"DOCKER_MODEL_RUNNER_API_KEY"},
			KeyOptional: true, DefaultKey: "dummy-key", BaseSuffix: "/v1",
			Source: "https://docs.docker.com/ai/model-runner/api-reference",
		},
		{
			Name: "lemonade", Base: "http://localhost:8000/api/v1",
			BaseVars: []string{"LEMONADE_API_BASE"}, KeyVars: []string{"LEMONADE_API_KEY"},
			KeyOptional: true, DefaultKey: "lemonade",
			Offers:    []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpSpeech, llm.OpTranscription},
			Responses: true, Stateless: true,
			Source: "https://lemonade-server.ai/docs/api/openai",
		},
		{
			Name: "oobabooga", Base: "http://127.0.0.1:5000/v1",
			BaseVars: []string{"OOBABOOGA_API_BASE"}, KeyVars: []string{"OOBABOOGA_API_KEY"}, KeyOptional: true, BaseSuffix: "/v1",
			Rename: tokens(),
			Source: "https://github.com/oobabooga/text-generation-webui/wiki/12-%E2%80%90-OpenAI-API",
		},
	}
}
