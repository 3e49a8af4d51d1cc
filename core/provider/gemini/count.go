package gemini

import (
	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// counted appends the body of countTokens for a request. The Gemini API takes the request as it is
// (https://ai.google.dev/api/tokens), Vertex AI only what has tokens
// (https://docs.cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/countTokens).
func (o *own) counted(request *llm.Object, dst []byte) []byte {
	b := dialect.Build(dst)
	b.Open('{')
	if !o.vertex {
		b.Key("generateContentRequest").Open('{').Text("model", "models/"+o.model)
	}
	for _, m := range request.Members() {
		key := request.Key(m)
		if gateways(key) || o.vertex && !hasTokens(key) {
			continue
		}
		b.Key(string(key)).Raw(request.Value(m))
	}
	if !o.vertex {
		b.Close('}')
	}
	b.Close('}')
	return b.Bytes()
}

func hasTokens(key []byte) bool {
	switch string(key) {
	case "contents", "tools", "systemInstruction", "system_instruction", "generationConfig", "generation_config":
		return true
	}
	return false
}
