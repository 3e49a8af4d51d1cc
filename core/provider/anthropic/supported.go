package anthropic

import (
	"slices"

	"github.com/sallyport-ai/sallyport/core/dialect/openai"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// Supported returns the parameters of OpenAI's API that the Messages API has something for, in order, and whether the
// operation is offered at all. The caller owns the list.
func (p *Provider) Supported(op llm.Operation) ([]string, bool) {
	if op != llm.OpChat && op != llm.OpCompletion {
		return nil, false
	}
	list := slices.DeleteFunc(openai.Parameters(llm.OpChat), func(name string) bool {
		return unsupported([]byte(name), []byte(`"?"`))
	})
	list = append(list, "stream", "stream_options")
	slices.Sort(list)
	return list, true
}
