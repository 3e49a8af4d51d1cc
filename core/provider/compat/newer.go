package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// newer are vendors that the reference added lately, in its list of those that speak OpenAI's API
// (litellm/llms/openai_like/providers.json of version 1.109.1). Where no other page is named, nothing else is known about
// them here.
func newer() []Vendor {
	const source = "https://docs.litellm.ai/docs/providers"
	chats := []llm.Operation{llm.OpCompletion, llm.OpEmbedding}
	return []Vendor{
		{Name: "aiand", Base: "https://api.aiand.com/v1",
			BaseVars: []string{"AIAND_API_BASE"}, KeyVars: []string{"AIAND_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "assemblyai", Base: "https://llm-gateway.assemblyai.com/v1",
			KeyVars: []string{"ASSEMBLYAI_API_KEY"}, Lacks: chats, Source: "https://www.assemblyai.com/docs/llm-gateway/chat-completions"},
		{Name: "charity_engine", Base: "https://api.charityengine.services/remotejobs/v2/inference",
			KeyVars: []string{"CHARITY_ENGINE_API_KEY"}, Rename: tokens(), Source: source},
		{Name: "cognition", Base: "https://api.cognition.ai/v1",
			BaseVars: []string{"COGNITION_API_BASE"}, KeyVars: []string{"COGNITION_API_KEY"}, Source: source},
		{Name: "coralbricks", Base: "https://inference.coralbricks.ai/v1",
			BaseVars: []string{"CORALBRICKS_API_BASE"}, KeyVars: []string{"CORALBRICKS_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "cortecs", Base: "https://api.cortecs.ai/v1",
			BaseVars: []string{"CORTECS_API_BASE"}, KeyVars: []string{"CORTECS_API_KEY"}, Lacks: chats[:1], Responses: true,
			Source: "https://docs.cortecs.ai/api-overview/chat-completions"},
		{Name: "darkbloom", Base: "https://api.darkbloom.dev/v1",
			BaseVars: []string{"DARKBLOOM_API_BASE"}, KeyVars: []string{"DARKBLOOM_API_KEY"}, Rename: tokens(), Plain: true,
			Source: "https://docs.darkbloom.dev/reference/chat-completions"},
		{Name: "empiriolabs", Base: "https://api.empiriolabs.ai/v1",
			BaseVars: []string{"EMPIRIOLABS_API_BASE"}, KeyVars: []string{"EMPIRIOLABS_API_KEY"}, Rename: tokens(), Responses: true,
			Offers: []llm.Operation{llm.OpImage}, Source: "https://docs.empiriolabs.ai/api-reference-overview"},
		{Name: "hostinger_router", Base: "https://router.hostinger.com/v1",
			BaseVars: []string{"HOSTINGER_ROUTER_API_BASE"}, KeyVars: []string{"HOSTINGER_ROUTER_API_KEY"}, Lacks: chats[:1], Source: source},
		{Name: "inferenceapis", Base: "https://api.inferenceapis.com/v1",
			BaseVars: []string{"INFERENCEAPIS_API_BASE"}, KeyVars: []string{"INFERENCEAPIS_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "kyma", Base: "https://kymaapi.com/v1",
			KeyVars: []string{"KYMA_API_KEY"}, Rename: tokens(), Source: "https://docs.kymaapi.com/api-reference"},
		{Name: "libertai", Base: "https://api.libertai.io/v1",
			BaseVars: []string{"LIBERTAI_API_BASE"}, KeyVars: []string{"LIBERTAI_API_KEY"}, Rename: tokens(), Responses: true, Stateless: true,
			Source: "https://docs.libertai.io/apis/text/usage.html"},
		{Name: "meta", Base: "https://api.meta.ai/v1",
			BaseVars: []string{"META_API_BASE"}, KeyVars: []string{"META_API_KEY"}, Lacks: chats, Responses: true, Offers: []llm.Operation{llm.OpRealtime}, Source: source},
		{Name: "neosantara", Base: "https://api.neosantara.xyz/v1",
			BaseVars: []string{"NEOSANTARA_API_BASE"}, KeyVars: []string{"NEOSANTARA_API_KEY"}, Rename: tokens(), Lacks: chats[:1],
			// Its Responses API has no tools, and the page sends those who want them to chats.
			Source: "https://docs.neosantara.xyz/api-reference/sdk/openai-compatible"},
		{Name: "openinfer", Base: "https://api.openinfer.ai/v1",
			BaseVars: []string{"OPENINFER_API_BASE"}, KeyVars: []string{"OPENINFER_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "parasail", Base: "https://api.parasail.io/v1",
			BaseVars: []string{"PARASAIL_API_BASE"}, KeyVars: []string{"PARASAIL_API_KEY"}, Lacks: chats[:1], Offers: []llm.Operation{llm.OpResource},
			Source: "https://docs.parasail.io/parasail-docs/api-reference/authentication"},
		{Name: "pinstripes", Base: "https://api.pinstripes.io/v1", Former: "https://pinstripes.io/v1",
			BaseVars: []string{"PINSTRIPES_API_BASE"}, KeyVars: []string{"PINSTRIPES_API_KEY"}, Rename: tokens(), Lacks: chats, Responses: true,
			Source: "https://www.pinstripes.io/docs/chat/completions"},
		{Name: "prism", Base: "https://api.prisminference.com/v1",
			BaseVars: []string{"PRISM_API_BASE"}, KeyVars: []string{"PRISM_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "refuseless", Base: "https://api.refuseless.com/v1",
			KeyVars: []string{"REFUSELESS_API_KEY"}, Lacks: chats, Responses: true, Source: source},
		{Name: "reka", Base: "https://api.reka.ai/v1",
			BaseVars: []string{"REKA_API_BASE"}, KeyVars: []string{"REKA_API_KEY"}, Lacks: chats, Source: "https://docs.reka.ai/chat/api-reference/create-chat-completion"},
		{Name: "sail", Base: "https://api.sailresearch.com/v1",
			BaseVars: []string{"SAIL_API_BASE"}, KeyVars: []string{"SAIL_API_KEY"}, Rename: limit(), Unsupported: []string{"n"}, Lacks: chats, Responses: true,
			// Streams are refused by the vendor.
			Source: "https://docs.sailresearch.com/api-reference/introduction"},
		{Name: "scx-ai", Base: "https://api.scx.ai/v1",
			BaseVars: []string{"SCX_API_BASE"}, KeyVars: []string{"SCX_API_KEY"}, Rename: tokens(), Lacks: chats,
			Source: "https://platform.scx.ai/docs/guides/openai-compatibility"},
		{Name: "tensormesh", Base: "https://serverless.tensormesh.ai/v1",
			BaseVars: []string{"TENSORMESH_SERVERLESS_BASE_URL"}, KeyVars: []string{"TENSORMESH_INFERENCE_API_KEY"}, Rename: tokens(), Lacks: chats[1:],
			Responses: true, Stateless: true, Source: "https://docs.tensormesh.ai/api-reference"},
		// It also wants to see x-project-id, which extra_headers or headers carry.
		{Name: "zerogpu", Base: "https://api.zerogpu.ai/v1", KeyHeader: "x-api-key", Plain: true,
			BaseVars: []string{"ZEROGPU_API_BASE"}, KeyVars: []string{"ZEROGPU_API_KEY"}, Lacks: chats, Responses: true, Stateless: true,
			Source: "https://docs.zerogpu.ai/api-reference/chat-completions"},
	}
}
