package compat

import "github.com/sallyport-ai/sallyport/core/llm"

// clouds are the vendors that take credentials of their cloud in place of a key: signatures, or tokens that expire.
func clouds() []Vendor {
	return []Vendor{
		{
			Name: "bedrock", Own: true, KeyOptional: true,
			BaseVars: []string{"AWS_BEDROCK_RUNTIME_ENDPOINT"}, KeyVars: []string{"AWS_BEARER_TOKEN_BEDROCK"},
			Offers: []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpImageVariation, llm.OpRerank},
			Source: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html",
		},
		{
			Name: "aws_polly", Own: true, KeyOptional: true,
			Lacks:  []llm.Operation{llm.OpChat, llm.OpCompletion, llm.OpEmbedding},
			Offers: []llm.Operation{llm.OpSpeech}, Source: "https://docs.aws.amazon.com/polly/latest/dg/API_SynthesizeSpeech.html",
		},
		{
			Name: "sagemaker", Own: true, KeyOptional: true,
			Source: "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
		},
		{
			Name: "sagemaker_chat", Own: true, KeyOptional: true, Lacks: []llm.Operation{llm.OpCompletion, llm.OpEmbedding},
			Source: "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html",
		},
		{
			Name: "azure", Own: true, KeyHeader: "api-key",
			BaseVars: []string{"AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"}, KeyVars: []string{"AZURE_API_KEY", "AZURE_OPENAI_API_KEY"},
			Offers: []llm.Operation{
				llm.OpImage, llm.OpImageEdit, llm.OpSpeech, llm.OpTranscription, llm.OpTranslation, llm.OpResource, llm.OpRealtime,
			},
			Responses: true, Developer: true, NewLimit: true,
			Source: "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference",
		},
		{
			Name: "azure_ai", Own: true, BaseVars: []string{"AZURE_AI_API_BASE"}, KeyVars: []string{"AZURE_AI_API_KEY"},
			Offers:    []llm.Operation{llm.OpImage, llm.OpImageEdit, llm.OpRerank, llm.OpSpeech, llm.OpTranscription},
			Responses: true, Developer: true,
			Source: "https://learn.microsoft.com/en-us/azure/ai-foundry/model-inference/concepts/endpoints",
		},
	}
}
