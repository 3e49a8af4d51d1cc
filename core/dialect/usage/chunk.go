package usage

import (
	"encoding/base64"

	"github.com/sallyport-ai/sallyport/core/dialect"
	"github.com/sallyport-ai/sallyport/core/llm"
)

// chunk is the document inside the payload of a chunk event of InvokeModelWithResponseStream
// (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html).
func chunk(payload []byte) ([]byte, bool) {
	s, ok := llm.Text(dialect.Get(payload, "bytes"))
	if !ok {
		return nil, false
	}
	b, err := base64.StdEncoding.AppendDecode(nil, s)
	return b, err == nil
}
