package gemini

import (
	"github.com/sallyport-ai/sallyport/core/llm"
	"github.com/sallyport-ai/sallyport/core/provider"
)

// forms are the operations besides chats.
func forms(vertex bool) map[llm.Operation]*provider.Form {
	out := map[llm.Operation]*provider.Form{
		llm.OpEmbedding: embeddings(vertex),
		llm.OpImage:     images(),
		llm.OpImageEdit: edits(),
		llm.OpSpeech:    speech(vertex),

		llm.OpTranscription: transcriptions(),
	}
	if vertex {
		out[llm.OpRerank] = ranking()
	}
	return out
}
